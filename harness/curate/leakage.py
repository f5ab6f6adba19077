"""How much of the test is in train already, in numbers, for this split and for two that take less care."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.curate.entry import Entry
from harness.curate.near import Near
from harness.curate.splits import chance
from harness.curate.turns import ROLES, Turns
from harness.records.call import SPLITS, Split
from harness.records.curated import LeakageReport, LeakRow
from harness.stats.proportion import clopper_pearson

__all__ = ["leakage"]

_MOST_LOOKED_AT: Final = 2000
_LEAST_RESULT: Final = 40
"""Characters from which on a tool result is content; `ok` is not."""
_EXACT: Final = 1.0 - 1e-12


class _Seen:
    """What of each call is compared, made once for all ways to split: a row for each message of each call."""

    def __init__(self, entries: Sequence[Entry], near: Near, turns: Turns) -> None:
        self.entries = entries
        self.near = near
        self._similar: dict[int, list[tuple[int, float]]] = {}
        flat = array("i")
        for entry in entries:
            flat.extend(entry.messages)
        places = np.array(flat, np.int64)
        self._owners = np.repeat(np.arange(len(entries)), [len(entry.messages) for entry in entries])
        self._roles, self._chars = turns.roles()[places], turns.chars()[places]
        self._texts = turns.texts()[places]

    def alike(self, number: int) -> list[tuple[int, float]]:
        """What else is alike."""
        found = self._similar.get(number)
        if found is None:
            found = self._similar[number] = [one for one in self.near.similar(number) if one[1] >= _LEAST_SHOWN]
        return found

    def last_users(self) -> "_Texts":
        """Of each call that has one the last message of a user."""
        rows = np.flatnonzero(self._roles == ROLES.index("user"))
        last = np.full(len(self.entries), -1)
        last[self._owners[rows]] = rows  # the last of a call wins
        return self._of(last[last >= 0])

    def of_role(self, role: str, least: int = 0) -> "_Texts":
        """The messages of a role with so many characters."""
        return self._of(np.flatnonzero((self._roles == ROLES.index(role)) & (self._chars >= least)))

    def _of(self, rows: NDArray[np.int64]) -> "_Texts":
        return _Texts(self._owners[rows], self._texts[rows])


@dataclass(frozen=True, slots=True)
class _Texts:
    """Texts of calls, by their hashes."""

    owners: NDArray[np.int64]
    """The place of the call."""
    texts: NDArray[np.uint64]

    def shared(self, train: NDArray[np.bool_], test: NDArray[np.bool_]) -> int:
        """Test calls with a text that a train call has. train, test: of each call whether it is one."""
        mine = test[self.owners]
        both = np.isin(self.texts[mine], self.texts[train[self.owners]])
        return len(np.unique(self.owners[mine][both]))


_LEAST_SHOWN: Final = 0.5


def leakage(
    entries: Sequence[Entry], near: Near, turns: Turns, shares: Mapping[Split, float], seed: int
) -> LeakageReport:
    """The report of calls that have their splits; those dropped since then count for the two other ways alone.

    shares: of each split, for the two ways that take less care.
    """
    seen = _Seen(entries, near, turns)
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
    trained = {entries[place].number for place in train}
    closest = [_closest(seen, entries[place].number, trained) for place in looked]
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
    sessions = [{entries[place].session for place in part} - {None} for part in (train, test)]
    users = [{entries[place].user_group for place in part} - {None} for part in (train, test)]
    whose = [np.isin(np.arange(len(entries)), part) for part in (train, test)]
    return {
        "same_request": sum(entries[place].request in requests for place in test),
        "same_last_user": seen.last_users().shared(*whose),
        "same_tool_result": seen.of_role("tool", _LEAST_RESULT).shared(*whose),
        "same_system": seen.of_role("system").shared(*whose),
        "shared_sessions": len(sessions[0] & sessions[1]),
        "shared_users": len(users[0] & users[1]),
    }
