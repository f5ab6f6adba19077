"""A curated call: what was asked, what counts as a right answer, and which split it belongs to.

Dataclasses over plain JSON values, for the reason that `LogRecord` is one: each call repeats its whole history.
"""

from dataclasses import dataclass, field
from typing import Literal

from harness.records.attempt import Usage
from harness.records.logs import LatencyKind, Payload

__all__ = ["SPLITS", "Call", "Family", "Reference", "ReferenceLabel", "Split"]

Split = Literal["train", "calibration", "test"]
SPLITS: tuple[Split, ...] = ("train", "calibration", "test")

Family = Literal["toolcall", "instruct", "code", "other"]
"""A cheap guess from the request and the reply; clustering finds a better one."""

ReferenceLabel = Literal["human", "outcome-verified", "incumbent"]
"""Why a reply is held to be right: a person rated the session so, a checker did, or only the log's model said it."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A reply that is acceptable, as the log has it."""

    reply: Payload
    """An assistant's message in normal form (see `LogRecord`), with `finish_reason` where it was logged."""
    label: ReferenceLabel
    """The strongest that one of the calls with this reply has."""
    count: int
    """How many calls of the log, after filters, answered this request so."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a curated folder, redacted. None is something that the log does not say."""

    id: str
    """Hash of request, model and reply."""
    record: str
    """Id of the `LogRecord` that it is made of: the earliest of those that it stands for."""
    messages: tuple[Payload, ...]
    """In the normal form of `LogRecord`."""
    reference: Reference
    """What this call's model answered."""
    split: Split
    duplicate_group: str
    """Calls of one group hang together by session, user or near-duplicate content, and are never split."""
    tools: tuple[Payload, ...] = ()
    params: Payload = field(default_factory=dict)
    also: tuple[Reference, ...] = ()
    """What the same model answered to the same request elsewhere in the log, if it was something else."""
    family: Family = "other"
    weight: int = 1
    """How many calls of the log it stands for: itself and its exact (and, where asked for, near) duplicates."""

    session: str | None = None
    step: int | None = None
    agent: str | None = None
    user_group: str | None = None
    """A keyed hash of the end user: equal for one user, and it names nobody."""
    at: float | None = None
    model: str | None = None
    usage: Usage = field(default_factory=Usage)
    latency_s: float | None = None
    latency_kind: LatencyKind | None = None
    ttft_s: float | None = None
    cost_usd: float | None = None
    """As recorded."""
    outcome: float | None = None
    outcome_by: str | None = None
    notes: tuple[str, ...] = ()
    """What a reader should know: `no session logged`, `several answers`, …"""
