"""From criteria to a decision for each cluster, with the chance of a false one kept over all of them together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

from harness.config import StatsConfig
from harness.measure import quantiles
from harness.records.decision import Assessment, Criterion, CriterionName, Decision, Traffic
from harness.select.criteria import Bar, criteria_of
from harness.select.hybrid import Hybrid, hybrid_of
from harness.select.lane import Lane, Question
from harness.stats.multiplicity import adjusted

__all__ = ["Judged", "by_cluster", "decide", "judge", "mean_of", "open_words", "price_order", "traffic_of"]

_NAMES: dict[CriterionName, str] = {
    "accuracy": "accuracy",
    "wrong_calls": "calls where none is wanted",
    "missed_calls": "calls withheld",
    "schema": "form",
    "ttft": "first token in time",
    "e2e": "reply in time",
    "cost": "cost",
}


@dataclass(frozen=True, slots=True)
class _Raw:
    """An assessment before the correction."""

    cluster: str
    lane: Lane
    criteria: tuple[Criterion, ...]
    hybrid: Hybrid | None
    p: float
    p_failing: float


@dataclass(frozen=True, slots=True)
class Judged:
    """All assessments of a suite, by cluster, and how many hypotheses they were corrected for."""

    by_cluster: Mapping[str, tuple[Assessment, ...]]
    refuted: frozenset[str]
    """Clusters where every variant is shown to fail, with the chance of a false one kept over all clusters; all of
    them where the constraints leave no variant."""
    hypotheses: int


def by_cluster(asked: Sequence[Question]) -> dict[str, list[Question]]:
    """The questions of each cluster, most traffic first."""
    found: dict[str, list[Question]] = {}
    for one in asked:
        found.setdefault(one.cluster, []).append(one)
    return dict(sorted(found.items(), key=lambda pair: (-sum(one.weight for one in pair[1]), pair[0])))


def judge(asked: Sequence[Question], lanes: Sequence[Lane], base: Lane, stats: StatsConfig) -> Judged:
    """Every variant in every cluster, alone and as a hybrid.

    All criteria that are set must hold, so that the p of a variant is the largest of theirs (an intersection-union
    test: each may be judged at α itself; Berger 1982, Technometrics 24). These p are corrected over all clusters,
    variants and modes. Whichever of those that pass is then taken, none is falsely taken with more than α: choosing
    afterwards costs nothing more.
    """
    clusters = by_cluster(asked)
    planned = len(clusters) * len(lanes) * (2 if stats.hybrid else 1)
    bar = Bar(stats, stats.alpha / max(1, planned) if stats.multiplicity == "holm" else stats.alpha)
    raw: list[_Raw] = []
    for cluster, questions in clusters.items():
        for lane in lanes:
            raw.append(_raw(cluster, questions, lane, base, bar, None))
            found = None
            if stats.hybrid and lane.variant.samples == 1:
                found = hybrid_of(questions, lane, base, stats.hybrid)
            if found is not None:
                raw.append(_raw(cluster, questions, found.lane, base, bar, found))
    holding = adjusted([one.p for one in raw], stats.multiplicity)
    failing = adjusted([one.p_failing for one in raw], stats.multiplicity)
    made: dict[str, list[Assessment]] = {cluster: [] for cluster in clusters}
    for one, p, p_failing in zip(raw, holding, failing, strict=True):
        status: Literal["pass", "fail", "need_more"]
        status = "pass" if p <= stats.alpha else "fail" if p_failing <= stats.alpha else "need_more"
        made[one.cluster].append(_assessment(one, clusters[one.cluster], base, p, status))
    return Judged(
        {cluster: tuple(each) for cluster, each in made.items()},
        frozenset(cluster for cluster, each in made.items() if all(one.status == "fail" for one in each)),
        len(raw),
    )


def _raw(
    cluster: str, asked: Sequence[Question], lane: Lane, base: Lane, bar: Bar, hybrid: Hybrid | None
) -> _Raw:  # fmt: skip
    criteria = tuple(
        one.model_copy(update={"status": "need_more"}) if _missing(one, bar.stats) else one
        for one in criteria_of(asked, lane, base, bar)
    )
    counted = [one for one in criteria if one.status not in {"not_set", "unknown"}]
    p = max((1.0 if one.p is None else one.p for one in counted), default=1.0)
    against = [one.p_failing for one in counted if one.p_failing is not None]
    failing = min(1.0, len(against) * min(against)) if against else 1.0
    return _Raw(cluster, lane, criteria, hybrid, p, failing)


def _missing(one: Criterion, stats: StatsConfig) -> bool:
    """Whether what was not measured stands in the way: a time that has a limit, and a cost if it is required."""
    return one.status == "unknown" and (one.name != "cost" or stats.cost_required)


def _assessment(
    one: _Raw, asked: Sequence[Question], base: Lane, p: float, status: Literal["pass", "fail", "need_more"]
) -> Assessment:
    answers = one.lane.of(question.id for question in asked)
    accuracy = next(criterion for criterion in one.criteria if criterion.name == "accuracy")
    behind = base if one.hybrid is not None else None
    first, whole = (
        quantiles([value for answer in answers if (value := getattr(answer, name)) is not None])
        for name in ("ttft_s", "e2e_s")
    )
    more = [  # of the criterion's own samples, of which a cluster has only so many
        ceil(criterion.more * len(asked) / criterion.n)
        for criterion in one.criteria
        if criterion.more is not None and criterion.n
    ]
    return Assessment(
        cluster=one.cluster,
        variant=one.lane.variant.id,
        mode="direct" if one.hybrid is None else "hybrid",
        status=status,
        p=one.p,
        p_adjusted=p,
        criteria=one.criteria,
        n=accuracy.n,
        accuracy=_by_calls(asked, one.lane, "value"),
        cost_usd_per_call=_by_calls(asked, one.lane, "cost_usd", behind),
        ttft_p95_s=first.p95 if first else None,
        e2e_mean_s=_by_calls(asked, one.lane, "e2e_s", behind),
        e2e_p50_s=whole.p50 if whole else None,
        e2e_p95_s=whole.p95 if whole else None,
        escalated=one.hybrid.escalated if one.hybrid else None,
        signals=one.hybrid.signals if one.hybrid else {},
        more=max(more) if more and status == "need_more" else None,
    )


def _by_calls(asked: Sequence[Question], lane: Lane, name: str, behind: Lane | None = None) -> float | None:
    """Mean of a figure over the calls that the samples stand for.

    behind: of a hybrid, the baseline: samples for which it has no such figure are left out, whoever answers them. Else
    the calls that are handed on would drop out alone.
    """
    known = [
        (one.weight, value)
        for one in asked
        if (value := mean_of(lane, one.id, name)) is not None
        and (behind is None or mean_of(behind, one.id, name) is not None)
    ]
    weight = sum(part for part, _ in known)
    return sum(part * value for part, value in known) / weight if weight else None


def decide(
    cluster: str, asked: Sequence[Question], found: Sequence[Assessment], base: Lane, lanes: Mapping[str, Lane],
    barred: Mapping[str, str], stats: StatsConfig,
) -> Decision:  # fmt: skip
    """What is to be done with a cluster: the cheapest variant that passes, else the cheapest hybrid, else none.

    lanes: of all variants that were judged, by id. barred: variants that the constraints leave out, with the reason.
    """
    passing = sorted((one for one in found if one.status == "pass"), key=lambda one: price_order(one, lanes))
    direct = [one for one in passing if one.mode == "direct"]
    chosen = direct[0] if direct else passing[0] if passing else None
    open_ = _nearest_first(found)
    verdict: Literal["replace", "hybrid", "keep", "need-n-more"]
    if chosen is not None:
        verdict = "replace" if chosen.mode == "direct" else "hybrid"
    else:
        verdict = "need-n-more" if open_ else "keep"
    nearest = chosen or (open_[0] if open_ else None)
    return Decision(
        cluster=cluster,
        name=cluster,
        verdict=verdict,
        variant=nearest.variant if nearest else None,
        more=nearest.more if nearest and chosen is None else None,
        why=_why(verdict, nearest, lanes, stats, judged=bool(found)),
        n=len(asked),
        sessions=len({one.session or one.id for one in asked}),
        traffic=traffic_of(asked, base),
        baseline_accuracy=_by_calls(asked, base, "value"),
        rejected=_rejected(found, chosen, barred, lanes),
        evidence=tuple(found),
    )


def price_order(one: Assessment, lanes: Mapping[str, Lane]) -> tuple[bool, float, float, float, str]:
    """Cheapest first; without costs the smallest model, then the quickest."""
    size = lanes[one.variant].variant.parameters
    return (
        one.cost_usd_per_call is None,
        one.cost_usd_per_call or 0.0,
        float(size) if size is not None else float("inf"),
        one.e2e_p50_s if one.e2e_p50_s is not None else float("inf"),
        one.variant,
    )


def _nearest_first(found: Sequence[Assessment]) -> list[Assessment]:
    """The undecided ones, those that may pass first, each with fewest samples to go; alone before hybrid.

    Where none looks like passing, most samples to go first: so many show that none of them will do.
    """
    open_ = [one for one in found if one.status == "need_more"]
    hopeful = [one for one in open_ if all(_hopeful(criterion) for criterion in one.criteria)]
    if hopeful:
        return sorted(hopeful, key=lambda one: (one.more is None, one.more or 0, one.mode == "hybrid", one.p))
    return sorted(open_, key=lambda one: (one.more is not None, -(one.more or 0), one.mode == "hybrid", one.p))


def _hopeful(one: Criterion) -> bool:
    """Whether what was seen speaks rather for the criterion than against it."""
    return one.p is None or one.p_failing is None or one.p <= one.p_failing


def traffic_of(asked: Sequence[Question], base: Lane) -> Traffic:
    """What the questions are of the traffic, as the baseline answered them; scaled to all where some have no figure."""
    calls = sum(one.weight for one in asked)

    def total(name: str) -> float | None:
        known = [(one.weight, value) for one in asked if (value := mean_of(base, one.id, name)) is not None]
        weight = sum(part for part, _ in known)
        return sum(part * value for part, value in known) * calls / weight if weight else None

    return Traffic(calls=calls, tokens=total("tokens"), usd=total("cost_usd"), seconds=total("e2e_s"))


def mean_of(lane: Lane, sample: str, name: str) -> float | None:
    """Mean of a figure over the lane's answers to a sample; None where none has it."""
    values = [value for one in lane.answers.get(sample, ()) if (value := getattr(one, name)) is not None]
    return sum(values) / len(values) if values else None


