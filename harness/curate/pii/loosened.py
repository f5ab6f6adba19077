"""What a pattern cannot do without, for an engine that knows no look-around and reads a text once.

The engine (RE2) gets every pattern loosened: look-arounds, edges and limits of repeats are dropped, so that whatever
`re` finds in a text the loosened pattern is in as well, and often where `re` finds nothing. It reads bytes: every
character beyond ASCII stands there as a question mark, and each class that has such a character has the mark.
"""

import importlib
import re
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["MASK", "loosened", "misread"]

MASK = "?"
"""What `str.encode("ascii", "replace")` writes for a character beyond ASCII: always one byte for one character."""
_PARSER: Any = importlib.import_module("re._parser")
"""The standard library's own reading of a pattern, the only one that is sure to be that of `re`."""
_ASCII = frozenset(range(128))
_MASK = ord(MASK)
_CATEGORIES = {
    name: frozenset(code for code in _ASCII if re.match(sign, chr(code)))
    for name, sign in (("DIGIT", r"\d"), ("SPACE", r"\s"), ("WORD", r"\w"))
}
_FOLDED = frozenset(map(ord, "iIsSkK"))
_ODD = re.compile("[\u0130\u0131\u017f\u212a]")
_COUNTED = 12
"""Repeats are counted up to here: each number is a state of the automaton."""

_Node = tuple[Any, Any]


def misread(text: str) -> bool:
    """Whether a text has one of the four letters beyond ASCII that are an ASCII letter in the other case (İ ı ſ K)."""
    return not text.isascii() and _ODD.search(text) is not None


def loosened(pattern: str | re.Pattern[str], *, small: bool = False) -> str:
    """A pattern of RE2 that is in the masked bytes of every text that the pattern is in.

    small: the pattern is matched against the small letters of a text, the loosened one against the text.
    Does not hold for texts that are `misread`.
    >>> loosened(re.compile(r"(?<!x)a{2,40}b(?=c)"))
    '(?:a){2,}bc'
    """
    flags = 0 if isinstance(pattern, str) else pattern.flags
    tree = _PARSER.parse(pattern if isinstance(pattern, str) else pattern.pattern, flags)
    return _Loosening(small).row(list(tree), caseless=bool(tree.state.flags & re.IGNORECASE), first=True, last=True)


class _Loosening:
    """Walks the tree of one pattern."""

    def __init__(self, small: bool) -> None:
        self._small = small

    def row(self, nodes: Sequence[_Node], *, caseless: bool, first: bool, last: bool) -> str:
        """What stands one behind the other. first, last: whether nothing stands before it, behind it."""
        parts: list[str] = []
        for place, (sign, value) in enumerate(nodes):
            ends = last and all(str(other) in _WIDTHLESS for other, _ in nodes[place + 1 :])
            begins = first and not any(parts)
            parts.append(self._one(str(sign), value, caseless, begins, ends))
        return "".join(parts)

    def _one(self, sign: str, value: Any, caseless: bool, first: bool, last: bool) -> str:
        if sign in _OF_ONE:
            return self._characters(sign, value, caseless)
        if sign == "BRANCH":
            rows = [self.row(list(one), caseless=caseless, first=first, last=last) for one in value[1]]
            return f"(?:{'|'.join(rows)})"
        if sign == "SUBPATTERN":
            inside = (caseless or bool(value[1] & re.IGNORECASE)) and not value[2] & re.IGNORECASE
            return f"(?:{self.row(list(value[3]), caseless=inside, first=first, last=last)})"
        if sign == "ATOMIC_GROUP":
            return f"(?:{self.row(list(value), caseless=caseless, first=first, last=last)})"
        if sign in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
            return self._repeat(*value, caseless=caseless)
        if sign == "ASSERT":
            there = (value[0] > 0 and last) or (value[0] < 0 and first)
            return self.row(list(value[1]), caseless=caseless, first=False, last=False) if there else ""
        return "" if sign in _WIDTHLESS else _ANYTHING

    def _repeat(self, least: int, most: int, nodes: Sequence[_Node], *, caseless: bool) -> str:
        inner = f"(?:{self.row(list(nodes), caseless=caseless, first=False, last=False)})"
        if least > 1:
            return f"{inner}{{{least}}}" if most == least <= _COUNTED else f"{inner}{{{min(least, _COUNTED)},}}"
        if most == 1:
            return inner if least else f"{inner}?"
        return inner + ("+" if least else "*")

    def _characters(self, sign: str, value: Any, caseless: bool) -> str:
        if sign == "ANY":
            return _written(_ASCII)
        items = value if sign == "IN" else [(sign, value)]
        kept = _members(items, caseless)
        if self._small:
            kept = {code for code in _ASCII if ord(chr(code).lower()) in kept} | (kept & {_MASK})
        return _written(kept)


_OF_ONE = frozenset(("LITERAL", "NOT_LITERAL", "ANY", "IN"))
_WIDTHLESS = frozenset(("AT", "ASSERT_NOT"))
_ANYTHING = r"[\x00-\xff]*"


def _members(items: Iterable[_Node], caseless: bool) -> set[int]:
    """The ASCII codes of a class, and the mask if it has any character beyond."""
    kept: set[int] = set()
    negated = False
    for sign, value in items:
        name = str(sign)
        if name in {"NEGATE", "NOT_LITERAL"}:
            negated = True
        if name in {"LITERAL", "NOT_LITERAL"}:
            kept |= _between(value, value)
        elif name == "RANGE":
            kept |= _between(*value)
        elif name == "CATEGORY":
            kept |= _category(str(value))
    beyond = bool(kept - _ASCII)
    kept &= _ASCII
    if caseless:
        kept |= {ord(chr(code).swapcase()) for code in kept} | (_FOLDED if beyond and not negated else set())
    if negated:
        kept = set(_ASCII - kept)
    return kept | {_MASK} if beyond or negated else kept


_BEYOND = 128


def _between(low: int, high: int) -> set[int]:
    return set(range(low, min(high, _BEYOND) + 1)) if low <= _BEYOND else {_BEYOND}


def _category(name: str) -> set[int]:
    """Of a category such as a digit: it knows characters beyond ASCII, whichever way round."""
    positive = name.removeprefix("CATEGORY_").removeprefix("NOT_")
    members = _CATEGORIES[positive]
    return set(_ASCII - members if "NOT_" in name else members) | {_BEYOND}


def _written(codes: Iterable[int]) -> str:
    """A class of RE2; of one code the code itself."""
    ordered = sorted(codes)
    if not ordered:
        return r"[^\x00-\xff]"
    if len(ordered) == 1:
        return _code(ordered[0])
    parts: list[str] = []
    start = previous = ordered[0]
    for code in [*ordered[1:], -1]:
        if code != previous + 1:
            parts.append(_code(start) if start == previous else f"{_code(start)}-{_code(previous)}")
            start = code
        previous = code
    return f"[{''.join(parts)}]"


def _code(code: int) -> str:
    return chr(code) if chr(code).isalnum() else f"\\x{code:02x}"
