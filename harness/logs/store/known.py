"""Which ids are there, in 16 bytes each."""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["HASH", "Hashes", "Known", "merged", "place_of", "places_of"]

HASH: Final = "S16"
_FRESH: Final = 1 << 16
Hashes = npt.NDArray[np.bytes_]


class Known:
    """A set of 16-byte hashes: a sorted array, and a small set of what is new. A million take less than 40 MB."""

    def __init__(self) -> None:
        self._sorted: Hashes = np.empty(0, HASH)
        self._fresh: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._sorted) + len(self._fresh)

    def __contains__(self, hashed: bytes) -> bool:
        if hashed in self._fresh:
            return True
        return place_of(self._sorted, hashed) is not None

    def add(self, hashed: bytes) -> bool:
        """Whether it was new; it is known now."""
        if hashed in self:
            return False
        self._fresh.add(hashed)
        if len(self._fresh) >= _FRESH:
            self.add_many(np.array(list(self._fresh), HASH))
            self._fresh.clear()
        return True

    def add_many(self, hashes: Hashes) -> None:
        """Adds an array of hashes, known or not."""
        self._sorted = merged(self._sorted, hashes)

    def update(self, hashes: Iterable[bytes]) -> None:
        """Adds hashes, known or not."""
        for hashed in hashes:
            self.add(hashed)


def place_of(hashes: Hashes, hashed: bytes) -> int | None:
    """Where a hash stands in a sorted array; None where it does not. NumPy takes zero bytes off the end of a text."""
    place = int(hashes.searchsorted(np.bytes_(hashed)))
    return place if place < len(hashes) and hashes[place] == hashed.rstrip(b"\0") else None


def places_of(hashes: Hashes, some: Hashes) -> npt.NDArray[np.intp]:
    """For each of some hashes where it would stand in a sorted array that is not empty; within its bounds always."""
    return np.minimum(hashes.searchsorted(some), len(hashes) - 1)


def merged(left: Hashes, right: Hashes) -> Hashes:
    """The sorted union of two arrays of hashes."""
    both: npt.NDArray[Any] = np.concatenate([left, right])
    both.sort(kind="stable")
    if len(both):
        both = both[np.concatenate([[True], both[1:] != both[:-1]])]
    return both
