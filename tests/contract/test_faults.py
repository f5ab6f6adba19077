"""Every fault that the issue of the measuring engine names, over real sockets: whose it is, and what becomes of it."""

import asyncio
import gzip
import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.backends.blame import RETRYABLE, retry_after_s
from harness.backends.client import ChatClient, Exchange
from harness.backends.stream import Reading, read_exchange
from harness.protocols import Endpoint
from harness.records import Failure
from harness.records.manifest import BackendFacts
from tests.support import openai_server as fake
from tests.support.faults import CASES, LONG_S, SHORT_S, STOP, WORD, Case, http, said, sse
from tests.support.openai_server import DONE, END, SSE_HEAD, Close, Raw, Step, Wait, chunked, serve
from tests.support.tls import self_signed

BODY = b'{"model":"test-model","messages":[]}'


def endpoint(url: str) -> Endpoint:
    return Endpoint(base_url=url, model="test-model", facts=BackendFacts(name="endpoint"))


async def ask(url: str, deadline_s: float = LONG_S, stall_s: float = LONG_S, connect_s: float = LONG_S) -> Exchange:
    async with ChatClient(endpoint(url), concurrency=1, connect_timeout_s=connect_s) as client:
        return await client.stream(BODY, deadline_s=deadline_s, stall_s=stall_s)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_each_fault_is_laid_at_the_right_door(case: Case) -> None:
    async with serve(lambda _n, _body: case.steps) as server:
        reading = read_exchange(await ask(server.url, case.deadline_s, case.stall_s))

    failure = reading.failure
    if failure is None:
        assert (case.boundary, case.kind) == (None, None), case.name
        assert reading.reply is not None
        return
    assert (failure.boundary, failure.kind) == (case.boundary, case.kind), failure.message
    assert (failure.boundary == "infrastructure" and failure.kind in RETRYABLE) is case.retried
    assert "\n" not in failure.message
    assert case.words in failure.message


@contextmanager
def full_backlog() -> Iterator[int]:
    """The port of a listener that takes no more connections: whoever knocks waits."""
    held: list[socket.socket] = []
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = int(listener.getsockname()[1])
        try:
            for _ in range(4):
                one = socket.socket()
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))
                held.append(one)
            yield port
        finally:
            for one in held:
                one.close()


async def failure_at(url: str, connect_s: float = LONG_S) -> Failure:
    failure = read_exchange(await ask(url, connect_s=connect_s)).failure
    assert failure is not None
    assert failure.boundary == "infrastructure"
    return failure


async def test_a_host_without_an_address_is_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)

    failure = await failure_at("http://no-such-host.invalid/v1")

    assert failure.kind == "dns"
    assert "no-such-host.invalid" in failure.message


async def test_a_door_that_does_not_open_is_a_connect_failure() -> None:
    with full_backlog() as port:
        failure = await failure_at(f"http://127.0.0.1:{port}/v1", connect_s=SHORT_S)

    assert failure.kind == "connect"
    assert "connect" in failure.message


async def test_a_certificate_that_nobody_vouches_for_is_tls(tmp_path: Path) -> None:
    async with serve(lambda _n, _body: fake.reply("yes"), tls=self_signed(tmp_path)) as server:
        failure = await failure_at(server.url)

    assert failure.kind == "tls"
    assert "self-signed" in failure.message or "self signed" in failure.message
    assert server.bodies == []


async def test_tls_spoken_to_a_server_without_it_is_tls() -> None:
    async def refuse(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        failure = await failure_at(f"https://127.0.0.1:{port}/v1")

    assert failure.kind == "tls"


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("7", 7, 7),
        ("0.25", 0.25, 0.25),
        ("-3", 0, 0),
        (timedelta(hours=1), 3400, 3601),
        (timedelta(hours=-1), 0, 0),
        (format_datetime(datetime(2100, 1, 1)), 1e6, 1e10),  # noqa: DTZ001  # a date without a zone is what is tried
    ],
)
async def test_retry_after_is_read_as_seconds_or_date(header: str | timedelta, low: float, high: float) -> None:
    if isinstance(header, timedelta):
        header = format_datetime(datetime.now(UTC) + header, usegmt=True)
    async with serve(lambda _n, _body: said(429, "slow down", f"Retry-After: {header}\r\n")) as server:
        failure = await failure_at(server.url)

    assert failure.kind == "rate_limit"
    assert failure.retry_after_s is not None
    assert low <= failure.retry_after_s <= high


@pytest.mark.parametrize("header", ["soon", "nan", "inf", "1e999", "", "Fri, 99 Foo 2026"])
def test_a_retry_after_that_says_nothing_is_none(header: str) -> None:
    assert retry_after_s(header) is None


async def text_of(steps: Sequence[Step]) -> str | None:
    async with serve(lambda _n, _body: steps) as server:
        reading = read_exchange(await ask(server.url))
    assert reading.failure is None
    assert reading.reply is not None
    return reading.reply.content


async def test_what_is_no_unicode_is_replaced_and_the_rest_is_kept() -> None:
    broken = b'data: {"choices":[{"delta":{"content":"caf\xc3 \\ud83d! \\ud83d\\ude00 \\udc00"}}]}\n\n'

    assert await text_of(sse(broken, STOP, DONE)) == "caf\ufffd \ufffd! \U0001f600 \ufffd"


