"""What becomes of each cluster of calls: who takes it over, on what evidence, and what that moves."""

from typing import Literal

from pydantic import Field, JsonValue

from harness.records.attempt import Protocol
from harness.records.base import Record
from harness.records.paired import PairedComparison
from harness.records.summary import Interval

__all__ = [
    "Assessment",
    "BudgetLine",
    "Claim",
    "Criterion",
    "CriterionName",
    "Decision",
    "DecisionVerdict",
    "ParetoPoint",
    "Plan",
    "RankPair",
    "Selection",
    "Share",
    "Status",
    "Traffic",
    "Variant",
]

CriterionName = Literal["accuracy", "wrong_calls", "missed_calls", "schema", "ttft", "e2e", "cost"]
"""What a variant must hold. `wrong_calls`: called where nothing was to be called; `missed_calls`: the other way."""

Status = Literal["pass", "fail", "need_more", "unknown", "not_set"]
"""`unknown`: not measured. `not_set`: nobody asked for it, or the cluster has no such samples."""

DecisionVerdict = Literal["replace", "hybrid", "keep", "need-n-more"]

Mode = Literal["direct", "hybrid"]
"""Alone, or with calls handed to the baseline where a checkable signal says so."""


class Variant(Record):
    """One way to answer the suite: model, protocol, weights, prompt, and what is computed at test time."""

    id: str
    """Name of the run folder; with `+` and a rule where several trials make one answer."""
    run: str
    label: str
    model: str
    title: str
    deployment: str
    """Model, weights, adapter and engine: variants that share it run on one and the same server."""
    protocol: Protocol
    backend: str
    quantization: str | None = None
    adapter: str | None = None
    examples: int = 0
    settings: dict[str, str] = Field(default_factory=dict)
    """What else was set and can change an answer."""
    compute: str = "single"
    """`single`, or the rule by which `samples` trials make one answer."""
    samples: int = Field(default=1, ge=1)
    hosted: bool = False
    licence: str | None = None
    languages: tuple[str, ...] = ()
    parameters: int | None = None
    context_tokens: int | None = None
    memory_bytes: int | None = None
    memory_from: Literal["measured", "estimated"] | None = None
    hardware: str | None = None
    """What its times and costs are of."""
    accuracy: float | None = None
    """Over all samples, by traffic."""
    accuracy_interval: Interval | None = None
    cost_usd_per_call: float | None = None
    cost_basis: str | None = None
    ttft_p50_s: float | None = None
    ttft_p95_s: float | None = None
    e2e_p50_s: float | None = None
    e2e_p95_s: float | None = None
    tokens_per_s: float | None = None
    times_from: Literal["measured", "log"] | None = None
    barred: str | None = None
    """Why the constraints leave it out, before a single outcome was looked at."""


class Criterion(Record):
    """One criterion of one variant in one cluster."""

    name: CriterionName
    status: Status
    limit: float | None = None
    """Margin, share of calls that may be late, or largest ratio of costs."""
    n: int = 0
    """Samples that it is judged on."""
    estimate: float | None = None
    """Difference of shares; share of late calls; ratio of costs."""
    interval: Interval | None = None
    p: float | None = Field(default=None, ge=0, le=1)
    """Of the criterion not being held."""
    p_failing: float | None = Field(default=None, ge=0, le=1)
    """Of it being held."""
    more: int | None = None
    """Of `need_more`: about how many samples more would decide it; null where a million would not, or not known."""
    pair: PairedComparison | None = None
    why: str = ""
    """One sentence with the numbers."""


class Assessment(Record):
    """A variant in a cluster: every criterion, and whether all of them are shown to hold."""

    cluster: str
    variant: str
    mode: Mode
    status: Literal["pass", "fail", "need_more"]
    """`pass`: every criterion that is set is shown to hold. `fail`: one is shown not to."""
    p: float = Field(ge=0, le=1)
    """The largest of the criteria's: that one of them does not hold."""
    p_adjusted: float = Field(ge=0, le=1)
    """The same for all clusters and variants together."""
    criteria: tuple[Criterion, ...]
    n: int
    """Samples that both have scored."""
    accuracy: float | None
    cost_usd_per_call: float | None
    ttft_p95_s: float | None
    e2e_mean_s: float | None
    e2e_p50_s: float | None
    e2e_p95_s: float | None
    escalated: float | None = None
    """Of a hybrid: share of calls that go on to the baseline."""
    signals: dict[str, int] = Field(default_factory=dict)
    """Of a hybrid: why they go on, by count."""
    more: int | None = None
    """Samples that decide it, at the power asked for."""

    def criterion(self, name: CriterionName) -> Criterion | None:
        """The criterion of a name; None where it was not judged."""
        return next((one for one in self.criteria if one.name == name), None)


