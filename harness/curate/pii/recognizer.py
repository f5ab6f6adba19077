"""A recognizer as data: what must stand in a text, what the value looks like, and what it must pass to count."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from harness.curate.pii.presence import Gate
from harness.curate.pii.spans import Span

__all__ = ["Recognizer", "Text", "gate_of", "joined", "prepare", "recognize", "starting"]


@dataclass(frozen=True)  # without slots, so that it can keep its dense words
class Text:
    """A text and the same in small letters, character by character."""

    raw: str
    small: str
    seen: frozenset[str] | None = None
    """The gates that can be in it; None: any can."""

    def may(self, gate: str) -> bool:
        """Whether a gate can be in it."""
        return self.seen is None or gate in self.seen

    def may_any(self, gates: Iterable[str]) -> bool:
        """Whether one of several gates can be in it."""
        return self.seen is None or not self.seen.isdisjoint(gates)

    @cached_property
    def dense(self) -> str:
        """Its words of 16 characters and more, in small letters: whoever looks for a key looks here first."""
        return "\n".join([word for word in self.small.split() if len(word) >= _LONG])

    def before(self, start: int, chars: int) -> str:
        """The small letters in front of a place."""
        return self.small[max(0, start - chars) : start]

    def after(self, end: int, chars: int) -> str:
        """The small letters behind a place."""
        return self.small[end : end + chars]


def prepare(raw: str, seen: frozenset[str] | None = None) -> Text:
    """A text ready for recognizers. Where small letters would change the length (İ), only ASCII is made small."""
    small = raw.lower()
    if len(small) != len(raw):
        small = raw.translate(_ASCII_SMALL)
    return Text(raw, small, seen)


_LONG = 16
_ASCII_SMALL = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


@dataclass(frozen=True, slots=True)
class Recognizer:
    """Looked for only in texts that hold one of the anchors: finding a fixed string is a hundred times cheaper."""

    kind: str
    name: str
    pattern: re.Pattern[str]
    """With a group `value`, that group is the value. Every repeat in it is bounded, so its time is linear."""
    anchors: tuple[str, ...] = ()
    """In small letters; none: always looked for."""
    score: float = 0.9
    check: Callable[[str], bool] | None = None
    context: re.Pattern[str] | None = None
    """Looked for in the small letters before the value, and in the few behind it."""
    context_chars: int = 40
    small: bool = False
    """Whether the pattern is matched against the small letters: faster than ignoring case."""
    edge: str | None = None
    """Characters that, like letters and digits, spoil it where they stand in front; None: nothing does.

    Asked behind the match: a pattern that begins with what it must contain is found ten times faster than one that
    begins with a look behind."""
    dense: bool = False
    """Whether the anchor stands in a word of 16 characters and more."""
    gate: re.Pattern[str] | None = None
    """A cheap pattern that must be somewhere in the small letters."""


def gate_of(recognizer: Recognizer) -> Gate:
    """What must be in a text for a recognizer: its pattern; where the pattern is common and words must be by, those."""
    if recognizer.context is not None and recognizer.anchors:
        return Gate("|".join(map(re.escape, recognizer.anchors)), small=True)
    return Gate(recognizer.pattern.pattern, recognizer.small, recognizer.pattern.flags)


def recognize(recognizer: Recognizer, text: Text) -> Iterator[Span]:
    """The spans that one recognizer sees, perhaps overlapping those of others."""
    if recognizer.anchors and not _anchored(recognizer.anchors, text.dense if recognizer.dense else text.small):
        return
    if recognizer.gate is not None and recognizer.gate.search(text.small) is None:
        return
    group = "value" if "value" in recognizer.pattern.groupindex else 0
    for match in recognizer.pattern.finditer(text.small if recognizer.small else text.raw):
        start, end = match.span(group)
        if recognizer.edge is not None and joined(text.raw, match.start(), recognizer.edge):
            continue
        if start == end or (recognizer.check is not None and not recognizer.check(text.raw[start:end])):
            continue
        if recognizer.context is not None and not _in_context(recognizer, text, start, end):
            continue
        yield Span(start, end, recognizer.kind, recognizer.score, recognizer.name)


def _anchored(anchors: tuple[str, ...], where: str) -> bool:
    for anchor in anchors:  # noqa: SIM110 - asked sixty times a text, and any() with a generator takes three times as long
        if anchor in where:
            return True
    return False


def starting(pattern: re.Pattern[str], firsts: tuple[str, ...], small: str) -> list[re.Match[str]]:
    """Matches of a pattern that can only begin with one of these strings, in order.

    Finding fixed strings one after the other is faster than one pattern of all: the compiler makes no automaton of it.
    """
    found: list[re.Match[str]] = []
    for first in firsts:
        place = small.find(first)
        while place >= 0:
            match = pattern.match(small, place)
            if match is not None:
                found.append(match)
            place = small.find(first, place + len(first))
    found.sort(key=re.Match.start)
    return found


def joined(raw: str, start: int, marks: str = "_") -> bool:
    r"""Whether the character in front of a place is a letter, a digit or one of these marks; `\n` of JSON is none."""
    if not start or not (raw[start - 1].isalnum() or raw[start - 1] in marks):
        return False
    return not (raw[start - 1] in "nrt" and raw[start - 2 : start - 1] == "\\")


def _in_context(recognizer: Recognizer, text: Text, start: int, end: int) -> bool:
    assert recognizer.context is not None
    before = text.before(start, recognizer.context_chars)
    return recognizer.context.search(before) is not None or recognizer.context.search(text.after(end, 16)) is not None
