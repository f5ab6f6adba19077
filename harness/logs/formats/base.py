"""What a format of logs is: how it is recognised, and how its entries become records."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any, ClassVar, Protocol

import orjson

from harness.errors import DataError
from harness.logs.pick import Unreadable
from harness.logs.shape import shape
from harness.logs.source import Line, Source
from harness.records.logs import LogRecord

__all__ = [
    "UNFORESEEN", "Item", "JsonFormat", "LogFormat", "Place", "Skip", "check", "identify", "of_lines", "paths_of",
    "why",
]  # fmt: skip

_LARGEST = 512 * 1024 * 1024
_SMALL = 8 * 1024 * 1024
UNFORESEEN = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
"""What a shape that an importer does not foresee may raise in it: such an entry is a problem too, and says so."""
Place = tuple[str, float]
"""Session and time of a call that its log gives no step for."""


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a file: a record, or skipped by a rule, or a problem. Each entry is one: the books balance."""

    number: int
    """Line, or place in the document, from 1."""
    start: int
    end: int
    """Byte span in the unpacked file. `end` is how far a resumed import may skip: of several entries of one line or
    document only the last goes further than `start`."""
    record: LogRecord | None = None
    skipped: str | None = None
    """By which rule: `embedding call`, …"""
    problem: str | None = None
    """Why it cannot be read."""
    raw: bytes | None = None
    """Of a problem: the bytes."""


@dataclass(frozen=True, slots=True)
class Skip:
    """An entry that is no call of a chat model, and the rule that says so."""

    rule: str


class LogFormat(Protocol):
    """A plug-in of `harness.log_formats`."""

    name: str

    def sniff(self, head: bytes, name: str) -> float:
        """How surely a file that begins so is of this format, 0..1. `name`: the file's."""
        ...

    def read(self, source: Source) -> Iterator[Item]:
        """The file's entries in order. Never raises for what a file may hold."""
        ...

    def places(self, source: Source) -> Iterator[Place | None]:
        """For each entry where and when its call was, where the log gives no step; None for the others."""
        ...


def identify(source: str, *parts: bytes | str) -> str:
    """The id of a record: 128 bits over the format and what identifies the call in it."""
    seen = blake2b(source.encode(), digest_size=16)
    for part in parts:
        seen.update(b"\0")
        seen.update(part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part)
    return seen.hexdigest()


@lru_cache(maxsize=4)
def paths_of(head: bytes) -> frozenset[str]:
    """The key paths of a file's beginning, found once for all formats that ask."""
    return shape(head)


