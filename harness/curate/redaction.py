"""Redaction as `do=curate` does it: by the options, with a control of what it did to the tool calls, and its report."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from harness.config.curate import CurateOptions
from harness.config.pii import PiiConfig
from harness.curate.agreement import Agreement, agreement
from harness.curate.canary import Canary, is_planted, persons, plant, save_canaries
from harness.curate.intake import Records
from harness.curate.pii.rules import rules_detector
from harness.curate.pseudonyms import Pseudonyms, pseudonym_key
from harness.curate.redact import Redactor
from harness.records.logs import LogRecord, canonical

__all__ = ["Off", "Redaction"]

_CONTROLLED: Final = 1000
"""Calls, of the sessions that come first, of which redaction is held against the original."""
PLANTED: Final = "planted.jsonl"
_SHOWN: Final = ("messages", "tools", "params", "reply", "session", "user", "extra")
VERSION: Final = 1
"""Of the policy; another one may redact the same record otherwise."""


class Off:
    """No redaction, on request."""

    control = None

    def __call__(self, source: Records) -> Iterator[LogRecord]:
        """The records as they are, without those of made-up people."""
        yield from (record for record in source() if not is_planted(record))

    def files(self) -> dict[str, bytes]:
        """Further files of the curated folder: none."""
        return {}

    def facts(self) -> dict[str, JsonValue]:
        """For the manifest."""
        return {"policy": "off", "version": VERSION}


@dataclass(slots=True)
class Redaction:
    """Rules or rules with NER, and pseudonyms. Raises ConfigError for a missing extra, a wrong pattern or key."""

    options: CurateOptions
    config: PiiConfig
    store_secret: bytes | None = None
    """Of an encrypted store: the restore map is encrypted with it too."""
    control: Agreement | None = None
    planted: list[LogRecord] = field(default_factory=list)
    """Calls of made-up people, redacted: they are in no split."""
    _redactor: Redactor = field(init=False)
    _pseudonyms: Pseudonyms = field(init=False)

    def __post_init__(self) -> None:
        options = self.options
        if options.pii == "nlp":
            from harness.curate.pii.ner import ner_detector  # Presidio and spaCy take seconds to load

            detector = ner_detector(self.config)
        else:
            detector = rules_detector(self.config)
        restore = None if options.restore_map is None else Path(options.restore_map)
        self._pseudonyms = Pseudonyms(self.key(), options.scope, restore, self.store_secret)
        self._redactor = Redactor(detector, self._pseudonyms)

    def key(self) -> bytes:
        """The key of the pseudonyms."""
        return pseudonym_key(self.options.key_env, self.options.key_file)

    def __call__(self, source: Records) -> Iterator[LogRecord]:
        """The records redacted. When the last is given, the control is done and the restore map written."""
        sample = _Sample()
        people = persons(self.key(), self.options.canaries)
        if people:
            save_canaries([value for person in people for value in person])

        def watched() -> Iterable[LogRecord]:
            return _planting(sample.watch(source()), people)

        for record in self._redactor.records(watched):
            if is_planted(record):
                self.planted.append(record)
                continue
            sample.redacted(record)
            yield record
        self.control = agreement(*sample.pairs())
        self._pseudonyms.close()

    def files(self) -> dict[str, bytes]:
        """Further files of the curated folder: what became of the calls of made-up people."""
        lines = [canonical({name: getattr(one, name) for name in _SHOWN}) for one in self.planted]
        return {PLANTED: b"\n".join((*lines, b""))} if lines else {}

    def facts(self) -> dict[str, JsonValue]:
        """For the manifest: the policy and counts, no value."""
        report = self._redactor.report
        replaced: dict[str, dict[str, JsonValue]] = defaultdict(dict)
        for (kind, where), count in sorted(report.replaced.items()):
            replaced[kind][where] = count
        facts: dict[str, JsonValue] = {
            "policy": self.options.pii,
            "version": VERSION,
            "scope": self.options.scope,
            "detection": self.config.model_dump(mode="json", exclude={"allow", "allow_patterns", "remember"}),
            "calls": report.calls,
            "replaced": {kind: dict(places) for kind, places in replaced.items()},
            "headers_left_out": dict(report.dropped),
        }
        if self.control is not None:
            told = self.control
            facts["control"] = {
                "tool_calls": told.calls,
                "values": told.values,
                "changed": told.changed,
                "agreement": told.share,
                "differences": len(told.differences),
            }
        return facts


def _planting(records: Iterable[LogRecord], people: Sequence[Sequence[Canary]]) -> Iterator[LogRecord]:
    """The records, behind each of the first of them a call of a made-up person."""
    rest = iter(people)
    for record in records:
        yield record
        person = next(rest, None)
        if person is not None:
            yield plant(record, person)


@dataclass(slots=True)
class _Sample:
    """Whole calls of the first sessions, before and after."""

    before: dict[str, LogRecord] = field(default_factory=dict)
    after: dict[str, LogRecord] = field(default_factory=dict)

    def watch(self, records: Iterable[LogRecord]) -> Iterator[LogRecord]:
        """The records, the first of them kept."""
        for record in records:
            if len(self.before) < _CONTROLLED and not self.after:
                self.before.setdefault(record.id, record)
            yield record

    def redacted(self, record: LogRecord) -> None:
        """Takes the other side of a record that was kept."""
        if record.id in self.before:
            self.after.setdefault(record.id, record)

    def pairs(self) -> tuple[list[LogRecord], list[LogRecord]]:
        """Before and after, in the same order."""
        both = [one for one in self.before if one in self.after]
        return [self.before[one] for one in both], [self.after[one] for one in both]
