"""A stored run as rows for files of others: each scored attempt with its sample, without names of sessions."""

from dataclasses import dataclass
from pathlib import Path

from harness.errors import DataError
from harness.records import Attempt, Sample, Score
from harness.store.digests import common_system, sample_digest, session_numbers
from harness.store.runs import StoredRun, read_run

__all__ = ["Row", "rows_of"]


@dataclass(frozen=True, slots=True)
class Row:
    """One attempt that was judged."""

    place: int
    """Of its sample in the suite, from 0."""
    sample: Sample
    attempt: Attempt
    score: Score
    value: float
    session: str | None
    """Number of the session that it shares with other samples."""
    digest: str

    @property
    def about(self) -> dict[str, str | float]:
        """What our own reader takes up again: the sample's cluster, digest, session and weight."""
        found: dict[str, str | float] = {"category": self.sample.category, "digest": self.digest}
        if self.session is not None:
            found["session"] = self.session
        if self.sample.weight != 1:
            found["weight"] = self.sample.weight
        return found


def rows_of(folder: Path) -> tuple[StoredRun, list[Row]]:
    """A run and its scored attempts in the order of the suite.

    Raises DataError for a folder that is no run, or one without a scored attempt: there is nothing to export.
    """
    run = read_run(folder)
    numbers, system = session_numbers(run.samples), common_system(run.manifest)
    samples = {one.id: (place, one) for place, one in enumerate(run.samples)}
    scores = {(one.sample, one.trial): one for one in run.scores}
    found = []
    for attempt in run.attempts:
        score = scores.get((attempt.sample, attempt.trial))
        if score is None or score.value is None or attempt.sample not in samples:
            continue
        place, sample = samples[attempt.sample]
        digest = sample_digest(sample, system)
        found.append(Row(place, sample, attempt, score, score.value, numbers.get(sample.id), digest))
    if not found:
        raise DataError(f"{folder} holds no scored attempt, so there is nothing to export; finish the run first")
    return run, sorted(found, key=lambda one: (one.place, one.attempt.trial))
