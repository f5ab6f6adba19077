"""How much of the test is in train already, in numbers, for this split and for two that take less care."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Final

from harness.curate.asking import plain_text
from harness.curate.entry import Entry
from harness.curate.near import Near
from harness.curate.splits import chance
from harness.curate.spool import Spool
from harness.records.call import SPLITS, Split
from harness.records.curated import LeakageReport, LeakRow
from harness.stats.proportion import clopper_pearson

__all__ = ["leakage"]

_MOST_LOOKED_AT: Final = 2000
_LEAST_RESULT: Final = 40
"""Characters from which on a tool result is content; `ok` is not."""
_EXACT: Final = 1.0 - 1e-12


@dataclass
class _Seen:
    """What of each call is compared, made once for all ways to split."""

    entries: Sequence[Entry]
    near: Near
    spool: Spool

    @cached_property
    def numbers(self) -> list[int]:
        """Of each call in the index."""
        return [self.near.number(entry) for entry in self.entries]

    @cached_property
    def last_users(self) -> list[bytes | None]:
        return [self._last_user(entry) for entry in self.entries]

    @cached_property
    def systems(self) -> list[frozenset[int]]:
        return [frozenset(self._of_role(entry, "system", 0)) for entry in self.entries]

    @cached_property
    def results(self) -> list[frozenset[int]]:
        return [frozenset(self._of_role(entry, "tool", _LEAST_RESULT)) for entry in self.entries]

    @cached_property
    def similar(self) -> dict[int, list[tuple[int, float]]]:
        """By number, what else is alike; filled as it is asked for."""
        return {}

    def alike(self, number: int) -> list[tuple[int, float]]:
        found = self.similar.get(number)
        if found is None:
            found = self.similar[number] = [one for one in self.near.similar(number) if one[1] >= _LEAST_SHOWN]
        return found

    @cached_property
    def _roles(self) -> dict[int, tuple[str, bytes, int]]:
        """Of each message its role, the hash of its text and the text's length."""
        known: dict[int, tuple[str, bytes, int]] = {}
        for entry in self.entries:
            for place in entry.messages:
                if place not in known:
                    message = self.spool.value(place)
                    text = plain_text(message.get("content"))
                    hashed = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
                    known[place] = (str(message.get("role")), hashed, len(text))
        return known

    def _of_role(self, entry: Entry, role: str, least: int) -> Iterable[int]:
        """Hashes of an entry's messages of a role with so many characters."""
        found = (self._roles[place] for place in entry.messages)
        return (int.from_bytes(hashed, "big") for said, hashed, length in found if said == role and length >= least)

    def _last_user(self, entry: Entry) -> bytes | None:
        found = (self._roles[place] for place in reversed(entry.messages))
        return next((hashed for role, hashed, _ in found if role == "user"), None)


_LEAST_SHOWN: Final = 0.5


def leakage(
    entries: Sequence[Entry], near: Near, spool: Spool, shares: Mapping[Split, float], seed: int
) -> LeakageReport:
    """The report of calls that have their splits; those dropped since then count for the two other ways alone.

    shares: of each split, for the two ways that take less care.
    """
    seen = _Seen(entries, near, spool)
    by_call = [_at(shares, chance(seed, entry.record)) for entry in entries]
    by_unit = [_at(shares, chance(seed, entry.unit)) for entry in entries]
    done = [entry.split if entry.dropped is None else None for entry in entries]
    ways: dict[str, Sequence[Split | None]] = {"calls": by_call, "sessions": by_unit, "groups": done}
    train, test = (
        [entry.at for entry, split in zip(entries, done, strict=True) if split == wanted and entry.at is not None]
        for wanted in ("train", "test")
    )
    until = max(train, default=None)
    return LeakageReport(
        threshold=near.threshold,
        rows=tuple(_row(name, split, seen, seed) for name, split in ways.items()),
        train_until=until,
        test_from=min(test, default=None),
        test_before_train_ends=0 if until is None else sum(at < until for at in test),
    )


def _at(shares: Mapping[Split, float], draw: float) -> Split:
    bound = 0.0
    for split in SPLITS:
        bound += shares[split]
        if draw < bound:
            return split
    return "test"


def _row(name: str, splits: Sequence[Split | None], seen: _Seen, seed: int) -> LeakRow:
    entries = seen.entries
    train = [place for place, split in enumerate(splits) if split == "train"]
    test = [place for place, split in enumerate(splits) if split == "test"]
    looked = sorted(test, key=lambda place: chance(seed, entries[place].record))[:_MOST_LOOKED_AT]
    trained = {seen.numbers[place] for place in train}
    closest = [_closest(seen, seen.numbers[place], trained) for place in looked]
    over = sum(one >= seen.near.threshold for one in closest)
    return LeakRow(
        split=name,
        test_calls=len(test),
        looked_at=len(looked),
        at_80=sum(one >= 0.8 for one in closest),
        at_90=sum(one >= 0.9 for one in closest),
        at_100=sum(one >= _EXACT for one in closest),
        at_threshold=over,
        interval=clopper_pearson(over, len(looked)) if looked else None,
        **_overlaps(seen, train, test),
    )


def _closest(seen: _Seen, number: int, trained: set[int]) -> float:
    """The highest similarity of a call to one in train, as far as .5 or more."""
    if number in trained:
        return 1.0
    return max((similarity for other, similarity in seen.alike(number) if other in trained), default=0.0)


def _overlaps(seen: _Seen, train: Sequence[int], test: Sequence[int]) -> dict[str, int]:
    entries = seen.entries
    requests = {entries[place].request for place in train}
    last = {seen.last_users[place] for place in train} - {None}
    results = frozenset[int]().union(*(seen.results[place] for place in train))
    systems = frozenset[int]().union(*(seen.systems[place] for place in train))
    sessions = [{entries[place].session for place in part} - {None} for part in (train, test)]
    users = [{entries[place].user_group for place in part} - {None} for part in (train, test)]
    return {
        "same_request": sum(entries[place].request in requests for place in test),
        "same_last_user": sum(seen.last_users[place] in last for place in test),
        "same_tool_result": sum(not results.isdisjoint(seen.results[place]) for place in test),
        "same_system": sum(not systems.isdisjoint(seen.systems[place]) for place in test),
        "shared_sessions": len(sessions[0] & sessions[1]),
        "shared_users": len(users[0] & users[1]),
    }
