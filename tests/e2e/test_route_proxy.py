"""LiteLLM's proxy from the exported folder, in front of two real models: decisions as computed from the same replies,
control while it runs, streams, native tools, and what happens when the small model dies.

Wants `make proxy-env`; takes some minutes (`make test-proxy`).
"""

import asyncio
import json
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import psutil
import pytest

from harness.logs.reading import read_logs
from harness.records.route import RouteControl, RouteDecision, VerifiedPair
from harness.router.control import write_control
from harness.router.decide import after, before, plan_of
from harness.router.question import question_of, reply_of
from tests.support.route_proxy import KEY, LARGE, PROXY, SMALL, deploy, policy_of, proxy, serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.model,
    pytest.mark.skipif(not PROXY.is_file(), reason="no proxy here; type: make proxy-env"),
]

COLOURS = ("red", "green", "blue", "white", "black", "brown", "pink", "grey", "gold", "plum", "teal", "navy")
WEATHER = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Weather of a city.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]
Json = dict[str, Any]


def question(text: str, **more: Any) -> Json:
    return {"messages": [{"role": "user", "content": text}], "max_tokens": 4, "temperature": 0, **more}


ASKED = [question(f"Say the colour {one}.") for one in COLOURS]
CALL = question("What is the weather in Paris?", max_tokens=40, tools=WEATHER)


@dataclass
class Seen:
    """What callers got, and what the log says of it."""

    threshold: float = 0.0
    small: list[Json] = field(default_factory=list)
    """The small model's own replies to `ASKED`, asked for without the router."""
    large: list[Json] = field(default_factory=list)
    routed: list[Json] = field(default_factory=list)
    streams: list[list[Json]] = field(default_factory=list)
    called: Json = field(default_factory=dict)
    called_stream: list[Json] = field(default_factory=list)
    shadowed: list[Json] = field(default_factory=list)
    canary: dict[str, set[str]] = field(default_factory=dict)
    off: list[Json] = field(default_factory=list)
    orphaned: list[Json] = field(default_factory=list)
    refused: int = 0
    bad: int = 0
    decisions: dict[str, list[RouteDecision]] = field(default_factory=dict)
    """By what was tried."""
    pairs: list[VerifiedPair] = field(default_factory=list)
    calls: Path = Path()


class Caller:
    """An agent in front of the proxy."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=300, headers={"Authorization": f"Bearer {KEY}"})

    def ask(self, body: Json, session: str, model: str = "agents") -> Json:
        headers = {"x-litellm-session-id": session}
        response = self.client.post("/v1/chat/completions", json={**body, "model": model}, headers=headers)
        assert response.status_code == 200, response.text
        found = response.json()
        assert isinstance(found, dict)
        return found

    def stream(self, body: Json, session: str) -> list[Json]:
        wanted = {**body, "model": "agents", "stream": True, "stream_options": {"include_usage": True}}
        headers = {"x-litellm-session-id": session}
        with self.client.stream("POST", "/v1/chat/completions", json=wanted, headers=headers) as response:
            assert response.status_code == 200, response.read()
            lines = [one.removeprefix("data: ") for one in response.iter_lines() if one.startswith("data: ")]
        assert lines[-1] == "[DONE]"
        return [json.loads(one) for one in lines[:-1]]


def say(folder: Path, **control: Any) -> None:
    write_control(folder, RouteControl.model_validate({"sticky": False, **control}))
    time.sleep(1.0)  # a running router has seen it by then


def lines(folder: Path, prefix: str) -> list[str]:
    return [one for path in sorted(folder.glob(f"{prefix}-*.jsonl")) for one in path.read_text().splitlines()]


def until(there: Callable[[], bool]) -> None:
    """Waits for what is written beside the caller's time."""
    end = time.monotonic() + 120
    while not there() and time.monotonic() < end:
        time.sleep(0.2)


def confidence(response: Json) -> float:
    reply = reply_of(response)
    assert reply is not None
    assert reply.certainty is not None
    return reply.certainty.mean_logprob


def directly(url: str, body: Json) -> Json:
    found = httpx.post(f"{url}/chat/completions", json={**body, "model": "m", "logprobs": True}, timeout=300).json()
    assert isinstance(found, dict)
    return found


