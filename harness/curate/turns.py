"""What is asked of each message of a request when calls are compared: its role, its text's hash, its runs of words."""

import os
import tempfile
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.curate.asking import plain_text
from harness.curate.shingles import Hashes, message_runs

__all__ = ["ROLES", "Turns", "TurnsMade"]

ROLES: Final = ("system", "user", "assistant", "tool")
_OTHER: Final = len(ROLES)
_ABSENT: Final = 255
_PROMPT: Final = 64
"""Added to the role of a message that may be a prompt template."""


@dataclass(slots=True)
class TurnsMade:
    """Those of some messages, by the place that each has among its contents."""

    places: "array[int]" = field(default_factory=lambda: array("i"))
    roles: bytearray = field(default_factory=bytearray)
    texts: "array[int]" = field(default_factory=lambda: array("Q"))
    chars: "array[int]" = field(default_factory=lambda: array("I"))
    counts: "array[int]" = field(default_factory=lambda: array("I"))
    runs: bytearray = field(default_factory=bytearray)

    def add(self, place: int, message: Mapping[str, Any]) -> None:
        """Takes a message."""
        role = str(message.get("role"))
        text = plain_text(message.get("content"))
        prompt, runs = message_runs(message)
        self.places.append(place)
        self.roles.append((ROLES.index(role) if role in ROLES else _OTHER) + _PROMPT * prompt)
        hashed = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        self.texts.append(int.from_bytes(hashed, "big"))
        self.chars.append(len(text))
        self.counts.append(len(runs))
        self.runs += runs.tobytes()


class Turns:
    """Those of all messages, by their place in the spool: 25 bytes each in memory, their runs in a nameless file."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (it lives as long as this)
        self._roles = bytearray()
        self._texts = array("Q")
        self._chars = array("I")
        self._counts = array("I")
        self._starts = array("Q")
        self._end = 0

    def close(self) -> None:
        """Drops the file."""
        self._file.close()

    def add(self, made: TurnsMade, places: "array[int]") -> None:
        """Takes those of some messages. places: in the spool, by the place that each has among its own."""
        self._grow(max(places, default=-1) + 1)
        start = 0
        for number, own in enumerate(made.places):
            place, count = places[own], made.counts[number]
            if self._roles[place] == _ABSENT:
                self._roles[place] = made.roles[number]
                self._texts[place] = made.texts[number]
                self._chars[place] = made.chars[number]
                self._counts[place] = count
                self._starts[place] = self._end
                self._file.write(memoryview(made.runs)[start : start + 4 * count])
                self._end += 4 * count
            start += 4 * count
        self._file.flush()

    def _grow(self, size: int) -> None:
        more = size - len(self._roles)
        if more > 0:
            self._roles += bytes([_ABSENT]) * more
            for column in (self._texts, self._chars, self._counts, self._starts):
                column.frombytes(bytes(more * column.itemsize))

    def runs(self, place: int) -> tuple[bool, Hashes]:
        """Whether a message may be a prompt template, and its runs of words."""
        count = self._counts[place]
        data = os.pread(self._file.fileno(), 4 * count, self._starts[place])
        return bool(self._roles[place] & _PROMPT), np.frombuffer(data, np.uint32)

    def roles(self) -> NDArray[np.uint8]:
        """Of each place the number of its role in `ROLES`, or another number."""
        return np.frombuffer(bytes(self._roles), np.uint8) & np.uint8(_PROMPT - 1)

    def texts(self) -> NDArray[np.uint64]:
        """Of each place the hash of its text."""
        return np.array(self._texts, np.uint64)

    def chars(self) -> NDArray[np.uint32]:
        """Of each place how long its text is."""
        return np.array(self._chars, np.uint32)
