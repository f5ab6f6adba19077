"""The forms a value can take in a file, and a search for many of them at once."""

import base64
import html
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import quote, quote_plus

import numpy as np

from harness.curate.canary import Canary

__all__ = ["Needle", "Search"]

_MARKS = b" -./()_\n\r\t\\\"',:+*"
_LEAST = 4
_LEAST_SQUEEZED = 12
_LEAST_ENCODED = 8


@dataclass(frozen=True, slots=True)
class Needle:
    """One form of one value."""

    text: bytes
    """In small letters."""
    kind: str
    form: str


class Search:
    """Looks for all forms of values, whatever the case. About 50 MB a second for a thousand forms."""

    def __init__(self, canaries: Iterable[Canary]) -> None:
        plain: list[Needle] = []
        squeezed: list[Needle] = []
        for canary in canaries:
            plain += _forms(canary)
            bare = canary.value.lower().encode().translate(None, _MARKS)
            if len(bare) >= _LEAST_SQUEEZED:
                squeezed.append(Needle(bare, canary.kind, "split by marks"))
        self._plain = _Table(plain)
        self._squeezed = _Table(squeezed)
        self.overlap = 4 * max([len(one.text) for one in (*plain, *squeezed)], default=_LEAST)
        """Bytes that pieces of a file must share, so that nothing is missed at their edges."""

    def find(self, data: bytes) -> Iterator[Needle]:
        """The forms that stand in some bytes, each once."""
        small = data.lower()
        seen = set(self._plain.find(small))
        yield from seen
        kinds = {needle.kind for needle in seen}
        bare = small.translate(None, _MARKS)
        yield from (needle for needle in set(self._squeezed.find(bare)) if needle.kind not in kinds)


class _Table:
    """Four bytes of each needle, in two tables of pairs: what passes both is compared in full."""

    def __init__(self, needles: Iterable[Needle]) -> None:
        self._by_start: dict[bytes, list[Needle]] = {}
        self._first = np.zeros(1 << 16, dtype=np.bool_)
        self._second = np.zeros(1 << 16, dtype=np.bool_)
        for needle in dict.fromkeys(needles):
            if len(needle.text) >= _LEAST:
                start = needle.text[:_LEAST]
                self._by_start.setdefault(start, []).append(needle)
                self._first[start[0] << 8 | start[1]] = True
                self._second[start[2] << 8 | start[3]] = True

    def find(self, data: bytes) -> Iterator[Needle]:
        """The needles in bytes of small letters, as often as they stand there."""
        if len(data) < _LEAST or not self._by_start:
            return
        array = np.frombuffer(data, dtype=np.uint8)
        pairs = array[:-1].astype(np.uint16) << 8
        pairs |= array[1:]
        for place in np.flatnonzero(self._first[pairs[:-2]] & self._second[pairs[2:]]).tolist():
            for needle in self._by_start.get(data[place : place + _LEAST], ()):
                if data.startswith(needle.text, place) and _whole(data, place, needle.text):
                    yield needle


def _whole(data: bytes, place: int, text: bytes) -> bool:
    """Digits alone must not be a piece of a longer row."""
    if not text.isdigit():
        return True
    return (
        not data[max(0, place - 1) : place].isdigit() and not data[place + len(text) : place + len(text) + 1].isdigit()
    )


def _forms(canary: Canary) -> Iterator[Needle]:
    value = canary.value
    raw = value.encode("utf-8", "surrogatepass")
    escaped = json.dumps(value)[1:-1]
    texts = {
        "plain": value,
        "JSON-escaped": escaped,
        "JSON-escaped twice": json.dumps(escaped)[1:-1],
        "JSON-escaped, not ASCII": json.dumps(value, ensure_ascii=False)[1:-1],
        "URL-encoded": quote(value, safe=""),
        "URL-encoded form": quote_plus(value),
        "HTML-escaped": html.escape(value),
    }
    forms = [(form, text.lower().encode("utf-8", "surrogatepass")) for form, text in texts.items()]
    forms += [("plain", value.casefold().encode("utf-8", "surrogatepass"))]
    forms += [
        ("UTF-16", value.lower().encode("utf-16-le", "surrogatepass")),
        ("UTF-16", value.lower().encode("utf-16-be", "surrogatepass")),
    ]
    digits = "".join(filter(str.isdigit, value))
    if canary.kind in {"US_SSN", "PHONE_NUMBER", "CREDIT_CARD"} and len(digits) >= 9:
        forms += [
            ("without marks", digits.encode()),
            *(("with other marks", text.encode()) for text in _grouped(canary.kind, digits)),
        ]
    if len(raw) >= 6:
        forms += [("hexadecimal", raw.hex().encode())]
        forms += [("base64", text.lower()) for text in _base64(raw) if len(text) >= _LEAST_ENCODED]
    seen: set[bytes] = set()
    for form, text in forms:
        if text not in seen and len(text) >= _LEAST:
            seen.add(text)
            yield Needle(text, canary.kind, form)


def _grouped(kind: str, digits: str) -> Iterator[str]:
    cuts = {"US_SSN": (3, 5), "PHONE_NUMBER": (len(digits) - 7, len(digits) - 4), "CREDIT_CARD": (4, 8, 12)}[kind]
    edges = (0, *cuts, len(digits))
    parts = [digits[start:end] for start, end in pairwise(edges)]
    yield from (mark.join(parts) for mark in (" ", "-", ".", "/", "_"))


def _base64(raw: bytes) -> Iterator[bytes]:
    """The characters that any base64 of a text holds where the value stands in it, for each of three places."""
    for shift in range(3):
        for code in (base64.b64encode, base64.urlsafe_b64encode):
            coded = code(b"\0" * shift + raw).rstrip(b"=")
            first = (0, 2, 3)[shift]
            last = len(coded) - ((len(raw) + shift) % 3 != 0)
            yield coded[first:last]
