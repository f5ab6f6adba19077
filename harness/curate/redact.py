"""Logged calls with pseudonyms in place of what is personal or secret, everywhere the same one."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from harness.config.pii import SECRET_KINDS
from harness.curate.known import KnownValues
from harness.curate.learning import Found, Learning, may_be_value
from harness.curate.pii.shadow import plain_value
from harness.curate.pii.spans import Detector, Span
from harness.curate.pseudonyms import Pseudonyms
from harness.curate.walk import Leaf, Walk
from harness.records.logs import LogRecord, Payload

__all__ = ["MOST_USERS", "RedactionReport", "Redactor", "looked_ahead"]

MOST_USERS = 1 << 20
_REMEMBERED = 200_000
_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z_\-]*")
_OPAQUE = re.compile(r"(?=.*[a-fA-F])[0-9a-fA-F\-]{12,}")
"""Ids that were drawn: a UUID may look like an account number and is none. Digits alone may be a phone or a card."""
_WHOLE_NUMBER = re.compile(r"[1-9][0-9]{0,18}")
_KEYS = frozenset(
    (
        *SECRET_KINDS,
        "EMAIL_ADDRESS",
        "USER_ID",
        "PHONE_NUMBER",
        "US_SSN",
        "CREDIT_CARD",
        "IBAN_CODE",
        "IP_ADDRESS",
        "PERSON",
    )
)
_PLAIN_KEYS = frozenset(("PERSON", "USER_ID"))
"""Of a key that looks like a name of a field: `{"Margaret": 3}`, where a session knows a Margaret."""
_SURE = 0.6
_SURE_NUMBER = 0.9
_TOGETHER = 64
"""Calls that are looked at together."""


@dataclass(slots=True)
class RedactionReport:
    """How many values were replaced. A message that many calls of a session repeat counts once."""

    replaced: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By kind and part of the call: user, assistant, tool, system, arguments, tools, params, extra, failure, ids."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Headers that were left out, by name."""
    calls: int = 0
    once: dict[tuple[str, bytes], Counter[tuple[str, str]]] = field(default_factory=dict)
    """Of the sessions of which only a part is here, by message or tool: whoever puts the parts together counts them."""

    def by_kind(self) -> Counter[str]:
        """The values replaced, by kind."""
        counts: Counter[str] = Counter()
        for (kind, _), count in self.replaced.items():
            counts[kind] += count
        return counts


