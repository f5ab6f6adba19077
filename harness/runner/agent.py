"""An agent's task: reply, tools, reply, … until the model has no more to call, turn after turn."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, get_args

from harness.backends.stream import Reading
from harness.environments.pool import CannotStartError, LiveWorld, Outcome
from harness.errors import BackendError, ConfigError, DataError, HarnessError
from harness.measure import total_usage, total_usd
from harness.records import (
    AgentTarget,
    Attempt,
    Disturbance,
    Failure,
    Message,
    RecordedBy,
    Reply,
    Sample,
    Step,
    Timing,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
    target_of,
)
from harness.toolcalling.answer import ANSWER
from harness.toolcalling.decode import Decoded, decode

if TYPE_CHECKING:
    from harness.runner.attempt import Asker

__all__ = ["ANSWER", "AgentTask", "disturbed_call", "step_of", "total_usage", "total_usd"]

_MOST_UNREADABLE = 2
"""Replies in a row that cannot be read, after which a turn is over."""
_DONE_TO: dict[Disturbance, str] = {
    "error": '{"error": "internal server error, please try again"}',
    "nonsense": "\ufffdq9#\ufffd\ufffd{]x7\ufffd lorem 0x3f \ufffd~~ null null",
    "timeout": '{"error": "the tool did not answer in time"}',
}
_UNREADABLE = "Your reply could not be read as a call: {why}. Reply again."
_TOLD = 300
"""Characters kept of what an environment says when it fails."""
_FEEDBACK = "A check of what you did says: {why} Look again, and do what is missing."


def disturbed_call(sample: Sample) -> int:
    """Number of the call of a task that a disturbance is done to: one of those of the plan, by the sample's id alone.

    It is the same for every model, so that models can be compared; the first where there is no plan.
    """
    target = target_of(sample, AgentTarget)
    planned = sum(len(calls) for calls in target.plan)
    return int.from_bytes(hashlib.sha256(sample.id.encode()).digest()[:4]) % max(1, planned)


def step_of(asking: "Asker", reading: Reading, reply: Reply, turn: int, tries: int) -> Step:
    """A reply as a step, with its own times, tokens and cost."""
    return Step(
        turn=turn,
        reply=reply,
        timing=reading.timing,
        usage=reading.usage,
        server=reading.server,
        cost_usd=asking.cost_usd(reading),
        recorded_cost_usd=reading.told.cost_usd if reading.told else None,
        origin="cached" if reading.cached else "measured",
        tries=tries,
    )


@dataclass(slots=True)
class AgentTask:
    """One attempt at one task."""

    asking: "Asker"
    sample: Sample
    trial: int
    due_ns: int | None
    slot: int | None
    _history: list[Message] = field(default_factory=list)
    _tools: list[Tool] = field(default_factory=list)
    _steps: list[Step] = field(default_factory=list)
    _failed: list[Failure] = field(default_factory=list)
    _failure: Failure | None = None
    _calls: int = 0
    _at: float = 0.0
    _began_ns: int = 0
    _feedback_at: int | None = None
    _told_by: RecordedBy | None = None

    async def run(self) -> Attempt:
        """The attempt, whole. One whose environment fails is lost, as one whose server fails is.

        Raises ConfigError if no environment is open, CannotStartError if it does not come up at all.
        """
        worlds, target = self.asking.worlds, target_of(self.sample, AgentTarget)
        if worlds is None:
            raise ConfigError(f"sample {self.sample.id} needs the environment {target.environment}, none is open")
        ended, end_ns = False, 0
        self._start_clock()
        try:
            async with worlds.open(self.sample) as world:
                self._start_clock()
                ended = await self._turns(world, [Turn(messages=self.sample.messages), *target.turns])
                if ended and self.asking.agent.feedback:
                    ended = await self._try_again(world, len(target.turns)) or ended
                end_ns = time.perf_counter_ns() - self._began_ns
        except CannotStartError:
            raise
        except (BackendError, DataError) as error:
            self._failure = _environment_failed(error)
            end_ns = time.perf_counter_ns() - self._began_ns
        return self._attempt(ended, end_ns)

    def _start_clock(self) -> None:
        self._at, self._began_ns = time.time(), time.perf_counter_ns()

    def _attempt(self, ended: bool, end_ns: int) -> Attempt:
        asking = self.asking
        intended_ns = min(0, self.due_ns - self._began_ns) if self.due_ns else 0
        return Attempt(
            sample=self.sample.id,
            model=asking.model.name,
            protocol=asking.model.protocol,
            trial=self.trial,
            backend=asking.endpoint.facts.name,
            seed=asking.sent_seed(self.trial),
            reply=self._steps[-1].reply if self._failure is None else None,
            timing=Timing(at=self._at, intended_ns=intended_ns, end_ns=end_ns),
            usage=total_usage(self._steps),
            cost_usd=total_usd([step.cost_usd for step in self._steps]),
            recorded_cost_usd=total_usd([step.recorded_cost_usd for step in self._steps]),
            recorded_cost_by=self._told_by,
            origin="cached" if any(step.origin == "cached" for step in self._steps) else "measured",
            failure=self._failure,
            tries=1,
            failed_tries=tuple(self._failed),
            steps=tuple(self._steps),
            ended=None if self._failure else "answered" if ended else "step_limit",
            feedback_at=self._feedback_at,
        )

    async def _turns(self, world: LiveWorld, turns: Sequence[Turn]) -> bool:
        """Whether every turn came to its end; a failure or a turn that is out of steps ends the task."""
        self._tools = [*self.sample.tools]
        if self.asking.model.protocol != "native":
            self._tools.append(ANSWER)
        for number, turn in enumerate(turns):
            self._history += turn.messages
            self._tools += turn.tools
            await world.begin(number)
            if not await self._turn(world, number):
                return False
        return True

    async def _try_again(self, world: LiveWorld, turn: int) -> bool:
        """Whether the model came to an end again; without a verdict there is nothing to tell it, and no more try."""
        try:
            verdict = await world.verdict(self._steps)
        except (BackendError, DataError):  # judging asks for the verdict anew, and says what is wrong
            return True
        if verdict.value == 1:
            return True
        self._feedback_at = len(self._steps)
        self._history.append(Message(role="user", content=_FEEDBACK.format(why=verdict.why)))
        return await self._turn(world, turn)

    async def _turn(self, world: LiveWorld, number: int) -> bool:
        """Whether the model came to the end of its turn."""
        unreadable = 0
        for _ in range(self.asking.agent.max_steps):
            step = await self._ask(number)
            if step is None:
                return False
            read = decode(step.reply, self.asking.model.protocol, tuple(self._tools))
            if read.error is not None:
                unreadable += 1
                self._tell_unreadable(step, read.error)
                if unreadable >= _MOST_UNREADABLE:
                    return True
                continue
            unreadable = 0
            if await self._act(world, step, read):
                return True
        return False

    async def _ask(self, turn: int) -> Step | None:
        """The next reply; None if none came."""
        asked = self.sample.model_copy(update={"messages": tuple(self._history), "tools": tuple(self._tools)})
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
        return step_of(self.asking, reading, reading.reply, turn, len(failed) + 1)

    def _tell_unreadable(self, step: Step, why: str) -> None:
        self._steps.append(step.model_copy(update={"unreadable": why}))
        self._history.append(Message(role="assistant", content=_text(step.reply)))
        self._history.append(Message(role="user", content=_UNREADABLE.format(why=why)))

    async def _act(self, world: LiveWorld, step: Step, read: Decoded) -> bool:
        """Runs the calls of a reply and notes them; whether the turn is over."""
        words = [str(call.arguments.get("text", "")) for call in read.calls if self._is_answer(call)]
        calls = [call for call in read.calls if not self._is_answer(call)]
        results = [await self._call(world, call) for call in calls]
        said = "\n".join(words) or read.text
        reply = step.reply if not words else step.reply.model_copy(update={"content": said})
        self._steps.append(step.model_copy(update={"results": tuple(results), "reply": reply}))
        self._history.append(_said(said, read.calls, self.asking.model.protocol == "native"))
        for result in results:
            call = result.call
            self._history.append(Message(role="tool", content=result.content, tool_call_id=call.id, name=call.name))
        return not calls or bool(words)

    def _is_answer(self, call: ToolCall) -> bool:
        return call.name == ANSWER.name and self.asking.model.protocol != "native"

    async def _call(self, world: LiveWorld, call: ToolCall) -> ToolResult:
        number, self._calls = self._calls, self._calls + 1
        disturb = self.asking.agent.disturb
        if disturb is not None and number == disturbed_call(self.sample):
            return ToolResult(call=call, content=_DONE_TO[disturb], error=True, disturbed=disturb, ran=False)
        outcome = await world.call(call) if self._may_run(world, call) else self._refused(call)
        most = self.asking.agent.max_result_chars
        content = outcome.content if len(outcome.content) <= most else outcome.content[:most] + " … (cut)"
        return ToolResult(call=call, content=content, error=outcome.error, ran=outcome.ran, took_ns=outcome.took_ns)

    def _may_run(self, world: LiveWorld, call: ToolCall) -> bool:
        return world.pool.runs_unoffered or any(tool.name == call.name for tool in self._tools)

    def _refused(self, call: ToolCall) -> Outcome:
        known = ", ".join(tool.name for tool in self._tools)[:500]
        words = f"there is no tool {call.name[:60]}; the tools are {known}"
        return Outcome(words, error=True, ran=False, took_ns=0)


def _environment_failed(error: HarnessError) -> Failure:
    said = " ".join(str(error).split())[:_TOLD]
    return Failure(boundary="infrastructure", kind="task_error", message=said)


def _text(reply: Reply) -> str:
    """What the model wrote, calls that a server had taken out of it included."""
    calls = [f"{call.name}({call.arguments})" for call in reply.tool_calls]
    return "\n".join(filter(None, [reply.content, *calls]))


def _said(text: str | None, calls: Sequence[ToolCall], native: bool) -> Message:
    """The model's reply as it goes into the history: in the form in which it was asked to reply."""
    if not calls:
        return Message(role="assistant", content=text or "")
    if native:
        return Message(role="assistant", content=text, tool_calls=tuple(calls))
    return Message(role="assistant", tool_calls=tuple(calls))


assert set(_DONE_TO) == set(get_args(Disturbance))
