"""What `do=route` found: every policy on the recorded answers, the one that was chosen, and what else could be paid."""

from typing import Literal

from pydantic import Field

from harness.records.base import Record
from harness.records.interval import Interval
from harness.records.route import CertifiedRecord, ConfidenceKind, ModelTarget, PolicyKind
from harness.records.summary import CostInterval

__all__ = [
    "CurveRecord", "KindRecord", "LoadCase", "PlacingRecord", "PriceCase", "RouteCluster", "RouteFigures",
    "RouteReport", "SimulatedCall",
]  # fmt: skip


class RouteFigures(Record):
    """What the traffic of the test split gets, if its calls go this way. All by the calls that samples stand for."""

    name: str
    """`policy`, `large`, `small: NAME`, `random` (as many calls, drawn by lot) or `oracle` (knows both outcomes)."""
    n: int
    coverage: float
    """Share of the calls that a small model answers."""
    coverage_interval: Interval | None = None
    both: float
    """Share that two models were asked for, one after the other."""
    accuracy: float
    accuracy_interval: Interval | None = None
    difference: float
    """Of the accuracy to that of the large model alone."""
    cost_usd_per_call: float | None = None
    """All models asked for a call. None where that of one of them is not known for any call."""
    cost_interval: CostInterval | None = None
    cost_usd_per_success: float | None = None
    success_interval: CostInterval | None = None
    costed: int = 0
    """Calls whose cost is known; the figures of cost speak of these."""
    e2e_p50_s: float | None = None
    e2e_p95_s: float | None = None
    e2e_p95_high_s: float | None = None
    """Upper end of the 95 % interval of the p95; None: so few calls do not bound it."""
    timed: int = 0


class CurveRecord(Record):
    """A threshold on the test split, for the picture alone: nothing was chosen by it."""

    threshold: float | None
    """None: the large model alone (first), or all calls that may go to a small one (last)."""
    coverage: float
    accuracy: float
    cost_usd_per_call: float | None


class KindRecord(Record):
    """One kind of policy: how it would be made, and what was shown of it."""

    kind: PolicyKind
    confidence: ConfidenceKind | None = None
    experts: tuple[str, ...] = ()
    score: Literal["logistic", "boosted"] | None = None
    status: Literal["certified", "not certified", "not made"]
    why_not: str | None = None
    more: int | None = None
    """Of `not certified`: about how many calls of the test split more would show the safest threshold."""
    certified: CertifiedRecord | None = None
    figures: RouteFigures | None = None
    """At the certified threshold."""
    apgr: float | None = None
    """Share of the gap between the models that it closes, over all shares of calls; 0.5: as a lot does."""
    cpt_50: float | None = None
    """Least share of calls to the large model that closes half of the gap."""
    cpt_80: float | None = None
    curve: tuple[CurveRecord, ...] = ()


class RouteCluster(Record):
    """What the chosen policy does with one task of the suite."""

    cluster: str
    name: str
    n: int
    traffic: float
    """Share of the calls."""
    expert: str | None
    """Who is asked most in it; None: nobody but the large model."""
    placed: float | None = None
    """Share of its calls that the index finds to be of it; None: the policy asks for no task."""
    coverage: float
    accuracy: float
    large_accuracy: float
    difference: float
    difference_interval: Interval
    """95 %, of this task alone: the certificate speaks of all calls, not of each task."""
    cost_usd_per_call: float | None
    large_cost_usd_per_call: float | None


class PlacingRecord(Record):
    """How well the index finds the task of a call that had no part in making it."""

    n: int
    right: float
    """Share of the calls that are put into their own task."""
    outside: float
    """Share that is near to no task, and goes to the large model."""
    radius_from: str
    """How it was decided what is near, in words."""


class PriceCase(Record):
    """Costs of a call at other prices."""

    name: str
    policy_usd: float | None
    large_usd: float | None
    small_usd: float | None
    """All calls to the small models, none to the large one."""
    saved: float | None
    """Share of what the large model alone costs; below 0: lost."""
    costed: int


class LoadCase(Record):
    """Waiting at the small model's engine, if the calls come faster than they do."""

    factor: float
    calls_per_s: float
    """That the small engine gets."""
    busy: float
    """Share of the time that its slots work; 1 and above: it never catches up."""
    wait_p50_s: float | None
    wait_p95_s: float | None
    e2e_p50_s: float | None
    e2e_p95_s: float | None
    """Of all calls, waiting and the large model's time counted."""
    n: int


class SimulatedCall(Record):
    """What the policy does with one call of the test split: a line of `simulated.jsonl`."""

    sample: str
    cluster: str | None
    """By the index; None: not asked for, or none is near enough."""
    expert: str | None
    confidence: float | None
    kept: bool
    reason: str
    value: float
    """What the answer that stands is worth."""
    cost_usd: float | None
    e2e_s: float | None


class RouteReport(Record):
    """`simulation.json`: all that the page of `do=route` shows."""

    name: str
    made_at: str
    suite: str
    suite_hash: str
    large: ModelTarget
    small: tuple[ModelTarget, ...]
    margin: float
    alpha: float
    split: str
    tuned_on: int
    tested_on: int
    sentence: str
    """What was certified, or why nothing was."""
    chosen: PolicyKind | None
    """Of the policy that was written; None: none is certified, and all calls go to the large model."""
    kinds: tuple[KindRecord, ...]
    figures: tuple[RouteFigures, ...]
    """The policy first, then what it is held against."""
    clusters: tuple[RouteCluster, ...] = ()
    placing: PlacingRecord | None = None
    prices: tuple[PriceCase, ...] = ()
    loads: tuple[LoadCase, ...] = ()
    notes: tuple[str, ...] = Field(default=())
