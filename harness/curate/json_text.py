"""The scalars of a JSON text with their places, so that one can be replaced and every other byte stays."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import orjson

__all__ = ["Scalar", "as_json", "looks_like_json", "quoted", "scalars"]

_TOKEN = re.compile(r'[ \t\r\n]*(?:(?P<string>")|(?P<mark>[{}\[\]:,])|(?P<other>[^ \t\r\n{}\[\]:,"]+))')
_LONGEST = 8_000_000
_STRINGS = json.JSONDecoder(strict=False)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A string or number of a JSON text, or a key of an object."""

    start: int
    end: int
    """With the quotes of a string."""
    value: str
    """A string decoded; a number as it is written."""
    path: str
    """Keys from the outermost in, `user.zip`; lists leave no mark. Of a key: of its object."""
    is_string: bool
    is_key: bool


def looks_like_json(text: str) -> bool:
    """Whether a text begins like an object, a list or a quoted one: worth a try."""
    start = text.lstrip()[:1]
    return start in ("{", "[", '"') and 2 <= len(text) <= _LONGEST and text.rstrip()[-1] in '}]"'


def as_json(text: str) -> bool:
    """Whether a text is JSON with something in it to look at: an object, a list, or a string that is JSON itself."""
    if not looks_like_json(text):
        return False
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return isinstance(value, dict | list) or (isinstance(value, str) and looks_like_json(value))


def scalars(text: str) -> Iterator[Scalar]:
    """The scalars of a text that is JSON, in order; true, false and null are left out."""
    path: list[str] = []
    objects: list[bool] = []
    want_key = False
    place, end = 0, len(text)
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            return
        if match["mark"] is not None:
            want_key = _step(match["mark"], path, objects)
            place = match.end()
            continue
        if match["string"] is not None:
            start = match.end() - 1
            value, place = _STRINGS.raw_decode(text, start)
        else:
            start, place, value = match.start("other"), match.end(), match["other"]
        if want_key:
            yield Scalar(start, place, value, ".".join(path[:-1]), is_string=True, is_key=True)
            path[-1] = value
        elif match["string"] is not None or value[0] in "-0123456789":
            yield Scalar(start, place, value, ".".join(path), is_string=match["string"] is not None, is_key=False)


def _step(mark: str, path: list[str], objects: list[bool]) -> bool:
    """Goes in or out at a mark; returns whether a key comes next."""
    if mark == "{":
        objects.append(True)
        path.append("")
        return True
    if mark == "[":
        objects.append(False)
    elif mark in "}]" and objects and objects.pop():
        path.pop()
    return mark == "," and bool(objects) and objects[-1]


def quoted(value: str, like: str) -> str:
    """A string as JSON writes it; without characters beyond ASCII where the text has none."""
    return json.dumps(value, ensure_ascii=like.isascii())
