"""The scorer of agents' tasks: calls replayed, the world asked, and how the calls lie to the reference's."""

import asyncio
from collections.abc import Callable, Iterator, Sequence

import pytest

from harness.config import AgentConfig
from harness.environments.pool import Worlds
from harness.errors import BackendError
from harness.protocols import Case
from harness.records import Attempt, Failure, Reply, Sample, Score, Step, Timing, ToolCall, ToolResult
from harness.scorers.agent import AgentScorer, common_length, plan_parts
from tests.support.toy_world import put, toy_sample

LOOK = ToolCall(name="turns", arguments={})
SAMPLE = toy_sample([put("a", 1), put("b", 2)], [put("a", 3)])


def step(*calls: ToolCall, turn: int = 0, ran: bool = True, said: str | None = None) -> Step:
    results = tuple(ToolResult(call=call, content="", ran=ran) for call in calls)
    return Step(turn=turn, reply=Reply(content=said), timing=Timing(at=0.0), results=results)


def attempt(sample: Sample, steps: Sequence[Step], **changes: object) -> Attempt:
    last = steps[-1].reply if steps else Reply(content="")
    made = Attempt(
        sample=sample.id, model="m", protocol="native", backend="b", reply=last, timing=Timing(at=0.0),
        steps=tuple(steps), ended="answered",
    )  # fmt: skip
    return made.model_copy(update=changes)


@pytest.fixture(scope="module")
def worlds() -> Iterator[Worlds]:
    kept = Worlds("toy", None, 10.0)
    yield kept
    asyncio.run(kept.__aexit__(None, None, None))


Scored = Callable[..., Score]


@pytest.fixture
def score(worlds: Worlds) -> Scored:
    def judged(sample: Sample, tried: Attempt, agent: AgentConfig | None = None) -> Score:
        return asyncio.run(AgentScorer(None, agent or AgentConfig(), 1).judge(worlds, sample, tried))

    return judged


def test_the_calls_that_ran_decide(score: Scored) -> None:
    done = score(SAMPLE, attempt(SAMPLE, [step(put("a", 1), put("b", 2)), step(put("a", 3), turn=1)]))
    lost = score(SAMPLE, attempt(SAMPLE, [step(put("a", 1), put("b", 2)), step(put("a", 3), turn=1, ran=False)]))

    assert (done.value, done.miss, done.boundary) == (1.0, None, None)
    assert (lost.value, lost.miss, lost.boundary, lost.why) == (0.0, "wrong_result", "model", "the box is wrong.")


@pytest.mark.parametrize("name", ["die", "fail"])
def test_a_call_that_ran_and_does_not_run_again_leaves_the_attempt_unscored(score: Scored, name: str) -> None:
    broken = attempt(SAMPLE, [step(ToolCall(name=name, arguments={}))])

    with pytest.raises(BackendError, match="toy_1: a call that ran did not run again"):
        score(SAMPLE, broken)


def test_judging_gives_a_call_more_time_than_the_model_was_given() -> None:
    slow = ToolCall(name="slow", arguments={"seconds": 0.5})
    sample = toy_sample([put("a", 1), slow], wanted={"a": 1, "slow": 1})

    async def judged() -> Score:
        async with AgentScorer(None, AgentConfig(tool_timeout_s=0.1), 1).open() as judge:
            return await judge(sample, attempt(sample, [step(put("a", 1), slow)]))

    assert asyncio.run(judged()).value == 1


def test_arguments_with_integers_of_any_size_are_judged(score: Scored) -> None:
    big = 12345678901234567890123
    sample = toy_sample([put("a", big)])

    found = score(sample, attempt(sample, [step(put("a", big), put("a", big + 1), put("a", big))]))

    assert (found.value, found.parts["plan_coverage"]) == (1.0, 1.0)
    shown = {"name": "put", "arguments": {"key": "a", "value": "integer of 74 bits"}}
    assert found.extracted == [shown] * 3


OVERFLOW = Failure(boundary="model", kind="context_overflow", message="too long")


def test_a_task_that_the_model_broke_off_is_worth_0_and_keeps_its_parts(score: Scored) -> None:
    steps = [step(put("a", 1), put("b", 2)), step(put("a", 3), turn=1)]

    lost = score(SAMPLE, attempt(SAMPLE, steps, failure=OVERFLOW, reply=None, ended=None))

    assert (lost.value, lost.miss, lost.boundary, lost.why) == (0.0, "context_overflow", "model", "too long")
    assert (lost.parts["put_anyway"], lost.parts["plan_coverage"]) == (1.0, 1.0)


def test_a_second_try_that_the_model_broke_off_takes_nothing_from_the_first(score: Scored) -> None:
    steps = [step(put("a", 1)), step(turn=1), step(put("b", 2), put("a", 3), turn=1)]

    told = score(SAMPLE, attempt(SAMPLE, steps, feedback_at=2, failure=OVERFLOW, reply=None, ended=None))

    assert (told.value, told.miss, told.parts["learned"]) == (0.0, "wrong_result", 0.0)