class Redactor:
    """Replaces what a detector finds. What it finds anywhere in a session it replaces everywhere in that session.

    For that a session must be learnt before its first call is redacted: `records` reads its source twice.
    """

    def __init__(self, detector: Detector, pseudonyms: Pseudonyms, learning: Learning | None = None) -> None:
        """learning: one that remembers messages of before, with the same detector."""
        self.report = RedactionReport()
        self._detector = detector
        self._pseudonyms = pseudonyms
        self._sessions: dict[str, KnownValues] = {}
        self._users = KnownValues(most=MOST_USERS)
        """End users of all calls: sessions and spans are often named after them."""
        self._learning = learning or Learning(detector)
        self._done: dict[tuple[str, int, bytes], Payload] = {}
        self._elsewhere: set[str] = set()
        self._counted = self.report.replaced

    def know(self, session: str, found: Iterable[Found]) -> None:
        """Takes what is known of a session of which other calls are elsewhere; nothing more is learnt of it here."""
        self._elsewhere.add(session)
        self._know(session, found)

    def _know(self, session: str, found: Iterable[Found]) -> None:
        """Adds what a session holds, each value once in the order of its first place, and then all of it again.

        So it comes out the same wherever the calls of a session lie; a log repeats its history in every call.
        """
        known = self._sessions.setdefault(session, KnownValues())
        values = tuple(found)
        for value, kind, score in (*values, *values):
            known.add(value, kind, score)

    def know_user(self, user: str) -> None:
        """Takes an end user of another call."""
        self._users.add(user, "USER_ID", 1.0)

    def records(self, source: Callable[[], Iterable[LogRecord]]) -> Iterator[LogRecord]:
        """The calls of a source redacted, in their order. It is read twice: to learn, then to replace."""
        found: dict[str, dict[Found, None]] = {}
        for record in looked_ahead(self._learning, source()):
            if record.user:
                self.know_user(record.user)
            if record.session is not None and record.session not in self._elsewhere:
                found.setdefault(record.session, {}).update(dict.fromkeys(self._learning.found(record)))
        for session, values in found.items():
            self._know(session, values)
        for record in source():
            yield self._redacted(record)

    def session(self, records: Sequence[LogRecord]) -> list[LogRecord]:
        """The calls of a session, or of any list, redacted."""
        return list(self.records(lambda: records))

    def record(self, record: LogRecord) -> LogRecord:
        """One call redacted, by what it and the calls before it tell."""
        self.learn(record)
        return self._redacted(record)

    def learn(self, record: LogRecord) -> None:
        """Keeps which values a call of a session holds."""
        if record.user:
            self._users.add(record.user, "USER_ID", 1.0)
        if record.session is not None and record.session not in self._elsewhere:
            self._learning.learn(record, self._sessions.setdefault(record.session, KnownValues()))

    def forget(self, session: str) -> None:
        """Drops what was kept of a session that is done."""
        self._sessions.pop(session, None)

    def _known(self, record: LogRecord) -> KnownValues:
        if record.session is not None:
            return self._sessions.setdefault(record.session, KnownValues())
        known = KnownValues()
        self._learning.learn(record, known)
        return known

    def _redacted(self, record: LogRecord) -> LogRecord:
        known = self._known(record)
        walk = Walk(self._replacing(known, record.session))
        self.report.calls += 1
        failure = record.failure
        if failure is not None and failure.message is not None:
            failure = replace(failure, message=walk.text(failure.message, None, "failure"))
        return replace(
            record,
            messages=tuple(self._part(one, known, record.session, walk.message) for one in record.messages),
            tools=tuple(self._part(one, known, record.session, lambda tool: _tool(walk, tool)) for one in record.tools),
            params=walk.value(record.params, "", "params"),
            reply=None if record.reply is None else self._part(record.reply, known, record.session, walk.message),
            more_replies=tuple(self._part(one, known, record.session, walk.message) for one in record.more_replies),
            failure=failure,
            extra=walk.value(record.extra, "", "extra"),
            user=self._user(record.user),
            session=self._id(record.session),
            span=self._id(record.span),
            parent=self._id(record.parent),
        )

    def _part(
        self, part: Payload, known: KnownValues, session: str | None, change: Callable[[Payload], Payload]
    ) -> Payload:
        if session is None:
            return change(part)
        digest = self._learning.digest(part)
        key = (session, known.version, digest)
        done = self._done.get(key)
        if done is None:
            if len(self._done) >= _REMEMBERED:
                self._done.clear()
            if session in self._elsewhere:
                self._counted = self.report.once[session, digest] = Counter()
            done = self._done[key] = change(part)
            self._counted = self.report.replaced
        return done

    def _replacing(self, known: KnownValues, session: str | None) -> Leaf:
        def text(text: str, field: str | None, where: str) -> str:
            return self._replaced(text, known.find(text, self._detector.find(text, field)), (known, session, where))

        def number(value: str, path: str, where: str) -> str:
            return self._number(value, path, (known, session, where))

        def key(key: str, where: str) -> str:
            if where == "tools":
                return key
            if _PLAIN_KEY.fullmatch(key):
                again = [span for span in known.find(key, ()) if span.kind in _PLAIN_KEYS and key[:1].isupper()]
                return self._replaced(key, again, (known, session, where))
            sure = [span for span in self._detector.find(key) if span.kind in _KEYS and span.score >= _SURE]
            return self._replaced(key, known.find(key, sure), (known, session, where))

        return Leaf(text, number, key, lambda _, __: None, lambda name: self.report.dropped.update((name,)))

    def _number(self, value: str, path: str, place: tuple[KnownValues, str | None, str]) -> str:
        """A whole number that is a value by its field or all by itself; it stays one, `4155550199.0` too."""
        if value.endswith(".0"):
            return f"{self._number(value[:-2], path, place)}.0"
        if not may_be_value(value, path):
            return value
        for span in self._detector.find(value, path):
            whole = (span.start, span.end) == (0, len(value))
            if whole and (span.by == "field" or span.score >= _SURE_NUMBER):
                new = self._replaced(value, [span], place)
                return new if _WHOLE_NUMBER.fullmatch(new) else value
        return value

    def _replaced(self, text: str, spans: Sequence[Span], place: tuple[KnownValues, str | None, str]) -> str:
        known, session, where = place
        pieces: list[str] = []
        done = 0
        for span in spans:
            value = plain_value(text[span.start : span.end], span.kind)
            kind = known.kind_of(value, span.kind)
            new = self._pseudonyms.of(kind, value, session)
            if new != text[span.start : span.end]:
                pieces += (text[done : span.start], new)
                done = span.end
                self._counted[kind, where] += 1
        return text if not pieces else "".join((*pieces, text[done:]))

    def _user(self, user: str | None) -> str | None:
        """The end user's name, always replaced, and the same in all sessions: splits by user need it."""
        if not user:
            return user
        self.report.replaced["USER_ID", "ids"] += 1
        return self._pseudonyms.of("USER_ID", user)

    def _id(self, name: str | None) -> str | None:
        """A session's or span's name with what is personal in it replaced, the same in all sessions."""
        if not name:
            return name
        opaque = _OPAQUE.fullmatch(name) is not None
        sure = [span for span in self._detector.find(name) if span.kind in _KEYS] if not opaque else []
        users = self._users.about(name) if self._users else self._users
        return self._replaced(name, users.find(name, sure), (users, None, "ids"))


def _tool(walk: Walk, tool: Payload) -> Payload:
    """A tool: its name stays, what describes it and its values is looked at."""
    told = {key: value for key, value in tool.items() if key != "name"}
    new: Payload = walk.value(told, "", "tools")
    return tool if new is told else {**tool, **new}


def looked_ahead(learning: Learning, records: Iterable[LogRecord]) -> Iterator[LogRecord]:
    """The records, some of them always looked at together before the first of those comes."""
    rest = iter(records)
    while some := list(islice(rest, _TOGETHER)):
        learning.look_ahead(some)
        yield from some
