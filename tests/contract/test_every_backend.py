"""What every registered backend must do: time what the server did, count, pass tools on, blame, let go, and end.

Each backend is brought up once before a server with known times, or with real weights; the tests look at what came.
"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import aiohttp
import psutil
import pytest

from harness.backends.client import ChatClient
from harness.backends.server_probe import get_json
from harness.backends.stream import Reading, read_exchange
from harness.errors import ConfigError
from harness.protocols import Backend, Endpoint
from harness.registry import plugin_names
from tests.support.backend_specimens import KEY_VARIABLE, SPECIMENS, BackendSpecimen
from tests.support.engine_servers import WORDS, EngineServer, serving

KEY = "sk-canary-of-the-contract-5Rw8"
GAP_S = 0.3
SLACK_NS = 5_000_000
HELLO = [{"role": "user", "content": "Hello"}]
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}
LONG = [{"role": "user", "content": "word " * 2000}]


@dataclass
class Seen:
    """What one backend did."""

    name: str
    specimen: BackendSpecimen
    backend: Backend
    endpoint: Endpoint | None = None
    sent_ns: int = 0
    answered: Reading | None = None
    written_ns: list[int] = field(default_factory=list)
    tools: Reading | None = None
    refused: Reading | None = None
    cancelled: Reading | None = None
    let_go: bool = False
    after: Reading | None = None
    own_processes: int = 0
    left_over: set[int] = field(default_factory=set)
    reachable: bool = True


def children() -> set[int]:
    return {one.pid for one in psutil.Process().children(recursive=True)}


async def ask(endpoint: Endpoint, deadline_s: float = 60.0, **fields: object) -> tuple[int, Reading]:
    body = {"model": endpoint.model, "messages": HELLO, "max_tokens": 8, "temperature": 0, **fields}
    body |= {"stream": True, "stream_options": {"include_usage": True}, **endpoint.extra_body}
    async with ChatClient(endpoint, concurrency=1) as client:
        exchange = await client.stream(json.dumps(body).encode(), deadline_s=deadline_s, stall_s=60)
    return exchange.sent_ns, read_exchange(exchange)


async def watch(name: str, specimen: BackendSpecimen) -> Seen:
    async with serving(specimen.routes) as server:
        seen = Seen(name, specimen, specimen.make(server.url))
        before = children()
        async with seen.backend.serve() as endpoint:
            seen.endpoint, seen.own_processes = endpoint, len(children() - before)
            await _use(seen, endpoint, server)
        seen.left_over = children() - before
        try:
            await get_json(f"{endpoint.base_url}/models", timeout_s=5)
        except aiohttp.ClientError:
            seen.reachable = False
        if specimen.kind != "relay":  # its own contract test interrupts it: it takes seconds to start
            with pytest.raises(KeyboardInterrupt):
                async with seen.backend.serve():
                    raise KeyboardInterrupt
        seen.left_over |= children() - before
    return seen


async def _use(seen: Seen, endpoint: Endpoint, server: EngineServer) -> None:
    server.gap_s = GAP_S
    seen.sent_ns, seen.answered = await ask(endpoint)
    seen.written_ns = list(server.written_ns)
    server.gap_s = 0.0
    if seen.specimen.kind == "engine":
        _, seen.refused = await ask(endpoint, messages=LONG)
        _, seen.cancelled = await ask(endpoint, deadline_s=0.3, max_tokens=400, ignore_eos=True)
        seen.let_go = True
    else:
        _, seen.tools = await ask(endpoint, tools=[TOOL])
        server.refusal = (500, {"error": {"message": "out of order", "type": "server_error"}})
        _, seen.refused = await ask(endpoint)
        server.refusal, server.gap_s = None, 30.0
        server.cut.clear()
        _, seen.cancelled = await ask(endpoint, deadline_s=0.5)
        await asyncio.wait_for(server.cut.wait(), 20)
        seen.let_go, server.gap_s = True, 0.0
    _, seen.after = await ask(endpoint)


def kind(name: str) -> str | None:
    return SPECIMENS[name].kind if name in SPECIMENS else None


def named(name: str) -> object:
    return pytest.param(name, marks=[pytest.mark.model] if kind(name) == "engine" else [])


@pytest.fixture(
    scope="module", params=[named(name) for name in plugin_names("harness.backends") if kind(name) != "record"]
)
def seen(request: pytest.FixtureRequest) -> Iterator[Seen]:
    name = str(request.param)
    specimen = SPECIMENS.get(name)
    if specimen is None:
        pytest.skip(f"{name} has no specimen: the test of specimens says so")
    if specimen.lacks is not None:
        pytest.skip(specimen.lacks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KEY_VARIABLE, KEY)
        yield asyncio.run(watch(name, specimen))


def test_every_backend_has_a_specimen() -> None:
    assert [name for name in plugin_names("harness.backends") if name not in SPECIMENS] == []


def test_it_says_who_it_is_and_what_answers(seen: Seen) -> None:
    assert seen.endpoint is not None
    assert seen.backend.name == seen.endpoint.facts.name == seen.name
    assert seen.endpoint.base_url.endswith("/v1")
    assert KEY not in repr(seen.endpoint) + seen.endpoint.facts.model_dump_json()


def test_what_is_measured_lies_within_what_the_server_did(seen: Seen) -> None:
    assert seen.answered is not None
    timing, server = seen.answered.timing, seen.answered.server
    assert timing.end_ns is not None
    if seen.specimen.kind == "engine":
        assert server is not None
        assert server.prompt_s is not None
        assert server.predicted_s is not None
        assert timing.first_content_ns is not None
        assert server.prompt_s * 1e9 <= timing.first_content_ns + SLACK_NS
        assert (server.prompt_s + server.predicted_s) * 1e9 <= timing.end_ns + SLACK_NS
        return
    arrived = [seen.sent_ns + mark for mark in timing.chunks_ns]
    assert len(arrived) == len(WORDS)
    for index, at in enumerate(arrived):
        assert seen.written_ns[index] - SLACK_NS <= at < seen.written_ns[index + 1]
    assert timing.first_content_ns == timing.chunks_ns[0]
    assert timing.chunks_ns[-1] <= timing.end_ns


def test_the_reply_and_the_tokens_are_the_servers(seen: Seen) -> None:
    assert seen.answered is not None
    assert seen.answered.failure is None
    assert seen.answered.reply is not None
    usage = seen.answered.usage
    if seen.specimen.kind == "engine":
        assert 1 <= (usage.output_tokens or 0) <= 8
        assert (usage.prompt_tokens or 0) > 1
        return
    assert seen.answered.reply.content == "".join(WORDS)
    assert (usage.prompt_tokens, usage.output_tokens) == (11, len(WORDS))


def test_a_tool_call_comes_through_or_it_is_told_that_none_will(seen: Seen) -> None:
    assert seen.endpoint is not None
    if seen.tools is None:
        assert seen.endpoint.facts.template_supports_tools is False
        return
    assert seen.tools.reply is not None
    assert [(call.name, json.loads(call.arguments)) for call in seen.tools.reply.tool_calls] == [
        ("look_up", {"word": "sky"})
    ]


def test_a_refusal_is_a_failure_with_somebody_to_blame_and_no_score(seen: Seen) -> None:
    assert seen.refused is not None
    failure = seen.refused.failure
    assert failure is not None
    assert KEY not in failure.message
    if seen.specimen.kind == "engine":
        assert (failure.boundary, failure.kind) == ("model", "context_overflow")
        return
    assert (failure.boundary, failure.status) == ("infrastructure", 500)


def test_a_call_that_is_given_up_is_let_go_and_the_next_one_is_answered(seen: Seen) -> None:
    assert seen.cancelled is not None
    assert seen.cancelled.failure is not None
    assert seen.cancelled.failure.kind == "timeout"
    assert seen.let_go
    assert seen.after is not None
    assert seen.after.failure is None


def test_leaving_it_leaves_no_process_and_ends_no_server_of_others(seen: Seen) -> None:
    ours = seen.specimen.kind != "attached"
    assert (seen.own_processes > 0) is ours
    assert seen.left_over == set()
    assert seen.reachable is not ours


@pytest.mark.parametrize("name", [name for name, one in SPECIMENS.items() if one.kind == "record"])
def test_what_is_only_on_record_refuses_to_be_asked(name: str) -> None:
    backend = SPECIMENS[name].make("http://127.0.0.1:9/v1")

    with pytest.raises(ConfigError, match="cannot be asked"):
        backend.serve()
