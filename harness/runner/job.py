"""Runs executed together: engines up, attempts in turn, folders in order whatever happens in between."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from harness.backends.recorded import Recorded
from harness.config import RunConfig
from harness.environments.pool import Worlds
from harness.errors import DataError
from harness.records import Sample
from harness.records.summary import Summary
from harness.runner.engine import Stopwatch, Work, run_lanes
from harness.runner.guard import Budget
from harness.runner.identity import Job, run_folder
from harness.runner.lag import LagMonitor
from harness.runner.late import judge_waiting
from harness.runner.metering import energy_meter
from harness.runner.progress import Progress, make_progress
from harness.runner.schedule import Arrivals, arrivals_s, interleave
from harness.runner.session import Session
from harness.runner.stopping_run import Rule, rule_of
from harness.runner.tally import Tally
from harness.store.runfolder import lock, point_latest

__all__ = ["Common", "Outcome", "Together", "busy_warning", "execute", "opened_sessions"]

_LOADED_S = 0.5
_LOADED_PERCENT = 25


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a run lies and what it measured."""

    folder: Path
    summary: Summary
    interrupted: bool
    stopped: str | None = None
    """Which budget ended it early."""


def execute(jobs: Sequence[Job]) -> list[Outcome]:
    """Runs jobs side by side to their end, or as far as they come: each folder is readable in either case.

    Several jobs are interleaved attempt by attempt (ABBA). Raises BackendError if an engine fails, DataError if a
    folder cannot be written. KeyboardInterrupt is answered with outcomes marked `interrupted`.
    """
    together = uuid.uuid4().hex
    with ExitStack() as stack:
        return Together(opened_sessions(jobs, stack, together)).run()


def opened_sessions(jobs: Sequence[Job], stack: ExitStack, together: str) -> list[Session]:
    """The runs of jobs in their folders, which are theirs until the stack ends. together: what these runs share.

    Raises DataError where a folder cannot be written or another process writes to it.
    """
    places: list[tuple[Path, bool]] = []
    for job in jobs:  # every folder is found and locked before any is touched
        places.append(run_folder(job))
        stack.enter_context(lock(places[-1][0]))
    sessions: list[Session] = []
    for job, (folder, resumed) in zip(jobs, places, strict=True):
        point_latest(folder)
        session = Session(job, folder, resumed, together)
        stack.callback(session.close)
        sessions.append(session)
    return sessions


@dataclass(frozen=True, slots=True)
class Common:
    """What runs that go on beside others share with them."""

    budget: Budget
    bar: Progress
    arrivals: Arrivals
    busy: str | None
    """A word where other programs use the processor."""
    ended: Callable[[], bool]
    """Whether one of the others has ended."""


