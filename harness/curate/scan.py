"""A first look at all rows: which are left out by what they tell themselves, and how the rest is cut into parts."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

import orjson

from harness.curate.canary import MARK, Canary, user_of
from harness.curate.known import KnownValues
from harness.curate.log import Facts, Outside
from harness.curate.redact import MOST_USERS
from harness.curate.rules import Books

__all__ = ["PART", "Cut", "Scanned", "scan"]

PART: Final = 16_384
"""Messages of the requests of a part, those that repeat counted again: a thousand or two of an agent's calls."""
_OF_A_CALL: Final = 4
"""What a call counts besides its messages."""
_WHOLE: Final = 1 << 128


@dataclass(slots=True)
class Cut:
    """Rows that are worked on together."""

    number: int
    first: int
    end: int
    """Before this row."""
    before: int
    """Calls of earlier parts that the first rules leave."""
    calls: int = 0
    """Those of this part."""
    sessions: tuple[str, ...] = ()
    """Those that have calls in other parts too."""


@dataclass(slots=True)
class Scanned:
    """What the rows tell."""

    cuts: list[Cut] = field(default_factory=list)
    users: KnownValues = field(default_factory=lambda: KnownValues(most=MOST_USERS))
    """End users of all calls that are not left out."""
    ids: int = 0

    @property
    def records_hash(self) -> str:
        """Of the ids of all calls, whatever their order."""
        return f"{self.ids % _WHOLE:032x}"


def scan(
    rows: Iterable[Facts],
    first: Callable[[Outside], str | None],
    books: Books,
    people: Sequence[Sequence[Canary]],
    part: int,
) -> Scanned:
    """Fills the books with what `first` leaves out. people: those that are planted behind the first calls."""
    found = Scanned()
    spread = _Spread()
    cut, weight, chosen = Cut(0, 0, 0, 0), 0, 0
    for row, facts in enumerate(rows):
        planted = facts.extra is not None and orjson.loads(facts.extra).get(MARK) is True
        rule = first(facts)
        if not planted:  # those are in no split, and so in no books
            books.read += 1
            found.ids += int.from_bytes(_hash(facts.id), "big")
            if rule is not None:
                books.dropped[rule] += 1
        if rule is not None:
            cut.end = row + 1
            continue
        if weight >= part:
            found.cuts.append(cut)
            cut, weight = Cut(cut.number + 1, row, row, chosen), 0
        weight += facts.messages + _OF_A_CALL
        cut.end, cut.calls = row + 1, cut.calls + 1
        spread.add(facts.session, cut.number)
        for user in _users(facts, people[chosen : chosen + 1]):
            found.users.add(user, "USER_ID", 1.0)
        chosen += 1
    if cut.calls:
        found.cuts.append(cut)
    for one, sessions in spread.by_part():
        found.cuts[one].sessions = sessions
    return found


def _users(facts: Facts, people: Iterable[Sequence[Canary]]) -> Iterator[str]:
    if facts.user:
        yield facts.user
    yield from (user_of(person) for person in people)


def _hash(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class _Spread:
    """Which sessions have calls in several parts."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._parts: dict[str, list[int]] = {}

    def add(self, session: str | None, part: int) -> None:
        """Takes a call; parts come in order."""
        if session is None:
            return
        last = self._last.setdefault(session, part)
        if last != part:
            self._parts.setdefault(session, [last]).append(part)
            self._last[session] = part

    def by_part(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        """The parts that hold such sessions, each with them."""
        found: dict[int, list[str]] = defaultdict(list)
        for session, parts in self._parts.items():
            for part in parts:
                found[part].append(session)
        return ((part, tuple(sessions)) for part, sessions in found.items())
