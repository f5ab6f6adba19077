"""All variants beside each other: which are on the Pareto front, which order is decided, and what more samples buy."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from harness.errors import DataError
from harness.records.decision import BudgetLine, ParetoPoint, RankPair, Variant
from harness.records.paired import PairDecision, PairedComparison
from harness.select.lane import Lane, Question
from harness.select.verdicts import mean_of
from harness.stats.bounded import units_interval, units_of
from harness.stats.paired_verdict import compare
from harness.stats.ranking import rank

__all__ = ["budgets_of", "pareto_of", "ranking_of", "with_accuracy"]

_ALPHA = 0.05


def with_accuracy(lane: Lane, asked: Sequence[Question]) -> Lane:
    """The lane with its variant's accuracy over the traffic, by the samples' weights, and the interval by session."""
    known = [(one, value) for one in asked if (value := mean_of(lane, one.id, "value")) is not None]
    if not known:
        return lane
    units = units_of([value for _, value in known], [one.session for one, _ in known], [one.weight for one, _ in known])
    found = {"accuracy": min(1.0, max(0.0, units.mean)), "accuracy_interval": units_interval(units)}
    return Lane(lane.variant.model_copy(update=found), lane.answers)


def pareto_of(variants: Sequence[Variant]) -> tuple[ParetoPoint, ...]:
    """Who is beaten by whom: at least as accurate, as cheap and as quick (median), and better in one.

    On the figures as measured, without a test. A figure that no variant has counts for none; who lacks one that others
    have is on no front, and beats nobody.
    """
    figures = {one.id: _figures(one) for one in variants}
    axes = [name for name in _AXES if any(each[name] is not None for each in figures.values())]
    missing = {id_: tuple(name for name in axes if each[name] is None) for id_, each in figures.items()}
    known = {
        id_: tuple(value for name in axes if (value := each[name]) is not None)
        for id_, each in figures.items()
        if not missing[id_] and axes
    }
    made = []
    for one in variants:
        own = known.get(one.id)
        beaten = [] if own is None else [id_ for id_, other in known.items() if id_ != one.id and _beats(other, own)]
        made.append(
            ParetoPoint(
                variant=one.id,
                accuracy=one.accuracy,
                cost_usd_per_call=one.cost_usd_per_call,
                e2e_s=one.e2e_p50_s,
                front=own is not None and not beaten,
                dominated_by=tuple(beaten),
                missing=missing[one.id],
            )
        )
    return tuple(made)


_AXES = ("accuracy", "cost", "time")


def _figures(one: Variant) -> dict[str, float | None]:
    """Accuracy, cost and time, larger always better."""
    return {
        "accuracy": one.accuracy,
        "cost": None if one.cost_usd_per_call is None else -one.cost_usd_per_call,
        "time": None if one.e2e_p50_s is None else -one.e2e_p50_s,
    }


def _beats(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    return first != second and all(a >= b for a, b in zip(first, second, strict=True))


def ranking_of(lanes: Sequence[Lane], asked: Sequence[Question], alpha: float) -> tuple[tuple[RankPair, ...], int, int]:
    """Neighbours in the order of accuracy, whether that order is shown (Holm over all pairs of variants), and how many
    pairs are decided, of how many.

    By the samples that both have, unweighted; by session where sessions hold several. Votes are left out.
    """
    values = {
        lane.variant.id: {one.id: value for one in asked if (value := mean_of(lane, one.id, "value")) is not None}
        for lane in lanes
        if lane.variant.samples == 1
    }
    known = {id_: each for id_, each in values.items() if each}
    if len(known) < 2:
        return (), 0, 0
    found = rank(known, alpha=alpha, sessions={one.id: one.session for one in asked})
    pairs = {frozenset((one.better, one.worse)): one for one in found.pairs}
    neighbours = [frozenset(both) for both in pairwise(found.models)]
    told = tuple(_rank_pair(pairs[both]) for both in neighbours if both in pairs)
    return told, found.decided, len(found.pairs)


def _rank_pair(pair: PairDecision) -> RankPair:
    discordant = pair.gained + pair.lost
    text = f"{discordant} of {pair.n} pairs discordant, {pair.gained} for the first and {pair.lost} for the second"
    return RankPair(
        first=pair.better,
        second=pair.worse,
        n=pair.n,
        discordant=discordant,
        difference=pair.difference,
        p_adjusted=pair.p_adjusted,
        decided=pair.decided,
        text=f"{text}: {'the order is shown' if pair.decided else 'not decided'} (p {pair.p_adjusted:.2g})",
    )


def _compared(base: Lane, lane: Lane, asked: Sequence[Question]) -> PairedComparison | None:
    """The two on their shared samples; None where they have none."""
    first, second = (
        {q.id: [value] for q in asked if (value := mean_of(one, q.id, "value")) is not None} for one in (base, lane)
    )
    if not first.keys() & second.keys():
        return None
    try:
        return compare(first, second, margin=0.05, alpha=0.05, sessions={q.id: q.session for q in asked})
    except DataError:  # values beyond 0..1: such a scorer's variants have no order here
        return None


def budgets_of(lanes: Sequence[Lane], asked: Sequence[Question]) -> tuple[BudgetLine, ...]:
    """What several samples buy: each such variant beside the best single call that costs, or takes, no more."""
    single = [lane for lane in lanes if lane.variant.samples == 1 and lane.variant.accuracy is not None]
    lines = []
    for lane in lanes:
        if lane.variant.samples == 1 or lane.variant.accuracy is None:
            continue
        for kind, name in (("cost", "cost_usd"), ("latency", "e2e_s")):
            limit = _spent(lane, asked, name)
            if limit is None:
                continue
            within = {one.variant.id: one for one in single if (_spent(one, asked, name) or limit + 1) <= limit}
            lines.append(_budget(kind, limit, lane, _best(within), asked))
    return tuple(lines)


def _spent(lane: Lane, asked: Sequence[Question], name: str) -> float | None:
    values = [value for one in asked if (value := mean_of(lane, one.id, name)) is not None]
    return sum(values) / len(values) if values else None


def _best(lanes: Mapping[str, Lane]) -> Lane | None:
    return max(lanes.values(), key=lambda lane: (lane.variant.accuracy or 0.0, lane.variant.id), default=None)


def _budget(kind: str, limit: float, lane: Lane, best: Lane | None, asked: Sequence[Question]) -> BudgetLine:
    found = None if best is None else _compared(best, lane, asked)
    if found is None:
        words = "no single call at that price"
    else:
        seen = f"{100 * found.difference:+.1f}".replace("-", "−")
        shown = "not chance" if found.mcnemar_p <= _ALPHA else "not decided"
        words = f"{seen} points on {found.n} samples, {shown} (p {found.mcnemar_p:.2g})"
    assert lane.variant.accuracy is not None
    return BudgetLine(
        kind="cost" if kind == "cost" else "latency",
        limit=limit,
        single=best.variant.id if best else None,
        single_accuracy=best.variant.accuracy if best else None,
        several=lane.variant.id,
        several_accuracy=lane.variant.accuracy,
        comparison=words,
    )
