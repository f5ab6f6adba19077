"""How far each log file was read, so that an import goes on where an earlier one ended."""

import os
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Final

from pydantic import Field, ValidationError

from harness.errors import DataError
from harness.records import Record

__all__ = ["NOTES", "Done", "FileNote", "Notes"]

NOTES: Final = "notes.json"
_HEAD: Final = 1 << 16


class FileNote(Record):
    """How far a file was read, and what it looked like then. Neither its name nor anything of what is in it."""

    size: int
    mtime_ns: int
    head_bytes: int
    head: str
    """Hash of the first `head_bytes` bytes."""
    done: int
    """Bytes, unpacked, whose entries are in the store."""
    whole: bool
    format: str | None = None
    """It was read as; `""`: as none, since it looked like no log. None: an earlier version did not say."""
    read: int
    quarantined: int


class _NotesRecord(Record):
    files: dict[str, FileNote] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Done:
    """How far a file was read in a format; entries are those of earlier imports too."""

    format: str
    done: int
    whole: bool
    read: int
    quarantined: int


@dataclass(slots=True)
class Notes:
    """The notes of a store. Files are known by a hash of their path with the store's salt."""

    salt: str
    files: dict[str, FileNote] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, salt: str) -> "Notes":
        """The notes in a store's folder. Raises DataError where they cannot be read."""
        path = folder / NOTES
        if not path.exists():
            return cls(salt)
        try:
            return cls(salt, dict(_NotesRecord.model_validate_json(path.read_bytes()).files))
        except (OSError, ValidationError):
            raise DataError(
                f"{path} cannot be read; remove it, and all logs are read again (none is kept twice)"
            ) from None

    def data(self) -> bytes:
        """As they are written."""
        return _NotesRecord(files=self.files).model_dump_json().encode()

    def before(self, path: Path, format: str) -> FileNote | None:
        """What an earlier import noted of a file in this format, if the file begins as it did and is no shorter."""
        note = self._noted(path, format)
        if note is None:
            return None
        size = path.stat().st_size
        return note if size >= note.size and _head(path, note.head_bytes) == note.head else None

    def unchanged(self, path: Path, format: str) -> bool:
        """Whether a file was read whole in this format and is as it was then."""
        note = self._noted(path, format)
        found = path.stat()
        return note is not None and note.whole and (note.size, note.mtime_ns) == (found.st_size, found.st_mtime_ns)

    def _noted(self, path: Path, format: str) -> FileNote | None:
        note = self.files.get(self._name(path))
        return note if note is not None and note.format in (None, format) else None

    def put(self, path: Path, found: os.stat_result, note: "Done") -> None:
        """Notes how far a file is. found: its state before it was read."""
        head_bytes = min(_HEAD, found.st_size)
        name = self._name(path)
        known = self.files.get(name)
        same = known is not None and (known.size, known.head_bytes) == (found.st_size, head_bytes)
        head = known.head if known is not None and same and known.done <= note.done else _head(path, head_bytes)
        self.files[name] = FileNote(
            size=found.st_size,
            mtime_ns=found.st_mtime_ns,
            head_bytes=head_bytes,
            head=head,
            done=note.done,
            whole=note.whole,
            format=note.format,
            read=note.read,
            quarantined=note.quarantined,
        )

    def _name(self, path: Path) -> str:
        absolute = os.fsencode(path.resolve())
        return blake2b(absolute, key=bytes.fromhex(self.salt), digest_size=16).hexdigest()


def _head(path: Path, size: int) -> str:
    with path.open("rb") as file:
        return blake2b(file.read(size), digest_size=16).hexdigest()
