"""Redaction as `do=curate` does it: by the options, with a control of what it did to the tool calls, and its report."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from harness.config.curate import CurateOptions
from harness.config.pii import PiiConfig
from harness.curate.agreement import Agreement, agreement
from harness.curate.canary import Canary, persons, save_canaries
from harness.curate.log import Reader
from harness.curate.pii.rules import rules_detector
from harness.curate.portions import Portion, Redacting, key_id, merged
from harness.curate.pseudonyms import Draws, Noted, Pseudonyms, key_place, pseudonym_key
from harness.curate.redact import RedactionReport
from harness.records.logs import LogRecord

__all__ = ["Off", "Redaction"]

PLANTED: Final = "planted.jsonl"
VERSION: Final = 1
"""Of the policy; another one may redact the same record otherwise."""


@dataclass(frozen=True, slots=True)
class Off:
    """No redaction, on request."""

    options: CurateOptions

    def begin(self) -> Sequence[Sequence[Canary]]:
        """Nobody is planted."""
        return ()

    def stage(self, reader: Reader) -> Redacting:
        """What is done to each part of the log."""
        return Redacting(reader, self.options.model_dump_json(), "{}", None, "", noting=False)

    def settled(self, _: Draws) -> Draws | None:
        """Nothing is drawn."""
        return None

    def take(self, _: Portion) -> None:
        """Nothing was redacted in it."""

    def end(self) -> None:
        """Nothing is left to do."""

    def files(self) -> dict[str, bytes]:
        """Further files of the curated folder: none."""
        return {}

    def facts(self) -> dict[str, JsonValue]:
        """For the manifest."""
        return {"policy": "off", "version": VERSION}


@dataclass(slots=True)
class _Told:
    """What a part told, but for its entries."""

    report: RedactionReport
    noted: Noted
    control: list[tuple[LogRecord, LogRecord]]
    planted: list[bytes]


@dataclass(slots=True)
class Redaction:
    """Rules or rules with NER, and pseudonyms. Raises ConfigError for a wrong pattern or key."""

    options: CurateOptions
    config: PiiConfig
    store_secret: bytes | None = None
    """Of an encrypted store: the restore map is encrypted with it too."""
    control: Agreement | None = None
    report: RedactionReport = field(default_factory=RedactionReport)
    _pseudonyms: Pseudonyms = field(init=False)
    _told: dict[int, _Told] = field(default_factory=dict)
    _planted: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        options = self.options
        if options.pii == "rules":
            rules_detector(self.config)
        restore = None if options.restore_map is None else Path(options.restore_map)
        self._pseudonyms = Pseudonyms(self.key(), options.scope, restore, self.store_secret)

    def key(self) -> bytes:
        """The key of the pseudonyms."""
        return pseudonym_key(self.options.key_env, self.options.key_file)

    def begin(self) -> Sequence[Sequence[Canary]]:
        """The made-up people that are planted, kept in a file of their own."""
        people = persons(self.key(), self.options.canaries)
        if people:
            save_canaries([value for person in people for value in person])
        return people

    def stage(self, reader: Reader) -> Redacting:
        """What is done to each part of the log."""
        options = self.options
        return Redacting(
            reader,
            options.model_dump_json(),
            self.config.model_dump_json(),
            key_place(options.key_env, options.key_file),
            key_id(self.key()),
            noting=options.restore_map is not None,
        )

    def settled(self, drawn: Draws) -> Draws | None:
        """What a part had to draw, parts in their order; None where that is what it drew."""
        meant = self._pseudonyms.settle(drawn)
        return None if meant == drawn else meant

    def take(self, portion: Portion) -> None:
        """Takes what a part tells; parts in any order."""
        self._told[portion.number] = _Told(portion.report, portion.noted, portion.control, portion.planted)

    def end(self) -> None:
        """When all parts are there: the counts, the control, the restore map."""
        told = [self._told[number] for number in sorted(self._told)]
        self.report = merged(one.report for one in told)
        pairs = {old.id: (old, new) for one in told for old, new in one.control}
        self.control = agreement([old for old, _ in pairs.values()], [new for _, new in pairs.values()])
        for one in told:
            for key, new in one.noted.items():
                self._pseudonyms.noted.setdefault(key, new)
        self._pseudonyms.close()
        self._planted = [line for one in told for line in one.planted]
        self._told.clear()

    def files(self) -> dict[str, bytes]:
        """Further files of the curated folder: what became of the calls of made-up people."""
        return {PLANTED: b"\n".join((*self._planted, b""))} if self._planted else {}

    def facts(self) -> dict[str, JsonValue]:
        """For the manifest: the policy and counts, no value."""
        report = self.report
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