def _why(
    verdict: str, nearest: Assessment | None, lanes: Mapping[str, Lane], stats: StatsConfig, *, judged: bool
) -> str:  # fmt: skip
    if nearest is None:
        return "every variant is shown to fail" if judged else "the constraints leave no variant"
    label = lanes[nearest.variant].variant.label
    if verdict in {"replace", "hybrid"}:
        held = [_NAMES[one.name] for one in nearest.criteria if one.status == "pass"]
        unknown = [_NAMES[one.name] for one in nearest.criteria if one.status == "unknown"]
        handed = f", {100 * nearest.escalated:.0f} % of the calls handed on" if nearest.escalated is not None else ""
        aside = f"; not known: {', '.join(unknown)}" if unknown else ""
        return f"{label}{handed}: {', '.join(held)} shown to hold (adjusted p {nearest.p_adjusted:.2g}){aside}"
    return f"nothing is decided yet; nearest is {label}: {open_words(nearest, stats)}"


def open_words(one: Assessment, stats: StatsConfig) -> str:
    """What of an undecided assessment is open."""
    names = [_NAMES[c.name] for c in one.criteria if c.status == "need_more"]
    if failing := [_NAMES[c.name] for c in one.criteria if c.status == "fail"]:
        return f"{', '.join(failing)} would fail on its own, not surely after the correction"
    if names:
        return f"not shown: {', '.join(names)}"
    return f"each criterion holds on its own at {stats.alpha:g}, not after the correction (p {one.p_adjusted:.2g})"


