"""A place in a text that holds something personal or secret, and how overlapping ones are settled."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Detector", "Span", "settle"]


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` to `end` of a text, by Python's count."""

    start: int
    end: int
    kind: str
    """EMAIL_ADDRESS, PERSON, API_KEY, …: see `PII_KINDS`."""
    score: float
    """How sure it is, 0..1: 1 for a checksum or an unmistakable prefix."""
    by: str
    """Which recognizer says so."""


class Detector(Protocol):
    """Finds spans in texts."""

    def find(self, text: str, field: str | None = None) -> list[Span]:
        """The spans of one text, in order and not overlapping. field: key path of the JSON value, `user.zip`."""

    def find_all(self, texts: Sequence[str], fields: Sequence[str | None] | None = None) -> list[list[Span]]:
        """The spans of each text, as `find` gives them; faster for many."""


def settle(spans: Iterable[Span]) -> list[Span]:
    """The spans in order, none overlapping: of two that meet the surer stays, then the longer, then the first.

    What is left of the loser beside the winner is not lost if it is worth a word (3 characters and more).
    >>> [(s.start, s.end, s.kind) for s in settle([Span(0, 9, "PERSON", .5, "a"), Span(5, 9, "US_SSN", 1, "b")])]
    [(0, 5, 'PERSON'), (5, 9, 'US_SSN')]
    """
    starts: list[int] = []
    kept: list[Span] = []
    for span in sorted(spans, key=lambda span: (-span.score, span.start - span.end, span.start)):
        place = bisect_left(starts, span.start)
        behind = place == len(kept) or kept[place].start >= span.end
        free = behind and (not place or kept[place - 1].end <= span.start)
        for piece in (span,) if free else tuple(_free(kept, starts, span)):
            place = bisect_left(starts, piece.start)
            starts.insert(place, piece.start)
            kept.insert(place, piece)
    return kept


def _free(kept: Sequence[Span], starts: Sequence[int], span: Span) -> Iterator[Span]:
    """What of a span none of those kept covers: all of it, or pieces that are worth a word."""
    place = max(bisect_left(starts, span.start) - 1, 0)
    start = span.start
    while place < len(kept) and kept[place].start < span.end:
        if kept[place].end > start:
            if kept[place].start - start >= _WORD:
                yield Span(start, kept[place].start, span.kind, span.score, span.by)
            start = kept[place].end
        place += 1
    if start == span.start or span.end - start >= _WORD:
        yield Span(start, span.end, span.kind, span.score, span.by)


_WORD = 3
