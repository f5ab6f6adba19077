"""The second part of a run whose scorer is late: what was answered is judged, off the clock's path."""

import asyncio
from collections.abc import Callable, Iterator
from typing import cast

from harness.errors import HarnessError
from harness.protocols import LateScore, LateScorer
from harness.records import Attempt, Sample
from harness.runner.session import Session

__all__ = ["judge_waiting"]

_SHOWN = 200


async def judge_waiting(session: Session, progress: Callable[[], None]) -> None:
    """Judges what waits, several at once; each verdict is on disk before it counts.

    An attempt whose judging failed stays without a score; the run is then not complete, and the same command tries
    again. Raises ConfigError if the scorer cannot work here at all.
    """
    scorer = cast(LateScorer, session.job.scorer)
    session.warn(getattr(scorer, "warning", None))
    work = session.waiting()
    failures: list[str] = []
    async with scorer.open() as score, asyncio.TaskGroup() as group:
        for _ in range(scorer.concurrency):
            group.create_task(_judge_each(work, score, session, progress, failures))
    if failures:
        session.warn(f"{len(failures)} attempts could not be judged, the first because: {failures[0][:_SHOWN]}")


async def _judge_each(
    work: Iterator[tuple[Sample, Attempt]],
    score: LateScore,
    session: Session,
    progress: Callable[[], None],
    failures: list[str],
) -> None:
    for sample, attempt in work:
        try:
            verdict = await score(sample, attempt)
        except HarnessError as error:
            failures.append(str(error))
            continue
        session.scored(sample, attempt, verdict, waited=True)
        progress()
