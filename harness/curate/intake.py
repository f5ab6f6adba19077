"""Records in, redacted entries out: nothing is derived from a record before it is redacted."""

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Any, Final

from harness.curate.asking import Asking, answer_hash, plain_text
from harness.curate.canary import is_planted
from harness.curate.entry import Entry, in_time_order
from harness.curate.rules import Books
from harness.curate.spool import Spool
from harness.records.logs import LogRecord, Payload

__all__ = ["Records", "Redact", "Taken", "take_in"]

Records = Callable[[], Iterable[LogRecord]]
"""Reads the records from the start, each time it is called."""
Redact = Callable[[Records], Iterator[LogRecord]]
"""The records redacted, in their order; it may read them twice."""
_FACTS: Final = ("latency_s", "latency_kind", "ttft_s", "cost_usd")
_WHOLE: Final = 1 << 128
_TELL_EVERY: Final = 64
LEARNING: Final = "learning what is personal"
REDACTING: Final = "reading and redacting"


@dataclass(frozen=True, slots=True)
class Taken:
    """What came in."""

    entries: list[Entry]
    """In the order of time."""
    request_bytes: int
    """Of all requests that were redacted, as JSON, each with its whole history."""
    records_hash: str


@dataclass(slots=True)
class _Intake:
    spool: Spool
    asking: Asking
    user_key: bytes

    def entry(self, record: LogRecord) -> Entry:
        """A redacted record. The user is known by a keyed hash alone."""
        put = self.spool.put
        messages = array("i", [put(message) for message in record.messages])
        tools = put(record.tools) if record.tools else -1
        reply = record.reply
        said = {} if reply is None else {name: value for name, value in reply.items() if name != "finish_reason"}
        return Entry(
            record=record.id,
            messages=messages,
            tools=tools,
            reply=-1 if reply is None else put(said),
            params=put(record.params),
            facts=put(_facts(record)),
            request=self.asking.request(messages, tools, record.params, record.model),
            answer=answer_hash(said),
            at=record.at,
            session=record.session,
            step=record.step,
            agent=record.agent,
            user_group=self._user(record.user),
            model=record.model,
            outcome=record.outcome,
            outcome_by=record.outcome_by,
            failed=record.failure is not None,
            finish=None if reply is None else reply.get("finish_reason"),
            empty=not _says_something(said),
            size=sum(self.spool.size(place) for place in messages) + (self.spool.size(tools) if tools >= 0 else 0),
            more=tuple(put(one) for one in record.more_replies if _says_something(one)),
        )

    def _user(self, user: str | None) -> str | None:
        if user is None:
            return None
        return blake2b(user.encode("utf-8", "surrogatepass"), key=self.user_key[:64], digest_size=8).hexdigest()


def _facts(record: LogRecord) -> dict[str, Any]:
    facts = {name: getattr(record, name) for name in _FACTS}
    return {"usage": record.usage.model_dump(exclude_none=True), **facts}


def _says_something(reply: Payload) -> bool:
    return bool(reply.get("tool_calls")) or bool(plain_text(reply.get("content")).strip())


@dataclass(slots=True)
class _Chosen:
    """The records that the first rules leave, as often as they are asked for; counted the first time."""

    source: Records
    rule: Callable[[LogRecord], str | None]
    books: Books
    tell: Callable[[int], None]
    """Characters of the messages that were learnt from so far."""
    passes: int = 0
    ids: int = 0
    redacting: bool = False
    """Whether a record came back redacted: until then those that are read are only learnt from."""

    def __call__(self) -> Iterator[LogRecord]:
        self.passes += 1
        counting = self.passes == 1
        chars = 0
        for number, record in enumerate(self.source(), 1):
            if not self.redacting:
                chars += sum(len(str(message.get("content") or "")) for message in record.messages)
                if number % _TELL_EVERY == 0:
                    self.tell(chars)
            rule = self.rule(record)
            if counting and not is_planted(record):  # they are in no split, and so in no books
                self.books.read += 1
                self.ids += int.from_bytes(_hash(record.id), "big")
                if rule is not None:
                    self.books.dropped[rule] += 1
            if rule is None:
                yield record


def _hash(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def take_in(
    records: Records,
    spool: Spool,
    books: Books,
    first: Callable[[LogRecord], str | None],
    *,
    redact: Redact,
    user_key: bytes,
    tell: Callable[[str, int], None],
) -> Taken:
    """Reads all records; `first` says which are left out before they are redacted.

    tell: the step, learning or redacting, and how much of the requests is done, in characters or bytes.
    """
    intake = _Intake(spool, Asking(spool.value), user_key)
    chosen = _Chosen(records, first, books, partial(tell, LEARNING))
    entries: list[Entry] = []
    total = 0
    for record in redact(chosen):
        chosen.redacting = True
        entry = intake.entry(record)
        entries.append(entry)
        total += entry.size
        tell(REDACTING, total)
    return Taken(sorted(entries, key=in_time_order), total, f"{chosen.ids % _WHOLE:032x}")
