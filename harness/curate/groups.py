"""Calls that must not be split: of one session, of one user, or nearly the same."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from harness.curate.entry import Entry
from harness.curate.near import Near
from harness.curate.rules import ACROSS, NEAR
from harness.records.call import SPLITS

__all__ = ["Links", "drop_across", "drop_near_duplicates", "group", "sizes"]


class Links:
    """Sets that are joined bit by bit (union-find with path halving; the smaller number is the root)."""

    def __init__(self, count: int) -> None:
        self._root = list(range(count))

    def root(self, one: int) -> int:
        """The least member of a set."""
        root = self._root
        while root[one] != one:
            root[one] = root[root[one]]
            one = root[one]
        return one

    def join(self, one: int, other: int) -> None:
        """Makes one set of two."""
        low, high = sorted((self.root(one), self.root(other)))
        self._root[high] = low


def drop_near_duplicates(entries: Iterable[Entry], near: Near) -> None:
    """Marks calls that an earlier one of another session stands for (`Near.replaceable`). In the order of time."""
    kept: dict[int, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.dropped is not None:
            continue
        number = near.number(entry)
        alike = [number, *(other for other in near.candidates(number) if other in kept and near.alike(number, other))]
        stands = next((one for other in alike for one in kept[other] if near.replaceable(entry, one)), None)
        if stands is None:
            kept[number].append(entry)
        else:
            entry.dropped = NEAR
            stands.weight += entry.weight


def group(entries: Sequence[Entry], near: Near, *, users: bool, chains: bool) -> None:
    """Numbers the groups of kept calls: `entry.group` is the place of the group's earliest call.

    entries: in the order of time. users: calls of one end user hang together. chains: near duplicates do too, and
    with them all that hangs on either. A pair that hangs together already is not compared.
    """
    links = Links(len(entries))
    first: dict[tuple[int, str | bytes], int] = {}
    for place, entry in enumerate(entries):
        keys: list[tuple[int, str | bytes]] = [(0, entry.session)] if entry.session is not None else []
        if chains:
            keys.append((1, entry.request))
        if users and entry.user_group is not None:
            keys.append((2, entry.user_group))
        for key in keys:
            links.join(first.setdefault(key, place), place)
    if chains:
        _join_alike(entries, near, links)
    for place, entry in enumerate(entries):
        entry.group = links.root(place)


def _join_alike(entries: Sequence[Entry], near: Near, links: Links) -> None:
    holder: dict[int, int] = {}
    for place, entry in enumerate(entries):
        links.join(holder.setdefault(near.number(entry), place), place)
    for number, place in holder.items():
        for other in near.candidates(number):
            theirs = holder.get(other) if other < number else None
            if theirs is not None and links.root(place) != links.root(theirs) and near.alike(number, other):
                links.join(place, theirs)


def drop_across(entries: Sequence[Entry], near: Near) -> None:
    """Marks calibration calls with a near duplicate in train, and test calls with one in either."""
    numbers = [near.number(entry) for entry in entries]
    taken: set[int] = set()
    for split in SPLITS:
        mine = [place for place, entry in enumerate(entries) if entry.split == split]
        if taken:
            for place in mine:
                number = numbers[place]
                near_ones = (other for other in near.candidates(number) if other in taken)
                if number in taken or any(near.alike(number, other) for other in near_ones):
                    entries[place].dropped = ACROSS
        taken |= {numbers[place] for place in mine if entries[place].dropped is None}


def sizes(entries: Iterable[Entry]) -> Counter[int]:
    """Calls of each group."""
    return Counter(entry.group for entry in entries)