async def watch(folder: Path) -> Seen:
    async with serving(SMALL, LARGE) as served:
        return await asyncio.to_thread(act, folder, {name: one.endpoint.base_url for name, one in served.items()},
                                       served[SMALL].pid)  # fmt: skip


def act(folder: Path, urls: dict[str, str], small_pid: int) -> Seen:
    seen = Seen(calls=folder / "moved" / "calls")
    seen.small = [directly(urls[SMALL], one) for one in ASKED]
    seen.large = [directly(urls[LARGE], one) for one in ASKED]
    seen.threshold = median(confidence(one) for one in seen.small)
    policy = policy_of(seen.threshold)
    deploy(folder / "made", policy, urls, RouteControl(mode="on", sticky=False))
    moved = (folder / "made").rename(folder / "moved")
    tools(seen, folder / "tools", urls)
    with proxy(moved) as url:
        caller = Caller(url)
        phases(seen, moved, caller)
        psutil.Process(small_pid).send_signal(signal.SIGKILL)
        seen.orphaned = [caller.ask(one, f"orphaned-{place}") for place, one in enumerate(ASKED[:3])]
        seen.refused = httpx.post(f"{url}/v1/chat/completions", json={**ASKED[0], "model": "agents"}).status_code
        bad = {**ASKED[0], "model": "agents", "messages": "no messages"}
        seen.bad = caller.client.post("/v1/chat/completions", json=bad).status_code
        caller.client.close()
        until(lambda: any('"orphaned-2"' in one for one in lines(seen.calls, "decisions")))
    for line in lines(seen.calls, "decisions"):
        decision = RouteDecision.model_validate_json(line)
        seen.decisions.setdefault((decision.session or "").split("-")[0], []).append(decision)
    seen.pairs = [VerifiedPair.model_validate_json(one) for one in lines(seen.calls, "verified")]
    return seen


def tools(seen: Seen, folder: Path, urls: dict[str, str]) -> None:
    """The small model's chat template knows no tools: it is asked by the protocol that it was measured with."""
    policy = policy_of(1.0, confidence="form")
    small = policy.experts[0].model_copy(update={"protocol": "constrained", "logprobs": False})
    deploy(folder, policy.model_copy(update={"experts": (small,)}), urls, RouteControl(mode="on"))
    with proxy(folder) as url:
        caller = Caller(url)
        seen.called = caller.ask(CALL, "called-0")
        seen.called_stream = caller.stream(CALL, "called-1")
        caller.client.close()


def phases(seen: Seen, folder: Path, caller: Caller) -> None:
    seen.routed = [caller.ask(one, f"routed-{place}") for place, one in enumerate(ASKED)]
    seen.streams = [caller.stream(one, f"streamed-{place}") for place, one in enumerate(ASKED)]
    say(folder, mode="shadow", shadow_share=1.0)
    seen.shadowed = [caller.ask(one, f"shadowed-{place}") for place, one in enumerate(ASKED[:6])]
    until(lambda: len(lines(folder / "calls", "verified")) >= 6)
    say(folder, mode="canary", share=0.5)
    for turn in range(2):
        for session in range(12):
            caller.ask({**ASKED[turn], "max_tokens": 1}, f"canary-{session}")
    say(folder, mode="off")
    seen.off = [caller.ask(one, f"off-{place}") for place, one in enumerate(ASKED[:4])]
    say(folder, mode="on")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return asyncio.run(watch(tmp_path_factory.mktemp("route")))


def said(response: Json) -> str | None:
    found = response["choices"][0]["message"].get("content")
    assert found is None or isinstance(found, str)
    return found


def streamed(chunks: list[Json]) -> str:
    deltas = [one["choices"][0]["delta"] for one in chunks if one.get("choices")]
    return "".join(one.get("content") or "" for one in deltas)


def expected(seen: Seen) -> list[tuple[str, str]]:
    """Who answers and why, by the policy on the small model's own replies."""
    plan = plan_of(policy_of(seen.threshold))
    found = []
    for body, response in zip(ASKED, seen.small, strict=True):
        question = question_of(body)
        verdict = after(plan, before(plan, question), question, [reply_of(response)])
        found.append((SMALL if verdict.kept else LARGE, verdict.reason))
    return found


