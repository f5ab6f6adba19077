"""The router as a provider of litellm, in programs of their own: whole replies, streams, tools, sessions, failures."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.logs.reading import read_logs
from harness.records.route import RouteControl, RouteDecision
from tests.support import openai_server as fake
from tests.support.openai_server import Step, serve_in_thread
from tests.support.route_proxy import LARGE, SMALL, deploy, policy_of

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("litellm") is None, reason="litellm is not installed; type: make suites"
)

PROGRAM = """
import asyncio, json, sys, time
from pathlib import Path
from harness.router.litellm_hook import PROVIDER, routed
import litellm

folder = Path(sys.argv[1])
models = routed(folder, log=folder / "calls", num_retries=0)
(provider,) = [one["custom_handler"] for one in litellm.custom_provider_map if one["provider"] == PROVIDER]
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
found = {}

def says(text, **more):
    return {"model": "agents", "messages": [{"role": "user", "content": text}], **more}

async def pieces(**asked):
    stream = await models.acompletion(**asked, stream=True, stream_options={"include_usage": True})
    return [one.model_dump(exclude_none=True) async for one in stream]

async def main():
    whole = await models.acompletion(**says("easy", metadata={"session_id": "ticket 7"}, reasoning_effort="low"))
    found["easy"] = whole.model_dump(exclude_none=True)
    found["hard"] = (await models.acompletion(**says("hard"))).model_dump(exclude_none=True)
    found["easy_stream"] = await pieces(**says("easy"))
    found["hard_stream"] = await pieces(**says("hard"))
    found["call"] = (await models.acompletion(**says("call", tools=TOOLS))).model_dump(exclude_none=True)
    found["call_stream"] = await pieces(**says("call", tools=TOOLS))
    try:
        await models.acompletion(**says("broken"))
    except litellm.BadRequestError as error:
        found["broken"] = str(error)
    await provider.router.aclose()

asyncio.run(main())
found["waiting"] = models.completion(**says("easy")).choices[0].message.content
found["waiting_stream"] = "".join(
    one.choices[0].delta.content or "" for one in models.completion(**says("hard"), stream=True) if one.choices
)
provider.router.close()
print(json.dumps(found))
"""
CALLED = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def _answer(_number: int, body: dict[str, Any]) -> Sequence[Step]:
    asked, small = body["messages"][-1]["content"], body["model"] == SMALL
    if asked == "broken":
        return fake.error(400, {"error": {"message": "the prompt is too long", "type": "invalid_request_error"}})
    if body.get("stream"):
        return fake.reply("large ", "says ", asked, prompt_tokens=21)
    message: dict[str, Any] = {"role": "assistant", "content": f"{'small' if small else 'large'} says {asked}"}
    if asked == "call":
        message = {"role": "assistant", "content": None, "tool_calls": [CALLED]}
    sure = [{"token": "x", "logprob": -2.0 if asked == "hard" else -0.1, "bytes": None, "top_logprobs": []}]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if asked == "call" else "stop"}
    if body.get("logprobs"):
        choice["logprobs"] = {"content": sure}
    usage = {"prompt_tokens": 9 if small else 21, "completion_tokens": 3, "total_tokens": 12 if small else 24}
    return fake.error(
        200, {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path, list[dict[str, Any]]]:
    """What the program printed, the policy's folder, and what the models were asked."""
    folder = tmp_path_factory.mktemp("route") / "policy"
    environment = os.environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}
    with serve_in_thread(_answer) as server:
        deploy(folder, policy_of(-0.5), {SMALL: server.url, LARGE: server.url}, RouteControl(mode="on", sticky=False))
        ended = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(folder)],
            capture_output=True, text=True, check=False, timeout=600, env=environment, cwd=folder,
        )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    return json.loads(ended.stdout.splitlines()[-1]), folder, [dict(one) for one in server.bodies]


Done = tuple[dict[str, Any], Path, list[dict[str, Any]]]


def text(chunks: list[dict[str, Any]]) -> str:
    return "".join(one["choices"][0]["delta"].get("content") or "" for one in chunks if one.get("choices"))


def test_a_sure_answer_of_the_small_model_stands_and_an_unsure_one_does_not(done: Done) -> None:
    found, _, _ = done

    said = [found[name]["choices"][0]["message"]["content"] for name in ("easy", "hard")]

    assert said == ["small says easy", "large says hard"]


def test_streams_say_the_same_and_end_with_the_models_own_counts(done: Done) -> None:
    found, _, _ = done

    ends = [found[name][-1]["usage"] for name in ("easy_stream", "hard_stream")]

    assert [text(found[name]) for name in ("easy_stream", "hard_stream")] == ["small says easy", "large says hard"]
    assert [(one["prompt_tokens"], one["completion_tokens"]) for one in ends] == [(9, 3), (21, 3)]


def test_a_call_of_a_tool_comes_whole_and_in_a_stream(done: Done) -> None:
    found, _, _ = done

    deltas = [one["choices"][0]["delta"] for one in found["call_stream"] if one.get("choices")]
    streamed = [one["tool_calls"][0] for one in deltas if one.get("tool_calls")]
    finished = [one["choices"][0].get("finish_reason") for one in found["call_stream"] if one.get("choices")]

    assert found["call"]["choices"][0]["message"]["tool_calls"] == [CALLED]
    assert [{**one, "index": 0} for one in streamed] == [{**CALLED, "index": 0}]
    assert [one for one in finished if one] == ["tool_calls"]


def test_programs_without_a_loop_get_the_same(done: Done) -> None:
    found, _, _ = done

    assert (found["waiting"], found["waiting_stream"]) == ("small says easy", "large says hard")


def test_what_the_backbone_refuses_reaches_the_caller_as_the_providers_error(done: Done) -> None:
    found, _, _ = done

    assert "the prompt is too long" in found["broken"]


def test_fields_that_litellm_does_not_know_of_the_router_reach_the_model(done: Done) -> None:
    _, _, asked = done

    assert asked[0]["reasoning_effort"] == "low"
    assert "metadata" not in asked[0]


def test_the_log_tells_session_and_decision_and_collect_reads_it(done: Done) -> None:
    _, folder, _ = done

    lines = [line for path in (folder / "calls").glob("decisions-*") for line in path.read_text().splitlines()]
    decisions = [RouteDecision.model_validate_json(one) for one in lines]
    items = [one.item for one in read_logs([str(path) for path in (folder / "calls").glob("calls-*")])]

    assert [(one.model, one.reason, one.session) for one in decisions][:2] == [
        (SMALL, "kept", "ticket 7"),
        (LARGE, "unsure", None),
    ]
    assert [one.problem for one in items] == [None] * len(decisions)
