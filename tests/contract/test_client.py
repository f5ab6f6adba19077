"""The measuring client against a real server with known times and faults."""

import asyncio
from collections.abc import Sequence

import pytest

from harness.backends.client import ChatClient, Exchange
from harness.backends.stream import Reading, read_exchange
from harness.protocols import Endpoint
from harness.records.manifest import BackendFacts
from tests.support import openai_server as fake
from tests.support.openai_server import END, SSE_HEAD, Raw, Reset, Step, Wait, chunked, delta, serve

BODY = b'{"model":"test-model","messages":[]}'


def endpoint(url: str) -> Endpoint:
    return Endpoint(base_url=url, model="test-model", facts=BackendFacts(name="endpoint"))


async def ask(steps: Sequence[Step], deadline_s: float = 5.0, stall_s: float = 5.0) -> tuple[Exchange, Reading]:
    async with serve(lambda _n, _body: steps) as server, ChatClient(endpoint(server.url), concurrency=1) as client:
        exchange = await client.stream(BODY, deadline_s=deadline_s, stall_s=stall_s)
    return exchange, read_exchange(exchange)


async def test_a_stream_is_read_with_its_marks() -> None:
    _, reading = await ask(fake.reply("a", "b", "c", ttft_s=0.05, gap_s=0.02))

    timing = reading.timing
    assert reading.failure is None
    assert reading.reply is not None
    assert reading.reply.content == "abc"
    assert reading.usage.output_tokens == 3
    assert timing.first_content_ns is not None
    assert timing.last_ns is not None
    assert timing.end_ns is not None
    assert 50e6 <= timing.first_content_ns <= timing.last_ns <= timing.end_ns
    assert timing.last_ns - timing.first_content_ns >= 40e6
    assert len(timing.chunks_ns) == 3


@pytest.mark.parametrize(
    ("steps", "kind"),
    [
        ([Reset()], "reset"),
        ([Raw(SSE_HEAD), chunked(delta(content="a")), Wait(0.01), Reset()], "truncated_stream"),
        ([Raw(SSE_HEAD), chunked(delta(content="a")), END], "truncated_stream"),
        ([Raw(SSE_HEAD), chunked(b"data: {\n\n"), END], "malformed_stream"),
        ([Raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi")], "wrong_content_type"),
        ([Raw(b"SSH-2.0-nonsense\r\n\r\n"), Reset()], "malformed_stream"),
        (fake.error(503, {"error": {"message": "Loading model"}}), "loading"),
        (fake.error(429, {"error": {"message": "slow down"}}, "Retry-After: 7\r\n"), "rate_limit"),
        (fake.error(401, {"error": {"message": "no"}}), "auth"),
    ],
)
async def test_faults_are_named(steps: Sequence[Step], kind: str) -> None:
    _, reading = await ask(steps)

    assert reading.failure is not None
    assert reading.failure.boundary == "infrastructure"
    assert reading.failure.kind == kind


async def test_retry_after_is_kept() -> None:
    _, reading = await ask(fake.error(429, {}, "Retry-After: 7\r\n"))

    assert reading.failure is not None
    assert reading.failure.retry_after_s == 7.0


async def test_silence_is_a_stall_and_a_slow_drip_ends_at_the_deadline() -> None:
    stalled: list[Step] = [Raw(SSE_HEAD), chunked(delta(content="a")), Wait(5)]
    drip: list[Step] = [Raw(SSE_HEAD)]
    for _ in range(100):
        drip += [chunked(delta(content="a")), Wait(0.05)]

    _, stall = await ask(stalled, stall_s=0.2)
    _, late = await ask(drip, deadline_s=0.4, stall_s=0.3)

    assert stall.failure is not None
    assert stall.failure.kind == "stalled"
    assert late.failure is not None
    assert late.failure.kind == "timeout"
    assert late.reply is not None


async def test_nothing_listening_is_a_connect_failure_with_the_address() -> None:
    listener = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    listener.close()
    await listener.wait_closed()

    async with ChatClient(endpoint(f"http://127.0.0.1:{port}/v1"), concurrency=1) as client:
        exchange = await client.stream(BODY, deadline_s=5, stall_s=5)

    assert exchange.failure is not None
    assert exchange.failure.kind == "connect"
    assert str(port) in exchange.failure.message


async def test_a_connection_is_kept_for_the_next_request() -> None:
    ports: set[object] = set()

    async with (
        serve(lambda _n, _b: fake.reply("a")) as server,
        ChatClient(endpoint(server.url), concurrency=1) as client,
    ):
        for _ in range(3):
            exchange = await client.stream(BODY, deadline_s=5, stall_s=5)
            assert read_exchange(exchange).failure is None
        connector = client._session.connector if client._session else None
        ports = set(getattr(connector, "_conns", {}))

    assert len(server.bodies) == 3
    assert len(ports) == 1


async def test_a_kept_connection_takes_the_patience_of_each_request_and_may_rest_for_longer() -> None:
    stalled: list[Step] = [Raw(SSE_HEAD), chunked(delta(content="a")), Wait(5)]
    async with (
        serve(lambda number, _b: stalled if number == 3 else fake.reply("a")) as server,
        ChatClient(endpoint(server.url), concurrency=1) as client,
    ):
        patient = read_exchange(await client.stream(BODY, deadline_s=5, stall_s=60))
        brief = read_exchange(await client.stream(BODY, deadline_s=5, stall_s=0.2))
        await asyncio.sleep(0.5)
        rested = read_exchange(await client.stream(BODY, deadline_s=5, stall_s=60))
        silent = read_exchange(await client.stream(BODY, deadline_s=3, stall_s=0.2))

    assert [patient.failure, brief.failure, rested.failure] == [None, None, None]
    assert silent.failure is not None
    assert silent.failure.kind == "stalled"
    assert server.connections == 1


async def test_cancelling_a_stream_is_not_turned_into_a_failure() -> None:
    async with (
        serve(lambda _n, _b: [Raw(SSE_HEAD), Wait(5)]) as server,
        ChatClient(endpoint(server.url), concurrency=1) as client,
    ):
        task = asyncio.create_task(client.stream(BODY, deadline_s=5, stall_s=5))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
