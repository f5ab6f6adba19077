"""What the client's marks mean: when bytes arrived and left, whatever the event loop was doing at that moment."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

import pytest

from harness.backends import clock
from harness.backends.client import ChatClient, Exchange
from harness.backends.clock import ClockedConnector, ClockedHandler, kernel_stamps, stamped_ns
from harness.backends.stream import read_exchange
from harness.protocols import Endpoint
from harness.records.manifest import BackendFacts
from tests.support.openai_server import DONE, END, SSE_HEAD, Close, Raw, Step, Wait, chunked, delta, reply, serve
from tests.support.tls import self_signed

BODY = b'{"model":"test-model","messages":[]}'
MS = 1_000_000
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "fidelity.py"

needs_kernel_stamps = pytest.mark.skipif(not kernel_stamps(), reason="the kernel gives no arrival times here")


@contextmanager
def blocking_server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """One connection, one request, answered by a thread that goes on while the client's loop stands still."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        connection, _ = listener.accept()
        with connection:
            received = b""
            while not received.endswith(BODY):
                received += connection.recv(65536)
            answer(connection)
            connection.recv(1)  # until the client is gone

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        thread.join(timeout=10)
        listener.close()


def client_of(url: str) -> ChatClient:
    return ChatClient(Endpoint(url, "test-model", BackendFacts(name="endpoint")), concurrency=1)


async def stream(client: ChatClient) -> Exchange:
    return await client.stream(BODY, deadline_s=10, stall_s=10)


async def ask_while_blocked(written: "Queue[int]", block_s: float) -> tuple[Exchange, int, int]:
    """An exchange whose last chunk is written while the loop stands still; when it was written and the block's end."""
    begin = threading.Event()

    def answer(connection: socket.socket) -> None:
        connection.sendall(SSE_HEAD + chunked(delta(content="a")).data)
        begin.wait(10)
        time.sleep(0.02)  # by now the loop is blocked
        connection.sendall(chunked(delta(content="b", finish="stop") + DONE).data + END.data)
        written.put(time.perf_counter_ns())

    with blocking_server(answer) as url:
        async with client_of(url) as client:
            task = asyncio.create_task(stream(client))
            await asyncio.sleep(0.1)
            begin.set()
            time.sleep(block_s)  # noqa: ASYNC251 - the loop is meant to stand still
            end_ns = time.perf_counter_ns()
            exchange = await task
    return exchange, written.get(timeout=10), end_ns


@needs_kernel_stamps
async def test_a_piece_is_marked_when_it_arrived_not_when_the_loop_had_time_for_it() -> None:
    exchange, written_ns, block_end_ns = await ask_while_blocked(Queue(), block_s=0.5)

    assert exchange.failure is None
    assert len(exchange.marks_ns) == 2
    assert exchange.marks_ns[1] < written_ns + 1 * MS
    assert exchange.marks_ns[1] < block_end_ns - 100 * MS
    assert exchange.end_ns == exchange.marks_ns[1]


async def test_without_kernel_stamps_a_piece_is_marked_when_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_KERNEL_STAMPS", False)

    exchange, _, block_end_ns = await ask_while_blocked(Queue(), block_s=0.3)

    assert exchange.failure is None
    assert exchange.marks_ns[1] >= block_end_ns


async def test_the_send_mark_is_the_first_byte_out_not_the_call() -> None:
    block_end_ns = 0

    def block() -> None:
        nonlocal block_end_ns
        time.sleep(0.1)
        block_end_ns = time.perf_counter_ns()

    async with serve(lambda _n, _b: reply("a")) as server, client_of(server.url) as client:
        called_ns = time.perf_counter_ns()
        task = asyncio.create_task(stream(client))
        asyncio.get_running_loop().call_soon(block)  # runs when the call waits for its connection
        exchange = await task

    assert exchange.failure is None
    assert called_ns < block_end_ns <= exchange.sent_ns


