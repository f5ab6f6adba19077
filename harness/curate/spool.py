"""Redacted contents on disk while calls are curated: each distinct one once, looked up by its place."""

import os
import tempfile
from array import array
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

import orjson

from harness.records.logs import canonical

__all__ = ["Spool"]


class Spool:
    """A file without a name in a folder, gone when closed. It holds about 130 bytes of memory for each content."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (it lives as long as the spool)
        self._places: dict[bytes, int] = {}
        self._ends = array("Q", [0])
        self._unwritten = 0
        self.value = lru_cache(maxsize=1 << 13)(self._value)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        """Distinct contents."""
        return len(self._ends) - 1

    @property
    def total_bytes(self) -> int:
        """Of all distinct contents, as JSON."""
        return self._ends[-1]

    def put(self, value: object) -> int:
        """The place of a JSON value, which is kept if it is new."""
        data = canonical(value)
        return self.put_data(blake2b(data, digest_size=16).digest(), data)

    def put_data(self, hashed: bytes, data: bytes) -> int:
        """The place of a value by the BLAKE2b-128 of its canonical JSON."""
        place = self._places.get(hashed)
        if place is None:
            place = self._places[hashed] = self.append(data)
        return place

    def append(self, data: bytes) -> int:
        """A place of its own for canonical JSON that is not looked up again."""
        self._file.write(data)
        self._ends.append(self._ends[-1] + len(data))
        self._unwritten += 1
        return len(self) - 1

    def full(self) -> None:
        """Drops what was needed to find a value again: nothing is put any more."""
        self._places = {}

    def size(self, place: int) -> int:
        """Bytes of a content."""
        return self._ends[place + 1] - self._ends[place]

    def _value(self, place: int) -> Any:
        """The content at a place; nobody changes it."""
        return orjson.loads(self.data(place))

    def data(self, place: int) -> bytes:
        """The content at a place as canonical JSON."""
        if self._unwritten:
            self._file.flush()
            self._unwritten = 0
        return os.pread(self._file.fileno(), self.size(place), self._ends[place])
