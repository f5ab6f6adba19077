"""What is kept of the model's entities, and how it is cut: the small model is free with capital words."""

import re
from collections.abc import Iterator

from harness.curate.pii.places import COUNTRIES, NATIONALITIES, US_STATES, WEEKDAYS_MONTHS
from harness.curate.pii.spans import Span

__all__ = ["accepted", "find_places", "zip_behind"]

_SCORES = {"PERSON": 0.58, "LOCATION": 0.55, "ORGANIZATION": 0.45, "NRP": 0.6, "DATE_TIME": 0.5}
_TRIM = " \t\n.,:;!?\"'()[]*>-"
_POSSESSIVE = re.compile(r"['’]s$")
_ACRONYM = re.compile(r"[A-Z0-9][A-Z0-9\-+.&]{1,5}")
"""APN, SFO, IPX7: terms, airports and units far more often than companies, and what tools are asked with."""
_DATE = re.compile(r"\b(?:19|20)\d\d\b|\d{1,2}[/\-]\d{1,2}[/\-]\d{2,4}")


def accepted(text: str, start: int, end: int, kind: str) -> Iterator[Span]:
    """The entity of a model as a span, trimmed; nothing where it cannot be one of its kind."""
    value = text[start:end]
    start += len(value) - len(value.lstrip(_TRIM))
    value = value.strip(_TRIM)
    value = _POSSESSIVE.sub("", value)
    if len(value) < 2 or not _plausible(value, kind):
        return
    yield Span(start, start + len(value), kind, _SCORES[kind], "model")


def find_places(text: str) -> Iterator[Span]:
    """Countries, states of the US, nationalities and religions by name, whatever the model thinks of the sentence."""
    for match in _CAPITAL.finditer(text):
        name = match.group().lower()
        if name in _PLACES and (match.group()[1:].islower() or " " in name):
            yield Span(*match.span(), "LOCATION", 0.56, "place_name")
        elif name in _PEOPLES and match.group()[1:].islower():
            yield Span(*match.span(), "NRP", 0.56, "people_name")


def zip_behind(text: str, end: int) -> Iterator[Span]:
    """The postal code after a place's name: `Aarhus 8000`. Not a year."""
    match = _ZIP.match(text, end)
    if match is not None:
        yield Span(*match.span("zip"), "ZIP_CODE", 0.5, "zip_behind_place")


_ZIP = re.compile(
    r"(?:,? [A-Z]{2})?,? (?P<zip>(?!(?:19|20)\d\d\b)(?:\d{4,6}|\d{2,3}[ \-]\d{2,3}|\d{4}-\d{3}))(?![\w%:]|[.,\-/]\d)"
)
_TWO = sorted((re.escape(name) for name in (*COUNTRIES, *US_STATES) if " " in name), key=len, reverse=True)
_CAPITAL = re.compile(r"(?<![\w@./\-])(?=[A-Z])(?:(?i:" + "|".join(_TWO) + r")|[A-Z][a-z]{3,20})(?![\w@/\-]|\.\w)")
_PLACES = frozenset((*COUNTRIES, *US_STATES)) - {"jersey", "georgia"}
_PEOPLES = frozenset(NATIONALITIES)


def _plausible(value: str, kind: str) -> bool:
    if kind == "DATE_TIME":
        return _DATE.search(value) is not None or value.lower() in WEEKDAYS_MONTHS
    if any(char in "{}[]<>=_@/\\|#" for char in value):
        return False
    if kind == "ORGANIZATION":
        return not _ACRONYM.fullmatch(value)
    if kind == "PERSON":
        return not _ACRONYM.fullmatch(value) and not any(char.isdigit() for char in value)
    return True
