"""Near-duplicate calls: MinHash (datasketch) proposes pairs, exact Jaccard similarity decides."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from datasketch import MinHash, MinHashLSH
from numpy.typing import NDArray

from harness.curate.asking import action_of, plain_text
from harness.curate.entry import Entry
from harness.curate.shingles import Shingles, jaccard, shingle
from harness.curate.spool import Spool

__all__ = ["Near", "bands"]

_SCHEME: Final = "affine32"
_RECALL: Final = 0.99


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


class Near:
    """An index of what calls say. Calls that say the same stand in it once."""

    def __init__(self, spool: Spool, shingles: Shingles, threshold: float, perms: int) -> None:
        self._spool = spool
        self._shingles = shingles
        self.threshold = threshold
        self._perms = perms
        self._seeds = MinHash(num_perm=perms, scheme=_SCHEME).permutations
        # Found are pairs from .8 on in any case: the leakage report counts those.
        self._index = MinHashLSH(num_perm=perms, params=bands(min(threshold, 0.8), perms))
        self._signatures: dict[int, NDArray[np.uint32]] = {}
        self._numbers: dict[tuple[int, ...], int] = {}
        self._places: list[tuple[int, ...]] = []

    def number(self, entry: Entry) -> int:
        """The place of what a call says in the index, where it is put if it is new."""
        return self._number(self._shingles.places(entry))

    def _number(self, places: tuple[int, ...]) -> int:
        number = self._numbers.get(places)
        if number is None:
            number = self._numbers[places] = len(self._places)
            self._places.append(places)
            self._index.insert(number, self._signature(places), check_duplication=False)
        return number

    def similar(self, number: int) -> Iterator[tuple[int, float]]:
        """What else in the index is perhaps alike, with its exact similarity."""
        mine = self._shingles.of_call(self._places[number])
        for other in self.candidates(number):
            yield other, jaccard(mine, self._shingles.of_call(self._places[other]))

    def candidates(self, number: int) -> list[int]:
        """What else in the index is perhaps alike, in order."""
        found = self._index.query(self._signature(self._places[number]))
        return sorted(other for other in found if other != number)

    def alike(self, one: int, other: int) -> bool:
        """Whether the exact similarity of two reaches the threshold."""
        mine, theirs = (self._shingles.of_call(self._places[number]) for number in (one, other))
        short, long = sorted((len(mine), len(theirs)))
        return short >= self.threshold * long and jaccard(mine, theirs) >= self.threshold

    def _signature(self, places: tuple[int, ...]) -> MinHash:
        """The signature of a union is the least of its parts'."""
        parts = [self._part(place) for place in places]
        if not parts:
            return MinHash(num_perm=self._perms, scheme=_SCHEME, permutations=self._seeds)
        values = np.minimum.reduce(parts)
        return MinHash(hashvalues=values, scheme=_SCHEME, permutations=self._seeds)

    def _part(self, place: int) -> NDArray[np.uint32]:
        known = self._signatures.get(place)
        if known is None:
            made = MinHash(num_perm=self._perms, hashfunc=int, scheme=_SCHEME, permutations=self._seeds)
            made.update_batch(self._shingles.part(place).tolist())
            known = self._signatures[place] = made.hashvalues
        return known

    def replaceable(self, entry: Entry, earlier: Entry) -> bool:
        """Whether a call may be dropped for an earlier one that says nearly the same.

        Only across sessions, for successive steps of one session share their history; with the same order of roles,
        a last turn as alike as the whole, and the same action: the same tool calls, or a text as alike.
        """
        if entry.unit == earlier.unit or entry.model != earlier.model:
            return False
        mine, theirs = ([self._spool.value(place) for place in one.messages] for one in (entry, earlier))
        if [message["role"] for message in mine] != [message["role"] for message in theirs]:
            return False
        turn = _last_turn([str(message["role"]) for message in mine])
        news = [_joined(self._shingles, one.messages[turn:]) for one in (entry, earlier)]
        replies = [self._spool.value(one.reply) for one in (entry, earlier)]
        if jaccard(*news) < self.threshold or action_of(replies[0]) != action_of(replies[1]):
            return False
        texts = [plain_text(reply.get("content")) for reply in replies]
        return texts[0] == texts[1] or jaccard(*(shingle(text, "") for text in texts)) >= self.threshold


def _last_turn(roles: Sequence[str]) -> int:
    """Place of the first message after the assistant's last one."""
    return max((place + 1 for place, role in enumerate(roles) if role == "assistant"), default=0)


def _joined(shingles: Shingles, places: Sequence[int]) -> Any:
    return shingles.of_call(tuple(sorted(set(places))))
