"""Columns of a table in a text: the header tells what the cells below it hold."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from harness.curate.pii.fields import field_kind, value_span
from harness.curate.pii.recognizer import Text
from harness.curate.pii.spans import Span

__all__ = ["find_columns"]

_MARKS: Final = "|\t;,"
_LONGEST: Final = 600
_MOST_NAME: Final = 40
_CELL: Final = {
    mark: re.compile(rf'[ ]*(?:"((?:[^"\n]|"")*)"[ ]*(?={re.escape(mark)}|$)|([^{re.escape(mark)}\n]*))')
    for mark in _MARKS
}
_NAME: Final = re.compile(r"[^\W\d][\w .\-/#]{0,39}")
_RULE: Final = re.compile(r"[\s|:\-+=]+")
_PERSONAL: Final = frozenset(
    ("EMAIL_ADDRESS", "PHONE_NUMBER", "DATE_OF_BIRTH", "US_SSN", "STREET_ADDRESS", "ZIP_CODE", "USER_ID", "PASSPORT")
)
"""Beside one of these a column `name` holds people."""
_SCORE: Final = 0.9


def find_columns(text: Text) -> Iterator[Span]:
    """Cells of tables whose header names a field: CSV with commas, semicolons, tabs or bars, and Markdown."""
    raw = text.raw
    if "\n" not in raw or not any(mark in raw for mark in _MARKS):
        return
    lines = _lines(raw)
    place = 0
    while place + 1 < len(lines):
        start, end = lines[place]
        header = _header(raw, start, end)
        if header is None:
            place += 1
            continue
        mark, kinds = header
        place += 1
        while place < len(lines):
            cells = _cells(raw, *lines[place], mark)
            if len(cells) != len(kinds):
                break
            yield from _row(raw, cells, kinds)
            place += 1


def _lines(raw: str) -> list[tuple[int, int]]:
    places = []
    start = 0
    for line in raw.split("\n"):
        places.append((start, start + len(line.rstrip("\r"))))
        start += len(line) + 1
    return places


def _header(raw: str, start: int, end: int) -> tuple[str, list[str | None]] | None:
    """The mark between the columns of a header and the kind of each; None for a line that is none."""
    if end - start > _LONGEST:
        return None
    line = raw[start:end]
    mark = next((mark for mark in _MARKS if mark in line), None)
    if mark is None or line.rstrip().endswith((".", "!", "?", ":")) or ("  " in line.strip() and mark == ","):
        return None
    names = [raw[first:last].strip() for first, last in _cells(raw, start, end, mark)]
    named = [name for name in names if name]
    if len(named) < 2 or not all(len(name) <= _MOST_NAME and _NAME.fullmatch(name) for name in named):
        return None
    if len(set(map(str.lower, named))) < len(named) or any(name.count(" ") > 2 for name in named):
        return None
    kinds = [field_kind(name) if name else None for name in names]
    if not any(kinds):
        return None
    if _PERSONAL.intersection(filter(None, kinds)):
        kinds = ["PERSON" if name.lower() in _PEOPLE else kind for name, kind in zip(names, kinds, strict=True)]
    return mark, kinds


_PEOPLE: Final = frozenset(
    ("name", "customer", "passenger", "client", "patient", "employee", "guest", "contact", "nom")
)


def _cells(raw: str, start: int, end: int, mark: str) -> list[tuple[int, int]]:
    """Where the cells of a line stand, without quotes."""
    cells: list[tuple[int, int]] = []
    place = start
    while place <= end and len(cells) <= 100:
        match = _CELL[mark].match(raw, place, end)
        if match is None:
            break
        cells.append(match.span(1) if match[1] is not None else match.span(2))
        place = match.end() + 1
    return cells if len(cells) > 1 else []


def _row(raw: str, cells: Sequence[tuple[int, int]], kinds: Sequence[str | None]) -> Iterator[Span]:
    for (start, end), kind in zip(cells, kinds, strict=True):
        if kind is None or _RULE.fullmatch(raw, start, end):
            continue
        span = value_span(raw, start, end, kind)
        if span is None and kind == "PERSON" and 2 <= end - start <= 60 and not any(map(str.isdigit, raw[start:end])):
            value = raw[start:end].strip()
            first = start + len(raw[start:end]) - len(raw[start:end].lstrip())
            span = Span(first, first + len(value), kind, _SCORE, "column") if len(value) >= 2 else None
        if span is not None:
            yield Span(span.start, span.end, span.kind, _SCORE, "column")
