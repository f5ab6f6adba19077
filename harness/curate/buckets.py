"""Sets that are perhaps alike: MinHash signatures in bands (LSH), as arrays and not as a table of Python objects.

The permutations are datasketch's (scheme affine32), and so the same pairs are found as with its `MinHashLSH`, which
keeps a dictionary for each band.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np
from datasketch import MinHash
from numpy.typing import NDArray

from harness.curate.shingles import Hashes

__all__ = ["Buckets", "bands", "buckets_of", "signatures"]

_RECALL: Final = 0.99
_TOGETHER: Final = 2048
"""Calls whose signatures are in memory."""
_MOST_HASHES: Final = 1 << 15
"""Hashes that are permuted at once: 16 MB with 128 permutations."""
_EMPTY: Final = np.uint32(0xFFFFFFFF)
_ODD: Final = np.uint64(0x9E3779B97F4A7C15)
Signatures = NDArray[np.uint32]
"""A column for each set, a row for each permutation."""


def bands(threshold: float, perms: int) -> tuple[int, int]:
    """Bands and rows of an LSH index that proposes a pair at the threshold with probability .99 or more.

    The most rows, so the fewest false proposals, with 1 − (1 − s^r)^b ≥ .99. Source: Leskovec, Rajaraman and Ullman
    2014, Mining of Massive Datasets, section 3.4.
    >>> bands(0.8, 128)
    (21, 6)
    """
    rows = 1
    while perms // (rows + 1) and 1 - (1 - threshold ** (rows + 1)) ** (perms // (rows + 1)) >= _RECALL:
        rows += 1
    return perms // rows, rows


@dataclass(frozen=True, slots=True)
class Buckets:
    """Which numbers share a band. Only buckets of two and more are kept."""

    of: NDArray[np.int32]
    """A row for each number, a column for each band: the bucket, or -1 where nobody else is in it."""
    starts: NDArray[np.int64]
    """Of each bucket, and behind the last."""
    members: NDArray[np.int32]
    """Of all buckets, one behind the other."""

    def others(self, number: int) -> list[int]:
        """Who shares a bucket with a number, in order."""
        mine = self.of[number]
        mine = mine[mine >= 0]
        if not len(mine):
            return []
        starts, ends = self.starts[mine].tolist(), self.starts[mine + 1].tolist()
        found = np.unique(np.concatenate([self.members[a:b] for a, b in zip(starts, ends, strict=True)]))
        others: list[int] = found[found != number].tolist()
        return others


def buckets_of(sets: Iterable[Sequence[int]], part: Callable[[int], Hashes], threshold: float, perms: int) -> Buckets:
    """The buckets of sets, each a union of parts. part: gives a part by its name."""
    count, rows = bands(threshold, perms)
    made = MinHash(num_perm=perms, scheme="affine32").permutations
    keys = [_keys(_unions(some, part, made), count, rows) for some in _chunks(sets)]
    every = np.concatenate(keys) if keys else np.empty((0, count), np.uint64)
    del keys
    return _buckets(every)


def _chunks(sets: Iterable[Sequence[int]]) -> Iterator[list[Sequence[int]]]:
    rest = iter(sets)
    while some := list(islice(rest, _TOGETHER)):
        yield some


def _unions(sets: Sequence[Sequence[int]], part: Callable[[int], Hashes], made: NDArray[np.uint32]) -> Signatures:
    """The signatures of unions: the least of their parts'."""
    names = sorted({name for one in sets for name in one})
    column = {name: place for place, name in enumerate(names)}
    parts = signatures([part(name) for name in names], made)
    columns = np.array([column[name] for one in sets for name in one], np.int64)
    return _least(parts[:, columns], np.array([len(one) for one in sets], np.int64))


def signatures(sets: Sequence[Hashes], made: NDArray[np.uint32]) -> Signatures:
    """The MinHash signatures of sets of hashes, as datasketch's scheme affine32 has them. made: its permutations."""
    found = [np.empty((made.shape[1], 0), np.uint32)]
    start = 0
    while start < len(sets):
        end, size = start, 0
        while end < len(sets) and (end == start or size + len(sets[end]) <= _MOST_HASHES):
            size, end = size + len(sets[end]), end + 1
        hashes = _mixed(np.concatenate(sets[start:end]))
        values = made[0][:, None] * hashes[None, :] + made[1][:, None]
        found.append(_least(values, np.array([len(one) for one in sets[start:end]], np.int64)))
        start = end
    return np.concatenate(found, axis=1)


def _least(values: Signatures, sizes: NDArray[np.int64]) -> Signatures:
    """The least of each run of columns. Of an empty one the greatest there is."""
    least = np.full((len(values), len(sizes)), _EMPTY)
    some = sizes > 0
    if some.any():
        starts = (np.cumsum(sizes) - sizes)[some]
        least[:, some] = np.minimum.reduceat(values, starts, axis=1)
    return least


def _mixed(hashes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The finalizer of MurmurHash3 (Appleby 2016), a bijection."""
    mixed = hashes ^ (hashes >> np.uint32(16))
    mixed *= np.uint32(0x85EBCA6B)
    mixed ^= mixed >> np.uint32(13)
    mixed *= np.uint32(0xC2B2AE35)
    mixed ^= mixed >> np.uint32(16)
    return mixed


def _keys(signed: Signatures, count: int, rows: int) -> NDArray[np.uint64]:
    """64 bits for each band of each set: two with the same are in one bucket, another is so once in 10^19 pairs."""
    keys = np.zeros((signed.shape[1], count), np.uint64)
    for band in range(count):
        key = np.zeros(signed.shape[1], np.uint64)
        for row in signed[band * rows : (band + 1) * rows]:
            key = (key ^ row) * _ODD
            key ^= key >> np.uint64(32)
        keys[:, band] = key
    return keys


def _buckets(keys: NDArray[np.uint64]) -> Buckets:
    of = np.full(keys.shape, -1, np.int32)
    members: list[NDArray[np.int32]] = []
    sizes: list[NDArray[np.int64]] = []
    count = 0
    for band in range(keys.shape[1]):
        order = np.argsort(keys[:, band], kind="stable").astype(np.int32)
        _, inverse, counts = np.unique(keys[:, band], return_inverse=True, return_counts=True)
        shared = counts > 1
        numbered = np.where(shared, np.cumsum(shared) - 1 + count, -1).astype(np.int32)
        of[:, band] = numbered[inverse]
        members.append(order[of[order, band] >= 0])
        sizes.append(counts[shared].astype(np.int64))
        count += int(shared.sum())
    ends = np.cumsum(np.concatenate([np.zeros(1, np.int64), *sizes]))
    return Buckets(of, ends, np.concatenate([np.empty(0, np.int32), *members]))
