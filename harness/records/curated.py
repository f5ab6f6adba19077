"""What a curated folder says of itself."""

from typing import Literal

from pydantic import JsonValue

from harness.records.base import Record
from harness.records.call import Split
from harness.records.summary import Interval

__all__ = ["CuratedManifest", "DisagreementRow", "LeakRow", "LeakageReport", "RuleCount"]


class RuleCount(Record):
    """How many calls a rule left out."""

    rule: str
    calls: int


class DisagreementRow(Record):
    """How often a model answered the same request differently, over the requests that occur again."""

    agent: str | None
    """None: all agents together."""
    repeated: int
    """Requests that occur more than once; of each, the first two answers by time are compared."""
    decision: int
    """One called tools, the other did not."""
    tool: int
    """Both called, other tools or another number of them."""
    arguments: int
    """The same tools, other arguments (as JSON values, so that order and blanks do not count)."""
    text: int
    """Neither called a tool, and the texts differ (blanks aside)."""
    any_frac: float
    """Share of repeated requests with any of these."""
    any_interval: Interval
    action_frac: float
    """Share with a difference other than of text."""
    action_interval: Interval


class LeakRow(Record):
    """What a way to split leaks from train into test."""

    split: str
    """`calls`: each call on its own. `sessions`: sessions kept together. `groups`: as done."""
    test_calls: int
    """Of the split."""
    looked_at: int
    """Test calls compared; fewer than all where there are very many."""
    at_80: int
    """Of those, with a train call of Jaccard similarity .8 or more."""
    at_90: int
    at_100: int
    at_threshold: int
    """With one at `curate.near.threshold` or more: what the groups promise to be 0."""
    interval: Interval | None
    """Of the share at the threshold; None where no test call was compared."""
    same_request: int
    """Test calls whose very request is in train."""
    same_last_user: int
    """Test calls whose last user message is, word for word, the last user message of a train call."""
    same_tool_result: int
    """Test calls with a tool result of 40 characters or more that is, byte for byte, in train."""
    same_system: int
    """Test calls whose system prompt is in train; expected of one agent's calls."""
    shared_sessions: int
    """Sessions with calls in both."""
    shared_users: int
    """User groups with calls in both."""


class LeakageReport(Record):
    """`leakage.json`."""

    threshold: float
    rows: tuple[LeakRow, ...]
    train_until: float | None
    """Time of the last train call, seconds since the epoch."""
    test_from: float | None
    """Time of the first test call."""
    test_before_train_ends: int
    """Test calls sent before the last train call: 0 only where the split is by time."""


class CuratedManifest(Record):
    """`manifest.json` of a curated folder. The calls follow from it and the store: same inputs, same bytes."""

    format: Literal[1] = 1
    name: str
    source: str
    """Path of the store, as it was given."""
    records_hash: str
    """Of the ids of all records read, whatever their order."""
    settings: dict[str, JsonValue]
    """Every option that decides the result."""
    redaction: dict[str, JsonValue]
    """Policy, version and counts by kind and field; never a value."""
    read: int
    kept: int
    dropped: tuple[RuleCount, ...]
    """In the order in which rules are asked. read = kept + the sum of these."""
    splits: dict[Split, int]
    """Calls of each."""
    split_weights: dict[Split, int]
    """Calls of the log that those stand for."""
    groups: int
    largest_group: int
    """Calls of the largest group: nothing smaller can be moved between splits."""
    files: dict[str, str]
    """SHA-256 of each file beside this one."""
    made: str
    """UTC."""
    harness: str
    """Version."""
