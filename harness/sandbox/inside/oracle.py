"""The process with the tests: it asks the program's process for values, and alone says how the tests ended.

The program's process can answer what it likes, but it can only ever answer plain data.
"""

from __future__ import annotations

import builtins
import os
import sys

from harness.sandbox.inside.plainjson import dumps, loads
from harness.sandbox.inside.settle import channels, compile_first, limits_given, settle
from harness.sandbox.inside.wire import decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader, BufferedWriter
    from types import CodeType

    from harness.sandbox.inside.wire import Json

__all__ = ["main"]

_MOST_MESSAGE = 300


def main() -> None:
    """Reads the job, runs the tests, writes one line with how they ended."""
    limits = limits_given()
    most_bytes = limits.pop("reply_bytes")
    settle(limits)
    come, go, aside = channels()
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    job = loads(come.readline())
    assert isinstance(job, dict)
    line = _Line(come, go, most_bytes)
    try:
        outcome, why = _judged(job, line)
    except MemoryError:
        outcome, why = "memory", "what the program gave back took more memory than it may"
    said: dict[str, Json] = {"outcome": outcome, "why": why[:_MOST_MESSAGE], "reading": line.reading}
    os.write(aside, dumps(said) + b"\n")


class _Ended(BaseException):
    """The program's process is gone."""


class _Garbled(BaseException):
    """The program's process wrote what is no answer."""


class _TooLarge(BaseException):
    """An answer is larger than may be."""


class _DoesNotCompile(Exception):
    """The program is no Python."""


class ProgramError(Exception):
    """The program raised something that is no exception of Python's own."""


class _Line:
    def __init__(self, come: BufferedReader, go: BufferedWriter, most_bytes: int) -> None:
        self._come, self._go, self._most_bytes = come, go, most_bytes
        self.reading: int | None = None
        self.here = False
        self._naming = False
        """Whether a name of the tests is asked for: that alone may be a library, the one of that name here."""
        self.raised: BaseException | None = None
        """What the program raised last."""

    def ask(self, *request: Json) -> object:
        try:
            self._go.write(dumps(list(request)) + b"\n")
            self._go.flush()
        except OSError:
            raise _Ended from None
        self._naming = request[0] == "get"
        answer = self._read()
        if answer == ["here"]:
            self.here = True
            answer = self._read()
        try:
            kind, *rest = _listed(answer)
            if kind == "ok":
                (value,) = rest
                return decode(value, self._found)
            names, words = rest
            error = _error([str(name) for name in _listed(names)], str(words))
        except (ValueError, TypeError, OverflowError, ArithmeticError, RecursionError, KeyError) as broken:
            raise _Garbled from broken
        self.raised = error
        raise error

    def _read(self) -> Json:
        line = self._come.readline(self._most_bytes + 1)
        if len(line) > self._most_bytes:
            raise _TooLarge
        if not line.endswith(b"\n"):
            raise _Ended
        try:
            return loads(line)
        except (ValueError, RecursionError) as broken:
            raise _Garbled from broken

    def _found(self, mark: str, held: Json) -> object:
        if mark == "h" and type(held) is int:
            return Remote(self, held)
        if mark == "m" and self._naming and isinstance(held, str) and held in sys.stdlib_module_names:
            return __import__(held)
        raise ValueError(mark)

    def keep(self, value: object) -> Json:
        """For what goes to the program: its own objects go back to it; others cannot go there."""
        if isinstance(value, Remote):
            return {"h": value._Remote__number}  # type: ignore[dict-item]
        raise TypeError(f"the tests hand a {type(value).__name__} to the program; only plain data can go there")


