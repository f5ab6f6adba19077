"""What the traffic gets from a policy, from answers on record: every call of the models that it would ask counts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from harness.records.interval import Interval
from harness.records.route import ModelTarget
from harness.records.routing import CurveRecord, RouteFigures
from harness.records.summary import CostInterval
from harness.route.evidence import Call, Drawn
from harness.stats.bounded import units_interval, units_of
from harness.stats.cascade import coverage_curve
from harness.stats.certify import TwoAnswers
from harness.stats.latency import quantile_interval
from harness.stats.spending import mean_cost_interval, per_success_interval, split_level

__all__ = ["Routed", "View", "all_large", "all_small", "curve_of", "figures_of", "oracle", "random_mix", "two_answers"]

_LEAST = 2


@dataclass(frozen=True, slots=True)
class View:
    """A call as a policy sees it, before a threshold says where it goes."""

    call: Call = field(repr=False)
    cluster: str | None
    expert: ModelTarget | None
    known: float | None
    """Confidence before the expert has answered; None: it has to answer first."""
    confidence: float
    """−inf where the small model's answer may not stand."""
    why: str
    """Why not: `no expert`, `out of distribution`, a signal; `unsure` where the confidence alone decides."""
    chosen: int = 0
    """Which of several answers stands."""

    @property
    def small(self) -> Drawn | None:
        """The expert's answer, with the cost of all that are drawn, asked at once; None without an expert."""
        if self.expert is None:
            return None
        told = self.call.small[self.expert.name][: self.expert.samples]
        costs, times = [one.cost_usd for one in told], [one.e2e_s for one in told]
        return replace(
            told[self.chosen],
            cost_usd=None if None in costs else sum(one for one in costs if one is not None),
            e2e_s=None if None in times else max(one for one in times if one is not None),
        )

    def routed(self, threshold: float | None) -> "Routed":
        """The call with this threshold; None: all go to the large model, and nobody else is asked."""
        small, large = self.small, self.call.large
        alone = Routed(self.call, large.value, 0.0, False, large.cost_usd, large.e2e_s, self.why)
        if threshold is None:
            return replace(alone, reason="not certified")
        if small is None or (self.known is not None and self.known < threshold):
            return alone if small is None else replace(alone, reason="unsure")
        if self.confidence >= threshold:
            return Routed(self.call, small.value, 1.0, False, small.cost_usd, small.e2e_s, "kept")
        cost, took = plus(small.cost_usd, large.cost_usd), plus(small.e2e_s, large.e2e_s)
        return Routed(self.call, large.value, 0.0, True, cost, took, self.why)


@dataclass(frozen=True, slots=True)
class Routed:
    """A call with its outcome."""

    call: Call = field(repr=False)
    value: float
    kept: float
    """1: the small model's answer stands; between 0 and 1 where lots are drawn."""
    both: bool
    """Whether two models were asked, one after the other."""
    cost_usd: float | None
    e2e_s: float | None
    reason: str = ""


def plus(first: float | None, second: float | None) -> float | None:
    """The sum; None where one of them is not known."""
    return None if first is None or second is None else first + second


def two_answers(views: Sequence[View]) -> list[TwoAnswers]:
    """The calls as the certificate reads them.

    Without an expert the first small model's value stands at −inf, which no threshold reaches.
    """
    return [
        TwoAnswers(
            id=one.call.id,
            confidence=one.confidence,
            small=next(iter(one.call.small.values()))[0].value if one.small is None else one.small.value,
            large=one.call.large.value,
            session=one.call.sample.session,
            weight=one.call.sample.weight,
        )
        for one in views
    ]


def figures_of(name: str, routed: Sequence[Routed]) -> RouteFigures:
    """What these calls come to, by their weights, with 95 % intervals by session.

    Cost and time speak of the calls for which they are known; a call is left out of them whoever answers it, if that
    of the large model is not known: else the calls that are handed on would drop out alone.
    """
    weights = [one.call.sample.weight for one in routed]
    sessions = [one.call.sample.session for one in routed]
    values, kept = [one.value for one in routed], [one.kept for one in routed]
    accuracy = units_interval(units_of(values, sessions, weights))
    priced = [one for one in routed if one.cost_usd is not None and one.call.large.cost_usd is not None]
    timed = [one for one in routed if one.e2e_s is not None and one.call.large.e2e_s is not None]
    whole = sum(weights)
    cost = _mean([(one.call.sample.weight, one.cost_usd or 0.0) for one in priced])
    high = _p95_high(timed) if timed else None
    return RouteFigures(
        name=name,
        n=len(routed),
        coverage=sum(w * k for w, k in zip(weights, kept, strict=True)) / whole,
        coverage_interval=units_interval(units_of(kept, sessions, weights)),
        both=sum(w for w, one in zip(weights, routed, strict=True) if one.both) / whole,
        accuracy=sum(w * v for w, v in zip(weights, values, strict=True)) / whole,
        accuracy_interval=accuracy,
        difference=sum(w * (one.value - one.call.large.value) for w, one in zip(weights, routed, strict=True)) / whole,
        cost_usd_per_call=cost,
        costed=len(priced),
        timed=len(timed),
        e2e_p50_s=_quantile(timed, 0.5),
        e2e_p95_s=_quantile(timed, 0.95),
        e2e_p95_high_s=high,
        **_success(priced, cost),
    )