class JsonFormat(ABC):
    """Base of the formats that are JSON: an entry a line, or a document (an object or a list over several lines)."""

    name: ClassVar[str]

    def split(self, data: Any) -> Sequence[Any]:
        """The entries of a line or document. Raises Unreadable."""
        return (data,)

    @abstractmethod
    def entry(self, data: Any, mark: bytes) -> LogRecord | Skip:
        """The record of an entry. `mark`: bytes that identify it in its source. Raises Unreadable."""

    def place(self, data: Any) -> Place | None:
        """Session and time of an entry that has no step of its own, for numbering. Raises Unreadable."""
        del data
        return None

    def cuttable(self, source: Source) -> bool:
        """Whether the file is one of lines that can be read apart, each as `read` does."""
        return type(self).read is JsonFormat.read and of_lines(source)

    def read(self, source: Source) -> Iterator[Item]:
        """The file's entries in order."""
        whole = _document(source)
        if whole is not None:
            data, raw = whole
            if source.after < len(raw):
                yield from self._entries(data, Line(1, 0, len(raw), raw), document=True)
            return
        for line in source.lines():
            if line.problem is not None:
                yield Item(line.number, line.start, line.end, problem=line.problem, raw=line.raw)
                continue
            try:
                data = _loads(line.raw)
            except orjson.JSONDecodeError as error:
                yield Item(line.number, line.start, line.end, problem=f"no JSON: {error}", raw=line.raw)
                continue
            yield from self._entries(data, line, document=False)

    def places(self, source: Source) -> Iterator[Place | None]:
        """Session and time of each entry without a step."""
        whole = _document(source)
        if whole is not None:
            yield from self._places(whole[0])
            return
        for line in source.lines():
            if line.problem is None:
                try:
                    data = _loads(line.raw)
                except orjson.JSONDecodeError:
                    continue
                yield from self._places(data)

    def _places(self, data: Any) -> Iterator[Place | None]:
        try:
            for one in self._split(data):
                yield self.place(one)
        except UNFORESEEN:  # Unreadable among them: the reading itself says why
            yield None

    def _split(self, data: Any) -> Sequence[Any]:
        if isinstance(data, list):
            return [one for part in data for one in self.split(part)]
        return self.split(data)

    def _entries(self, data: Any, line: Line, *, document: bool) -> Iterator[Item]:
        try:
            parts = self._split(data)
        except UNFORESEEN as error:
            yield Item(line.number, line.start, line.end, problem=why(error), raw=line.raw)
            return
        if not parts:
            yield Item(line.number, line.start, line.end, skipped="nothing in it")
        for place, part in enumerate(parts, 1):
            last = place == len(parts)
            number, end = place if document else line.number, line.end if last else line.start
            alone = len(parts) == 1 and not document
            try:
                got = self.entry(part, line.raw.strip() if alone else _mark(part))
                if isinstance(got, LogRecord):
                    check(got)
            except UNFORESEEN as error:
                yield Item(number, line.start, end, problem=why(error), raw=line.raw if alone else _mark(part))
                continue
            if isinstance(got, Skip):
                yield Item(number, line.start, end, skipped=got.rule)
            else:
                yield Item(number, line.start, end, record=got)


def why(error: Exception) -> str:
    """The reason for the quarantine. That a shape was not foreseen is a fault of the importer's, and says so."""
    return str(error) if isinstance(error, Unreadable) else f"unforeseen shape ({type(error).__name__}: {error})"


def _loads(raw: bytes) -> Any:
    return orjson.loads(raw.removeprefix(b"\xef\xbb\xbf"))


def _mark(part: Any) -> bytes:
    try:
        return orjson.dumps(part, option=orjson.OPT_SORT_KEYS, default=repr)
    except TypeError:
        return repr(part).encode("utf-8", "backslashreplace")


def check(record: LogRecord) -> None:
    """Raises Unreadable for a record that cannot be written as JSON again: nested too deeply."""
    payload = (
        record.messages, record.tools, record.params, record.reply, record.more_replies, record.extra
    )  # fmt: skip
    try:
        orjson.dumps(payload)
    except TypeError as error:
        raise Unreadable(f"it cannot be written as JSON again ({error})") from None


def of_lines(source: Source) -> bool:
    """Whether a file is surely no document. A large one that may be is read whole to see it; a small one is not."""
    return _bracket(source) is None or (source.path.stat().st_size > _SMALL and _document(source) is None)


def _bracket(source: Source) -> bytes | None:
    """What a file begins with that may be one document: its first line is no whole JSON, or its only one."""
    head = source.head().removeprefix(b"\xef\xbb\xbf").lstrip()
    first, _, rest = head.partition(b"\n")
    if head[:1] not in (b"{", b"[") or (rest.strip() and _is_json(first)):
        return None
    return head[:1]


def _document(source: Source) -> tuple[Any, bytes] | None:
    """The whole file as JSON, and its bytes, where it is one document over several lines; None for lines.

    A file whose first line is whole JSON is one of lines; so is one of more than 512 MiB.
    """
    if source.piece is not None or (bracket := _bracket(source)) is None:
        return None
    try:
        raw = source.whole(_LARGEST)
        lines = raw is None or (b"\n" not in raw.strip() and bracket == b"{")
        return None if raw is None or lines else (_loads(raw), raw)
    except (DataError, orjson.JSONDecodeError):
        return None


def _is_json(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True
