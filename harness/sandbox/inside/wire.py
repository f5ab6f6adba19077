"""Values as JSON between the process with the tests and the process with the program.

Only plain data crosses: numbers, text, bytes, containers. An object of a class of one's own crosses as a number that
stands for it, so that no method of it (an `__eq__` that always agrees, say) ever runs beside the tests.
"""

from __future__ import annotations

import sys
from _collections import deque  # type: ignore[import-not-found]  # `collections` itself takes 7 ms to import

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Keep = Callable[[object], "Json"]
    """What to write for an object that is no plain data."""
    Find = Callable[[str, "Json"], object]
    """What to take for such a writing: its mark, and what stood there."""

__all__ = ["Json", "decode", "encode"]

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
_WIDE_BITS = 1024
"""Longer integers go in hexadecimal: decimal digits are slow, and limited in number."""
_VIEWS = {"keys": type({}.keys()), "values": type({}.values()), "items": type({}.items())}


def encode(value: object, keep: Keep) -> Json:
    """JSON for a value; subclasses of plain types count as those types. Raises RecursionError if it holds itself."""
    if value is None or value is True or value is False or type(value) in (float, str):
        return value  # type: ignore[return-value]
    if isinstance(value, int):
        number = int.__index__(value)
        return number if number.bit_length() <= _WIDE_BITS else {"i": hex(number)}
    if isinstance(value, list):
        return [encode(one, keep) for one in list.__iter__(value)]
    if isinstance(value, tuple):
        return {"t": [encode(one, keep) for one in tuple.__iter__(value)]}
    if isinstance(value, dict):
        return {"d": [[encode(key, keep), encode(one, keep)] for key, one in dict.items(value)]}
    return _rarer(value, keep)


def _rarer(value: object, keep: Keep) -> Json:
    for mark, kind in (("s", set), ("f", frozenset), ("q", deque)):
        if isinstance(value, kind):
            return {mark: _each(kind.__iter__(value), keep)}  # type: ignore[arg-type]  # of that very kind
    for name, view in _VIEWS.items():
        if isinstance(value, view):
            return {name: _each(value, keep)}  # type: ignore[arg-type]
    scalar = _scalar(value)
    return keep(value) if scalar is None else scalar


def _scalar(value: object) -> Json:
    """JSON for what holds no other values; None if it is something else."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, bytes | bytearray):
        return {"B" if isinstance(value, bytearray) else "b": bytes(value).hex()}
    if isinstance(value, complex):
        return {"c": [value.real, value.imag]}
    if isinstance(value, range):
        return {"r": [value.start, value.stop, value.step]}
    for module, name, mark in (("decimal", "Decimal", "D"), ("fractions", "Fraction", "F")):
        if module in sys.modules and isinstance(value, getattr(sys.modules[module], name)):
            return {mark: str(value)}
    return None


def _each(values: Iterable[object], keep: Keep) -> Json:
    return [encode(one, keep) for one in values]


def decode(data: Json, find: Find) -> object:
    """The value that JSON stands for. Raises ValueError or TypeError if it stands for none."""
    if isinstance(data, list):
        return [decode(one, find) for one in data]
    if not isinstance(data, dict):
        return data
    ((mark, held),) = data.items()
    if mark == "t":
        return tuple(_many(held, find))
    if mark == "d":
        return dict(_pairs(held, find))
    if mark == "i":
        return int(_text(held), 16)
    return _decode_rarer(mark, held, find)


def _decode_rarer(mark: str, held: Json, find: Find) -> object:
    if mark in {"s", "f", "q"}:
        return {"s": set, "f": frozenset, "q": deque}[mark](_many(held, find))
    if mark in {"b", "B"}:
        return (bytearray if mark == "B" else bytes)(bytes.fromhex(_text(held)))
    if mark == "c":
        real, imaginary = _many(held, find)
        return complex(real, imaginary)  # type: ignore[call-overload]
    if mark == "r":
        return range(*_many(held, find))  # type: ignore[call-overload]
    if mark in _VIEWS:
        values = _many(held, find)
        whole = dict(values) if mark == "items" else dict.fromkeys(values) if mark == "keys" else None  # type: ignore[arg-type]
        return dict(enumerate(values)).values() if whole is None else getattr(whole, mark)()
    if mark in {"D", "F"}:
        from decimal import Decimal  # both are slow to import, and rare
        from fractions import Fraction

        return (Decimal if mark == "D" else Fraction)(_text(held))
    return find(mark, held)


def _many(held: Json, find: Find) -> list[object]:
    if not isinstance(held, list):
        raise TypeError("a list of values was expected")
    return [decode(one, find) for one in held]


def _pairs(held: Json, find: Find) -> list[tuple[object, object]]:
    pairs = []
    for one in _many(held, find):
        if not isinstance(one, list) or len(one) != 2:
            raise TypeError("pairs were expected")
        pairs.append((one[0], one[1]))
    return pairs


def _text(held: Json) -> str:
    if not isinstance(held, str):
        raise TypeError("text was expected")
    return held
