"""Signs in a reply that need no right answer, and runs read as lanes."""

import json
from pathlib import Path

import pytest

from harness.records import Attempt, Failure, Message, RawToolCall, Reply, Sample, Score, Timing, Tool, ToolTarget
from harness.select.lane import lane_of, questions_of
from harness.select.signals import action_of, signal_of
from harness.store.runs import StoredRun
from tests.support.report_runs import made_run

TOOL = Tool(
    name="find",
    parameters={
        "type": "object",
        "properties": {"id": {"type": "string"}, "kind": {"enum": ["a", "b"]}},
        "required": ["id"],
    },
)


def sample(*tools: Tool) -> Sample:
    return Sample(id="s", category="c", messages=(Message(role="user", content="?"),), tools=tools,
                  target=ToolTarget(expect="no_call"), scorer="bfcl")  # fmt: skip


def attempt(reply: Reply | None, failure: Failure | None = None) -> Attempt:
    return Attempt(sample="s", model="m", protocol="native", backend="b", reply=reply, timing=Timing(at=0),
                   failure=failure)  # fmt: skip


def calling(name: str, arguments: object, finish: str = "tool_calls") -> Reply:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return Reply(tool_calls=(RawToolCall(name=name, arguments=text),), finish_reason=finish)


SCORE = Score(sample="s", category="c", scorer="bfcl", value=0.0)


@pytest.mark.parametrize(
    ("reply", "signal"),
    [
        (calling("find", {"id": "7"}), None),
        (calling("find", {"id": "7", "kind": None}), None),
        (calling("find", '{"id": '), "unreadable"),
        (calling("search", {"id": "7"}), "unknown_tool"),
        (calling("find", {}), "schema"),
        (calling("find", {"id": 7}), "schema"),
        (calling("find", {"id": "7", "kind": "c"}), "schema"),
        (calling("find", {"id": "7", "more": 1}), "schema"),
        (Reply(content="No.", finish_reason="stop"), "no_call"),
        (calling("find", {"id": "7"}, finish="length"), "cut_off"),
        (None, "no_reply"),
    ],
)
def test_a_sign_is_seen_without_the_right_answer(reply: Reply | None, signal: str | None) -> None:
    assert signal_of(sample(TOOL), attempt(reply), SCORE) == signal


def test_words_where_no_tool_is_offered_are_no_sign() -> None:
    assert signal_of(sample(), attempt(Reply(content="Yes.")), SCORE) is None
    assert signal_of(sample(), attempt(Reply(content="")), SCORE) == "no_reply"


def test_a_scorers_miss_counts_only_where_it_needs_no_target() -> None:
    found = {
        miss: signal_of(sample(), attempt(Reply(content="x")), SCORE.model_copy(update={"miss": miss}))
        for miss in ("no_answer", "decode", "wrong_answer")
    }

    assert found == {"no_answer": "no_answer", "decode": "unreadable", "wrong_answer": None}


def test_equal_calls_in_any_order_are_one_action() -> None:
    first, second = RawToolCall(name="find", arguments='{"id": "1"}'), RawToolCall(name="find", arguments='{"id":"2"}')

    actions = [
        action_of(sample(TOOL), attempt(Reply(tool_calls=calls)), SCORE) for calls in ((first, second), (second, first))
    ]

    assert actions[0] == actions[1] is not None
    assert action_of(sample(TOOL), attempt(calling("find", "{")), SCORE) is None


def stored(**summary: object) -> StoredRun:
    view = made_run(n=20)
    return StoredRun(
        Path(view.id), view.manifest, view.summary.model_copy(update=summary), view.samples, view.attempts, view.scores
    )


def test_a_run_becomes_a_lane_without_what_the_infrastructure_lost() -> None:
    run = stored()

    lane = lane_of(run, {"model.generation.temperature": "0.7"})

    scored = {score.sample for score in run.scores if score.value is not None}
    assert set(lane.answers) == scored
    assert lane.variant.label.endswith("temperature=0.7")
    assert {one.cluster for one in questions_of(run.samples, by_cluster=True)} == {one.category for one in run.samples}
    assert {one.cluster for one in questions_of(run.samples, by_cluster=False)} == {"all"}


def test_the_cost_of_a_local_run_is_dealt_out_by_time() -> None:
    run = stored(cost_usd=2.0, cost_basis="a machine")
    bare = StoredRun(
        run.folder,
        run.manifest,
        run.summary,
        run.samples,
        tuple(one.model_copy(update={"cost_usd": None, "recorded_cost_usd": None}) for one in run.attempts),
        run.scores,
    )

    lane = lane_of(bare, {})

    each = [(one.cost_usd, one.e2e_s) for answers in lane.answers.values() for one in answers if one.e2e_s is not None]
    rates = {round(cost / took, 9) for cost, took in each if cost is not None and took is not None}
    assert len(rates) == 1
    assert lane.variant.cost_basis == "a machine"


def test_a_log_that_has_costs_gives_them_and_says_so() -> None:
    run = stored()
    told = tuple(one.model_copy(update={"cost_usd": None, "recorded_cost_usd": 0.5}) for one in run.attempts)

    lane = lane_of(StoredRun(run.folder, run.manifest, run.summary, run.samples, told, run.scores), {})

    assert lane.variant.cost_usd_per_call == 0.5
    assert lane.variant.cost_basis is not None
    assert lane.variant.cost_basis.startswith("as the log says")
