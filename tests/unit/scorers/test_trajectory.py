"""How far a session goes along with its record: by the strict rule and by first in, first out."""

from typing import Any

import pytest
from pydantic import ValidationError

from harness.records import (
    Attempt,
    Failure,
    ReplayReference,
    Reply,
    Sample,
    Score,
    Step,
    Timing,
    ToolCall,
    TrajectoryFacts,
    TrajectoryTarget,
)
from harness.scorers.replay import reply_of
from harness.scorers.trajectory import judge_trajectory
from harness.scorers.trajectory_walk import Walk, offered_tools
from harness.toolcalling.answer import ANSWER
from harness.toolcalling.shape import decline_name
from tests.support.specimens.trajectory import STEPS, called, session, step

FIND, USER, SECOND, CANCEL = called(), called("find_user", "U1"), called(identity="A2"), called("cancel_order")


def calls(*made: ToolCall) -> Reply:
    return reply_of(made)


def says(text: str) -> Reply:
    return reply_of((), text)


OVERFLOW = Failure(boundary="model", kind="context_overflow", message="too long")
RECORD = (calls(FIND), calls(USER, SECOND), says("Which?"), calls(CANCEL), says("Done."))


def judged(sample: Sample, *replies: Reply, **more: Any) -> Score:
    steps = tuple(Step(turn=0, reply=one, timing=Timing(at=0.0)) for one in replies)
    ended = None if more.get("failure") else "answered"
    known = {"sample": sample.id, "model": "m", "protocol": "native", "backend": "b", "timing": Timing(at=0.0)}
    answered = {"steps": steps, "reply": replies[-1] if replies and ended else None, "ended": ended}
    return judge_trajectory(sample, Attempt.model_validate({**known, **answered, **more}))


def facts(sample: Sample, *replies: Reply, **more: Any) -> TrajectoryFacts:
    found = judged(sample, *replies, **more).trajectory
    assert found is not None
    return found


def fifo(*steps: Any, **more: Any) -> Sample:
    return session(*(steps or STEPS), match="fifo", **more)


def test_a_session_that_follows_the_record_is_right() -> None:
    score = judged(session(*STEPS), *RECORD)

    assert (score.value, score.miss, score.parts["depth"]) == (1.0, None, 1.0)
    assert score.trajectory is not None
    assert (score.trajectory.ended, score.trajectory.depth, score.trajectory.not_scored) == ("survived", 5, 0)


def test_what_comes_after_a_divergence_is_counted_as_not_scored() -> None:
    score = judged(session(*STEPS), RECORD[0], calls(called("find_user", "U9"), SECOND), *RECORD[2:])

    assert (score.value, score.parts["depth"], score.miss) == (0.0, 0.2, "wrong_value")
    assert score.trajectory is not None
    assert (score.trajectory.depth, score.trajectory.kind, score.trajectory.not_scored) == (1, "other_arguments", 3)
    assert score.why.startswith("step 2 of 5, other arguments")


