"""What hosted models through litellm must do, over real HTTP on loopback: OpenAI's and Anthropic's shapes."""

import asyncio
import importlib.util
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pytest

from harness.backends import backend_for
from harness.backends.client import ChatClient
from harness.backends.server_probe import get_json, post_json
from harness.backends.stream import Reading, read_exchange
from harness.config import LitellmConfig, ModelConfig
from harness.protocols import Endpoint
from tests.support import anthropic_server as claude
from tests.support import openai_server
from tests.support.openai_server import END, SSE_HEAD, Raw, Step, chunked, delta, error, reply

_ROOT = Path(__file__).parents[2]
_OTHERS = [_ROOT / folder / "bin/python" for folder in (".venv-hosted", ".venv-bench-litellm")]
PYTHON = (
    sys.executable
    if importlib.util.find_spec("litellm")
    else next((str(one) for one in _OTHERS if one.is_file()), None)
)
CANARY = "sk-canary-7f3Qe9Zk2Lm8Xw4Tr6"
FILED = "canary-of-the-file-5Gh2Wq8Zt"
NAMED = "canary-by-its-name-9Kd4Xv1Pb"
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}
CLAUDE, GPT = "anthropic/claude-sonnet-4-5", "openai/gpt-4.1-mini"

needs_litellm = pytest.mark.skipif(
    PYTHON is None, reason="litellm is in no environment here: pip install 'slm-harness[hosted]'"
)


def entry(name: str, url: str | None = None, **changes: object) -> ModelConfig:
    data = {"name": name, "title": name, "licence": "unknown", "hosted": True, "url": url, "protocol": "native"}
    return ModelConfig.model_validate({**data, **changes})


def serving(model: ModelConfig, **config: object) -> AbstractAsyncContextManager[Endpoint]:
    settings = LitellmConfig.model_validate({"name": "litellm", "python": PYTHON, **config})
    return backend_for(model, settings).serve()


async def ask(endpoint: Endpoint, *, deadline_s: float = 30.0, **fields: object) -> Reading:
    body = {"model": endpoint.model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 64}
    asked = {**body, "stream": True, "stream_options": {"include_usage": True}, **fields}
    async with ChatClient(endpoint, concurrency=1) as client:
        return read_exchange(await client.stream(json.dumps(asked).encode(), deadline_s=deadline_s, stall_s=30))


@dataclass
class Stage:
    """Relays that serve the whole module, each with its provider behind it; what that answers is set by each test."""

    endpoints: dict[str, Endpoint]
    anthropic: claude.Server
    openai: openai_server.Server
    anthropic_says: Sequence[Any] = ()
    """A refusal or the parts of a stream, one for each call; the last one again for more."""
    openai_says: Sequence[Sequence[Step]] = ()

    def claude(self, *says: Any, marked: bool = False) -> tuple[Endpoint, claude.Server]:
        self.anthropic_says = says
        self.anthropic.bodies.clear()
        self.anthropic.headers.clear()
        return self.endpoints["marked" if marked else "claude"], self.anthropic

    def gpt(self, *says: Sequence[Step]) -> tuple[Endpoint, openai_server.Server]:
        self.openai_says = says
        self.openai.bodies.clear()
        self.openai.headers.clear()
        return self.endpoints["gpt"], self.openai


