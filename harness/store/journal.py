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

from harness.errors import DataError
from harness.records import Record

__all__ = ["Journal", "read_journal"]

R = TypeVar("R", bound=Record)
_TAIL = len(b',"crc32":"00000000"}')


def _seal(line: bytes) -> bytes:
    body = line[:-1]
    return b'%b,"crc32":"%08x"}\n' % (body, zlib.crc32(body))


def _sound(line: bytes) -> bool:
    """Whether a line without its newline carries the checksum of its own body."""
    body, tail = line[:-_TAIL], line[-_TAIL:]
    return tail == b',"crc32":"%08x"}' % zlib.crc32(body) if len(line) > _TAIL else False


def _open_line(line: bytes) -> bytes:
    return line[:-_TAIL] + b"}"


class Journal:
    """The one writer of a journal file. Opening it cuts off a torn last line; `torn_bytes` says how much that was."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.torn_bytes = _cut_torn_end(path) if path.exists() else 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._fd = os.open(path, flags, 0o644)

    def append(self, record: Record) -> None:
        """Writes a record and returns when the operating system has it. Raises DataError if the disk refuses."""
        self.append_json(record.model_dump_json().encode())

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
            raise DataError(
                f"{self.path.name} cannot be written ({error.strerror}); what was finished is safe: "
                "make room, then run the same command again to go on"
            ) from error

    def sync(self) -> None:
        """Forces what was appended to the disk itself."""
        os.fsync(self._fd)

    def close(self) -> None:
        """Syncs and closes; a second call does nothing."""
        if self._fd >= 0:
            self.sync()
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _cut_torn_end(path: Path) -> int:
    """Truncates the file after its last sound line if what follows is torn; returns the bytes cut.

    Raises DataError if a line before the last is damaged: that is no torn write, and nothing is thrown away.
    """
    sound_end = position = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            position += len(line)
            if line.endswith(b"\n") and _sound(line[:-1]):
                if sound_end != position - len(line):
                    raise DataError(
                        f"{path.name} line {number - 1} is damaged in the middle of the file; "
                        "repair or remove that line, or start a new run with run.resume=never"
                    )
                sound_end = position
    torn = position - sound_end
    if torn:
        os.truncate(path, sound_end)
    return torn


def read_journal(path: Path, kind: type[R]) -> Iterator[R]:
    """The records of a journal in order; a torn last line is left out. Raises DataError on a damaged line before it.

    A file without checksums (written by hand or by another tool) is read as plain JSON lines.
    """
    held: str | None = None
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if held is not None:
                raise DataError(held)
            line = raw.rstrip(b"\n")
            sealed = line[-_TAIL:].startswith(b',"crc32":"')
            if not raw.endswith(b"\n") or (sealed and not _sound(line)):
                held = f"{path.name} line {number} is damaged; remove that line to read the rest"
                continue
            data = orjson.loads(_open_line(line) if sealed else line)
            yield kind.model_validate(data, strict=False)