class Remote:
    """An object of the program's, which stays in its process; equal to nothing but itself."""

    __slots__ = ("__line", "__number")

    def __init__(self, line: _Line, number: int) -> None:
        object.__setattr__(self, "_Remote__line", line)
        object.__setattr__(self, "_Remote__number", number)

    def __ask(self, verb: str, *rest: Json) -> object:
        return self.__line.ask(verb, {"h": self.__number}, *rest)  # type: ignore[attr-defined]

    def __call__(self, *args: object, **kwargs: object) -> object:
        keep = self.__line.keep  # type: ignore[attr-defined]
        given = [encode(one, keep) for one in args]
        return self.__ask("call", given, {name: encode(one, keep) for name, one in kwargs.items()})

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.__ask("attr", name)

    def __setattr__(self, name: str, value: object) -> None:
        self.__ask("set", name, encode(value, self.__line.keep))  # type: ignore[attr-defined]

    def __getitem__(self, key: object) -> object:
        return self.__ask("item", encode(key, self.__line.keep))  # type: ignore[attr-defined]

    def __iter__(self) -> Iterator[object]:
        found: Iterator[object] = self.__ask("iter")  # type: ignore[assignment]  # a Remote, which has __next__
        return found if isinstance(found, Remote) else iter(())

    def __next__(self) -> object:
        return self.__ask("next")

    def __len__(self) -> int:
        found = self.__ask("len")
        return found if isinstance(found, int) else -1

    def __bool__(self) -> bool:
        return self.__ask("bool") is True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Remote) and other.__number == self.__number

    def __hash__(self) -> int:
        return hash(("Remote", self.__number))


def _error(names: list[str], words: str) -> BaseException:
    """The nearest exception of Python's own; leaving the program is an exception like others here."""
    if names[0] == "DoesNotCompile":
        return _DoesNotCompile(words)
    for name in names:
        kind = getattr(builtins, name, None)
        if isinstance(kind, type) and issubclass(kind, Exception) and kind is not Exception:
            try:
                return kind(words)
            except TypeError:  # UnicodeDecodeError and its like want more than words
                continue
    return ProgramError(f"{names[0]}: {words}")


def _judged(job: dict[str, Json], line: _Line) -> tuple[str, str]:
    try:
        return _run(job, line)
    except _DoesNotCompile as error:
        return "syntax", str(error)
    except _Ended:
        return ("ended", "the program left before the tests were through") if line.here else ("broken", "")
    except _Garbled:
        return "failed", "the program gave back what is no value"
    except _TooLarge:
        return "output", "the program gave back a larger value than it may"
    except MemoryError as error:
        return "memory", f"MemoryError {error}".strip()
    except BaseException as error:  # tests may raise anything
        return "failed", _where(error, str(job["tests"]), ours=error is line.raised)


def _run(job: dict[str, Json], line: _Line) -> tuple[str, str]:
    preface = [str(one) for one in _listed(job["preface"])]
    entry_point = None if job["entry_point"] is None else str(job["entry_point"])
    code = compile(str(job["tests"]), "<tests>", "exec", dont_inherit=True)
    names: dict[str, object] = {"__name__": "tests"}
    try:
        exec(compile_first(preface, "<prompt>")[1], names)
    except SyntaxError:  # what the program goes on from need not make sense alone
        names = {"__name__": "tests"}
    if entry_point is not None:
        names.pop(entry_point, None)
    loaded = line.ask("load", job["readings"], list(preface), entry_point)
    if not (isinstance(loaded, list) and len(loaded) == 2 and type(loaded[0]) is int and isinstance(loaded[1], list)):
        raise _Garbled
    line.reading = loaded[0]
    has = {name for name in loaded[1] if isinstance(name, str)}
    if entry_point is not None and entry_point not in has:
        return "failed", f"the program has no {entry_point}"
    for name in sorted(_used(code) & has):
        if name not in names and (name == entry_point or not hasattr(builtins, name)):
            names[name] = line.ask("get", name)
    exec(code, names)
    return "passed", ""


def _used(code: CodeType) -> set[str]:
    """Every name that may be a global one in the code, in its functions too."""
    inner = (one for one in code.co_consts if isinstance(one, type(code)))
    return set(code.co_names).union(*map(_used, inner))


def _listed(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise TypeError("a list was expected")
    return value


def _where(error: BaseException, tests: str, *, ours: bool) -> str:
    """The line of the tests at which it ended, and why."""
    lines = tests.splitlines()
    number, place = 0, error.__traceback__
    while place is not None:
        number = place.tb_lineno if place.tb_frame.f_code.co_filename == "<tests>" else number
        place = place.tb_next
    line = lines[number - 1].strip() if 0 < number <= len(lines) else ""
    if isinstance(error, AssertionError) and not ours:
        said = f" ({error})" if str(error) else ""
        return f"not so: {line.removeprefix('assert ')}{said}"
    kind = "" if isinstance(error, ProgramError) else f"{type(error).__name__}: "
    return f"raised {kind}{error}{f' at {line}' if line else ''}"