@needs_kernel_stamps
async def test_marks_below_tls_are_the_kernels_too(tmp_path: Path) -> None:
    """The record that carries a piece is stamped; that it is decrypted late changes nothing."""
    steps = reply("a", "b", gap_s=0.05)
    async with serve(lambda _n, _b: steps, tls=self_signed(tmp_path)) as server, client_of(server.url) as client:
        connector = client._session.connector if client._session else None
        assert isinstance(connector, ClockedConnector)
        connector._ssl = False  # the certificate is the test's own
        exchange = await stream(client)
        (pool,) = connector._conns.values()
        handler = pool[0][0]

    assert exchange.failure is None
    assert isinstance(handler, ClockedHandler)
    assert handler._socket is not None
    assert exchange.marks_ns[-1] == handler._socket.arrived_ns
    assert exchange.sent_ns == handler._socket.sent_ns
    assert exchange.marks_ns[-1] - exchange.marks_ns[0] >= 40 * MS


async def test_each_exchange_on_a_kept_connection_has_its_own_marks() -> None:
    async with serve(lambda _n, _b: reply("a", "b", gap_s=0.02)) as server, client_of(server.url) as client:
        first, second = await stream(client), await stream(client)

    for exchange in (first, second):
        assert exchange.headers_ns is not None
        assert exchange.sent_ns < exchange.headers_ns <= exchange.marks_ns[0] <= exchange.marks_ns[-1]
    assert first.end_ns <= second.sent_ns
    assert read_exchange(second).reply == read_exchange(first).reply


async def test_the_pieces_in_order_are_the_body_however_much_piles_up() -> None:
    text = [f"{number:07d}" for number in range(60_000)]  # more chunks and bytes than aiohttp holds at once
    body = b"".join(chunked(delta(content=word)).data for word in text)
    steps = [Raw(SSE_HEAD + body), chunked(delta(finish="stop") + DONE), END]

    async with serve(lambda _n, _b: steps) as server, client_of(server.url) as client:
        exchange = await stream(client)

    reading = read_exchange(exchange)
    assert reading.failure is None
    assert reading.reply is not None
    assert reading.reply.content == "".join(text)
    assert len(exchange.pieces) == len(exchange.marks_ns)
    assert all(exchange.pieces)
    assert exchange.marks_ns == sorted(exchange.marks_ns)


async def test_a_server_that_closes_after_each_reply_against_its_word_is_asked_on_new_connections() -> None:
    """As llama-server does; the head promises to keep the connection."""
    steps = [*reply("a"), Wait(0.001), Close()]

    async with serve(lambda _n, _b: steps) as server, client_of(server.url) as client:
        first = await stream(client)
        await asyncio.sleep(0.05)
        later = [await stream(client) for _ in range(20)]

    assert [exchange.failure for exchange in (first, *later)] == [None] * 21


async def test_one_connection_that_ends_early_does_not_end_keeping_them() -> None:
    def answer(number: int, _body: object) -> list[Step]:
        return [*reply("a"), Close()] if number == 3 else reply("a")

    async with serve(answer) as server, client_of(server.url) as client:
        for _ in range(8):
            assert (await stream(client)).failure is None
            await asyncio.sleep(0.02)
        connector = client._session.connector if client._session else None
        assert isinstance(connector, ClockedConnector)

        assert not connector.force_close


def test_a_wall_clock_that_was_set_cannot_move_a_mark_out_of_its_bounds() -> None:
    set_back = stamped_ns(stamp_ns=5_000, wall_ns=1_000, now_ns=900, floor_ns=100)
    set_forward = stamped_ns(stamp_ns=5_000, wall_ns=10**18, now_ns=900, floor_ns=100)

    assert set_back == 900
    assert set_forward == 100


def test_no_mark_is_before_its_cause_when_many_streams_are_open(tmp_path: Path) -> None:
    table = tmp_path / "lines.json"
    command = [sys.executable, str(BENCHMARK), "--streams", "8", "--seconds", "0.3", "--chunks", "8"]

    subprocess.run([*command, "--neighbour", "no", "--json", str(table)], check=True, capture_output=True, timeout=60)

    line = json.loads(table.read_text())[0]
    assert line["calls"] >= 8
    assert line["pick-up"]["min_signed"] >= 0
    assert line["arrival"]["min_signed"] >= -1.0  # two clocks are read one after the other