class Together:
    """Runs that are asked in turn. common: what they share with others that go on beside them."""

    def __init__(self, sessions: Sequence[Session], common: Common | None = None) -> None:
        """Takes in what is on record already. Raises DataError where that does not fit."""
        self._all, self._common = sessions, common
        self._due: Generator[float] | None = None
        for session in sessions:
            if isinstance(session.job.backend, Recorded):
                self._take(session, session.job.backend)
        self._sessions = [one for one in sessions if one.unasked and not isinstance(one.job.backend, Recorded)]
        self._rule: Rule | None = rule_of(sessions)
        if self._rule is not None and self._rule.settled:  # killed after its last verdict
            self._sessions = []
        self._config: RunConfig = sessions[0].job.config
        self._clock = Stopwatch()

    def _take(self, session: Session, backend: Recorded) -> None:
        """Takes the answers on record. Raises DataError where they do not fit; no run is then left as if it went on."""
        try:
            session.take(backend.attempts())
        except DataError:
            session.end("failed")
            raise

    def run(self) -> list[Outcome]:
        """What the runs came to. The manifests say how they ended."""
        ending, stopped = "failed", None
        try:
            if self._sessions:
                stopped = asyncio.run(self._serve_and_run())
            for session in self._all:
                if session.tally.n_waiting:
                    asyncio.run(self._judge(session))
            ending = "stopped" if stopped else "complete"
        except KeyboardInterrupt:
            ending = "interrupted"
        finally:
            self._end(ending)
        return self.outcomes(ending, stopped)

    async def run_beside(self, room: asyncio.Semaphore) -> list[Outcome]:
        """The same in an event loop where others go on too, once there is room. To cancel it is the interruption."""
        ending, stopped = "failed", None
        try:
            async with room:
                stopped = await self._run_beside()
            ending = "stopped" if stopped else "complete"
        except asyncio.CancelledError:
            ending = "interrupted"
            raise
        finally:
            if self._due is not None:
                self._due.close()
            if ending != "complete":
                self._end(ending)
        if ending == "complete":
            await asyncio.to_thread(self._end, ending)  # the table of a large run takes its time
        return self.outcomes(ending, stopped)

    async def _run_beside(self) -> str | None:
        assert self._common is not None
        if self._sessions and self._common.ended() and (stopped := self._common.budget.spent()):
            return stopped  # by those before: no engine need come up
        stopped = await self._serve_and_run() if self._sessions else None
        for session in self._all:
            if session.tally.n_waiting:
                await self._judge(session)
        return stopped

    def outcomes(self, ending: str, stopped: str | None) -> list[Outcome]:
        """Where the runs lie and what is finished of them."""
        return [Outcome(one.folder, one.summary(), ending == "interrupted", stopped) for one in self._all]

    def _end(self, ending: str) -> None:
        if self._rule is not None:
            self._rule.note()
        for session in self._all:
            session.end(_ended(session, ending, by_rule=self._rule is not None))

    async def _serve_and_run(self) -> str | None:
        common = self._common
        busy = busy_warning() if common is None else common.busy
        budget = Budget(self._config.run.budget) if common is None else common.budget
        async with AsyncExitStack() as stack:
            lanes = []
            for lane, session in enumerate(self._sessions):
                session.seconds = partial(self._clock.share_of, lane)
                worlds = await stack.enter_async_context(_worlds(session))
                endpoint = await stack.enter_async_context(session.job.backend.serve())
                lanes.append(await session.opened(endpoint, worlds))
                session.warn(busy)
            self._clock.meter = meter = await asyncio.to_thread(energy_meter, lanes)
            tallies = [session.tally for session in self._sessions]
            with self._bar(self._title(), tallies, self._planned()) as bar:
                for session in self._sessions:
                    session.progress = bar.update
                async with LagMonitor() as lag:
                    try:
                        return await run_lanes(lanes, self._work(), budget, self._clock)
                    finally:
                        for session in self._sessions:
                            session.note_clock(lag.facts())
                            if meter is not None and self._clock.seconds:
                                session.note_energy(meter.reading())

    async def _judge(self, session: Session) -> None:
        waiting = session.tally.n_waiting
        judged = Tally()  # what is shown counts the verdicts of this part alone
        title = f"judging {session.job.config.model.name}, {session.job.config.model.protocol}"

        def update() -> None:
            judged.n_finished = waiting - session.tally.n_waiting
            judged.n_scored, judged.value_sum = session.tally.n_scored, session.tally.value_sum
            bar.update()

        with self._bar(title, [judged], waiting) as bar:
            await judge_waiting(session, update)

    def _bar(self, title: str, tallies: Sequence[Tally], n_planned: int) -> AbstractContextManager[Progress]:
        if self._common is not None:  # one for all
            return nullcontext(self._common.bar)
        return make_progress(self._config.progress, title, tallies, n_planned)

    def _title(self) -> str:
        models = ", ".join(dict.fromkeys(session.job.config.model.name for session in self._sessions))
        protocols = ", ".join(dict.fromkeys(session.job.config.model.protocol for session in self._sessions))
        return f"{self._config.suite.name} · {models} · {protocols}"

    def _planned(self) -> int:
        return sum(session.n_planned for session in self._sessions)

    def _work(self) -> Iterator[Work]:
        """Every attempt that is left, in the order and at the times of the schedule."""
        settings = self._config.run
        shared = None if self._common is None else self._common.arrivals.times_s(settings)
        self._due = shared
        due = shared or arrivals_s(settings.arrival, self._arriving(), settings.seed)
        for lane, (sample, trial) in self._in_turn():
            yield Work(lane, sample, trial, None if due is None else next(due))

    def _in_turn(self) -> Iterator[tuple[int, tuple[Sample, int]]]:
        """What is left, lane by lane: all of it, or what `run.stop` still wants to know."""
        if self._rule is not None:
            return self._rule.work(self._sessions)
        return interleave([session.remaining() for session in self._sessions])

    def _arriving(self) -> Iterator[Sample]:
        """The samples in the order in which `_work` sends them."""
        for _, (sample, _trial) in interleave([session.remaining() for session in self._sessions]):
            yield sample


@asynccontextmanager
async def _worlds(session: Session) -> AsyncIterator[Worlds | None]:
    """The workers in which the tools of a run's tasks run; None if it has no such tasks."""
    name = session.environment
    if name is None:
        yield None
        return
    async with Worlds(name, session.job.data, session.job.config.agent.tool_timeout_s) as worlds:
        yield worlds


def _ended(session: Session, ending: str, *, by_rule: bool) -> str:
    """How one of the runs ended: complete if nothing is left of it, unless what made the job fail was lost in it.

    by_rule: what was left out, `run.stop` left out.
    """
    if session.unfinished and isinstance(session.job.backend, Recorded) and not session.tally.n_waiting:
        return "complete"  # what is not on record will not come
    if by_rule and session.unfinished and ending == "complete" and not session.tally.n_waiting:
        return "settled"
    if session.unfinished:  # all replies are there, and judging some of them failed
        return "failed" if ending == "complete" else ending
    return ending if ending == "failed" and session.tally.n_failed else "complete"


def busy_warning() -> str | None:
    """A word when other programs use the processor: timings then measure them too."""
    busy = psutil.cpu_percent(interval=_LOADED_S)
    if busy < _LOADED_PERCENT:
        return None
    return f"other programs used {busy:.0f} % of the processor when the run started: its timings are not comparable"
