"""Reads JSON as RFC 8259 has it, where Python's reader is laxer: nothing is repaired, nothing is guessed."""

import json
import math
from typing import NoReturn

from pydantic import JsonValue

__all__ = ["NotJson", "read", "read_at"]

_LONGEST_INTEGER = 400
"""Digits: no float reaches further, and converting a longer text costs the square of its length."""


class NotJson(ValueError):
    """The text is not JSON; the message says why, in a clause without position or quotation of long text."""


def _refuse_constant(word: str) -> NoReturn:
    raise NotJson(f"{word} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise NotJson("a number is too large")
    return value


def _integer(text: str) -> int:
    if len(text) > _LONGEST_INTEGER:
        raise NotJson("a number is too large")
    return int(text)


def _unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NotJson("an object names a key twice")
    return found


_DECODER = json.JSONDecoder(
    parse_constant=_refuse_constant, parse_float=_finite, parse_int=_integer, object_pairs_hook=_unique
)


def read(text: str) -> JsonValue:
    """The value that is all of the text, white space around it aside. Raises NotJson."""
    start = len(text) - len(text.lstrip(" \t\n\r"))
    value, end = read_at(text, start)
    if text[end:].strip(" \t\n\r"):
        raise NotJson("text follows the JSON value")
    return value


def read_at(text: str, start: int) -> tuple[JsonValue, int]:
    """The value that begins at `start`, and the index after it. Raises NotJson, also on nesting too deep to follow.

    Takes time in proportion to the text: the reader is json's own scanner, which never steps back.
    """
    try:
        value, end = _DECODER.raw_decode(text, start)
    except NotJson:
        raise
    except RecursionError:
        raise NotJson("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        where = "the end of the text" if error.pos >= len(text) else f"character {error.pos - start + 1}"
        raise NotJson(f"{error.msg[:1].lower()}{error.msg[1:]} at {where}") from None
    return value, end