def nth(says: Sequence[Any], number: int) -> Any:
    return says[min(number, len(says) - 1)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Keys by each of the three ways: the provider's variable, a closed file, a named variable."""
    file = tmp_path_factory.mktemp("keys") / "openai"
    file.write_text(f"{FILED}\n")
    file.chmod(0o600)
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("ANTHROPIC_API_KEY", CANARY)
        patch.setenv("MINE", NAMED)
        anthropic = stack.enter_context(claude.serve(lambda n, _: nth(made.anthropic_says, n)))
        openai = stack.enter_context(openai_server.serve_in_thread(lambda n, _: nth(made.openai_says, n)))
        made = Stage({}, anthropic, openai)
        wanted = {
            "claude": serving(entry(CLAUDE, anthropic.url)),
            "marked": serving(entry(CLAUDE, anthropic.url, api_key_env="MINE"), cache="mark", drop=[]),
            "gpt": serving(entry(GPT, openai.url), api_key_file=str(file)),
        }
        made.endpoints |= stack.enter_context(all_up(wanted))
        yield made


@contextmanager
def all_up(wanted: Mapping[str, AbstractAsyncContextManager[Endpoint]]) -> Iterator[dict[str, Endpoint]]:
    """All of them, started at the same time, on an event loop of their own."""
    loop, end = asyncio.new_event_loop(), asyncio.Event()
    up: Future[dict[str, Endpoint]] = Future()

    async def main() -> None:
        async with AsyncExitStack() as stack:
            try:
                found = await asyncio.gather(*(stack.enter_async_context(one) for one in wanted.values()))
            except BaseException as error:
                up.set_exception(error)
                raise
            up.set_result(dict(zip(wanted, found, strict=True)))
            await end.wait()

    thread = Thread(target=loop.run_until_complete, args=(main(),))
    thread.start()
    try:
        yield up.result(60)
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.close()


HELLO: list[claude.Part] = [claude.begin(10), *claude.text(0, "Hello", " there"), *claude.finish(3)]


@needs_litellm
async def test_claude_streams_through_with_thinking_text_tools_and_every_count(stage: Stage) -> None:
    says = [
        claude.begin(10, read=100, written=50),
        *claude.thinking(0, "Let me see."),
        *claude.text(1, "One ", "moment."),
        *claude.tool_use(2, "look_up", '{"word": ', '"sky"}'),
        *claude.finish(30, "tool_use"),
    ]
    endpoint, server = stage.claude(says)

    reading = await ask(endpoint, tools=[TOOL], seed=7, reasoning_effort="low")

    assert reading.failure is None
    assert reading.reply is not None
    assert (reading.reply.content, reading.reply.reasoning) == ("One moment.", "Let me see.")
    assert [(one.name, one.arguments) for one in reading.reply.tool_calls] == [("look_up", '{"word": "sky"}')]
    assert reading.reply.finish_reason == "tool_calls"
    usage = reading.usage
    assert (usage.prompt_tokens, usage.cached_tokens, usage.cache_write_tokens) == (160, 100, 50)
    assert (usage.output_tokens, usage.reasoning_tokens, usage.counted_by) == (30, None, "server")
    asked = server.bodies[0]
    assert asked["model"] == "claude-sonnet-4-5"
    assert asked["tools"][0]["name"] == "look_up"
    assert asked["thinking"]["type"] == "enabled"
    assert "seed" not in asked
    assert endpoint.facts.flags["dropped"] == ["seed"]
    assert str(endpoint.facts.build).startswith("litellm 1.")


@needs_litellm
async def test_a_schema_reaches_claude_in_its_own_terms(stage: Stage) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}
    endpoint, server = stage.claude(HELLO)

    await ask(endpoint, response_format=wanted)

    assert json.dumps(schema) in json.dumps(server.bodies[0])


@needs_litellm
async def test_what_requests_begin_with_is_marked_for_the_cache_where_that_is_asked_for(stage: Stage) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    endpoint, server = stage.claude(HELLO, marked=True)
    plain, _ = stage.claude(HELLO)

    await ask(endpoint, messages=messages, tools=[TOOL])
    await ask(plain, messages=messages, tools=[TOOL])

    marked, unmarked = server.bodies
    assert marked["tools"][-1]["cache_control"] == {"type": "ephemeral"}
    assert marked["system"][-1]["cache_control"] == {"type": "ephemeral"}
    assert "cache_control" not in json.dumps(unmarked)
    assert (endpoint.caches, plain.caches) == (True, False)


