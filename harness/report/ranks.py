"""What runs of one suite can say about an order, and no more than that."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from harness.records.summary import Interval
from harness.report.view import RunView, standing
from harness.stats.ranking import rank

__all__ = ["Rank", "places", "ranks"]

ALPHA: Final = 0.05
"""Chance of any false order among all pairs of a suite that are decided by pairs."""


@dataclass(frozen=True, slots=True)
class Rank:
    """The places that a run can hold, given what is decided."""

    best: int
    worst: int
    rivals: tuple[int, ...]
    """Positions, in the sequence given, of the runs against which the order is not decided."""
    pairs: int = 0
    """How many pairs were judged together on the same samples; 0 where intervals alone were held side by side."""

    @property
    def decided(self) -> bool:
        """Whether one place is left."""
        return self.best == self.worst

    @property
    def text(self) -> str:
        """The place or the span of places."""
        return str(self.best) if self.decided else f"{self.best}–{self.worst}"


_Above = Callable[[int, int], bool | None]
"""Whether the first run is above the second; None where that is not decided."""


def ranks(intervals: Sequence[Interval | None]) -> list[Rank | None]:
    """For each interval the places it can hold among the others; None where there is no interval.

    A run is above another only if its whole interval is: intervals that touch or overlap leave the order open.
    Overlap is no proof of equality, and each interval holds at its own level, not all of them together.
    """
    return _ranks(intervals, lambda one, two: _apart(intervals[one], intervals[two]), 0)


def places(runs: Sequence[RunView], *, by_traffic: bool = False) -> list[Rank | None]:
    """For each run of one suite the places it can hold among the others; None for a run without an interval.

    Two runs are compared sample by sample, by the exact test of `stats.ranking`, all pairs together at 5 % (Holm), each
    sample by its traffic if so asked. Where one has no lines, shares no sample with the other or was ended early by its
    own verdict, whose test is not for a number of samples set beforehand, the two intervals decide as in `ranks`.
    """
    found = [standing(run, by_traffic=by_traffic) for run in runs]
    intervals = [one.interval if one else None for one in found]
    values = {
        str(place): held
        for place, run in enumerate(runs)
        if intervals[place] and run.summary.early is None and (held := run.sample_values())
    }
    judged = _judged(values, runs, by_traffic=by_traffic)

    def above(one: int, two: int) -> bool | None:
        return judged[one, two] if (one, two) in judged else _apart(intervals[one], intervals[two])

    return _ranks(intervals, above, len(judged) // 2)


def _judged(
    values: Mapping[str, Mapping[str, float]], runs: Sequence[RunView], *, by_traffic: bool
) -> dict[tuple[int, int], bool | None]:
    """Whether the samples say that the first is above the second, both ways round; nothing of pairs that share none."""
    if len(values) < 2:
        return {}
    samples = {sample.id: sample for place in values for sample in runs[int(place)].samples}
    sessions = {name: sample.session for name, sample in samples.items()}
    weights = runs[int(next(iter(values)))].traffic_weights() if by_traffic else None
    told: dict[tuple[int, int], bool | None] = {}
    for pair in rank(values, alpha=ALPHA, sessions=sessions, weights=weights).pairs:
        better, worse = int(pair.better), int(pair.worse)
        told[better, worse], told[worse, better] = (True, False) if pair.decided else (None, None)
    return told


def _apart(one: Interval | None, two: Interval | None) -> bool | None:
    if one is None or two is None or (one.low <= two.high and two.low <= one.high):
        return None
    return one.low > two.high


def _ranks(intervals: Sequence[Interval | None], above: _Above, pairs: int) -> list[Rank | None]:
    known = [place for place, interval in enumerate(intervals) if interval is not None]
    return [None if interval is None else _rank(place, known, above, pairs) for place, interval in enumerate(intervals)]


def _rank(own: int, known: Sequence[int], above: _Above, pairs: int) -> Rank:
    said = {other: above(other, own) for other in known if other != own}
    over = sum(one is True for one in said.values())
    rivals = tuple(other for other, one in said.items() if one is None)
    return Rank(best=over + 1, worst=over + 1 + len(rivals), rivals=rivals, pairs=pairs)