def test_counts_tell_whether_replies_could_be_read_and_whether_any_called(score: Scored) -> None:
    broken = step().model_copy(update={"unreadable": "no JSON"})

    deaf = score(SAMPLE, attempt(SAMPLE, [broken, broken]))
    mended = score(SAMPLE, attempt(SAMPLE, [broken, step(put("a", 1))]))
    unplanned = score(toy_sample([]), attempt(toy_sample([]), [step(said="Hello.")]))

    assert (deaf.counts["readable"], deaf.counts["called"]) == ((0, 2), (0, 1))
    assert (mended.counts["readable"], mended.counts["called"]) == ((1, 2), (1, 1))
    assert (unplanned.counts["readable"], "called" in unplanned.counts) == ((1, 1), False)


def test_two_judgements_at_once_are_those_of_one_after_the_other() -> None:
    tries = [attempt(SAMPLE, [step(put("a", 1), put("b", number)), step(put("a", 3), turn=1)]) for number in range(6)]

    async def together() -> list[float | None]:
        async with AgentScorer(None, AgentConfig(), 2).open() as judge:
            return [one.value for one in await asyncio.gather(*(judge(SAMPLE, tried) for tried in tries))]

    assert asyncio.run(together()) == [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]


def test_a_task_out_of_steps_is_worth_0_though_the_world_is_right(score: Scored) -> None:
    steps = [step(put("a", 1), put("b", 2)), step(put("a", 3), turn=1)]

    lost = score(SAMPLE, attempt(SAMPLE, steps, ended="step_limit"))

    assert (lost.value, lost.miss) == (0.0, "step_limit")


def test_what_was_done_after_the_checkers_message_does_not_count_for_the_value(score: Scored) -> None:
    steps = [step(put("a", 1)), step(turn=1), step(put("b", 2), put("a", 3), turn=1)]

    told = score(SAMPLE, attempt(SAMPLE, steps, feedback_at=2), AgentConfig(feedback=True))

    assert told.value == 0
    assert (told.parts["learned"], told.parts["done_after_feedback"]) == (1.0, 1.0)
    assert told.parts["plan_coverage"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("calls", "coverage", "order", "length"),
    [
        ((put("a", 1), put("b", 2), put("a", 3)), 1, 1, 1),
        ((put("b", 2), put("a", 1), put("a", 3)), 1, 1, 1),
        ((put("a", 1), LOOK, put("b", 2), put("a", 3)), 1, 3 / 4, 3 / 4),
        ((put("a", 1), put("a", 1), put("a", 1)), 1 / 3, 1, 1),
        ((LOOK,), 0, 0, 1 / 3),
        ((), 0, 0, 0),
    ],
)
def test_parts_of_the_plan(calls: tuple[ToolCall, ...], coverage: float, order: float, length: float) -> None:
    parts = plan_parts(SAMPLE, [step(*calls)])

    assert parts == pytest.approx({"plan_coverage": coverage, "plan_order": order, "plan_length": length})


def test_arguments_are_compared_whatever_their_order() -> None:
    turned = ToolCall(name="put", arguments={"value": 1, "key": "a"})

    assert plan_parts(toy_sample([put("a", 1)]), [step(turned)])["plan_coverage"] == 1


def test_without_a_plan_there_are_no_such_parts() -> None:
    assert plan_parts(toy_sample([], wanted={"a": 1}), [step(put("a", 1))]) == {}


def test_common_length_is_that_of_the_longest_common_subsequence() -> None:
    assert common_length("abcbdab", "bdcaba") == 4
    assert common_length("", "abc") == 0


def test_a_task_that_was_never_tried_is_told_from_one_done_wrong(score: Scored) -> None:
    refused = score(SAMPLE, attempt(SAMPLE, [step(said="No."), step(turn=1, said="No.")]))

    assert (refused.value, refused.miss) == (0.0, "task_refused")


def test_the_cases_are_the_plan_and_the_plan_without_its_last_call() -> None:
    cases: list[Case] = list(AgentScorer(None, AgentConfig(), 1).cases(SAMPLE))

    made = {case.kind: [result.call for one in case.steps for result in one.results] for case in cases}
    assert made == {"gold": [put("a", 1), put("b", 2), put("a", 3)], "near_miss": [put("a", 1), put("b", 2)]}
    assert [one.turn for one in cases[0].steps] == [0, 0, 1, 1]


def test_what_has_to_be_said_is_in_the_gold_case_alone() -> None:
    sample = toy_sample([put("a", 1)], say="it is 1")

    gold, near = AgentScorer(None, AgentConfig(), 1).cases(sample)

    assert [case.steps[-1].reply.content for case in (gold, near)] == ["it is 1", ""]


def test_a_task_without_plan_and_words_has_no_case() -> None:
    assert list(AgentScorer(None, AgentConfig(), 1).cases(toy_sample([]))) == []


def test_the_score_of_a_thousand_huge_calls_is_small(score: Scored) -> None:
    huge = ToolCall(name="put", arguments={"key": "a" * 10_000, "value": 1})

    found = score(SAMPLE, attempt(SAMPLE, [step(*[huge] * 1000)]))

    assert len(found.model_dump_json()) < 20_000
    assert "bytes of arguments" in found.model_dump_json()
