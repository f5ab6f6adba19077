"""Records in, redacted entries out, part by part: nothing is derived from a record before it is redacted."""

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from sys import intern
from typing import Final, cast

from harness.cores import Cores
from harness.curate.canary import Canary
from harness.curate.entry import Entry, in_time_order
from harness.curate.known import tokens_of
from harness.curate.learning import Found
from harness.curate.log import Log
from harness.curate.portions import Learnt, Part, Portion, Redacting
from harness.curate.redaction import Off, Redaction
from harness.curate.rules import Books, FirstRules
from harness.curate.scan import Cut, Scanned, scan
from harness.curate.spool import Spool
from harness.curate.turns import Turns

__all__ = ["LEARNING", "REDACTING", "Intake", "Taken", "take_in"]

LEARNING: Final = "learning what is personal"
REDACTING: Final = "reading and redacting"
_PLANTED: Final = "planted"


@dataclass(frozen=True, slots=True)
class Taken:
    """What came in."""

    entries: list[Entry]
    """In the order of time."""
    request_bytes: int
    """Of all requests that were redacted, as JSON, each with its whole history."""
    records_hash: str


@dataclass(slots=True)
class Intake:
    """Where redacted calls go."""

    spool: Spool
    turns: Turns
    books: Books
    first: FirstRules
    tell: Callable[[str, int], None]
    """The step, learning or redacting, and how much of the requests is done, in characters or bytes."""
    part: int
    """Size of a part, see `scan`."""


def take_in(log: Log, intake: Intake, redaction: Redaction | Off, cores: Cores) -> Taken:
    """Reads all records; the first rules say which are left out before they are redacted.

    What comes out is the same for any cores and parts of any size.
    """
    with log.noted():
        people = redaction.begin()
        scanned = scan(log.facts(f'"{_PLANTED}"'), intake.first, intake.books, people, intake.part)
        work = _Work(log, intake, redaction, cores, scanned, redaction.stage(log.reader))
        work.learn(people)
        entries = work.redact()
    redaction.end()
    intake.spool.full()
    entries.sort(key=in_time_order)
    return Taken(entries, work.bytes, scanned.records_hash)


@dataclass(slots=True)
class _Work:
    log: Log
    intake: Intake
    redaction: Redaction | Off
    cores: Cores
    scanned: Scanned
    stage: Redacting
    known: dict[str, dict[Found, None]] = field(default_factory=dict)
    tokens: frozenset[str] = frozenset()
    bytes: int = 0

    def learn(self, people: Iterable[Iterable[Canary]]) -> None:
        """Learns of the sessions that lie in several parts; the others are learnt where they are redacted."""
        if isinstance(self.redaction, Off):
            return
        self.tokens = frozenset({_PLANTED} if people else ())
        parts = (
            Part(cut.number, cut.first, cut.end, learn=True, sessions=cut.sessions)
            for cut in self.scanned.cuts
            if cut.sessions
        )
        chars = 0
        for made in self.cores.map(self.stage, parts):
            learnt = cast(Learnt, made)
            for session, found in learnt.found.items():
                self.known.setdefault(session, {}).update(dict.fromkeys(found))
            chars += learnt.chars
            self.intake.tell(LEARNING, chars)

    def redact(self) -> list[Entry]:
        """The entries of all parts. A part for which another was first to draw a name is done again, with that name."""
        entries: list[Entry] = []
        again: list[Part] = []
        for made in self.cores.map(self.stage, self._parts()):
            portion = cast(Portion, made)
            drawn = self.redaction.settled(portion.drawn)
            if drawn is None:
                self._take(portion, entries)
            else:
                again.append(replace(self._part(self.scanned.cuts[portion.number]), drawn=drawn))
        for made in self.cores.map(self.stage, again):
            self._take(cast(Portion, made), entries)
        return entries

    def _parts(self) -> Iterator[Part]:
        return map(self._part, self.scanned.cuts)

    def _part(self, cut: Cut) -> Part:
        redacts = not isinstance(self.redaction, Off)
        known = {session: tuple(self.known.get(session, ())) for session in cut.sessions} if redacts else {}
        users = self._users(cut) if redacts and self.scanned.users else ()
        return Part(cut.number, cut.first, cut.end, cut.before, known=known, users=users)

    def _users(self, cut: Cut) -> tuple[str, ...]:
        names = self.log.names(cut.first, cut.end)
        tokens = self.tokens.union(*map(tokens_of, names))
        return self.scanned.users.beginning(tokens)

    def _take(self, portion: Portion, entries: list[Entry]) -> None:
        self.redaction.take(portion)
        places = _put(portion, self.intake.spool)
        self.intake.turns.add(portion.packed.turns, places)
        for entry in portion.entries:
            _placed(entry, places)
            self.bytes += entry.size
        entries += portion.entries
        self.intake.tell(REDACTING, self.bytes)


def _put(portion: Portion, spool: Spool) -> "array[int]":
    """The places in the spool of a part's contents."""
    packed = portion.packed
    data, hashes, ends, none = memoryview(packed.data), bytes(packed.hashes), packed.ends, bytes(16)
    places = array("i")
    for number in range(len(ends) - 1):
        hashed, content = hashes[16 * number : 16 * number + 16], bytes(data[ends[number] : ends[number + 1]])
        places.append(spool.append(content) if hashed == none else spool.put_data(hashed, content))
    return places


def _placed(entry: Entry, places: "array[int]") -> None:
    """Gives an entry the places of the spool, and the strings that many have once."""
    entry.messages = array("i", [places[place] for place in entry.messages])
    entry.tools = places[entry.tools] if entry.tools >= 0 else -1
    entry.reply = places[entry.reply] if entry.reply >= 0 else -1
    entry.params, entry.facts = places[entry.params], places[entry.facts]
    entry.more = tuple(places[place] for place in entry.more)
    for name in ("session", "agent", "user_group", "model", "outcome_by", "finish"):
        value = getattr(entry, name)
        if type(value) is str:
            setattr(entry, name, intern(value))
