"""A part of a log learnt from or redacted, in any process: what it makes depends on the part alone."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

from harness.config.curate import CurateOptions
from harness.config.pii import PiiConfig
from harness.curate.asking import Asking, answer_hash, plain_text
from harness.curate.canary import is_planted, persons, plant
from harness.curate.contents import Contents, Packed
from harness.curate.entry import Entry
from harness.curate.learning import Found, Learning
from harness.curate.log import Reader
from harness.curate.pii.spans import Detector
from harness.curate.pseudonyms import Draws, Noted, Pseudonyms, pseudonym_key
from harness.curate.redact import RedactionReport, Redactor, looked_ahead
from harness.curate.rules import FirstRules
from harness.errors import ConfigError
from harness.records.logs import LogRecord, Payload, canonical

__all__ = ["CONTROLLED", "OFF_KEY", "Learnt", "Part", "Portion", "Redacting", "detector_of", "key_id", "merged"]

CONTROLLED: Final = 1000
"""Calls, of those that come first, of which redaction is held against the original."""
OFF_KEY: Final = b"user groups without redaction"
_SHOWN: Final = ("messages", "tools", "params", "reply", "session", "user", "extra")
_FACTS: Final = ("latency_s", "latency_kind", "ttft_s", "cost_usd")


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that are worked on together, and what has to be known of others."""

    number: int
    first: int
    end: int
    """Before this row."""
    before: int = 0
    """Calls of earlier parts that the first rules leave."""
    learn: bool = False
    """Whether it is only learnt from, and only of these sessions."""
    sessions: tuple[str, ...] = ()
    known: Mapping[str, tuple[Found, ...]] = field(default_factory=dict)
    """Of sessions that have calls in other parts too."""
    users: tuple[str, ...] = ()
    """End users of all calls that sessions and spans of this part may be named after."""
    drawn: Draws = field(default_factory=dict)
    """What is to be given for values that are drawn, where that is known."""


@dataclass(slots=True)
class Learnt:
    """What the sessions of a part hold that have calls in other parts too."""

    found: dict[str, tuple[Found, ...]]
    """In the order in which it was seen first."""
    chars: int
    """Of the messages that were looked at."""


@dataclass(slots=True)
class Portion:
    """A part redacted."""

    number: int
    entries: list[Entry] = field(default_factory=list)
    """Their places are those of `packed`."""
    packed: Packed = field(default_factory=Packed)
    report: RedactionReport = field(default_factory=RedactionReport)
    drawn: Draws = field(default_factory=dict)
    noted: Noted = field(default_factory=dict)
    control: list[tuple[LogRecord, LogRecord]] = field(default_factory=list)
    """Calls before and after."""
    planted: list[bytes] = field(default_factory=list)
    """Calls of made-up people as JSON, redacted: they are in no split."""


@dataclass(frozen=True, slots=True)
class Redacting:
    """The stage. It holds the place of the pseudonyms' key and a mark by which the key is known, not the key."""

    reader: Reader
    options: str
    """`curate` of the configuration, as JSON."""
    detection: str
    """`pii` of it."""
    key_file: str | None
    """Where `curate.key_env` and the variable HARNESS_PSEUDONYM_KEY name none."""
    key_mark: str
    noting: bool
    """Whether a restore map is wanted."""

    def open(self) -> Callable[[Part], "Learnt | Portion"]:
        """The function that works on a part. Raises ConfigError where the key is missing here, or another one."""
        return _Worker(self).work


def key_id(key: bytes) -> str:
    """A name for a key of pseudonyms, which tells nothing of it."""
    return blake2b(key, digest_size=8, person=b"slm-pseudo-id").hexdigest()


def detector_of(options: CurateOptions, config: PiiConfig) -> Detector:
    """What finds personal data. Raises ConfigError for a missing extra or a wrong pattern."""
    if options.pii == "nlp":
        from harness.curate.pii.ner import ner_detector  # Presidio and spaCy take seconds to load

        return ner_detector(config)
    from harness.curate.pii.rules import rules_detector

    return rules_detector(config)


