"""A text as it reads: full-width and other odd forms plain, what has no width left out, and where all that stood.

What is typed so that a reader sees an address and a pattern does not (full-width letters, a soft hyphen in a card) is
looked for in the shadow; its places are those of the text itself.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace

from harness.curate.pii.spans import Span

__all__ = ["Shadow", "plain_text", "plain_value", "shadow"]

_NO_WIDTH = (
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    r"\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e01ef"
)
_BLANKS = r"\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_DASHES = r"\u2010-\u2013\u2212\ufe58\ufe63\uff0d"
_FORMS = (
    r"\u2102-\u2115\u2119-\u211d\u2124-\u2134\u213c-\u2149\u2460-\u24ea\ufb00-\ufb06\ufe50-\ufe57\ufe59-\ufe62\ufe64-\ufe6b\uff01-\uff0c\uff0e-\uff9f"
    r"\uffa1-\uffee\U0001d400-\U0001d7ff\U0001f100-\U0001f16b\U0001fbf0-\U0001fbf9"
)
_RAISED = r"\u00b2\u00b3\u00b9\u2070-\u208e"
_MARKS = r"\u0300-\u034e\u0350-\u036f"
_ZEROS = (
    "\u0660\u06f0\u07c0\u0966\u09e6\u0a66\u0ae6\u0b66\u0be6\u0c66\u0ce6\u0d66\u0de6\u0e50\u0ed0\u0f20\u1040\u1090"
    "\u17e0\u1810\u1946\u19d0\u1a80\u1a90\u1b50\u1bb0\u1c40\u1c50\ua620\ua8d0\ua900\ua9d0\ua9f0\uaa50\uabf0"
)
"""The zero of each of the other scripts' digits within the first plane; the nine others follow it."""
_DIGITS = "".join(f"{zero}-{chr(ord(zero) + 9)}" for zero in _ZEROS)
_ODD = re.compile(f"[{_NO_WIDTH}{_BLANKS}{_DASHES}{_FORMS}{_RAISED}{_MARKS}{_DIGITS}]+")
_BLANK, _DASH, _GONE, _MARK = (re.compile(f"[{one}]") for one in (_BLANKS, _DASHES, _NO_WIDTH, _MARKS))
_RAISED_ONE = re.compile(f"[{_RAISED}]")
_FEWEST_RAISED = 4
"""So many raised digits in a row are a number; fewer are a power or a note."""


@dataclass(frozen=True, slots=True)
class Shadow:
    """A plain text and its places in the text that it is made of."""

    text: str
    places: list[int]
    """Where a piece of it begins: as they are and changed ones by turns, the first as it is."""
    origins: list[int]
    """Where the same piece begins in the text itself."""

    def span(self, span: Span) -> Span:
        """A span of the shadow as one of the text."""
        return replace(span, start=self._origin(span.start, 0), end=self._origin(span.end - 1, 1))

    def under(self, span: Span) -> Span:
        """A span of the text as one of the shadow; empty where nothing of it is left."""
        return replace(span, start=self._place(span.start, 0), end=max(self._place(span.end - 1, 1), 0))

    def _origin(self, place: int, behind: int) -> int:
        piece = bisect_right(self.places, place) - 1
        if piece % 2:  # of a changed piece only the ends have a place
            return self.origins[piece + behind]
        return self.origins[piece] + place - self.places[piece] + behind

    def _place(self, origin: int, behind: int) -> int:
        piece = bisect_right(self.origins, origin) - 1
        if piece % 2:
            return self.places[piece + behind]
        return self.places[piece] + origin - self.origins[piece] + behind


def shadow(raw: str) -> Shadow | None:
    r"""A text's shadow; None where it would be the same.

    >>> found = shadow("a４２\u200b@b")
    >>> found.text, found.span(Span(1, 3, "AGE", 1.0, "")).end
    ('a42@b', 3)
    """
    if raw.isascii():
        return None
    pieces: list[str] = []
    places, origins = [0], [0]
    done = length = 0
    for start, end, new in _changes(raw):
        start = max(start, done)
        kept = raw[done:start]
        pieces += (kept, new)
        places += (length + len(kept), length + len(kept) + len(new))
        origins += (start, end)
        length += len(kept) + len(new)
        done = end
    if not pieces:
        return None
    return Shadow("".join((*pieces, raw[done:])), places, origins)


def _changes(raw: str) -> Iterator[tuple[int, int, str]]:
    """Odd characters one by one, so that each keeps its place, and what stands for them."""
    for run in _ODD.finditer(raw):
        odd = run.group()
        raised = len(odd) >= _FEWEST_RAISED and len(_RAISED_ONE.findall(odd)) >= _FEWEST_RAISED
        for place, char in enumerate(odd, run.start()):
            if _MARK.match(char) is not None:
                yield from _composed(raw, place)
                continue
            if _MARK.match(raw, place + 1) is not None and _GONE.match(char) is None:
                continue  # it goes with its marks
            new = _plain(raw, place, char, raised=raised)
            if new != char:
                yield place, place + 1, new


def _composed(raw: str, place: int) -> Iterator[tuple[int, int, str]]:
    """A letter and the marks on it as one letter; marks that no letter has stay."""
    start = place
    if not start or _MARK.match(raw[start - 1]) is not None or _GONE.match(raw[start - 1]) is not None:
        return
    end = place + 1
    while end < len(raw) and _MARK.match(raw[end]) is not None:
        end += 1
    whole = unicodedata.normalize("NFKC", raw[start - 1 : end])
    if whole != raw[start - 1 : end]:
        yield start - 1, end, whole


def _plain(raw: str, place: int, char: str, *, raised: bool) -> str:
    if _GONE.match(char) is not None:
        return ""
    if _BLANK.match(char) is not None:
        return " "
    if _DASH.match(char) is not None:
        between = raw[place - 1 : place].isdigit() and raw[place + 1 : place + 2].isdigit()
        return "-" if char != "\u2013" or between else char
    if _RAISED_ONE.match(char) is not None and not raised:
        return char
    digit = unicodedata.decimal(char, None)
    return unicodedata.normalize("NFKC", char) if digit is None else str(digit)


def plain_text(text: str) -> str:
    """A text as its shadow has it."""
    found = shadow(text)
    return text if found is None else found.text


_WORDY = frozenset({"PERSON", "STREET_ADDRESS", "LOCATION", "ORGANIZATION", "PHONE_NUMBER", "CREDIT_CARD", "IBAN_CODE"})
_BREAK = re.compile(r"[ \t]*(?:\r?\n|(?:\\r)?\\n)[ \t>|]*")
_SOFT_BREAK = re.compile(r"(?<=[0-9A-Za-z])=(?=\r?\n)|\\(?=\r?\n)")


def plain_value(value: str, kind: str) -> str:
    r"""A value as it is written elsewhere: in plain characters, and on one line where it stood on two.

    >>> plain_value("ann@\nexample.org", "EMAIL_ADDRESS"), plain_value("4242 4242\n4242 4242", "CREDIT_CARD")
    ('ann@example.org', '4242 4242 4242 4242')
    """
    if kind != "PRIVATE_KEY" and ("\n" in value or "\\n" in value):
        value = _SOFT_BREAK.sub("", value)
        value = _BREAK.sub(lambda found: " " if kind in _WORDY and value[found.start() - 1] != "-" else "", value)
    return plain_text(value)
