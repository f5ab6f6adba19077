"""A session of the log, gone through again: the model chooses the steps, the results are those on record."""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from harness.measure import total_usage, total_usd
from harness.records import (
    Attempt,
    Failure,
    Message,
    RecordedBy,
    Reply,
    Sample,
    Step,
    Timing,
    ToolResult,
)
from harness.runner.agent import step_of
from harness.scorers.trajectory_walk import Move, Walk, offered_tools

if TYPE_CHECKING:
    from harness.runner.attempt import Asker

__all__ = ["ReplayTask"]


@dataclass(slots=True)
class ReplayTask:
    """One attempt at one session. No tool runs: what has no result on record ends it."""

    asking: "Asker"
    sample: Sample
    trial: int
    due_ns: int | None
    slot: int | None
    _walk: Walk = field(init=False)
    _asked: Sample = field(init=False)
    _history: list[Message] = field(default_factory=list)
    _steps: list[Step] = field(default_factory=list)
    _failed: list[Failure] = field(default_factory=list)
    _failure: Failure | None = None
    _turn: int = 0
    _at: float = 0.0
    _began_ns: int = 0
    _told_by: RecordedBy | None = None

    async def run(self) -> Attempt:
        """The attempt, whole. A failure of the server loses it, as it loses an agent's task."""
        protocol = self.asking.model.protocol
        self._walk = Walk(self.sample, protocol)
        self._asked = self.sample.model_copy(update={"tools": offered_tools(self.sample, protocol)})
        self._history = [*self.sample.messages]
        self._at, self._began_ns = time.time(), time.perf_counter_ns()
        in_turn = 0
        while not self._walk.over and in_turn < self._most:
            turn, reply = self._turn, await self._ask()
            if reply is None:
                break
            self._take(reply)
            in_turn = in_turn + 1 if self._turn == turn else 0
        return self._attempt(time.perf_counter_ns() - self._began_ns)

    @property
    def _most(self) -> int:
        """Replies in one turn: by strict matching each is a step of the record, by the other calls may be repeated."""
        steps = len(self._walk.target.steps)
        return steps if self._walk.target.match == "strict" else max(steps, self.asking.agent.max_steps)

    async def _ask(self) -> Reply | None:
        """The next reply, noted as a step; None if none came."""
        asked = self._asked.model_copy(update={"messages": tuple(self._history)})
        seed = self.asking.sent_seed(self.trial) or 0
        body = self.asking.requests.step_body(asked, seed, self.slot)
        reading, failed = await self.asking.exchange(
            body, None if self._steps else self.due_ns, self.trial, self.sample.id
        )
        self._failed += failed
        if reading.failure is not None or reading.reply is None:
            self._failure = reading.failure
            return None
        self._told_by = reading.told.cost_by if reading.told else None
        self._steps.append(step_of(self.asking, reading, reading.reply, self._turn, len(failed) + 1))
        return reading.reply

    def _take(self, reply: Reply) -> None:
        """Notes what comes back to a reply, and puts both into the history."""
        move = self._walk.take(reply)
        results = tuple(
            ToolResult(call=call, content=content, ran=False)
            for call, content in zip(move.calls, move.results, strict=False)  # no results where the walk is over
        )
        self._steps[-1] = self._steps[-1].model_copy(update={"results": results})
        self._history.append(self._said(reply, move))
        for result in results:
            call = result.call
            self._history.append(Message(role="tool", content=result.content, tool_call_id=call.id, name=call.name))
        self._history += move.then
        self._turn += any(message.role == "user" for message in move.then)

    def _said(self, reply: Reply, move: Move) -> Message:
        """The reply as it goes into the history, in the form in which it was asked for."""
        if move.calls:
            text = move.text if self.asking.model.protocol == "native" else None
            return Message(role="assistant", content=text, tool_calls=move.calls)
        return Message(role="assistant", content=reply.content or move.text or "")

    def _attempt(self, end_ns: int) -> Attempt:
        asking, walk = self.asking, self._walk
        ended: Literal["answered", "off_record", "step_limit"] = (
            "answered" if walk.survived else "off_record" if walk.over else "step_limit"
        )
        return Attempt(
            sample=self.sample.id,
            model=asking.model.name,
            protocol=asking.model.protocol,
            trial=self.trial,
            backend=asking.endpoint.facts.name,
            seed=asking.sent_seed(self.trial),
            reply=self._steps[-1].reply if self._failure is None else None,
            timing=Timing(
                at=self._at, intended_ns=min(0, self.due_ns - self._began_ns) if self.due_ns else 0, end_ns=end_ns
            ),
            usage=total_usage(self._steps),
            cost_usd=total_usd([step.cost_usd for step in self._steps]),
            recorded_cost_usd=total_usd([step.recorded_cost_usd for step in self._steps]),
            recorded_cost_by=self._told_by,
            origin="cached" if any(step.origin == "cached" for step in self._steps) else "measured",
            failure=self._failure,
            tries=1,
            failed_tries=tuple(self._failed),
            steps=tuple(self._steps),
            ended=None if self._failure else ended,
        )
