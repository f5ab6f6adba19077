"""Values of any size and kind as short text, and as JSON that every reader takes."""

import math
from collections.abc import Sequence

import orjson
from pydantic import JsonValue

__all__ = ["plain_json", "shown", "shown_any"]

_SHOWN_CHARACTERS = 80
_KEPT_CHARACTERS = 4_000
_KEPT_ITEMS = 200
_KEPT_DEPTH = 12
_LARGEST_INTEGER = 2**53


def shown(value: JsonValue) -> str:
    """A value as JSON on one line, cut after 80 characters."""
    text = orjson.dumps(plain_json(value)).decode()
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def shown_any(values: Sequence[JsonValue]) -> str:
    """Up to three accepted values, joined by `or`."""
    if not values:
        return "none"
    more = f" or {len(values) - 3} more" if len(values) > 3 else ""
    return " or ".join(shown(value) for value in values[:3]) + more


def plain_json(value: JsonValue, depth: int = 0) -> JsonValue:
    """The value as JSON that can be written and read anywhere; what cannot be, or is huge, becomes a short text.

    Cut: integers beyond 2^53, non-finite floats, unpaired surrogates, texts over 4,000 characters, more than 200 items,
    more than 12 levels.
    """
    if depth == 0 and _is_plain(value):
        return value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _LARGEST_INTEGER else f"integer of {value.bit_length()} bits"
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return _text(value)
    if depth >= _KEPT_DEPTH:
        return "…"
    if isinstance(value, list):
        kept = [plain_json(one, depth + 1) for one in value[:_KEPT_ITEMS]]
        return [*kept, f"… {len(value) - _KEPT_ITEMS} more"] if len(value) > _KEPT_ITEMS else kept
    pairs = list(value.items())
    entries = {_text(key): plain_json(one, depth + 1) for key, one in pairs[:_KEPT_ITEMS]}
    if len(pairs) > _KEPT_ITEMS:
        entries["…"] = f"{len(pairs) - _KEPT_ITEMS} more"
    return entries


def _is_plain(value: JsonValue) -> bool:
    """Whether certainly nothing is to be cut: counted in the value's JSON, which takes a tenth of the walk's time."""
    try:
        written = orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER)
    except TypeError:
        return False
    return (
        len(written) <= _KEPT_CHARACTERS
        and written.count(b",") < _KEPT_ITEMS
        and written.count(b"[") + written.count(b"{") <= _KEPT_DEPTH
        and b"null" not in written  # perhaps a float that is no number
    )


def _text(value: str) -> str:
    cut = value if len(value) <= _KEPT_CHARACTERS else f"{value[:_KEPT_CHARACTERS]}… {len(value)} characters"
    return cut if cut.isascii() else cut.encode("utf-8", "replace").decode("utf-8")
