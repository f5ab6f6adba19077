"""Decisions: what a policy says of a call, before and after the small model's reply."""

from math import inf, nan
from typing import Any

import pytest

from harness.errors import DataError
from harness.records import Message, Reply, Sample, Tool, ToolCall
from harness.records.route import LinearScore, RoutePolicy, RouteRule
from harness.records.target import ReplayReference, ReplayTarget
from harness.router.checks import reply_signal
from harness.router.decide import Place, Plan, after, before, eligible, plan_of, sureness
from harness.router.features import REPLY_FEATURES, REQUEST_FEATURES, reply_features, request_features
from harness.router.question import offered, question_of, reply_of, sample_question
from tests.support.routes import TOOL, called, policy, request, spoken, target

QUESTION = question_of(request())
GOOD = called({"order_id": "A12"}, logprobs=(-0.1, -0.5))


def replies(*found: Any) -> list[Reply | None]:
    return [None if one is None else reply_of(one) for one in found]


def clustered(**more: Any) -> RoutePolicy:
    rules = (RouteRule(cluster="c1", expert="small", sure=0.9), RouteRule(cluster="c2", expert=None))
    return policy(kind="cluster", confidence="cluster", rules=rules, index="0" * 64, signals=(), **more)


def decided(plan: Plan, found: list[Reply | None]) -> tuple[bool, str]:
    ask = before(plan, QUESTION)
    verdict = after(plan, ask, QUESTION, found)
    return verdict.kept, verdict.reason


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (GOOD, "kept"),
        (called({"order_id": "A12", "fast": None}), "kept"),
        (called({"order_id": 12}), "schema"),
        (called({"order_id": "A12"}, name="get_odor"), "unknown_tool"),
        (called('{"order_id": '), "unreadable"),
        (spoken("Which order?"), "no_call"),
        (None, "no_reply"),
    ],
    ids=["good", "null", "schema", "tool", "broken", "words", "nothing"],
)
def test_a_cascade_keeps_a_reply_without_a_sign(reply: Any, reason: str) -> None:
    assert decided(plan_of(policy()), replies(reply)) == (reason == "kept", reason)


def test_a_sign_that_the_policy_does_not_look_for_hands_nothing_on() -> None:
    plan = plan_of(policy(signals=("unreadable",)))

    assert decided(plan, replies(spoken("Which order?"))) == (True, "kept")


@pytest.mark.parametrize(
    ("kind", "value"), [("mean_logprob", -0.3), ("least_logprob", -0.5), ("first_logprob", -0.1)], ids=str
)
def test_the_tokens_probabilities_are_the_confidence(kind: str, value: float) -> None:
    plan = plan_of(policy(confidence=kind, threshold=-1.0, experts=(target("small", logprobs=True),)))

    assert sureness(plan, before(plan, QUESTION), QUESTION, replies(GOOD)).value == pytest.approx(value)


def test_without_the_probabilities_that_it_needs_a_policy_hands_on() -> None:
    plan = plan_of(policy(confidence="mean_logprob", threshold=-1.0))

    assert decided(plan, replies(called({"order_id": "A12"}))) == (False, "unsure")


def test_of_several_samples_the_first_of_the_commonest_stands() -> None:
    plan = plan_of(policy(confidence="agreement", threshold=0.6, experts=(target("small", samples=3),)))
    found = replies(called({"order_id": "A1"}), called({"order_id": "A12"}), called({"order_id": "A12"}))

    verdict = after(plan, before(plan, QUESTION), QUESTION, found)

    assert (verdict.kept, verdict.chosen) == (True, 1)
    assert verdict.confidence == pytest.approx(2 / 3)


def test_a_call_of_no_known_task_goes_to_the_backbone() -> None:
    plan = plan_of(clustered())

    asks = [before(plan, QUESTION, Place(name)) for name in ("c1", "c2", "c9", None)]

    assert [(one.target.name, one.reason) for one in asks] == [
        ("small", "asked"), ("large", "no expert"), ("large", "no expert"), ("large", "out of distribution"),
    ]  # fmt: skip


def test_what_is_decided_before_the_reply_and_not_checked_is_final() -> None:
    assert before(plan_of(clustered()), QUESTION, Place("c1")).final
    assert not before(plan_of(policy()), QUESTION).final


def test_a_task_below_the_threshold_goes_to_the_backbone_without_asking_the_small_model() -> None:
    ask = before(plan_of(clustered(threshold=0.95)), QUESTION, Place("c1"))

    assert (ask.expert, ask.reason, ask.confidence) == (False, "unsure", 0.9)


def test_a_policy_that_nothing_was_certified_of_routes_nothing() -> None:
    plan = plan_of(policy(threshold=None))

    assert before(plan, QUESTION).reason == "not certified"
    assert eligible(plan, QUESTION).expert


def test_a_score_of_the_request_decides_before_the_reply() -> None:
    score = LinearScore(features=("tools",), weights=(-1.0,), means=(0.0,), scales=(1.0,), bias=1.5)
    plan = plan_of(policy(kind="score", confidence="request_score", score=score, signals=()))

    assert before(plan, QUESTION).expert
    assert not before(plan, question_of(request(tools=[TOOL] * 3))).expert