class Traffic(Record):
    """What a cluster is of the whole, as the baseline took it. None: the baseline's run does not say."""

    calls: float
    tokens: float | None
    usd: float | None
    seconds: float | None


class Decision(Record):
    """What is to be done with a cluster."""

    cluster: str
    name: str
    verdict: DecisionVerdict
    variant: str | None
    """Chosen, of `replace` and `hybrid`; of `need-n-more` the one that is nearest to a verdict."""
    more: int | None
    """Of `need-n-more`: about how many samples more."""
    why: str
    n: int
    """Samples."""
    sessions: int
    """Independent ones that these are of: what a verdict can rest on."""
    traffic: Traffic
    baseline_accuracy: float | None
    rejected: dict[str, str]
    """Every other variant with the reason."""
    evidence: tuple[Assessment, ...]


class Plan(Record):
    """Which variant takes which cluster, if so many deployments are run."""

    name: str
    deployments: tuple[str, ...]
    assignment: dict[str, str]
    """Variant of each cluster that moves, `variant (hybrid)` where calls may be handed on; the others are kept."""
    exact: bool
    """Whether every choice was looked at; else it is a greedy one."""
    calls_moved: float = Field(ge=0, le=1)
    """Share of calls that the variants answer, those handed on left out."""
    cost_usd_per_1k: float | None
    """Of 1,000 calls of the whole traffic, kept ones included."""
    price_calls: float | None = None
    """Share of calls that it moves less than the best plan."""
    price_usd_per_1k: float | None = None
    """What 1,000 calls cost more than with the best plan."""


class ParetoPoint(Record):
    """A variant among all, by accuracy, cost and time."""

    variant: str
    accuracy: float | None
    cost_usd_per_call: float | None
    e2e_s: float | None
    front: bool
    dominated_by: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """What was not measured, so that it is on no front."""


class RankPair(Record):
    """Two neighbours of the ranking by accuracy, and whether their order is decided."""

    first: str
    second: str
    n: int
    discordant: int
    """Samples that only one of them has right; of values between 0 and 1, samples whose values differ."""
    difference: float
    p_adjusted: float = Field(ge=0, le=1)
    decided: bool
    text: str


class BudgetLine(Record):
    """The best single call and the best answer from several samples, at no more than a cost or a time."""

    kind: Literal["cost", "latency"]
    limit: float
    """USD a call, or seconds (mean, end to end)."""
    single: str | None
    single_accuracy: float | None
    several: str
    several_accuracy: float
    comparison: str
    """What the difference is worth."""


class Share(Record):
    """What part of the traffic can move, in one currency."""

    unit: Literal["calls", "tokens", "usd", "seconds"]
    replace: float | None = Field(default=None, ge=0, le=1)
    """In clusters with the verdict `replace`."""
    with_hybrid: float | None = Field(default=None, ge=0, le=1)
    """And what hybrids answer themselves."""
    not_refuted: float | None = Field(default=None, ge=0, le=1)
    """In clusters where it is not shown that no variant will do."""
    interval: Interval | None = None
    """From what is shown to what is not refuted, each end with the chance of the traffic's own sampling."""
    saved: float | None = None
    """Of usd and seconds: net share of the whole that is saved with hybrids counted; below 0 it is lost."""


class Claim(Record):
    """What others estimate, beside what was measured here."""

    text: str
    source: str
    low: float
    high: float
    unit: Literal["share", "times cheaper"]
    measured: float | None
    """The nearest figure of this page; null where nothing was measured."""


class Selection(Record):
    """All verdicts of one suite, and what follows from them."""

    schema_version: Literal[1] = 1
    name: str
    """Name of the folder."""
    made_at: str
    """ISO 8601, UTC."""
    suite: str
    suite_hash: str
    by: Literal["cluster", "all"]
    baseline: str
    """Id of the variant that all are held against."""
    stats: dict[str, JsonValue]
    """Margins and levels, as they were set."""
    constraints: dict[str, JsonValue]
    hypotheses: int
    """Verdicts that the correction for multiplicity counts."""
    rule: str
    """When a hybrid hands a call on."""
    variants: tuple[Variant, ...]
    decisions: tuple[Decision, ...]
    plans: tuple[Plan, ...]
    pareto: tuple[ParetoPoint, ...]
    ranking: tuple[RankPair, ...]
    budgets: tuple[BudgetLine, ...]
    shares: tuple[Share, ...]
    claims: tuple[Claim, ...]
    notes: tuple[str, ...] = ()

    def variant(self, id_: str) -> Variant:
        """The variant of an id. Raises KeyError for one that is not among them."""
        found = next((one for one in self.variants if one.id == id_), None)
        if found is None:
            raise KeyError(id_)
        return found
