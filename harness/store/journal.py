"""Append-only journal of records: JSON lines with a checksum each, on disk before they count, readable while written.

A line is the record's JSON object with one more key at its end, `crc32`, over the bytes before it. A process that is
killed leaves at most one torn line at the end, which the next writer cuts off.
"""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import orjson
from pydantic import ValidationError

from harness.errors import DataError
from harness.records import Record

__all__ = ["Journal", "opened", "parse_line", "read_journal", "read_lines"]

R = TypeVar("R", bound=Record)
_SEAL = b',"crc32":"%08x"}'
_TAIL = len(_SEAL % 0)


def _seal(line: bytes) -> bytes:
    body = line[:-1]
    return body + _SEAL % zlib.crc32(body) + b"\n"


def opened(line: bytes) -> bytes | None:
    """The JSON object of a line without newline and checksum; None if the line is damaged.

    A line without a checksum, written by hand or by another tool, is sound if it is a JSON object.
    """
    seal = line[-_TAIL:]
    if seal.startswith(b',"crc32":"'):
        body = line[:-_TAIL]
        return body + b"}" if seal == _SEAL % zlib.crc32(body) else None
    try:
        return line if isinstance(orjson.loads(line), dict) else None
    except orjson.JSONDecodeError:
        return None


class Journal:
    """The one writer of a journal file. Opening it cuts off a torn last line; `torn_bytes` says how much that was.

    Raises DataError if a line before the last is damaged, or if the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.torn_bytes = _cut_torn_end(path) if path.exists() else 0
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise DataError(f"{path} cannot be written ({error.strerror}); choose another: paths.results=…") from error

    def append(self, record: Record) -> None:
        """Writes a record and returns when the operating system has it. Raises DataError if the disk refuses."""
        self.append_json(record.__pydantic_serializer__.to_json(record))  # model_dump_json, but bytes as they are

    def append_json(self, line: bytes) -> None:
        """Like `append`, for a JSON object that is already serialised: at least one key, no newline."""
        sealed = _seal(line)
        done = 0
        try:
            while done < len(sealed):
                done += os.write(self._fd, sealed[done:])
        except OSError as error:
            if done:
                os.ftruncate(self._fd, os.fstat(self._fd).st_size - done)
            raise _refused(self.path, error) from error

    def sync(self) -> None:
        """Forces what was appended to the disk itself. Raises DataError if the disk refuses."""
        try:
            os.fsync(self._fd)
        except OSError as error:  # a disk that was full all along may say so only now
            raise _refused(self.path, error) from error

    def close(self) -> None:
        """Syncs and closes; a second call does nothing."""
        if self._fd >= 0:
            try:
                self.sync()
            finally:
                os.close(self._fd)
                self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _refused(path: Path, error: OSError) -> DataError:
    return DataError(
        f"{path.name} cannot be written ({error.strerror}); what was finished is safe: "
        "make room, then run the same command again to go on"
    )


def _cut_torn_end(path: Path) -> int:
    """Truncates the file after its last sound line if what follows is one torn line; returns the bytes cut.

    Raises DataError if more than that is damaged: it is no torn write then, and nothing is thrown away.
    """
    sound_end = position = 0
    first_bad = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            position += len(line)
            if first_bad:
                raise DataError(
                    f"{path.name} line {first_bad} is damaged in the middle of the file; "
                    "remove that line (its attempt is made again), or start a new run with run.resume=never"
                )
            if line.endswith(b"\n") and opened(line[:-1]) is not None:
                sound_end = position
            else:
                first_bad = number
    torn = position - sound_end
    if torn:
        os.truncate(path, sound_end)
    return torn


def read_lines(path: Path, until: int | None = None) -> Iterator[tuple[int, bytes]]:
    """(offset in the file, JSON object) of each line in order; a torn or damaged last line is left out.

    until: offset at which to stop. A line that another process is writing just now is not there yet.
    Raises DataError on a damaged line before the last, or if the file cannot be read.
    """
    held: str | None = None
    offset = 0
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                if not raw.endswith(b"\n") or (until is not None and offset >= until):
                    return
                if held is not None:
                    raise DataError(held)
                body = opened(raw[:-1])
                if body is None:
                    held = f"{path.name} line {number} is damaged; remove that line to read the rest"
                else:
                    yield offset, body
                offset += len(raw)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from error


def parse_line(body: bytes, kind: type[R], path: Path) -> R:
    """The record of a line. Raises DataError if this version knows no such record."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "line"
        raise DataError(
            f"{path.name} cannot be read: {where}: {first['msg']}; was it written by another version?"
        ) from None


def read_journal(path: Path, kind: type[R]) -> Iterator[R]:
    """The records of a journal in order; a torn last line is left out. Raises DataError on a damaged line before it.

    A file without checksums (written by hand or by another tool) is read as plain JSON lines.
    """
    for _, body in read_lines(path):
        yield parse_line(body, kind, path)