@needs_litellm
async def test_openai_gets_what_was_asked_and_no_more(stage: Stage) -> None:
    wanted = {"type": "json_object"}
    endpoint, server = stage.gpt(reply("Hello", " there"))

    reading = await ask(endpoint, seed=7, temperature=0.0, response_format=wanted, tools=[TOOL])

    assert reading.reply is not None
    assert reading.reply.content == "Hello there"
    assert (reading.usage.prompt_tokens, reading.usage.output_tokens, reading.usage.cached_tokens) == (10, 2, 0)
    assert reading.usage.reasoning_tokens is None
    assert server.bodies == [
        {
            "model": "gpt-4.1-mini",
            "messages": [{"role": "user", "content": "Hello"}],
            "max_tokens": 64,
            "stream": True,
            "stream_options": {"include_usage": True},
            "seed": 7,
            "temperature": 0.0,
            "response_format": wanted,
            "tools": [TOOL],
        }
    ]


@needs_litellm
async def test_the_relay_lists_its_model(stage: Stage) -> None:
    endpoint, _ = stage.gpt(reply("Hello"))

    listed = await get_json(f"{endpoint.base_url}/models", timeout_s=5)

    assert listed.table()["data"] == [{"id": GPT, "object": "model"}]


@needs_litellm
async def test_a_provider_that_counts_nothing_is_not_counted_for(stage: Stage) -> None:
    steps: list[Step] = [Raw(SSE_HEAD), chunked(delta(content="Hello")), chunked(delta(finish="stop")), END]
    endpoint, _ = stage.gpt(steps)

    reading = await ask(endpoint)

    assert reading.failure is None
    assert (reading.usage.prompt_tokens, reading.usage.counted_by) == (None, "chunks")


@needs_litellm
async def test_the_stream_is_passed_on_as_it_comes(stage: Stage) -> None:
    """Held back, the words would arrive together; they are sent 200 ms apart."""
    endpoint, _ = stage.claude([claude.begin(10), *claude.text(0, "a", "b", "c", gap_s=0.2), *claude.finish(3)])

    timing = (await ask(endpoint)).timing

    gaps_s = [(late - early) / 1e9 for early, late in zip(timing.chunks_ns, timing.chunks_ns[1:], strict=False)]
    assert len(gaps_s) == 2
    assert min(gaps_s) > 0.05


REFUSALS = [
    (
        claude.Refusal(401, "authentication_error", f"invalid x-api-key {CANARY}, {CANARY[:15]}"),
        ("infrastructure", "auth", 401, None),
    ),
    (
        claude.Refusal(429, "rate_limit_error", "slow down", {"retry-after": "7"}),
        ("infrastructure", "rate_limit", 429, 7.0),
    ),
    (claude.Refusal(529, "overloaded_error", "Overloaded"), ("infrastructure", "server_error", 529, None)),
    (
        claude.Refusal(400, "invalid_request_error", "prompt is too long: 250000 tokens > 200000 maximum"),
        ("model", "context_overflow", 400, None),
    ),
    (claude.Refusal(404, "not_found_error", "model: claude-x"), ("infrastructure", "not_found", 404, None)),
]


@needs_litellm
async def test_what_claude_refuses_is_blamed_as_anywhere_after_one_try_each(stage: Stage) -> None:
    endpoint, server = stage.claude(*[refusal for refusal, _ in REFUSALS])

    failures = [(await ask(endpoint)).failure for _ in REFUSALS]

    seen = [(one.boundary, one.kind, one.status, one.retry_after_s) for one in failures if one is not None]
    assert seen == [expected for _, expected in REFUSALS]
    assert len(server.bodies) == len(REFUSALS)
    assert not any(CANARY[:12] in one.message for one in failures if one is not None)