def _success(priced: Sequence[Routed], cost: float | None) -> dict[str, float | CostInterval | None]:
    """Cost of a success and both intervals of cost, where each call counts as once: weights would need more."""
    if cost is None:
        return {}
    wins = _mean([(one.call.sample.weight, one.value) for one in priced]) or 0.0
    found: dict[str, float | CostInterval | None] = {"cost_usd_per_success": cost / wins if wins > 0 else None}
    if len({one.call.sample.weight for one in priced}) > 1:
        return found
    labels = {name: place for place, name in enumerate(dict.fromkeys(_session(one.call) for one in priced))}
    places = [labels[_session(one.call)] for one in priced]
    costs = [one.cost_usd or 0.0 for one in priced]
    values = units_of([one.value for one in priced], [one.call.sample.session for one in priced])
    level = split_level(0.95)
    success = per_success_interval(
        cost, mean_cost_interval(costs, places, level), units_interval(values, level=level), 0.95
    )
    return {**found, "cost_interval": mean_cost_interval(costs, places), "success_interval": success if wins else None}


def _session(call: Call) -> str:
    return call.sample.session or call.id


def _mean(pairs: Sequence[tuple[float, float]]) -> float | None:
    weight = sum(one for one, _ in pairs)
    return sum(one * value for one, value in pairs) / weight if weight else None


def _quantile(timed: Sequence[Routed], q: float) -> float | None:
    """By weight: the least time within which this share of the calls is answered."""
    if not timed:
        return None
    ordered = sorted((one.e2e_s or 0.0, one.call.sample.weight) for one in timed)
    reach = np.cumsum([weight for _, weight in ordered])
    return ordered[int(np.searchsorted(reach, q * reach[-1] - 1e-9))][0]


def _p95_high(timed: Sequence[Routed]) -> float | None:
    found = quantile_interval(
        [one.e2e_s or 0.0 for one in timed], 0.95, sessions=[one.call.sample.session for one in timed]
    )
    return found.high


def all_large(calls: Sequence[Call]) -> list[Routed]:
    """The large model alone."""
    return [_of(one, one.large, 0.0) for one in calls]


def all_small(calls: Sequence[Call], name: str) -> list[Routed]:
    """One small model alone, asked once."""
    return [_of(one, one.small[name][0], 1.0) for one in calls]


def oracle(calls: Sequence[Call], name: str) -> list[Routed]:
    """The small model wherever its answer is worth at least the large one's: what no router can beat."""
    return [
        _of(one, one.small[name][0], 1.0) if one.small[name][0].value >= one.large.value else _of(one, one.large, 0.0)
        for one in calls
    ]


def _of(call: Call, told: Drawn, kept: float) -> Routed:
    return Routed(call, told.value, kept, False, told.cost_usd, told.e2e_s)


def random_mix(calls: Sequence[Call], name: str, share: float) -> RouteFigures:
    """As many calls to the small model, drawn by lot: expected values of both, so without quantiles of time."""
    mixed = []
    for one in calls:
        small, large = one.small[name][0], one.large
        cost = None
        if small.cost_usd is not None and large.cost_usd is not None:
            cost = share * small.cost_usd + (1 - share) * large.cost_usd
        mixed.append(Routed(one, share * small.value + (1 - share) * large.value, share, False, cost, None))
    return figures_of("random", mixed).model_copy(update={"coverage_interval": None})


def curve_of(views: Sequence[View], most: int = 60) -> tuple[CurveRecord, ...]:
    """Coverage, accuracy and cost at every threshold, at most so many, both ends among them."""
    points = [one for one in coverage_curve(two_answers(views)) if one.threshold > -np.inf]
    keep = np.unique(np.linspace(0, len(points) - 1, min(most, len(points))).round().astype(int))
    cost_at = _costs(views)
    return tuple(
        CurveRecord(
            threshold=None if (one := points[place]).threshold == np.inf else one.threshold,
            coverage=one.coverage,
            accuracy=one.value,
            cost_usd_per_call=cost_at(one.threshold),
        )
        for place in keep
    )


def _costs(views: Sequence[View]) -> Callable[[float], float | None]:
    """Mean cost of a call by threshold, as `View.routed` has it; ∞: no policy, the large model alone."""
    nan = np.nan
    rows = []
    for one in views:
        small, large = one.small, nan if one.call.large.cost_usd is None else one.call.large.cost_usd
        own = nan if small is None or small.cost_usd is None else small.cost_usd
        known = -np.inf if small is None else np.inf if one.known is None else one.known
        rows.append((one.call.sample.weight, large, own, known, one.confidence))
    weight, large, own, known, confidence = np.array(rows, dtype=float).T

    def at(threshold: float) -> float | None:
        if threshold == np.inf:
            cost = large
        else:
            cost = np.where(known < threshold, large, np.where(confidence >= threshold, own, own + large))
        priced = ~np.isnan(cost) & ~np.isnan(large)
        return float(np.average(cost[priced], weights=weight[priced])) if priced.any() else None

    return at


def by_cluster(views: Sequence[View]) -> Mapping[str, list[View]]:
    """The calls of each task of the suite, most traffic first."""
    found: dict[str, list[View]] = {}
    for one in views:
        found.setdefault(one.call.sample.category, []).append(one)
    order: Callable[[list[View]], float] = lambda each: -sum(one.call.sample.weight for one in each)  # noqa: E731
    return dict(sorted(found.items(), key=lambda pair: (order(pair[1]), pair[0])))


def interval_of_difference(routed: Sequence[Routed]) -> Interval:
    """95 % interval of what is lost or gained against the large model."""
    return units_interval(
        units_of(
            [one.value - one.call.large.value for one in routed],
            [one.call.sample.session for one in routed],
            [one.call.sample.weight for one in routed],
        ),
        low=-1.0,
        high=1.0,
    )