@pytest.mark.parametrize(
    ("replies", "kind", "miss"),
    [
        ((says("Hello."),), "words", "should_have_called"),
        ((*RECORD[:3], says("Done.")), "stopped_early", "should_have_called"),
        ((*RECORD[:2], calls(called("find_user", "U9"))), "called", "should_not_have_called"),
        ((calls(called("find_user", "U9")),), "other_tool", "wrong_tool"),
        ((calls(USER),), "other_order", "wrong_tool"),
        ((calls(ToolCall(name="ring", arguments={})),), "unknown_call", "wrong_tool"),
        ((calls(called(identity="B7")),), "other_arguments", "wrong_value"),
        ((RECORD[0], calls(USER)), "other_count", "wrong_count"),
        ((Reply(content="", finish_reason="stop"),), "silent", "should_have_called"),
        ((Reply(content='{"name": "find_order", "arguments": {', finish_reason="stop"),), "unreadable", "decode"),
        (RECORD[:2], "stopped_early", "no_answer"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_kind_of_a_divergence_is_named(replies: tuple[Reply, ...], kind: str, miss: str) -> None:
    score = judged(session(*STEPS), *replies)

    assert score.trajectory is not None
    assert (score.trajectory.kind, score.miss, score.value) == (kind, miss, 0.0)


def test_words_that_the_rule_does_not_take_are_a_divergence() -> None:
    sample = session(step(says="Paris is the capital.", user="And?", text="rouge"), step(says="Yes."), tools=())

    assert facts(sample, says("No idea at all")).kind == "other_words"


@pytest.mark.parametrize(
    ("more", "kind", "miss"),
    [
        ({"failure": OVERFLOW}, "context_overflow", "context_overflow"),
        ({"ended": "step_limit"}, "step_limit", "step_limit"),
    ],
    ids=["overflow", "limit"],
)
def test_an_end_that_is_the_models_own_keeps_the_depth(more: dict[str, Any], kind: str, miss: str) -> None:
    score = judged(session(*STEPS), *RECORD[:3], **more)

    assert score.trajectory is not None
    assert (score.trajectory.kind, score.trajectory.depth, score.miss) == (kind, 3, miss)


def test_parallel_calls_are_given_their_own_results_in_whichever_order() -> None:
    walk = Walk(session(*STEPS), "native")
    walk.take(RECORD[0])

    move = walk.take(calls(SECOND, USER))

    assert move.results == ("find_order A2", "find_user U1")


def test_the_users_turn_comes_after_words_on_record() -> None:
    walk = Walk(session(*STEPS), "native")
    for reply in RECORD[:2]:
        walk.take(reply)

    move = walk.take(says("Shall it be the first one?"))

    assert [message.content for message in move.then] == ["The first."]


def test_an_answer_from_elsewhere_in_the_log_ends_a_session_without_a_value() -> None:
    other = ReplayReference(calls=(called(identity="A7"),))
    sample = session(step(FIND, also=[other]), *STEPS[1:])

    score = judged(sample, calls(called(identity="A7")), *RECORD[1:])

    assert (score.value, score.miss) == (None, None)
    assert score.trajectory is not None
    assert (score.trajectory.ended, score.trajectory.depth, score.trajectory.not_scored) == ("left", 0, 5)


def test_an_answer_from_elsewhere_in_the_log_is_right_at_the_last_step() -> None:
    sample = session(step(FIND), step(CANCEL, also=[ReplayReference(text="I cannot.")]))

    assert judged(sample, calls(FIND), says("Sorry, no.")).value == 1.0
    assert judged(fifo(*sample_steps(sample)), calls(FIND), says("Sorry, no.")).value == 1.0


def sample_steps(sample: Sample) -> tuple[Any, ...]:
    assert isinstance(sample.target, TrajectoryTarget)
    return sample.target.steps


def test_reordered_calls_diverge_strictly_and_not_first_in_first_out() -> None:
    replies = (calls(USER), calls(SECOND), calls(FIND), *RECORD[2:])

    assert facts(session(*STEPS), *replies).kind == "other_order"
    found = facts(fifo(), *replies)
    assert (found.ended, found.outcomes[:3]) == ("survived", ("out_of_order", "out_of_order", "same"))


def test_equal_calls_take_the_results_in_the_order_of_the_record() -> None:
    steps = (step(FIND), step(CANCEL), step(FIND), step(says="Done."))
    told = [one.model_copy(update={"results": (f"result {number}",)}) if one.results else one
            for number, one in enumerate(steps)]  # fmt: skip
    walk = Walk(fifo(*told), "native")

    given = [walk.take(calls(FIND)).results, walk.take(calls(FIND)).results, walk.take(calls(CANCEL)).results]

    assert given == [("result 0",), ("result 2",), ("result 1",)]


def test_a_repeated_call_diverges_unless_its_tool_only_looks_something_up() -> None:
    replies = (RECORD[0], RECORD[0], *RECORD[1:])

    assert facts(fifo(), *replies).kind == "repeated_call"
    found = facts(fifo(read_only=("find_order",)), *replies)
    assert (found.ended, found.outcomes[1]) == ("survived", "repeated")


def test_a_repeated_call_is_given_the_last_result_again() -> None:
    walk = Walk(fifo(read_only=("find_order",)), "native")
    first = walk.take(RECORD[0])

    again = walk.take(RECORD[0])

    assert again.results == first.results == ("find_order A1",)
    assert walk.at == 1


def test_depth_counts_steps_without_a_gap() -> None:
    found = facts(fifo(), calls(FIND), calls(CANCEL), calls(called("find_user", "U9")))

    assert (found.depth, found.kind) == (1, "other_arguments")


def test_the_record_itself_is_right_by_both_rules() -> None:
    assert judged(session(*STEPS), *RECORD).value == 1.0
    assert judged(fifo(), *RECORD).value == 1.0


def test_where_calls_are_text_the_tool_to_speak_by_counts_as_words() -> None:
    walk = Walk(session(*STEPS[2:]), "constrained")

    move = walk.take(Reply(content='{"name": "answer", "arguments": {"text": "Which?"}}', finish_reason="stop"))

    assert (move.outcome, move.text, move.calls) == ("same", "Which?", ())


def test_declining_by_name_counts_as_words() -> None:
    sample = session(*STEPS[2:])
    name = decline_name(offered_tools(sample, "constrained"))

    move = Walk(sample, "constrained").take(Reply(content=f'{{"name": "{name}", "arguments": {{}}}}'))

    assert (move.outcome, move.calls) == ("same", ())


def test_a_tool_of_the_log_that_is_called_answer_stays_a_tool() -> None:
    sample = session(step(called("answer")), step(says="Done."), tools=(ANSWER,))
    walk = Walk(sample, "constrained")

    move = walk.take(Reply(content='{"name": "answer", "arguments": {"id": "A1"}}', finish_reason="stop"))

    assert [call.name for call in move.calls] == ["answer"]


def test_a_record_without_a_result_in_the_middle_is_refused() -> None:
    broken = STEPS[0].model_copy(update={"results": (None,)})

    with pytest.raises(ValidationError, match="step 1 has 1 calls, and the record has not a result for each"):
        session(broken, *STEPS[1:])