def test_a_score_of_the_reply_reads_both() -> None:
    score = LinearScore(
        features=("call_grounded", "tools"), weights=(4.0, 0.0), means=(0.0, 0.0), scales=(1.0, 1.0), bias=-2.0
    )
    plan = plan_of(policy(confidence="reply_score", score=score))

    assert decided(plan, replies(called({"order_id": "A12"}))) == (True, "kept")
    assert decided(plan, replies(called({"order_id": "B77"}))) == (False, "unsure")


def test_a_score_of_probabilities_that_the_server_leaves_out_hands_on() -> None:
    score = LinearScore(
        features=("certainty_told", "mean_logprob"), weights=(0.0, 4.0), means=(1.0, -1.0), scales=(1.0, 1.0), bias=0.0
    )
    plan = plan_of(policy(confidence="reply_score", score=score, experts=(target("small", logprobs=True),)))

    told, silent = called({"order_id": "A12"}, logprobs=[-0.1]), called({"order_id": "A12"})

    assert decided(plan, replies(told)) == (True, "kept")
    assert decided(plan, replies(silent)) == (False, "unsure")
    assert decided(plan, replies(called({"order_id": "A12"}, logprobs=[-0.1, nan]))) == (False, "unsure")


def test_a_tool_without_description_or_parameters_counts_alike_live_and_stored() -> None:
    bare = question_of({"messages": [], "tools": [{"type": "function", "function": {"name": "list_orders"}}]})
    sample = Sample(
        id="s", category="c", messages=(Message(role="user", content="?"),), tools=(Tool(name="list_orders"),),
        target=ReplayTarget(references=(ReplayReference(text="x"),)), scorer="replay",
    )  # fmt: skip

    assert bare.offered == sample_question(sample).offered


def test_a_sign_is_less_sure_than_any_threshold() -> None:
    plan = plan_of(policy())

    assert sureness(plan, eligible(plan, QUESTION), QUESTION, replies(spoken("?"))).value == -inf


@pytest.mark.parametrize(
    "wrong",
    [
        {"rules": (RouteRule(cluster="*", expert="nobody"),)},
        {"experts": (target("small"), target("small"))},
        {"experts": (target("large"),), "rules": ()},
        {"confidence": "request_score"},
        {"confidence": "agreement"},
        {"signals": ("gut feeling",)},
        {"rules": (RouteRule(cluster="c1", expert="small"),)},
        {"index": "0" * 64},
    ],
    ids=["expert", "twice", "both", "score", "samples", "signal", "index", "star"],
)
def test_a_policy_that_contradicts_itself_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="contradicts itself"):
        plan_of(policy(**wrong))


def test_a_sample_and_a_live_request_of_the_same_content_are_one_question() -> None:
    arguments: dict[str, Any] = {"order_id": "A12"}
    history: list[dict[str, Any]] = [
        {"role": "system", "content": "You help."},
        {"role": "user", "content": "where is order A12?"},
        {"role": "assistant", "content": None, "tool_calls": GOOD["choices"][0]["message"]["tool_calls"]},
        {"role": "tool", "tool_call_id": "call_1", "content": "error: not found"},
    ]
    sample = Sample(
        id="s",
        category="c1",
        messages=(
            Message(role="system", content="You help."),
            Message(role="user", content="where is order A12?"),
            Message(role="assistant", tool_calls=(ToolCall(name="get_order", arguments=arguments, id="call_1"),)),
            Message(role="tool", tool_call_id="call_1", content="error: not found"),
        ),
        tools=offered([TOOL["function"]]).tools,
        target=ReplayTarget(references=(ReplayReference(text="x"),)),
        scorer="replay",
    )
    live, stored = question_of({"messages": history, "tools": [TOOL], "temperature": 0}), sample_question(sample)
    reply = reply_of(called(arguments))

    assert request_features(live) == request_features(stored)
    assert reply_features(live, reply, "native") == reply_features(stored, reply, "native")
    assert live.offered == stored.offered
    assert request_features(live)["result_errors"] == 1.0
    assert reply_features(live, reply, "native")["call_repeats"] == 1.0


def test_features_are_those_that_are_named_and_finite() -> None:
    empty = question_of({"messages": []})

    for question in (QUESTION, empty):
        assert tuple(sorted(request_features(question))) == tuple(sorted(REQUEST_FEATURES))
        for reply in (*replies(GOOD, spoken("Sorry, I cannot.")), None):
            found = reply_features(question, reply, "native")
            assert tuple(sorted(found)) == tuple(sorted(REPLY_FEATURES))
            assert all(abs(value) < 1e6 for value in found.values())


def test_json_that_was_asked_for_is_looked_at_by_its_schema() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    question = question_of({"messages": [{"role": "user", "content": "count"}], "response_format": form})

    found = [reply_signal(question, reply_of(spoken(text)), "native") for text in ('{"n": 3}', '{"n": "x"}', "three")]

    assert found == [None, "schema", "unreadable"]


def test_a_request_that_cannot_be_read_says_so() -> None:
    with pytest.raises(DataError, match="cannot be read"):
        question_of({"messages": 3})