class _Worker:
    def __init__(self, stage: Redacting) -> None:
        self._options = options = CurateOptions.model_validate_json(stage.options)
        self._read = stage.reader.open()
        self._first = FirstRules(options)
        self._key = OFF_KEY
        self._redacts = options.pii != "off"
        if self._redacts:
            self._key = pseudonym_key(options.key_env, stage.key_file)
            if key_id(self._key) != stage.key_mark:
                raise ConfigError(
                    "the key of the pseudonyms is another one in a process that redacts; "
                    "put the same key on every machine (curate.key_file), or set executor.cores=1"
                )
            self._people = persons(self._key, options.canaries)
            self._detector = detector_of(options, PiiConfig.model_validate_json(stage.detection))
            self._learning = Learning(self._detector)
            self._pseudonyms = Pseudonyms(self._key, options.scope, noting=stage.noting)

    def work(self, part: Part) -> Learnt | Portion:
        """What the part makes."""
        return self._learn(part) if part.learn else self._portion(part)

    def _chosen(self, part: Part) -> Iterator[LogRecord]:
        return (record for record in self._read(part.first, part.end) if self._first(record) is None)

    def _learn(self, part: Part) -> Learnt:
        sessions = set(part.sessions)
        found: dict[str, dict[Found, None]] = {}
        chars = 0
        meant = (record for record in self._chosen(part) if record.session in sessions)
        for record in looked_ahead(self._learning, meant):
            chars += sum(len(str(message.get("content") or "")) for message in record.messages)
            found.setdefault(str(record.session), {}).update(dict.fromkeys(self._learning.found(record)))
        return Learnt({session: tuple(values) for session, values in found.items()}, chars)

    def _portion(self, part: Part) -> Portion:
        made = Portion(part.number)
        contents = Contents()
        entries = _Entries(contents, self._key)
        for record in self._redacted(part, made) if self._redacts else self._chosen(part):
            if not is_planted(record):
                made.entries.append(entries.of(record))
            elif self._redacts:
                made.planted.append(canonical({name: getattr(record, name) for name in _SHOWN}))
        made.packed = contents.packed
        return made

    def _redacted(self, part: Part, made: Portion) -> Iterator[LogRecord]:
        self._pseudonyms.begin(part.drawn)
        redactor = Redactor(self._detector, self._pseudonyms, self._learning)
        for user in part.users:
            redactor.know_user(user)
        for session, found in part.known.items():
            redactor.know(session, found)
        chosen = list(self._chosen(part))
        records = list(self._planting(chosen, part.before))
        watched = {id(record): record for record in chosen[: max(0, CONTROLLED - part.before)]}
        for record, redacted in zip(records, redactor.records(lambda: records), strict=True):
            if id(record) in watched and not is_planted(record):
                made.control.append((record, redacted))
            yield redacted
        made.report, made.drawn, made.noted = redactor.report, self._pseudonyms.drawn, self._pseudonyms.noted

    def _planting(self, records: Iterable[LogRecord], before: int) -> Iterator[LogRecord]:
        """The records, behind each of the first of the log a call of a made-up person."""
        people = iter(self._people[before:])
        for record in records:
            yield record
            person = next(people, None)
            if person is not None:
                yield plant(record, person)


@dataclass(slots=True)
class _Entries:
    contents: Contents
    user_key: bytes
    asking: Asking = field(init=False)

    def __post_init__(self) -> None:
        self.asking = Asking(self.contents.value)

    def of(self, record: LogRecord) -> Entry:
        """A redacted record. The user is known by a keyed hash alone."""
        contents = self.contents
        messages = array("i", [contents.message(message) for message in record.messages])
        tools = contents.tools(record.tools)
        reply = record.reply
        said = {} if reply is None else {name: value for name, value in reply.items() if name != "finish_reason"}
        return Entry(
            record=record.id,
            messages=messages,
            tools=tools,
            reply=-1 if reply is None else contents.put(said),
            params=contents.put(record.params),
            facts=contents.put_alone(_facts(record)),
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
            size=sum(map(contents.size, messages)) + (contents.size(tools) if tools >= 0 else 0),
            more=tuple(contents.put(one) for one in record.more_replies if _says_something(one)),
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


def merged(reports: Iterable[RedactionReport]) -> RedactionReport:
    """The counts of parts, in their order: what stands once in a session counts once."""
    whole = RedactionReport()
    seen: set[tuple[str, bytes]] = set()
    for report in reports:
        whole.replaced.update(report.replaced)
        whole.calls += report.calls
        for name, count in report.dropped.items():
            whole.dropped[name] += count
        for key, counts in report.once.items():
            if key not in seen:
                seen.add(key)
                whole.replaced.update(counts)
    return whole
