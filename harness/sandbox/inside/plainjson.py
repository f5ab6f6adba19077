"""JSON without the library's `json`: that imports regular expressions and enumerations, 15 ms for every program.

Reading is done by the same C scanner that the library uses, where Python has one.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.sandbox.inside.wire import Json

try:
    from _json import encode_basestring_ascii as _quoted
    from _json import make_scanner
except ImportError:  # a Python without the C part
    from json import loads as _library_loads
    from json.encoder import py_encode_basestring_ascii as _quoted

    def _loads(text: str) -> Json:
        found: Json = _library_loads(text)
        return found

else:
    _CONSTANTS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}

    class _Rules:
        """What the scanner is told."""

        strict = False
        object_hook = None
        object_pairs_hook = None
        parse_float = float
        parse_int = int
        parse_constant = _CONSTANTS.__getitem__
        memo: dict[str, str] = {}  # noqa: RUF012  the scanner asks for it

    _scan: Callable[[str, int], tuple[Json, int]] = make_scanner(_Rules)  # type: ignore[arg-type]  # what it takes is not declared

    def _loads(text: str) -> Json:
        try:
            value, end = _scan(text, 0)
        except StopIteration:
            raise ValueError("no JSON") from None
        if text[end:].strip():
            raise ValueError("more than one JSON value")
        return value


__all__ = ["dumps", "loads"]


def loads(line: bytes) -> Json:
    """The value that a line of JSON holds. Raises ValueError or RecursionError if it holds none."""
    return _loads(line.decode().strip())


def dumps(value: Json) -> bytes:
    """JSON on one line."""
    return _written(value).encode()


def _written(value: Json) -> str:
    if isinstance(value, str):
        quoted: str = _quoted(value)
        return quoted
    if isinstance(value, list):
        return f"[{','.join(map(_written, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{_quoted(key)}:{_written(one)}' for key, one in value.items())}}}"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if value != value or value in (_INF, -_INF):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return float.__repr__(value)


_INF = float("inf")
