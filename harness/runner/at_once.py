"""Runs that go on at once, each in its folder and with its own engines: budgets and rates are theirs together."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from harness.config import BudgetConfig
from harness.errors import HarnessError
from harness.runner.guard import Budget
from harness.runner.identity import Job
from harness.runner.job import Common, Outcome, Together, busy_warning, opened_sessions
from harness.runner.progress import Progress, make_progress
from harness.runner.schedule import Arrivals
from harness.runner.session import Session

__all__ = ["execute_at_once"]

_BESIDE = "{} runs went on at the same time: where they shared a machine, their times are not those of one alone"


def execute_at_once(groups: Sequence[Sequence[Job]], at_once: int | None = None) -> list[list[Outcome] | HarnessError]:
    """What each group of jobs came to, or why it failed, which is no other's concern. Within a group models take turns.

    at_once: groups that go on at any time; None: all, each as soon as its engines are up. Settings of the display are
    those of the first. KeyboardInterrupt is answered with outcomes marked `interrupted`.
    """
    many = _Many(groups, at_once)
    with ExitStack() as stack:
        many.open(stack)
        try:
            asyncio.run(many.run())
        except KeyboardInterrupt:
            many.interrupted()
    return many.found


class _Many:
    def __init__(self, groups: Sequence[Sequence[Job]], at_once: int | None) -> None:
        self._groups = groups
        self._room = asyncio.Semaphore(at_once or len(groups))
        self._beside = len(groups) > 1 and at_once != 1
        self._together: dict[int, Together] = {}
        self._failed: dict[int, HarnessError] = {}
        self._done: dict[int, list[Outcome]] = {}

    def open(self, stack: ExitStack) -> None:
        """Finds every run's folder. One that cannot be had fails its group."""
        opened: dict[int, list[Session]] = {}
        together = uuid.uuid4().hex
        for number, group in enumerate(self._groups):
            own = stack.enter_context(ExitStack())
            try:
                opened[number] = opened_sessions(group, own, together)
            except HarnessError as error:
                self._failed[number] = error
                own.close()
        settings = self._groups[0][0].config
        tallies = [one.tally for sessions in opened.values() for one in sessions]
        n_planned = sum(one.n_planned for sessions in opened.values() for one in sessions)
        bar = stack.enter_context(make_progress(settings.progress, self._title(), tallies, n_planned))
        self._seat(opened, bar)

    def _seat(self, opened: Mapping[int, Sequence[Session]], bar: Progress) -> None:
        arrivals, busy = Arrivals(), busy_warning()
        budgets: dict[BudgetConfig, Budget] = {}
        for number, sessions in opened.items():
            limits = sessions[0].job.config.run.budget
            budget = budgets.setdefault(limits, Budget(limits))
            for one in sessions:
                one.warn(_BESIDE.format(len(self._groups)) if self._beside else None)
            try:
                self._together[number] = Together(sessions, Common(budget, bar, arrivals, busy, self._ended))
            except HarnessError as error:
                self._failed[number] = error

    def _ended(self) -> bool:
        return bool(self._done or self._failed)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for number in self._together:
                tasks.create_task(self._one(number))

    async def _one(self, number: int) -> None:
        try:
            self._done[number] = await self._together[number].run_beside(self._room)
        except HarnessError as error:
            self._failed[number] = error

    def interrupted(self) -> None:
        """Notes what is there of the groups that were not done."""
        for number, one in self._together.items():
            if number not in self._done and number not in self._failed:
                self._done[number] = one.outcomes("interrupted", None)

    def _title(self) -> str:
        jobs = [job for group in self._groups for job in group]
        suites = ", ".join(dict.fromkeys(job.config.suite.name for job in jobs))
        models = ", ".join(dict.fromkeys(job.config.model.name for job in jobs))
        return f"{len(jobs)} runs · {suites} · {models}"

    @property
    def found(self) -> list[list[Outcome] | HarnessError]:
        """In the order of the groups."""
        return [self._failed.get(number) or self._done[number] for number in range(len(self._groups))]
