"""What intervals can say about an order, and no more than that."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.records.summary import Interval

__all__ = ["Rank", "ranks"]


@dataclass(frozen=True, slots=True)
class Rank:
    """The places that a run can hold while every interval is believed."""

    best: int
    worst: int
    rivals: tuple[int, ...]
    """Positions, in the sequence given, of the runs whose interval overlaps with this one's."""

    @property
    def decided(self) -> bool:
        """Whether one place is left."""
        return self.best == self.worst

    @property
    def text(self) -> str:
        """The place or the span of places."""
        return str(self.best) if self.decided else f"{self.best}–{self.worst}"


def ranks(intervals: Sequence[Interval | None]) -> list[Rank | None]:
    """For each interval the places it can hold among the others; None where there is no interval.

    A run is above another only if its whole interval is: intervals that touch or overlap leave the order open.
    Overlap is no proof of equality, and each interval holds at its own level, not all of them together.
    """
    return [None if interval is None else _rank(place, interval, intervals) for place, interval in enumerate(intervals)]


def _rank(place: int, own: Interval, intervals: Sequence[Interval | None]) -> Rank:
    others = [(index, other) for index, other in enumerate(intervals) if other is not None and index != place]
    above = sum(other.low > own.high for _, other in others)
    rivals = tuple(index for index, other in others if other.low <= own.high and own.low <= other.high)
    return Rank(best=above + 1, worst=above + 1 + len(rivals), rivals=rivals)
