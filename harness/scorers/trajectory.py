"""The scorer of replayed sessions: how far the steps that were taken go along with the record."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Final

from harness.protocols import Case, LateScore
from harness.records import (
    Attempt,
    Divergence,
    Failure,
    FailureKind,
    RawToolCall,
    Reply,
    Sample,
    Score,
    Step,
    Timing,
    TrajectoryTarget,
    target_of,
)
from harness.records.score import CALLED, READABLE
from harness.scorers.context import failed_miss
from harness.scorers.replay import reply_of
from harness.scorers.trajectory_walk import Walk

__all__ = ["TrajectoryScorer", "judge_trajectory"]

_FAILED: Final[dict[FailureKind, Divergence]] = {
    "context_overflow": "context_overflow",
    "malformed_tool_call": "unreadable",
    "empty_reply": "silent",
    "content_filter": "content_filter",
}


class TrajectoryScorer:
    """Walks through the record by what was said: 1 if the whole of it was done, else 0.

    No value where the model gave an answer that the log has too, but from which this record does not go on.
    """

    name = "trajectory"
    concurrency = 1

    @asynccontextmanager
    async def open(self) -> AsyncIterator[LateScore]:
        """Nothing to bring up."""

        async def score(sample: Sample, attempt: Attempt) -> Score:
            return judge_trajectory(sample, attempt)

        yield score

    def cases(self, sample: Sample) -> Iterator[Case]:
        """The record itself; the same without its last step, and with another first one."""
        steps = _on_record(sample)
        yield Case("gold", "the steps on record", steps=steps)
        if len(steps) > 1:
            yield Case("near_miss", "all steps but the last", steps=steps[:-1])
        silent = Step(turn=0, reply=Reply(content="", finish_reason="stop"), timing=Timing(at=0.0))
        yield Case("near_miss", "silence in place of the first step", steps=(silent, *steps[1:]))
        strange = RawToolCall(name="not_there_", arguments="{}")
        calling = silent.model_copy(update={"reply": Reply(tool_calls=(strange,), finish_reason="tool_calls")})
        yield Case("near_miss", "a tool that is not there", steps=(*steps[:-1], calling))


def _on_record(sample: Sample) -> tuple[Step, ...]:
    firsts = (step.target.references[0] for step in target_of(sample, TrajectoryTarget).steps)
    return tuple(Step(turn=0, reply=reply_of(one.calls, one.text), timing=Timing(at=0.0)) for one in firsts)


def judge_trajectory(sample: Sample, attempt: Attempt) -> Score:
    """The verdict on an attempt: pure, the same for the same replies.

    Parts: `depth`, the share of the record's steps that were done before the end; `first_step`, whether its first was.
    Counts: replies that could be read, and, where the record begins with a call, whether any was made.
    """
    walk = _walked(sample, attempt)
    facts = walk.facts
    value = {"survived": 1.0, "diverged": 0.0, "left": None}[facts.ended]
    first = target_of(sample, TrajectoryTarget).steps[0].target
    counts = {READABLE: (walk.readable, len(walk.outcomes))} if walk.outcomes else {}
    if first.wants == "call" and attempt.failure is None:
        counts[CALLED] = (int(walk.called), 1)
    return Score(
        sample=sample.id,
        category=sample.category,
        trial=attempt.trial,
        scorer=TrajectoryScorer.name,
        value=value,
        parts={"depth": facts.depth / facts.steps, "first_step": float(facts.depth > 0)},
        counts=counts,
        miss=walk.miss,
        boundary="model" if walk.miss else None,
        why=walk.why,
        trajectory=facts,
    )


def _walked(sample: Sample, attempt: Attempt) -> Walk:
    """The walk over the replies of an attempt, to where it ended."""
    walk = Walk(sample, attempt.protocol)
    replies = [step.reply for step in attempt.steps]
    if not replies and attempt.reply is not None:
        replies = [attempt.reply]
    for reply in replies:
        if walk.over:
            break
        walk.take(reply)
    if walk.over:
        return walk
    if attempt.failure is not None:
        _failed(walk, attempt.failure)
    elif attempt.ended == "step_limit":
        walk.stop("step_limit", "step_limit", "the record was not done within the limit of replies")
    else:
        walk.stop("stopped_early", "no_answer", "no further reply was made")
    return walk


def _failed(walk: Walk, failure: Failure) -> None:
    walk.stop(_FAILED.get(failure.kind, "unreadable"), failed_miss(failure), failure.message)