@needs_litellm
async def test_what_openai_refuses_is_blamed_as_anywhere_after_one_try_each(stage: Stage) -> None:
    answers = [
        error(401, {"error": {"message": f"Incorrect API key provided: {FILED}", "code": "invalid_api_key"}}),
        error(429, {"error": {"message": "slow down"}}, "Retry-After: 7\r\n"),
        error(500, {"error": {"message": "oops"}}),
        error(400, {"error": {"message": "too much", "code": "context_length_exceeded"}}),
        error(400, {"error": {"message": "filtered", "code": "content_filter"}}),
    ]
    endpoint, server = stage.gpt(*answers)

    failures = [(await ask(endpoint)).failure for _ in answers]

    assert [(one.kind, one.status, one.retry_after_s) for one in failures if one is not None] == [
        ("auth", 401, None),
        ("rate_limit", 429, 7.0),
        ("server_error", 500, None),
        ("context_overflow", 400, None),
        ("content_filter", 400, None),
    ]
    assert len(server.bodies) == len(answers)
    assert not any(FILED[:12] in one.message for one in failures if one is not None)


@needs_litellm
async def test_a_field_that_the_provider_does_not_know_is_refused_unless_it_may_be_dropped(stage: Stage) -> None:
    endpoint, server = stage.claude(HELLO, marked=True)

    reading = await ask(endpoint, seed=7)

    assert reading.failure is not None
    assert (reading.failure.boundary, reading.failure.kind) == ("harness", "unsupported_request")
    assert server.bodies == []


@needs_litellm
async def test_an_error_in_the_middle_of_a_stream_is_no_reply(stage: Stage) -> None:
    broken = claude.broken("overloaded_error", f"Overloaded {CANARY}")
    endpoint, _ = stage.claude([claude.begin(10), *claude.text(0, "Hel"), broken])

    failure = (await ask(endpoint)).failure

    assert failure is not None
    assert (failure.boundary, failure.kind) == ("infrastructure", "server_error")
    assert CANARY not in failure.message


@needs_litellm
async def test_who_does_not_know_the_password_gets_no_answer(stage: Stage) -> None:
    endpoint, server = stage.claude(HELLO)

    answer = await post_json(f"{endpoint.base_url}/chat/completions", {"messages": []}, timeout_s=10)

    assert answer.status == 401
    assert server.bodies == []


@needs_litellm
async def test_a_call_that_is_given_up_is_given_up_at_the_provider_too(stage: Stage) -> None:
    slow: list[claude.Part] = [claude.begin(10), *claude.text(0, *["x"] * 100, gap_s=0.1), *claude.finish(3)]
    endpoint, server = stage.claude(slow)
    left = server.left

    failure = (await ask(endpoint, deadline_s=0.5)).failure

    assert failure is not None
    assert failure.kind == "timeout"
    async with asyncio.timeout(5):  # the words would take 10 s
        while server.left == left:  # noqa: ASYNC110 - told by the server's own thread
            await asyncio.sleep(0.05)


@needs_litellm
async def test_each_way_to_give_a_key_brings_it_to_the_provider(stage: Stage) -> None:
    gpt, openai = stage.gpt(reply("Hello"))
    marked, anthropic = stage.claude(HELLO, marked=True)
    usual, _ = stage.claude(HELLO)

    for endpoint in (gpt, marked, usual):
        await ask(endpoint)

    assert openai.headers[0]["authorization"] == f"Bearer {FILED}"
    assert [one["x-api-key"] for one in anthropic.headers] == [NAMED, CANARY]
    assert FILED not in os.environ.values()


@needs_litellm
async def test_no_key_is_in_an_argument_or_in_what_is_shown_of_an_endpoint(stage: Stage) -> None:
    arguments = " ".join(word for one in relays() for word in one.cmdline())

    shown = arguments + "".join(f"{one!r} {one.facts.model_dump_json()}" for one in stage.endpoints.values())

    assert len(relays()) == 3
    assert not any(key in shown for key in (CANARY, FILED, NAMED))


def relays() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "litellm_child" in " ".join(one.cmdline())]
