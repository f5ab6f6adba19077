"""Values out of logged JSON, typed: None where there is none, `Unreadable` where there is something else."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

__all__ = ["Unreadable", "amount", "count", "first", "flag", "inner", "items", "kind", "mapping", "text", "when"]

Object = Mapping[str, Any]
_LAST = 253402300800.0
"""The year 10000 in seconds since the epoch."""
_MOST = 2**53


class Unreadable(ValueError):
    """Why an entry of a log cannot be read: the reason that stands in the quarantine."""


def kind(value: object) -> str:
    """The JSON type of a value, in words for a message."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list | tuple) else "an object"


def first(data: Object, *keys: str) -> Any:
    """The value of the first key that has one other than null."""
    for key in keys:
        value = data.get(key)
        if value is not None:
            return value
    return None


def text(data: Object, *keys: str) -> str | None:
    """A text; a number is written as one, and an empty text is none."""
    value = first(data, *keys)
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise Unreadable(f"{keys[0]} is {kind(value)}, not a text")


def flag(data: Object, *keys: str) -> bool | None:
    """True or false, also as a word."""
    value = first(data, *keys)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false", "none", "null", ""):
        return {"true": True, "false": False}.get(value.lower())
    raise Unreadable(f"{keys[0]} is {kind(value)}, not true or false")


def amount(data: Object, *keys: str) -> float | None:
    """A finite number, also as digits in a text."""
    value = first(data, *keys)
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise Unreadable(f"{keys[0]} is {value[:40]!r}, not a number") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unreadable(f"{keys[0]} is {kind(value)}, not a number")
    if not math.isfinite(value) or abs(value) > _MOST:
        raise Unreadable(f"{keys[0]} is too large a number")
    return float(value)


def count(data: Object, *keys: str) -> int | None:
    """A whole number from 0; a negative one is how some logs say that they do not know."""
    value = first(data, *keys)
    if type(value) is int and 0 <= value < _MOST:
        return value
    number = amount(data, *keys)
    if number is None or number < 0:
        return None
    if number != int(number):
        raise Unreadable(f"{keys[0]} is {number}, not a whole number")
    return int(number)


def mapping(data: Object, *keys: str) -> dict[str, Any]:
    """An object, empty where there is none; JSON inside a text is read."""
    value = inner(first(data, *keys))
    if value is None or value == "":
        return {}
    if not isinstance(value, dict):
        raise Unreadable(f"{keys[0]} is {kind(value)}, not an object")
    return value


def items(data: Object, *keys: str) -> list[Any]:
    """A list, empty where there is none; JSON inside a text is read."""
    value = inner(first(data, *keys))
    if value is None or value == "":
        return []
    if not isinstance(value, list):
        raise Unreadable(f"{keys[0]} is {kind(value)}, not a list")
    return value


def inner(value: Any) -> Any:
    """What a text holds if it is a JSON object or list, else the value itself."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def when(data: Object, *keys: str) -> float | None:
    """A time in seconds since the epoch, from those or smaller units, or ISO 8601 (UTC unless it says)."""
    value = first(data, *keys)
    if value is None or value == "":
        return None
    seconds = _iso(value) if isinstance(value, str) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise Unreadable(f"{keys[0]} is {kind(value)}, not a time")
    for unit in (1e17, 1e14, 1e11):
        if seconds >= unit:
            seconds = seconds / (unit / 1e8)
            break
    if not 0 <= seconds < _LAST:
        raise Unreadable(f"{keys[0]} is {str(value)[:40]}, not a time")
    return float(seconds)


def _iso(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(value.strip().removesuffix(" UTC"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise Unreadable(f"{value[:40]!r} is not a time") from None
