"""The scorer of agents' tasks: the world, brought to where the attempt left it, says whether the task is done."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from harness.config import AgentConfig
from harness.environments.pool import LiveWorld, Worlds
from harness.errors import BackendError
from harness.protocols import Case, Environment, LateScore, WorldVerdict
from harness.records import (
    AgentTarget,
    Attempt,
    MissClass,
    Reply,
    Sample,
    Score,
    Step,
    Timing,
    ToolCall,
    ToolResult,
    target_of,
)
from harness.records.score import CALLED, READABLE
from harness.registry import load_plugin
from harness.scorers.context import ScorerContext, failed_miss, workers
from harness.scorers.wording import plain_json

__all__ = ["AgentScorer", "common_length", "plan_parts"]

_SHOWN_CALLS = 50
_SHOWN_BYTES = 300
_REPLAY_S = 60.0
"""At least so long may a call take that had come to its end before: on a machine that is busier now, say."""


class AgentScorer:
    """Replays the calls of an attempt and asks the environment."""

    name = "agent"

    def __init__(self, data: Path | None, agent: AgentConfig, concurrency: int) -> None:
        self.concurrency = concurrency
        self._data, self._agent = data, agent

    @classmethod
    def from_context(cls, context: ScorerContext) -> "AgentScorer":
        """As for any scorer's class."""
        return cls(context.data, context.agent, workers(context.scoring))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[LateScore]:
        """Workers for whichever environments the samples name."""
        pools: dict[str, Worlds] = {}

        async def score(sample: Sample, attempt: Attempt) -> Score:
            name = target_of(sample, AgentTarget).environment
            if name not in pools:
                most_s = max(_REPLAY_S, self._agent.tool_timeout_s)
                pools[name] = await Worlds(name, self._data, most_s).__aenter__()
            return await self.judge(pools[name], sample, attempt)

        try:
            yield score
        finally:
            for pool in pools.values():
                await pool.__aexit__(None, None, None)

    async def judge(self, pool: Worlds, sample: Sample, attempt: Attempt) -> Score:
        """The verdict on an attempt, in a world of the pool.

        A task that was not ended is worth 0, out of steps or broken off by the model's failure; its parts tell what was
        done until then. Raises BackendError if the environment fails, or a call does not come to its end as it did.
        """
        tried_again = attempt.feedback_at is not None
        first = attempt.steps[: attempt.feedback_at]
        cut = _cut(attempt)
        ended = tried_again or cut is None  # the checker's message is for those who have ended
        async with pool.open(sample) as world:
            verdict = await _replayed(world, first, sample, 0, ended=ended)
            again = None
            if tried_again:
                again = await _replayed(world, attempt.steps, sample, len(first), ended=cut is None)
        value = verdict.value if ended else 0.0
        learned = again.value if again is not None and cut is None else 0.0
        parts = {**verdict.parts, **plan_parts(sample, first), **_recovery(attempt, value)}
        if again is not None or self._agent.feedback:
            parts["done_after_feedback"] = max(value, learned)
        if again is not None:
            parts["learned"] = learned
        miss, why = (None, "") if value == 1 else (_miss(sample, attempt), verdict.why)
        if cut is not None and not ended:
            miss, why = cut
        return Score(
            sample=sample.id,
            category=sample.category,
            trial=attempt.trial,
            scorer=self.name,
            value=value,
            parts=parts,
            counts={**verdict.counts, **_form(sample, attempt)},
            miss=miss,
            boundary="model" if miss else None,
            why=why,
            extracted=[_shown(call) for call in _calls(first)[:_SHOWN_CALLS]],
        )

    def cases(self, sample: Sample) -> Iterator[Case]:
        """The reference plan with what has to be said, and the same without its last call and without a word.

        None for a sample without a plan and with nothing to be said.
        """
        target = target_of(sample, AgentTarget)
        make = cast(Callable[[Path | None], Environment], load_plugin("harness.environments", target.environment))
        said = make(self._data).gold(sample)
        if any(target.plan) or any(said):
            yield Case("gold", "the reference calls and answers", steps=_steps(target, target.plan, said))
        if any(target.plan):
            last = max(turn for turn, calls in enumerate(target.plan) if calls)
            shorter = [calls[:-1] if turn == last else calls for turn, calls in enumerate(target.plan)]
            yield Case("near_miss", "the reference calls but the last", steps=_steps(target, shorter, ()))


def _steps(target: AgentTarget, plan: Sequence[Sequence[ToolCall]], said: Sequence[str]) -> tuple[Step, ...]:
    """Of each turn a step that makes the calls, and one that says what is to be said."""
    steps: list[Step] = []
    for turn in range(len(target.turns) + 1):
        calls = plan[turn] if turn < len(plan) else ()
        words = Reply(content=said[turn] if turn < len(said) else "", finish_reason="stop")
        made = tuple(ToolResult(call=call, content="") for call in calls)
        if made:
            steps.append(Step(turn=turn, reply=Reply(), timing=Timing(at=0.0), results=made))
        steps.append(Step(turn=turn, reply=words, timing=Timing(at=0.0)))
    return tuple(steps)


