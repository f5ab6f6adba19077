"""The second part of a run whose scorer is late: what was answered is judged, off the clock's path."""

import asyncio
from collections.abc import Callable, Iterator
from typing import cast

from harness.errors import ConfigError, HarnessError
from harness.protocols import LateScore, LateScorer
from harness.records import Attempt, Sample
from harness.runner.session import Session

__all__ = ["judge_waiting"]

_SHOWN = 200


async def judge_waiting(session: Session, progress: Callable[[], None]) -> None:
    """Judges what waits, several at once; each verdict is on disk before it counts.

    An attempt whose judging failed, by a slip of the scorer's own too, stays without a score; the run is then not
    complete, and the same command tries again. Raises ConfigError at once if the scorer cannot work here at all.
    """
    scorer = cast(LateScorer, session.job.scorer)
    session.warn(getattr(scorer, "warning", None))
    work = session.waiting()
    failures: list[str] = []
    try:
        async with scorer.open() as score, asyncio.TaskGroup() as group:
            for _ in range(scorer.concurrency):
                group.create_task(_judge_each(work, score, session, progress, failures))
    except ExceptionGroup as several:
        refused = next((one for one in several.exceptions if isinstance(one, ConfigError)), None)
        if refused is None:
            raise
        raise refused from None
    if failures:
        session.warn(f"{len(failures)} attempts could not be judged, the first: {failures[0][:_SHOWN]}")


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
        except ConfigError:
            raise
        except Exception as error:  # one reply that the scorer does not bear is no reason to lose the others' verdicts
            failures.append(f"{sample.id}, {_told(error)}")
            continue
        session.scored(sample, attempt, verdict, waited=True)
        progress()


def _told(error: Exception) -> str:
    """Why a verdict did not come, on one line; what is no error of ours with its type."""
    said = " ".join(str(error).split())
    return said if isinstance(error, HarnessError) else f"{type(error).__name__}: {said}".rstrip(": ")