async def test_characters_cut_by_the_network_are_whole_again() -> None:
    whole = 'data: {"choices":[{"delta":{"content":"häß€😀"}}]}\n\n'.encode()
    steps: list[Step] = [Raw(SSE_HEAD)]
    for place in range(0, len(whole), 3):
        steps += [chunked(whole[place : place + 3]), Wait(0.001)]

    assert await text_of([*steps, chunked(STOP + DONE), END]) == "häß€😀"


async def test_a_compressed_reply_is_read_though_none_was_asked_for() -> None:
    head = b"200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip"
    async with serve(lambda _n, _body: http(head, gzip.compress(WORD + STOP + DONE))) as server:
        reading = read_exchange(await ask(server.url))

    assert reading.failure is None
    assert server.headers[0]["accept-encoding"] == "identity"


async def test_a_hundred_thousand_tiny_events_are_one_reply() -> None:
    count = 100_000
    many = chunked(WORD * 1000)

    async with serve(lambda _n, _body: [Raw(SSE_HEAD), *[many] * (count // 1000), chunked(STOP + DONE), END]) as server:
        reading = read_exchange(await ask(server.url, deadline_s=60))

    assert reading.failure is None
    assert reading.reply is not None
    assert reading.reply.content == "a" * count
    assert len(reading.timing.chunks_ns) == count
    assert list(reading.timing.chunks_ns) == sorted(reading.timing.chunks_ns)


@pytest.mark.parametrize("filler", [WORD * 1000, b"data: " + b"x" * 65_536], ids=["events", "one line without end"])
async def test_a_reply_beyond_all_bounds_is_cut_off_and_let_go(filler: bytes) -> None:
    sent = [0]

    def endless(_n: int, _body: dict[str, object]) -> Iterator[Step]:
        yield Raw(SSE_HEAD)
        for _ in range(20_000):
            sent[0] += len(filler)
            yield chunked(filler)

    async with serve(endless) as server, ChatClient(endpoint(server.url), concurrency=128) as client:  # type: ignore[arg-type]  # steps are consumed as they come
        exchange = await client.stream(BODY, deadline_s=60, stall_s=60)

    reading = read_exchange(exchange)
    assert reading.failure is not None
    assert (reading.failure.boundary, reading.failure.kind) == ("infrastructure", "malformed_stream")
    assert "larger than 4 MiB" in reading.failure.message
    assert reading.reply is None
    assert exchange.pieces == []
    assert sent[0] < 200 * 1024 * 1024


async def test_a_connection_that_the_server_closed_while_idle_costs_nothing() -> None:
    async with (
        serve(lambda _n, _body: [*fake.reply("yes"), Close()]) as server,
        ChatClient(endpoint(server.url), concurrency=1) as client,
    ):
        readings = []
        for _ in range(3):
            readings.append(read_exchange(await client.stream(BODY, deadline_s=5, stall_s=5)))
            await asyncio.sleep(0.02)

    assert [reading.failure for reading in readings] == [None, None, None]
    assert len(server.bodies) == 3


async def test_a_connection_that_the_server_closes_under_the_next_request_is_a_reset_that_may_be_retried() -> None:
    async with (
        serve(lambda n, _body: [Close()] if n == 1 else fake.reply("yes")) as server,
        ChatClient(endpoint(server.url), concurrency=1) as client,
    ):
        failures = [read_exchange(await client.stream(BODY, deadline_s=5, stall_s=5)).failure for _ in range(3)]

    assert [failure and failure.kind for failure in failures] == [None, "reset", None]
    assert "reset" in RETRYABLE


FIELDS = (
    "choices", "delta", "content", "reasoning", "tool_calls", "function", "name", "arguments", "index", "id", "message",
    "finish_reason", "usage", "prompt_tokens", "completion_tokens", "prompt_tokens_details", "cached_tokens", "timings",
    "prompt_ms", "predicted_n", "error", "code", "object",
)  # fmt: skip
FINITE = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | FINITE | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)
OBJECT = st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4)


def read(body: bytes, status: int = 200, content_type: str = "text/event-stream") -> Reading:
    marks, pieces = [2], [body]
    return read_exchange(
        Exchange(at=0.0, sent_ns=1, status=status, content_type=content_type, pieces=pieces, marks_ns=marks, end_ns=2)
    )


@settings(max_examples=300, deadline=None)
@given(
    events=st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4) | JSON, max_size=4),
    kind=st.sampled_from(["text/event-stream", "application/json"]),
)
def test_no_stream_of_json_makes_the_reader_raise(events: list[object], kind: str) -> None:
    reading = read(
        b"".join(fake.event(one) for one in events) if kind == "text/event-stream" else json.dumps(events).encode(),
        content_type=kind,
    )

    assert reading.failure is not None or reading.reply is not None


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()), status=st.integers(100, 599))
def test_no_body_makes_the_reader_raise(body: bytes, status: int) -> None:
    assert read(body, status=status).failure is not None
