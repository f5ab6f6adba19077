"""The process that the program lives in: it is handed the source, then arguments, and hands back values.

It knows no test and no expected value, and nothing it writes decides anything.
"""

from __future__ import annotations

import sys

from harness.sandbox.inside.plainjson import dumps, loads
from harness.sandbox.inside.settle import channels, compile_first, limits_given, settle
from harness.sandbox.inside.wire import decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from io import BufferedReader, BufferedWriter
    from types import CodeType

    from harness.sandbox.inside.wire import Json

__all__ = ["main"]

_MOST_MESSAGE = 300
_Module = type(sys)
"""As `types` has it, which takes a millisecond to import."""


def main() -> None:
    """Serves requests, one JSON line each, until no more come."""
    settle(limits_given())
    come, go, _ = channels()
    _Program(come, go).serve()


class _Program:
    def __init__(self, come: BufferedReader, go: BufferedWriter) -> None:
        self._come, self._go = come, go
        self._module = _Module("program")
        self._objects: list[object] = []
        self._numbers: dict[int, int] = {}

    def serve(self) -> None:
        for line in iter(self._come.readline, b""):
            verb, *rest = loads(line)  # type: ignore[str-unpack,misc]  # a list: the other process is ours
            try:
                answer = getattr(self, f"_{verb}")(*rest)
                said = dumps(["ok", encode(answer, self._keep)])
            except BaseException as error:  # SystemExit too: whatever the program raises is told
                said = dumps(["raised", *_told(error)])
            self._say(said)

    def _say(self, said: bytes) -> None:
        self._go.write(said)
        self._go.write(b"\n")
        self._go.flush()

    def _keep(self, value: object) -> Json:
        if isinstance(value, _Module):
            return {"m": value.__name__}
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = len(self._objects)
            self._objects.append(value)
        return {"h": number}

    def _find(self, mark: str, held: Json) -> object:
        if mark != "h":
            raise ValueError(mark)
        return self._objects[held]  # type: ignore[index]  # ours

    def _load(self, readings: list[list[str]], preface: list[str], entry_point: str | None) -> Json:
        """Runs the program: which reading of it compiled, and the names it has then."""
        self._say(dumps(["here"]))
        sys.modules["program"] = self._module
        names = self._module.__dict__
        number, code = self._compiled([source for source, _ in readings])
        if readings[number][1]:  # a whole program, that stands beside what it was asked to go on from
            try:
                exec(compile_first(preface, "<prompt>")[1], names)
            except SyntaxError:
                names.clear()
            names["__name__"] = "program"
            if entry_point is not None:
                names.pop(entry_point, None)
        exec(code, names)
        return [number, [name for name in names if not name.startswith("__")]]

    def _compiled(self, sources: list[str]) -> tuple[int, CodeType]:
        try:
            return compile_first(sources, "<program>")
        except (ValueError, RecursionError, MemoryError, OverflowError, SyntaxError) as error:
            raise _DoesNotCompile(f"{type(error).__name__}: {error}") from None

    def _get(self, name: str) -> object:
        return self._module.__dict__[name]

    def _call(self, target: Json, args: list[Json], kwargs: dict[str, Json]) -> object:
        function = decode(target, self._find)
        given = [decode(one, self._find) for one in args]
        named = {name: decode(one, self._find) for name, one in kwargs.items()}
        return function(*given, **named)  # type: ignore[operator]

    def _attr(self, target: Json, name: str) -> object:
        return getattr(decode(target, self._find), name)

    def _set(self, target: Json, name: str, value: Json) -> None:
        setattr(decode(target, self._find), name, decode(value, self._find))

    def _item(self, target: Json, key: Json) -> object:
        return decode(target, self._find)[decode(key, self._find)]  # type: ignore[index]

    def _iter(self, target: Json) -> object:
        return iter(decode(target, self._find))  # type: ignore[call-overload]

    def _next(self, target: Json) -> object:
        return next(decode(target, self._find))  # type: ignore[call-overload]

    def _len(self, target: Json) -> object:
        return len(decode(target, self._find))  # type: ignore[arg-type]

    def _bool(self, target: Json) -> object:
        return bool(decode(target, self._find))


class _DoesNotCompile(Exception):
    """The source is no Python."""


def _told(error: BaseException) -> list[Json]:
    """Names of an exception's classes, from its own down, and its words."""
    try:
        words = str(error)[:_MOST_MESSAGE]
    except BaseException:
        words = ""
    if isinstance(error, _DoesNotCompile):
        return [["DoesNotCompile"], words]
    return [[kind.__name__ for kind in type(error).__mro__], words]
