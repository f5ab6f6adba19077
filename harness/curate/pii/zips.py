"""Zip codes that no word announces: by the state or the town before them, or by their letters."""

import re
from collections.abc import Iterator

from harness.curate.pii.places import UPPER, words
from harness.curate.pii.presence import Gate
from harness.curate.pii.recognizer import Text, joined
from harness.curate.pii.spans import Span

__all__ = ["ZIP_GATES", "find_zips"]


def find_zips(text: Text) -> Iterator[Span]:
    """Zip codes that need no word: behind a state or a town, and those whose letters tell (British, Canadian)."""
    raw = text.raw
    for match in _FIVE.finditer(raw) if text.may("zip_behind_place") else ():
        if (
            raw[match.start() - 1 : match.start()] in _GAPS
            and _BEFORE_ZIP.search(raw, max(0, match.start() - 8), match.start()) is not None
        ):
            yield Span(*match.span(), "ZIP_CODE", 0.7, "zip_behind_place")
    for match in _AFTER_TOWN.finditer(raw) if text.may("zip_behind_town") else ():
        town = _TOWN.search(raw, max(0, match.start() - 48), match.start())
        if town is not None and not _NO_TOWN.intersection(town["name"].lower().split()):
            yield Span(*match.span(), "ZIP_CODE", 0.45, "zip_behind_town")
    for match in _LETTERS_END.finditer(raw) if text.may("zip_with_letters") else ():
        opened = _LETTERS_START.search(raw, max(0, match.start() - 5), match.start())
        if opened is not None and not joined(raw, opened.start()):
            yield Span(opened.start(), match.end(), "ZIP_CODE", 0.6, "zip_with_letters")


_GAPS = (" ", ",")
_FIVE = re.compile(r"[0-9]{5}(?:-[0-9]{4})?(?![\w\-]|[.,]\d)")
_AFTER_TOWN = re.compile(
    r"[0-9](?<= .)(?!(?<=[12])[09][0-9]{2}(?![0-9 \-]))"
    r"(?:[0-9]{3,4}(?:-[0-9]{3})?|[0-9]{2} [0-9]{2})(?![\w%:/]|[.,\-][0-9])"
)
_TOWN = re.compile(rf"\b(?:in|near|from) (?P<name>[{UPPER}][\w'\-]{{3,24}}(?: [\w'\-]{{1,24}}){{0,3}}) $")
_NO_TOWN = frozenset(
    words(
        "section chapter figure table page line lines port error version step python windows build issue ticket "
        "room rule code title article part volume season episode ubuntu debian model series class group item "
        "order flight january february march april june july august september october november december"
    )
)
_LETTERS_END = re.compile(r"[0-9](?<= .)(?:[ABD-HJLNP-UW-Z]{2}|[ABCEGHJ-NPRSTV-Z][0-9])(?!\w)")
_LETTERS_START = re.compile(r"(?:[A-Z]{1,2}[0-9][0-9A-Z]?|[ABCEGHJ-NPRSTVXY][0-9][ABCEGHJ-NPRSTV-Z]) $")
_STATES = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|DC|FL|GA|HI|ID|IL|IN|IA|KS|KY|"
    "LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|"
    "OK|OR|PA|PR|RI|SC|"
    "SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|AA|AE|AP"
)
_BEFORE_ZIP = re.compile(r"(?:\b(?:" + _STATES + r")[, ]{1,2}|[a-z], )$")

ZIP_GATES: dict[str, Gate] = {
    "zip_behind_place": Gate(_BEFORE_ZIP.pattern + _FIVE.pattern),
    "zip_behind_town": Gate(_TOWN.pattern + _AFTER_TOWN.pattern),
    "zip_with_letters": Gate(_LETTERS_START.pattern + _LETTERS_END.pattern),
}
"""What must be in a text for each. (The edge `$` between the two halves does not count in a gate.)"""
