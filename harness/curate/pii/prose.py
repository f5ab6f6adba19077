"""The parts of a text that are worth a model's reading: sentences, not JSON, code or columns of numbers."""

import re
from dataclasses import dataclass

__all__ = ["Segment", "prose_segments"]


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a text that the model reads alone."""

    start: int
    text: str


_LINE = re.compile(r"[^\n]+")
_JSON_LINE = re.compile(r"""\\?["'][\w\- ]{1,60}\\?["']\s?:""")
_JSON_VALUE = re.compile(r"""\\?"(?P<value>[^"\\\n]{12,4000})\\?"(?!\s?:)""")
_CODE_MARKS = frozenset("{}()[]<>=;_\\/|&*+#$%^~`")
_LONGEST = 2000


def prose_segments(text: str) -> list[Segment]:
    r"""The lines of a text that may name somebody; of JSON the values of three words and more.

    >>> [one.text for one in prose_segments('x = f(y)\n{"note": "ask Ann Lee today"}\n  I met Bob.')]
    ['ask Ann Lee today', 'I met Bob.']
    """
    found: list[Segment] = []
    for match in _LINE.finditer(text):
        line = match.group()
        if len(line) < 200 and not _readable(line):
            continue
        if _JSON_LINE.search(line):
            found.extend(
                Segment(match.start() + value.start("value"), value["value"])
                for value in _JSON_VALUE.finditer(line)
                if value["value"].count(" ") >= 2 and _readable(value["value"])
            )
            continue
        for start in range(0, len(line), _LONGEST):
            piece = line[start : start + _LONGEST]
            bare = piece.strip(' \t\r>-*#•?"')
            if _readable(bare):
                found.append(Segment(match.start() + start + piece.index(bare), bare))
    return found


def _readable(line: str) -> bool:
    """Whether it has a capital letter and is mostly words: code and tables have marks where sentences have spaces."""
    if len(line) < 3 or line.islower() or line.upper() == line.lower():
        return False
    marks = sum(map(_CODE_MARKS.__contains__, line))
    return marks * 10 <= len(line)
