"""A finished or half-finished run read back whole: the last outcome of each attempt, with its sample and score."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.records import Attempt, Sample, Score, attempt_key
from harness.records.manifest import Manifest
from harness.records.summary import Summary
from harness.store.journal import read_journal
from harness.store.runfolder import ATTEMPTS, SAMPLES, SCORES, read_manifest, read_summary

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
    """A run folder's records. Where an attempt was made again, its last outcome counts.

    Raises DataError if the folder is no run folder or a file in it is damaged.
    """
    return StoredRun(
        folder=folder,
        manifest=read_manifest(folder),
        summary=read_summary(folder),
        samples=tuple(_samples(folder / SAMPLES)),
        attempts=tuple({one.key: one for one in read_journal(folder / ATTEMPTS, Attempt)}.values()),
        scores=tuple(
            {attempt_key(one.sample, one.trial): one for one in read_journal(folder / SCORES, Score)}.values()
        ),
    )


def _samples(path: Path) -> Iterator[Sample]:
    yield from read_journal(path, Sample)