def test_decisions_are_those_that_the_policy_takes_on_the_same_replies(seen: Seen) -> None:
    decisions = sorted(seen.decisions["routed"], key=lambda one: int((one.session or "").split("-")[1]))

    assert [(one.model, one.reason) for one in decisions] == expected(seen)
    assert {one.model for one in decisions} == {SMALL, LARGE}


def test_the_caller_gets_the_answer_of_the_model_that_was_decided_on(seen: Seen) -> None:
    answers = {SMALL: seen.small, LARGE: seen.large}

    wanted = [said(answers[model][place]) for place, (model, _) in enumerate(expected(seen))]

    assert [said(one) for one in seen.routed] == wanted


def test_a_stream_says_the_same_with_the_models_own_counts(seen: Seen) -> None:
    counted = [one[-1]["usage"] for one in seen.streams]

    assert [streamed(one) for one in seen.streams] == [said(one) or "" for one in seen.routed]
    assert [(one["prompt_tokens"], one["completion_tokens"]) for one in counted] == [
        (one["usage"]["prompt_tokens"], one["usage"]["completion_tokens"]) for one in seen.routed
    ]


def test_the_backbones_stream_is_passed_on_as_it_comes(seen: Seen) -> None:
    whose = [model for model, _ in expected(seen)]

    pieces = [sum(bool((one.get("choices") or [{"delta": {}}])[0]["delta"].get("content")) for one in chunks)
              for chunks in seen.streams]  # fmt: skip

    assert {count for count, model in zip(pieces, whose, strict=True) if model == SMALL} == {1}
    assert all(count > 1 for count, model in zip(pieces, whose, strict=True) if model == LARGE)


def test_native_calls_of_tools_come_whole_and_in_a_stream(seen: Seen) -> None:
    (whole,) = seen.called["choices"][0]["message"]["tool_calls"]
    deltas = [one["choices"][0]["delta"] for one in seen.called_stream if one.get("choices")]
    (streamed_call,) = [one for delta in deltas for one in delta.get("tool_calls") or ()]

    assert whole["function"]["name"] == "get_weather"
    assert isinstance(json.loads(whole["function"]["arguments"])["city"], str)
    assert streamed_call["function"] == whole["function"]
    assert seen.called["choices"][0]["finish_reason"] == "tool_calls"


def test_in_shadow_the_caller_gets_the_large_models_answer_and_both_are_on_record(seen: Seen) -> None:
    assert [said(one) for one in seen.shadowed] == [said(one) for one in seen.large[:6]]
    assert [(one.small, one.large, one.served) for one in seen.pairs] == [(SMALL, LARGE, LARGE)] * 6
    assert {one.would for one in seen.decisions["shadowed"]} <= {"kept", "unsure"}


def test_a_canary_routes_a_part_of_the_sessions_and_always_the_same(seen: Seen) -> None:
    routed: dict[str, set[bool]] = {}
    for one in seen.decisions["canary"]:
        routed.setdefault(one.session or "", set()).add(one.reason != "not in the canary")

    assert all(len(one) == 1 for one in routed.values())
    assert 1 <= sum(one == {True} for one in routed.values()) <= 11


def test_the_kill_switch_works_while_the_proxy_runs(seen: Seen) -> None:
    assert [said(one) for one in seen.off] == [said(one) for one in seen.large[:4]]
    assert {(one.reason, one.asked) for one in seen.decisions["off"]} == {("off", (LARGE,))}


def test_a_dead_small_model_costs_no_caller_an_answer(seen: Seen) -> None:
    assert [said(one) for one in seen.orphaned] == [said(one) for one in seen.large[:3]]
    assert all(one.reason.startswith("error: ") for one in seen.decisions["orphaned"])
    assert all(one.asked == (SMALL, LARGE) for one in seen.decisions["orphaned"])


def test_collect_reads_every_call_with_its_decision(seen: Seen) -> None:
    items = [one.item for one in read_logs([str(path) for path in seen.calls.glob("calls-*.jsonl")])]

    assert [one.problem for one in items] == [None] * sum(map(len, seen.decisions.values()))
    assert {one.record.model for one in items if one.record} == {SMALL, LARGE}


def test_nobody_is_answered_without_the_key_and_nonsense_is_the_callers_fault(seen: Seen) -> None:
    assert seen.refused >= 400
    assert 400 <= seen.bad < 500