async def _replayed(world: LiveWorld, steps: Sequence[Step], sample: Sample, done: int, *, ended: bool) -> WorldVerdict:
    """The verdict after these steps, of which the first `done` have been replayed before.

    Raises BackendError if a call that had come to its end does not do so again: without it the world is another one.
    """
    turn = steps[done - 1].turn if done else -1
    for step in steps[done:]:
        while turn < step.turn:
            turn += 1
            await world.begin(turn)
        for result in step.results:
            if result.ran:
                outcome = await world.call(result.call)
                if not outcome.ran:
                    raise BackendError(f"sample {sample.id}: a call that ran did not run again: {outcome.content}")
    if not done:
        for later in range(turn + 1, len(target_of(sample, AgentTarget).turns) + 1):
            await world.begin(later)
    return await world.verdict(steps, ended=ended)


def plan_parts(sample: Sample, steps: Sequence[Step]) -> dict[str, float]:
    """How the calls that were made lie to those of the reference plan; nothing without a plan.

    `plan_coverage`: reference calls that were made, with the same arguments, over all of them. `plan_order`: length of
    the longest common subsequence of tool names over the longer of the two. `plan_length`: shorter over longer number
    of calls. All 0..1, 1 best; a task can be done in another way than the plan's.
    """
    wanted = [call for turn in target_of(sample, AgentTarget).plan for call in turn]
    if not wanted:
        return {}
    made = _calls(steps)
    found = Counter(map(_identity, made)) & Counter(map(_identity, wanted))
    longer = max(len(made), len(wanted))
    return {
        "plan_coverage": found.total() / len(wanted),
        "plan_order": common_length([call.name for call in made], [call.name for call in wanted]) / longer,
        "plan_length": min(len(made), len(wanted)) / longer,
    }


def common_length(left: Sequence[str], right: Sequence[str]) -> int:
    """Length of the longest common subsequence.

    >>> common_length(["a", "b", "c"], ["a", "c", "b"])
    2
    """
    row = [0] * (len(right) + 1)
    for one in left:
        before = 0
        for place, other in enumerate(right, 1):
            before, row[place] = row[place], before + 1 if one == other else max(row[place], row[place - 1])
    return row[-1]


def _recovery(attempt: Attempt, value: float) -> dict[str, float]:
    """Of an attempt whose tool was disturbed: whether the call was made again, and whether the task was done."""
    results = [result for step in attempt.steps for result in step.results]
    place = next((at for at, result in enumerate(results) if result.disturbed), None)
    if place is None:
        return {}
    call = results[place].call
    again = any(result.call.name == call.name and result.ran for result in results[place + 1 :])
    return {"recovered": value, "retried": float(again)}


def _cut(attempt: Attempt) -> tuple[MissClass, str] | None:
    """What kept the model from ending, and why in words; None if it came to its end."""
    if attempt.failure is not None:
        return failed_miss(attempt.failure), attempt.failure.message
    return ("step_limit", "the task was not ended within the limit of steps") if attempt.ended == "step_limit" else None


def _form(sample: Sample, attempt: Attempt) -> dict[str, tuple[int, int]]:
    """Replies that could be read as calls or as words; and, of a task whose plan has calls, whether any was made.

    Where none of a run's replies is readable, or none of its tasks sees a call, the template or the parser is at fault
    rather than the model (`harness.runner.agents_unfit`).
    """
    counts = {}
    if attempt.steps:
        counts[READABLE] = (sum(step.unreadable is None for step in attempt.steps), len(attempt.steps))
        if any(target_of(sample, AgentTarget).plan):
            counts[CALLED] = (int(bool(_calls(attempt.steps))), 1)
    return counts


def _miss(sample: Sample, attempt: Attempt) -> MissClass:
    if attempt.steps and attempt.steps[-1].unreadable:
        return "decode"
    planned = any(target_of(sample, AgentTarget).plan)
    return "task_refused" if planned and not _calls(attempt.steps) else "wrong_result"


def _calls(steps: Sequence[Step]) -> list[ToolCall]:
    return [result.call for step in steps for result in step.results]


def _identity(call: ToolCall) -> tuple[str, str]:
    return call.name, json.dumps(call.arguments, sort_keys=True)


def _shown(call: ToolCall) -> dict[str, JsonValue]:
    """The call, for people; arguments that are long are told by their length."""
    length = len(json.dumps(call.arguments))
    arguments = plain_json(call.arguments) if length <= _SHOWN_BYTES else f"{length} bytes of arguments"
    return {"name": call.name[:_SHOWN_BYTES], "arguments": arguments}
