"""Which calls are left out, each by one named rule, so that read = kept + dropped by rule."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from harness.config.curate import CurateOptions
from harness.curate.entry import Entry
from harness.curate.log import Outside
from harness.errors import ConfigError

__all__ = ["BY_CONTENT", "CUT_OFF", "FIRST", "Books", "FirstRules", "drop_by_content", "drop_duplicates"]

HUMAN_CHAT: Final = "human chat"
CACHED: Final = "answered from a cache"
AGENT: Final = "another agent"
MODEL: Final = "another model"
TIME: Final = "outside the time span"
NO_OUTCOME: Final = "no outcome logged"
OUTCOME: Final = "outcome below the least"
FIRST: Final = (HUMAN_CHAT, CACHED, AGENT, MODEL, TIME, NO_OUTCOME, OUTCOME)
"""Asked of the record as it was logged, before it costs the time of a redaction."""

RETRIED: Final = "retried after it failed"
FAILED: Final = "failed"
TRUNCATED: Final = "cut off by the token limit"
EMPTY: Final = "empty reply"
LONG: Final = "too long"
DUPLICATE: Final = "exact duplicate"
NEAR: Final = "near duplicate"
STRADDLES: Final = "straddles the cut in time"
ACROSS: Final = "near duplicate in an earlier split"
BY_CONTENT: Final = (RETRIED, FAILED, TRUNCATED, EMPTY, LONG, DUPLICATE, NEAR, STRADDLES, ACROSS)
"""Asked of the redacted call."""

CUT_OFF: Final = frozenset({"length", "max_tokens", "MAX_TOKENS", "max_output_tokens", "incomplete"})
"""Reasons to finish that mean the token limit, as the providers name them."""


class Books:
    """How many calls were read, and how many each rule left out."""

    def __init__(self) -> None:
        self.read = 0
        self.dropped: Counter[str] = Counter()

    @property
    def kept(self) -> int:
        """Calls that no rule left out."""
        return self.read - self.dropped.total()

    def rows(self) -> list[tuple[str, int]]:
        """Rules that left something out, in the order in which they are asked."""
        return [(rule, self.dropped[rule]) for rule in (*FIRST, *BY_CONTENT) if self.dropped[rule]]


class FirstRules:
    """The rules that need no look at what was said. Raises ConfigError for a time that is none."""

    def __init__(self, options: CurateOptions) -> None:
        self._options = options
        self._drop = frozenset(options.drop)
        self._since = moment(options.since, "curate.since")
        self._until = moment(options.until, "curate.until")

    def __call__(self, record: Outside) -> str | None:
        """The rule that leaves a record out; None: it stays."""
        options = self._options
        if record.human_chat and "human_chat" in self._drop:
            return HUMAN_CHAT
        if record.cached and "cached" in self._drop:
            return CACHED
        if options.agents and record.agent not in options.agents:
            return AGENT
        if options.models and record.model not in options.models:
            return MODEL
        if self._outside(record.at):
            return TIME
        return self._by_outcome(record.outcome)

    def _outside(self, at: float | None) -> bool:
        if self._since is None and self._until is None:
            return False
        if at is None:
            return True
        return (self._since is not None and at < self._since) or (self._until is not None and at >= self._until)

    def _by_outcome(self, outcome: float | None) -> str | None:
        least = self._options.min_outcome
        if least is None:
            return None
        if outcome is None:
            return NO_OUTCOME
        return OUTCOME if outcome < least else None


def moment(text: str | None, key: str) -> float | None:
    """A date or time as seconds since the epoch; without a zone it is UTC. Raises ConfigError for another text."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{key}={text} is no date; type it as 2026-01-31 or 2026-01-31T12:00:00Z") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def drop_by_content(entries: Sequence[Entry], options: CurateOptions) -> None:
    """Marks failed, retried, cut-off, empty and too long calls. entries: in the order of time.

    Retried: it failed, was cut off or came back empty, and the same request was sent again later in its session.
    """
    drop = frozenset(options.drop)
    asked = {(entry.session, entry.request) for entry in entries if entry.session is not None and _wrong(entry)}
    last: dict[tuple[str | None, bytes], int] = {}
    for place, entry in enumerate(entries if asked else ()):
        if (entry.session, entry.request) in asked:
            last[entry.session, entry.request] = place
    for place, entry in enumerate(entries):
        cut = entry.finish in CUT_OFF
        wrong = _wrong(entry)
        again = wrong and last.get((entry.session, entry.request), place) > place
        checks = (
            ("retried", again, RETRIED),
            ("failed", entry.failed, FAILED),
            ("truncated", cut, TRUNCATED),
            ("empty", entry.empty, EMPTY),
        )
        entry.dropped = next((rule for name, holds, rule in checks if holds and name in drop), None)
        if entry.dropped is None and entry.reply < 0:  # nothing to hold a model's answer against
            entry.dropped = FAILED if entry.failed else EMPTY
        if entry.dropped is None and options.max_chars is not None and entry.size > options.max_chars:
            entry.dropped = LONG


def _wrong(entry: Entry) -> bool:
    return entry.failed or entry.finish in CUT_OFF or entry.empty


def drop_duplicates(entries: Iterable[Entry]) -> None:
    """Marks calls whose request and reply were there before; the first of them counts for all. In the order of time."""
    first: dict[tuple[bytes, bytes], Entry] = {}
    for entry in entries:
        if entry.dropped is not None:
            continue
        kept = first.setdefault((entry.request, entry.answer), entry)
        if kept is not entry:
            entry.dropped = DUPLICATE
            kept.weight += entry.weight
