"""What plain transformers answers over HTTP: a random checkpoint of a few thousand weights, really loaded and asked."""

import asyncio
import json
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import psutil
import pytest

from harness.backends.client import ChatClient
from harness.backends.server_probe import get_json, post_json
from harness.backends.stream import Reading, read_exchange
from harness.backends.transformers_lane import TransformersLane
from harness.config import ModelConfig, TransformersConfig
from harness.errors import AssetError, BackendError, ConfigError
from harness.protocols import Endpoint
from harness.records.manifest import BackendFacts
from tests.support.tiny_checkpoint import WITH_TOOLS, python_with_torch, tiny_checkpoint

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(python_with_torch() is None, reason="torch is in no environment here: make train-env"),
]

HELLO = [{"role": "user", "content": "Hello"}]
SCHEMA = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "blue"]}, "fine": {"type": "boolean"}},
    "required": ["colour", "fine"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "look_up", "description": "x", "parameters": {"type": "object"}}}
ASKED: Mapping[str, Mapping[str, object]] = {
    "greedy": {},
    "greedy again": {},
    "seed 1": {"temperature": 1.5, "seed": 1},
    "seed 1 again": {"temperature": 1.5, "seed": 1},
    "seed 2": {"temperature": 1.5, "seed": 2},
    "one choice": {"temperature": 1.5, "seed": 3, "top_k": 1},
    "held": {
        "max_tokens": 64,
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}},
    },
    "no schema": {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "no"}}}},
    "too long": {"messages": [{"role": "user", "content": "word " * 300}]},
    "unknown field": {"guided_regex": "a+"},
    "to the end": {"max_tokens": 9999, "ignore_eos": True},
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What came back."""

    readings: Mapping[str, Reading]
    facts: BackendFacts
    in_one_piece: object


def lane(template: str | None = None, **changes: object) -> TransformersLane:
    model: dict[str, object] = {"name": "tiny", "title": "Tiny", "licence": "none", "chat_template": template}
    model["weights"] = {"path": str(tiny_checkpoint())}
    config = {"name": "transformers", "threads": 1, "context_tokens": 512, "python": python_with_torch(), **changes}
    return TransformersLane(TransformersConfig.model_validate(config), ModelConfig.model_validate(model))


async def ask(endpoint: Endpoint, **fields: object) -> Reading:
    body = {"model": endpoint.model, "messages": HELLO, "max_tokens": 16, "temperature": 0, **fields}
    body |= {"stream": True, "stream_options": {"include_usage": True}}
    async with ChatClient(endpoint, concurrency=1) as client:
        return read_exchange(await client.stream(json.dumps(body).encode(), deadline_s=60, stall_s=60))


def text(reading: Reading) -> str:
    assert reading.failure is None
    assert reading.reply is not None
    return reading.reply.content or ""


async def first_answer(used: TransformersLane) -> str:
    async with used.serve() as endpoint:
        return text(await ask(endpoint))


@pytest.fixture(scope="module")
def seen() -> Seen:
    async def use() -> Seen:
        async with lane().serve() as endpoint:
            readings = {name: await ask(endpoint, **fields) for name, fields in ASKED.items()}
            stop = text(readings["greedy"])[4:6]
            readings["stopped"] = await ask(endpoint, stop=[stop])
            body = {"model": "tiny", "messages": HELLO, "max_tokens": 16, "temperature": 0}
            whole = await post_json(f"{endpoint.base_url}/chat/completions", body, timeout_s=60)
            return Seen(readings, endpoint.facts, whole.body)

    return asyncio.run(use())


def test_greedy_answers_repeat_and_are_the_same_in_one_piece(seen: Seen) -> None:
    whole = seen.in_one_piece
    assert isinstance(whole, dict)
    answers = {text(seen.readings["greedy"]), text(seen.readings["greedy again"])}

    assert answers == {whole["choices"][0]["message"]["content"]}
    assert text(seen.readings["one choice"]) in answers


def test_a_seed_decides_what_is_drawn(seen: Seen) -> None:
    first, again, other = (text(seen.readings[name]) for name in ("seed 1", "seed 1 again", "seed 2"))

    assert first == again
    assert first != other


def test_tokens_are_counted_by_the_tokenizer(seen: Seen) -> None:
    prompt = "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    specials = 3
    one_each = len(prompt) - len("<|im_start|>" * 2 + "<|im_end|>") + specials
    usage = seen.readings["greedy"].usage

    assert (usage.prompt_tokens, usage.output_tokens, usage.counted_by) == (one_each, 16, "server")


def test_a_schema_holds_the_reply_of_a_model_that_knows_nothing(seen: Seen) -> None:
    jsonschema.validate(json.loads(text(seen.readings["held"])), SCHEMA)


def test_a_stop_string_ends_the_reply_before_it(seen: Seen) -> None:
    reply = seen.readings["stopped"].reply
    whole = text(seen.readings["greedy"])

    assert reply is not None
    assert reply.finish_reason == "stop"
    assert (reply.content or "") == whole[: whole.index(whole[4:6])]


def test_the_reply_ends_where_the_context_does(seen: Seen) -> None:
    reading = seen.readings["to the end"]

    assert reading.reply is not None
    assert reading.reply.finish_reason == "length"
    assert (reading.usage.prompt_tokens or 0) + (reading.usage.output_tokens or 0) == 512


@pytest.mark.parametrize(
    ("name", "boundary", "kind"),
    [
        ("too long", "model", "context_overflow"),
        ("no schema", "infrastructure", "grammar_rejected"),
        ("unknown field", "harness", "unsupported_request"),
    ],
)
def test_a_refusal_tells_who_is_to_blame(seen: Seen, name: str, boundary: str, kind: str) -> None:
    failure = seen.readings[name].failure

    assert failure is not None
    assert (failure.boundary, failure.kind) == (boundary, kind)


def test_the_manifest_tells_what_answered_and_no_folder(seen: Seen) -> None:
    facts = seen.facts

    assert (facts.context_tokens, facts.slots, facts.template_supports_tools) == (512, 1, False)
    assert facts.weights is not None
    assert (facts.weights.parameters or 0) > 10_000
    assert {"device", "dtype", "attention", "versions"} <= facts.flags.keys()
    assert str(tiny_checkpoint().parent) not in facts.model_dump_json()


@pytest.mark.slow
async def test_an_adapter_changes_the_answer_and_is_the_same_merged() -> None:
    adapter = str(tiny_checkpoint() / "adapter")

    plain = await first_answer(lane())
    laid_on = await first_answer(lane(adapter=adapter))
    merged = await first_answer(lane(adapter=adapter, merge=True))

    assert plain != laid_on
    assert laid_on == merged


@pytest.mark.slow
async def test_a_template_with_tools_shows_them(tmp_path: Path) -> None:
    template = tmp_path / "tools.jinja"
    template.write_text(WITH_TOOLS)

    async with lane(str(template)).serve() as endpoint:
        without, shown = await ask(endpoint), await ask(endpoint, tools=[TOOL])

    assert endpoint.facts.template_supports_tools is True
    assert (shown.usage.prompt_tokens or 0) - (without.usage.prompt_tokens or 0) > len(json.dumps(TOOL)) // 2


@pytest.mark.slow
async def test_an_engine_that_is_killed_is_told_and_leaves_nothing() -> None:
    before = {one.pid for one in psutil.Process().children(recursive=True)}

    async def killed() -> None:
        async with lane().serve() as endpoint:
            engine = {one.pid for one in psutil.Process().children(recursive=True)} - before
            for pid in engine:
                os.kill(pid, signal.SIGKILL)
            await get_json(f"{endpoint.base_url}/models", timeout_s=5)

    with pytest.raises(BackendError, match="SIGKILL"):
        await killed()

    assert {one.pid for one in psutil.Process().children(recursive=True)} == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"device": "cuda:7"}, ConfigError, "backend.device=auto"),
        ({"context_tokens": 4096}, ConfigError, "1024"),
        ({"adapter": "/nowhere"}, AssetError, "adapter_config.json"),
        ({"start_timeout_s": 0.05}, BackendError, "backend.start_timeout_s=0.1"),
    ],
)
async def test_what_cannot_be_started_is_told_in_one_line(
    changes: dict[str, object], error: type[Exception], told: str
) -> None:
    with pytest.raises(error) as failed:
        async with lane(None, **changes).serve():
            pass

    assert told in str(failed.value)
    assert "\n" not in str(failed.value)
