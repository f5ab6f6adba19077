"""A finished or half-finished run read back whole: the last outcome of each attempt, with its sample and score."""

from dataclasses import dataclass
from pathlib import Path

from harness.records import Attempt, Sample, Score
from harness.records.manifest import Manifest
from harness.records.summary import Summary
from harness.store.journal import read_journal
from harness.store.outcomes import final_outcomes
from harness.store.runfolder import SAMPLES, read_manifest, read_summary

__all__ = ["StoredRun", "read_run"]


@dataclass(frozen=True, slots=True)
class StoredRun:
    """The files of one run folder, read."""

    folder: Path
    manifest: Manifest
    summary: Summary
    samples: tuple[Sample, ...]
    attempts: tuple[Attempt, ...]
    scores: tuple[Score, ...]


def read_run(folder: Path) -> StoredRun:
    """A run folder's records. Where an attempt was made again, its last outcome counts, with the score of that outcome.

    Raises DataError if the folder is no run folder or a file in it is damaged.
    """
    manifest, summary = read_manifest(folder), read_summary(folder)
    outcomes = tuple(final_outcomes(folder))
    return StoredRun(
        folder=folder,
        manifest=manifest,
        summary=summary,
        samples=tuple(read_journal(folder / SAMPLES, Sample)),
        attempts=tuple(attempt for attempt, _ in outcomes),
        scores=tuple(score for _, score in outcomes if score is not None),
    )
