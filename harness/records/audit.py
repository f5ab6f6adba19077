"""An audit: what of an agent's logged calls a small model can take over, the way there, and where the evidence is."""

from typing import Literal

from pydantic import Field

from harness.records.attempt import Protocol
from harness.records.base import Record
from harness.records.decision import Selection
from harness.records.score import MissClass
from harness.records.summary import OverflowSummary

__all__ = [
    "Audit",
    "AuditAgent",
    "AuditCell",
    "AuditCluster",
    "AuditEstimate",
    "AuditFunnel",
    "AuditNext",
    "AuditRun",
    "AuditStep",
]

AuditNext = Literal["move", "hybrid", "convert", "measure", "context", "keep"]
"""What to do with a cluster next. `convert`: no model will do as it is, and one is near. `context`: most of its prompts
fit into no model's context."""


class AuditFunnel(Record):
    """How much of the log the verdicts speak of, in calls. None: not known, as of a suite that was not made here."""

    read: int | None = None
    """Calls in the log that could be read."""
    kept: int | None = None
    """Left by curation, after repeats and broken calls."""
    stand: int | None = None
    """Calls of the log that those stand for, repeats counted."""
    dropped: dict[str, int] = Field(default_factory=dict)
    """Left out by curation, by rule."""
    tasks: int | None = None
    """Clusters that are recurring tasks."""
    covered: float | None = None
    """Share of the calls in them."""
    judged: float
    """Logged calls that the samples stand for."""
    samples: int
    sessions: int
    """Independent ones that the samples are of."""


class AuditEstimate(Record):
    """What the calls of a run were expected to take, before the first of them."""

    model: str
    calls: int
    """Still to be asked."""
    prompt_tokens: int | None
    output_tokens: int | None
    tokens_from: str
    minutes: float | None
    """None: nothing like it was run here before."""
    minutes_from: str | None
    usd: float | None
    """At list prices; None where nobody is paid by the token."""
    too_long: int | None
    """Prompts that will probably not fit into the context; None where that is not known."""
    context_tokens: int | None


class AuditRun(Record):
    """One model on the suite: done, left unfinished, or not possible."""

    model: str
    protocol: Protocol
    status: Literal["complete", "unfinished", "failed"]
    run: str | None = None
    """Name of the run folder; None where there is none."""
    reused: bool = False
    """Whether the answers were there before."""
    said: str = ""
    """In one line: what was done, or why not."""
    n_scored: int = 0
    n_lost: int = 0
    """Attempts lost to the infrastructure."""
    overflow: OverflowSummary | None = None
    command: str
    """What makes this run alone."""


class AuditCell(Record):
    """A model in a cluster, as it answers alone."""

    variant: str
    status: Literal["pass", "fail", "need_more", "barred"]
    n: int
    accuracy: float | None
    difference: float | None
    """Of right answers, to the baseline; paired."""
    more: int | None
    """Samples that would decide it."""
    hybrid: bool = False
    """Whether it passes with some calls handed on."""
    misses: dict[MissClass, int] = Field(default_factory=dict)
    form_misses: int = 0
    """Of the misses, replies that break the form: unreadable, against the schema, cut off."""
    overflowed: int = 0
    """Of the misses, prompts that do not fit into the context."""


class AuditCluster(Record):
    """A cluster of calls: how it stands with every model, and what to do next."""

    cluster: str
    name: str
    agents: tuple[str, ...] = ()
    """Most calls first; empty where the log does not say."""
    share: float
    """Of the calls."""
    usd: float | None
    """What the baseline spends on it per 1,000 calls of the whole traffic."""
    cells: tuple[AuditCell, ...]
    """One for each variant, in the order of the selection."""
    next: AuditNext
    why: str
    nearest: str | None = None
    """Variant with most right answers."""
    top_action: float | None = None
    """Share of its calls that do the most frequent thing: 1 is as narrow as can be."""
    examples: int | None = None
    """Curated calls that could teach a model."""


class AuditAgent(Record):
    """An agent of the log and how much of it moves."""

    agent: str
    calls: float
    """Curated calls, with the repeats that they stand for."""
    moves: float = Field(ge=0, le=1)
    """Share of these in clusters with the verdict replace, and what hybrids answer of theirs."""
    open: float = Field(ge=0, le=1)
    """Share in clusters that are not decided, or whose calls were not judged."""


class AuditStep(Record):
    """A step of the chain and what makes it alone."""

    name: str
    said: str
    reused: bool
    seconds: float | None
    command: str


class Audit(Record):
    """`audit.json`: everything that the page shows."""

    schema_version: Literal[1] = 1
    name: str
    """Name of the folder."""
    made_at: str
    """ISO 8601, UTC."""
    logs: tuple[str, ...]
    """Names of the files, without their folders; empty for a suite that was there."""
    suite: str
    funnel: AuditFunnel
    steps: tuple[AuditStep, ...]
    estimates: tuple[AuditEstimate, ...]
    runs: tuple[AuditRun, ...]
    clusters: tuple[AuditCluster, ...]
    """In the order of the selection."""
    agents: tuple[AuditAgent, ...]
    selection: Selection
    links: dict[str, str]
    """Where the evidence lies, by what it is: addresses relative to the page."""
    command: str
    """What makes the whole audit, and goes on with it."""
    notes: tuple[str, ...] = ()
