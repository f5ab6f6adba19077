"""Runs executed together: engines up, attempts in turn, folders in order whatever happens in between."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
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
from harness.runner.progress import make_progress
from harness.runner.schedule import arrivals_s, interleave
from harness.runner.session import Session
from harness.runner.stopping_run import Rule, rule_of
from harness.runner.tally import Tally
from harness.store.runfolder import lock, point_latest

__all__ = ["Outcome", "busy_warning", "execute"]

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
        interrupted, stopped = _Together(sessions).run()
        return [Outcome(session.folder, session.summary(), interrupted, stopped) for session in sessions]


class _Together:
    def __init__(self, sessions: list[Session]) -> None:
        self._all = sessions
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

    def run(self) -> tuple[bool, str | None]:
        """Whether it was interrupted, and which budget ended it. The manifests say how it ended."""
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
            if self._rule is not None:
                self._rule.note()
            for session in self._all:
                session.end(_ended(session, ending, by_rule=self._rule is not None))
        return ending == "interrupted", stopped

    async def _serve_and_run(self) -> str | None:
        busy = busy_warning()
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
            with make_progress(self._config.progress, self._title(), tallies, self._planned()) as bar:
                for session in self._sessions:
                    session.progress = bar.update
                async with LagMonitor() as lag:
                    try:
                        return await run_lanes(lanes, self._work(), Budget(self._config.run.budget), self._clock)
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

        with make_progress(self._config.progress, title, [judged], waiting) as bar:
            await judge_waiting(session, update)

    def _title(self) -> str:
        models = ", ".join(dict.fromkeys(session.job.config.model.name for session in self._sessions))
        protocols = ", ".join(dict.fromkeys(session.job.config.model.protocol for session in self._sessions))
        return f"{self._config.suite.name} · {models} · {protocols}"

    def _planned(self) -> int:
        return sum(session.n_planned for session in self._sessions)

    def _work(self) -> Iterator[Work]:
        """Every attempt that is left, in the order and at the times of the schedule."""
        settings = self._config.run
        due = arrivals_s(settings.arrival, self._arriving(), settings.seed)
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
