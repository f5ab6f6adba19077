"""Near-duplicate calls: MinHash proposes pairs, exact Jaccard similarity decides."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b

from harness.curate.asking import action_of, plain_text
from harness.curate.buckets import buckets_of
from harness.curate.entry import Entry
from harness.curate.shingles import Hashes, Shingles, jaccard, shingle
from harness.curate.spool import Spool

__all__ = ["Near"]


class Near:
    """An index of what calls say. Calls that say the same stand in it once, and it holds about 200 bytes for each."""

    def __init__(
        self, spool: Spool, shingles: Shingles, threshold: float, perms: int, entries: Iterable[Entry]
    ) -> None:
        """entries: the calls that are compared; each gets the number of what it says."""
        self._spool = spool
        self._shingles = shingles
        self.threshold = threshold
        self._places: list[Entry] = _numbered(entries, shingles)
        # Found are pairs from .8 on in any case: the leakage report counts those.
        self._buckets = buckets_of(map(shingles.places, self._places), shingles.part, min(threshold, 0.8), perms)

    def number(self, entry: Entry) -> int:
        """The place of what a call says in the index."""
        return entry.number

    def _set(self, number: int) -> Hashes:
        return self._shingles.of_call(self._shingles.places(self._places[number]))

    def similar(self, number: int) -> Iterator[tuple[int, float]]:
        """What else in the index is perhaps alike, with its exact similarity."""
        mine = self._set(number)
        for other in self.candidates(number):
            yield other, jaccard(mine, self._set(other))

    def candidates(self, number: int) -> list[int]:
        """What else in the index is perhaps alike, in order."""
        return self._buckets.others(number)

    def alike(self, one: int, other: int) -> bool:
        """Whether the exact similarity of two reaches the threshold."""
        mine, theirs = self._set(one), self._set(other)
        short, long = sorted((len(mine), len(theirs)))
        return short >= self.threshold * long and jaccard(mine, theirs) >= self.threshold

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


def _numbered(entries: Iterable[Entry], shingles: Shingles) -> list[Entry]:
    """Numbers what calls say, in their order; returns the first call of each number."""
    numbers: dict[bytes, int] = {}
    firsts: list[Entry] = []
    for entry in entries:
        key = blake2b(array("q", shingles.places(entry)).tobytes(), digest_size=16).digest()
        entry.number = numbers.setdefault(key, len(firsts))
        if entry.number == len(firsts):
            firsts.append(entry)
    return firsts


def _last_turn(roles: Sequence[str]) -> int:
    """Place of the first message after the assistant's last one."""
    return max((place + 1 for place, role in enumerate(roles) if role == "assistant"), default=0)


def _joined(shingles: Shingles, places: Sequence[int]) -> Hashes:
    return shingles.of_call(tuple(sorted(set(places))))