def _rejected(
    found: Sequence[Assessment], chosen: Assessment | None, barred: Mapping[str, str], lanes: Mapping[str, Lane]
) -> dict[str, str]:
    reasons: dict[str, str] = {}
    for one in found:
        if one is chosen or (chosen is not None and one.variant == chosen.variant):
            continue
        key = one.variant if one.mode == "direct" else f"{one.variant} (hybrid)"
        reasons[key] = _reason(one, chosen, lanes)
    return reasons | dict(barred)


def _reason(one: Assessment, chosen: Assessment | None, lanes: Mapping[str, Lane]) -> str:
    if one.status == "pass" and chosen is not None:
        if chosen.mode == "direct" and one.mode == "hybrid":
            return "passes, but another passes without handing calls on"
        return f"passes, but {lanes[chosen.variant].variant.label} is cheaper or smaller"
    failed = [c for c in one.criteria if c.status == "fail"]
    if one.status == "fail" and failed:
        worst = min(failed, key=lambda c: 1.0 if c.p_failing is None else c.p_failing)
        return f"fails in {_NAMES[worst.name]}: {worst.why}"
    open_ = [c for c in one.criteria if c.status != "pass" and c.status not in {"not_set", "unknown"}]
    if not open_:
        return f"holds on its own, not after the correction for all verdicts (p {one.p_adjusted:.2g})"
    first = max(open_, key=lambda c: 1.0 if c.p is None else c.p)
    more = f"; about {_rough(one.more):,} samples more would decide" if one.more else ""
    return f"not shown in {_NAMES[first.name]}: {first.why}{more}"


def _rough(count: int) -> int:
    """Two digits of a count: an estimate carries no more."""
    return round(count, min(0, 2 - len(str(count))))
