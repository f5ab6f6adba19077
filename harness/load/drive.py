"""Calls sent at their times, however slow the engine is, until all are done or the goal is out of reach."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from harness.errors import HarnessError
from harness.load.plan import Due, Play
from harness.measure import e2e_s, ttft_s
from harness.records import Attempt, Sample
from harness.records.load import LoadGoal

__all__ = ["Ask", "Limits", "Outcome", "Played", "in_time", "play"]

Ask = Callable[[Sample, int, int], Awaitable[Attempt]]
"""Asks a sample for the n-th time; the last is the `perf_counter_ns` at which the schedule wanted it out."""
_LOOK_EVERY_S = 0.25


@dataclass(slots=True)
class Outcome:
    """What became of one call. Times in seconds after the start of the play; None: not yet."""

    due_s: float
    sent_s: float | None = None
    """When it had a free place."""
    done_s: float | None = None
    attempt: Attempt | None = None

    @property
    def unfit(self) -> bool:
        """Whether it does not fit into the context: refused at once, it is no load."""
        failure = self.attempt.failure if self.attempt else None
        return failure is not None and failure.kind == "context_overflow"

    @property
    def served(self) -> bool:
        """Whether the model answered, if only with nothing."""
        attempt = self.attempt
        return attempt is not None and not self.unfit and not _lost(attempt)


def _lost(attempt: Attempt) -> bool:
    return attempt.failure is not None and attempt.failure.boundary != "model"


@dataclass(frozen=True, slots=True)
class Played:
    """Outcomes in the order in which they were due."""

    play: Play
    outcomes: tuple[Outcome, ...]
    ended_s: float
    stopped: str | None
    given_up: bool = False
    """Whether it was stopped since the goal was out of reach."""


def in_time(outcome: Outcome, goal: LoadGoal, now_s: float) -> bool | None:
    """Whether a call was served within the goal; None for one without a verdict: unfit, or open and still in time.

    An open call is out of time once it has waited longer than the goal allows for the whole reply, and one that was not
    even sent once it has waited longer than for the first token.
    """
    attempt = outcome.attempt
    if attempt is None:
        bounds = [goal.e2e_s, goal.ttft_s if outcome.sent_s is None else None]
        return False if any(one is not None and now_s - outcome.due_s > one for one in bounds) else None
    if outcome.unfit:
        return None
    whole, first = e2e_s(attempt.timing), ttft_s(attempt.timing)
    if _lost(attempt) or whole is None:
        return False
    first = whole if first is None else first  # the model said nothing
    return all(most is None or value <= most for most, value in ((goal.ttft_s, first), (goal.e2e_s, whole)))


@dataclass(frozen=True, slots=True)
class Limits:
    """When a play is given up, and how calls wait."""

    allowed: int
    """Calls that may miss the goal; one more, and no outcome of the rest could make it hold: it is not sent."""
    max_in_flight: int
    """Beyond it calls wait; their time counts from when they were due all the same."""
    drain_s: float
    """How long open calls are waited for after the last was due."""
    keep_sessions: bool = False
    """A session's next call waits for the reply to the one before; its time still counts from when it was due."""


@dataclass(slots=True)
class _Driver:
    play: Play
    ask: Ask
    goal: LoadGoal
    limits: Limits
    on_call: Callable[[int, int], None]
    outcomes: list[Outcome] = field(default_factory=list)
    stopped: str | None = None
    given_up: bool = False
    done: int = 0
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    _error: HarnessError | None = None
    _room: asyncio.Semaphore = field(init=False)
    _start_ns: int = 0
    _latest: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)
    _times: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._room = asyncio.Semaphore(self.limits.max_in_flight)

    def now_s(self) -> float:
        return (time.perf_counter_ns() - self._start_ns) / 1e9

    async def run(self) -> Played:
        self._start_ns = time.perf_counter_ns()
        tasks: set[asyncio.Task[None]] = set()
        watch = asyncio.create_task(self._watch())
        try:
            for due in self.play.calls:
                if await self._over_before(due.due_s):
                    break
                tasks.add(self._started(due))
            await self._drained(tasks)
        finally:
            for task in (watch, *tasks):
                task.cancel()
            await asyncio.gather(watch, *tasks, return_exceptions=True)
        if self._error is not None:
            raise self._error
        return Played(self.play, tuple(self.outcomes), self.now_s(), self.stopped, self.given_up)

    async def _over_before(self, due_s: float) -> bool:
        """Waits until the time; whether the play was given up before."""
        left = due_s - self.now_s()
        if left > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), left)
        return self._over.is_set()

    def _started(self, due: Due) -> "asyncio.Task[None]":
        outcome = Outcome(due.due_s)
        self.outcomes.append(outcome)
        before = self._latest.get(due.session) if self.limits.keep_sessions and due.session else None
        task = asyncio.create_task(self._one(due, outcome, before))
        if due.session:
            self._latest[due.session] = task
        return task

    async def _drained(self, tasks: "set[asyncio.Task[None]]") -> None:
        """Waits for open calls, as long as the limits say or until the play is given up."""
        over = asyncio.create_task(self._over.wait())
        end_s = self.now_s() + self.limits.drain_s
        left = {task for task in tasks if not task.done()}
        while left and not over.done() and (patience_s := end_s - self.now_s()) > 0:
            done, _ = await asyncio.wait({*left, over}, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
            left -= done
        over.cancel()
        if left and self.stopped is None:
            were = "call was" if len(left) == 1 else "calls were"
            self.stopped = f"{len(left)} {were} still open {self.limits.drain_s:g} s after the last was due"

    async def _one(self, due: Due, outcome: Outcome, before: "asyncio.Task[None] | None") -> None:
        if before is not None:
            await asyncio.wait({before})
        try:
            async with self._room:
                outcome.sent_s = self.now_s()
                number = self._times[due.sample.id] = self._times.get(due.sample.id, -1) + 1
                attempt = await self.ask(due.sample, number, self._start_ns + round(due.due_s * 1e9))
                outcome.done_s, outcome.attempt = self.now_s(), attempt
        except HarnessError as error:
            self._error = self._error or error
            self._over.set()
            return
        self.done += 1
        self.on_call(self.done, len(self.play.calls))

    async def _watch(self) -> None:
        """Gives the play up once so many calls missed the goal that the rest cannot make up for it."""
        while not self._over.is_set():
            await asyncio.sleep(_LOOK_EVERY_S)
            now_s = self.now_s()
            missed = sum(in_time(one, self.goal, now_s) is False for one in self.outcomes)
            if missed > self.limits.allowed:
                self.given_up = True
                self.stopped = (
                    f"given up after {now_s:.0f} s: {missed} of {len(self.play.calls)} calls were not in time, so that "
                    f"{self.goal.share:.0%} of them cannot be reached any more"
                )
                self._over.set()


def _silent(done: int, of: int) -> None:
    del done, of


async def play(
    it: Play, ask: Ask, goal: LoadGoal, limits: Limits, on_call: Callable[[int, int], None] = _silent
) -> Played:
    """Plays a stretch in open loop: a slow engine delays no call but those beyond `max_in_flight`.

    on_call: told how many calls are done, of how many. Raises HarnessError as `ask` does.
    """
    return await _Driver(it, ask, goal, limits, on_call).run()
