"""What a run is held against, and what came of it: accepted baselines and the verdicts of gates."""

from typing import Literal

from pydantic import Field, JsonValue

from harness.records.attempt import Origin, Protocol
from harness.records.base import Record
from harness.records.interval import Interval
from harness.records.manifest import MachineFacts

__all__ = [
    "Acceptance",
    "Baseline",
    "Change",
    "CheckKind",
    "CheckStatus",
    "GateCheck",
    "GateResult",
    "GateRun",
    "GateVerdict",
    "Outcome",
    "Tier",
]

Tier = Literal["blocking", "warning", "informative"]
"""`blocking` decides the exit code, `warning` is annotated, `informative` is shown."""

CheckStatus = Literal["pass", "fail", "inconclusive", "not_judged", "no_samples"]
"""`pass`: shown to hold. `fail`: shown not to hold. `inconclusive`: neither is shown. `not_judged`: not measured, or
times that do not compare. `no_samples`: the suite has none that the check is about."""

GateVerdict = Literal["pass", "fail", "inconclusive"]

CheckKind = Literal["margin", "keep", "least", "ratio", "most", "within", "fit"]
"""`margin`: at most so much below the baseline. `keep`: at least so many times the baseline. `least`: of the candidate
alone, at least. `ratio`: at most so many times the baseline. `most`: of the candidate alone, at most. `within`: 95 of
100 within so many seconds. `fit`: the run can be judged as one of this model."""


class Outcome(Record):
    """One attempt of a run without its text; None was not measured."""

    sample: str
    trial: int = 0
    category: str
    session: str | None = Field(default=None, exclude_if=lambda one: one is None)
    """Number of the session that the sample shares with others; None: it stands alone. Its name is not kept."""
    digest: str
    """First 16 digits of the SHA-256 of the sample: whether it is still the same question. Empty where the file
    of another program does not tell the question."""
    wants_call: bool | None = Field(default=None, exclude_if=lambda one: one is None)
    weight: float = Field(default=1.0, gt=0, exclude_if=lambda one: one == 1)
    """Logged calls that the sample stands for."""
    value: float | None = Field(default=None, ge=0, le=1)
    """None: lost to the infrastructure, or not scored."""
    decision: float | None = Field(default=None, exclude_if=lambda one: one is None)
    """1: called where a call is wanted, or silent where none is."""
    formed: float | None = Field(default=None, exclude_if=lambda one: one is None)
    """1: in the form that was asked for."""
    ttft_s: float | None = Field(default=None, exclude_if=lambda one: one is None)
    e2e_s: float | None = Field(default=None, exclude_if=lambda one: one is None)
    cost_usd: float | None = Field(default=None, exclude_if=lambda one: one is None)
    tokens: int | None = Field(default=None, exclude_if=lambda one: one is None)
    """Of prompt and reply."""
    origin: Origin = Field(default="measured", exclude_if=lambda one: one == "measured")
    timed_only: bool = Field(default=False, exclude_if=lambda one: not one)
    """Of a file of times alone: nothing was there to be judged right or wrong."""


class GateRun(Record):
    """Which run stands on one side of a gate, and on what it was made."""

    run: str
    """Name of the run folder."""
    job: str
    """Shared by runs whose attempts took turns."""
    suite: str
    suite_hash: str
    model: str
    model_title: str
    protocol: Protocol
    backend: str
    build: str | None
    weights_sha256: str | None
    quantization: str | None
    started_at: str
    harness_version: str
    commit: str | None
    config_hash: str
    config: dict[str, JsonValue]
    """As in the manifest; a text of more than 120 characters is its SHA-256 instead."""
    machine: MachineFacts
    hosted: bool
    local: bool
    """Whether the harness itself ran the engine, so that its times are of `machine`."""
    n_planned: int
    n_scored: int
    n_failed: int
    accuracy: float | None
    accuracy_interval: Interval | None
    cost_basis: str | None = None
    cost_from_time: bool = False
    """Whether costs are the machine's time, dealt out by the attempts' own: then they compare only where times do."""
    unfit: str | None = None


class Acceptance(Record):
    """Who made a run the baseline, when and why."""

    by: str
    at: str
    """ISO 8601, UTC."""
    why: str
    run: str
    model: str
    accuracy: float | None


class Baseline(Record):
    """`results/baseline/<suite>/baseline.json`; the outcomes are beside it."""

    schema_version: Literal[1] = 1
    accepted: Acceptance
    run: GateRun
    outcomes_sha256: str
    """Of `outcomes.jsonl`: whether somebody edited it."""
    before: tuple[Acceptance, ...] = ()
    """Baselines of this suite that it replaced, the latest first."""


class Change(Record):
    """A key that is set differently; None where a side does not have it."""

    key: str
    baseline: JsonValue
    candidate: JsonValue


class GateCheck(Record):
    """One limit of the policy: what was seen, and what is shown by it."""

    name: str
    """What is looked at: `accuracy`, `cluster refunds`, `cost` …"""
    kind: CheckKind
    tier: Tier
    status: CheckStatus
    limit: float | None = None
    """In the unit of the kind: a share, a multiple, USD, tokens or seconds."""
    rule: str
    """The limit in words."""
    n: int = 0
    """Samples that it rests on."""
    sessions: int | None = None
    """Independent sessions, where some hold several of these samples."""
    baseline: float | None = None
    candidate: float | None = None
    estimate: float | None = None
    """Difference (`margin`, `keep`), ratio (`ratio`), or the candidate's own figure."""
    interval: Interval | None = None
    """95 % of the estimate."""
    p: float | None = None
    """Of "the limit is not held": it passes where this is at most α."""
    p_failing: float | None = None
    """Of "the limit is held"."""
    p_failing_adjusted: float | None = None
    """The same after Holm's correction over all checks of its tier: it fails where this is at most α."""
    gained: int | None = None
    lost: int | None = None
    more: int | None = None
    """About how many samples more would decide it, if things stay as seen."""
    why: str
    """One sentence with the figures, or the reason why there is none."""


class GateResult(Record):
    """`gate.json`: the verdict on a candidate, with all that it rests on."""

    schema_version: Literal[1] = 1
    name: str
    made_at: str
    suite: str
    verdict: GateVerdict
    exit_code: Literal[0, 1, 2]
    """0 pass, 1 fail, 2 inconclusive; by the policy an inconclusive gate may also be 0 or 1."""
    policy: dict[str, JsonValue]
    alpha: float
    accepted: Acceptance | None
    """None where the baseline is a plain run folder."""
    baseline: GateRun
    candidate: GateRun
    beside: GateRun | None = None
    """The run that times are held against, where that is not the baseline."""
    times: str
    """How the times of both were made comparable, or why they are not."""
    changed: tuple[Change, ...]
    checks: tuple[GateCheck, ...]
    lost: tuple[str, ...] = ()
    """Samples that are worth less with the candidate."""
    gained: tuple[str, ...] = ()
    """Samples that are worth more with it."""
    notes: tuple[str, ...] = ()
