"""What a router buys at each share of calls that it sends to the small model, in one curve and two figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from harness.errors import DataError
from harness.stats.certify import TwoAnswers

__all__ = ["CurvePoint", "apgr", "call_performance_threshold", "coverage_curve", "recovered"]


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A threshold, and what the traffic gets with it."""

    threshold: float
    coverage: float
    """Share of the calls that the small model answers."""
    value: float
    """Mean value of what is answered."""


def coverage_curve(calls: Sequence[TwoAnswers]) -> tuple[CurvePoint, ...]:
    """A point for each threshold that makes a difference: from the large model alone (`inf`) down to −inf.

    Calls of equal confidence move together. Raises DataError without calls.
    >>> calls = [TwoAnswers("a", 0.9, 1.0, 1.0), TwoAnswers("b", 0.2, 0.0, 1.0)]
    >>> [(point.coverage, point.value) for point in coverage_curve(calls)]
    [(0.0, 1.0), (0.5, 1.0), (1.0, 0.5)]
    """
    if not calls:
        raise DataError("a curve needs calls that both models have answered, and there are none")
    weight = sum(one.weight for one in calls)
    value, moved = sum(one.weight * one.large for one in calls), 0.0
    found = [CurvePoint(inf, 0.0, value / weight)]
    ordered = sorted(calls, key=lambda one: -one.confidence)
    for place, one in enumerate(ordered):
        moved += one.weight
        value += one.weight * (one.small - one.large)
        if place + 1 == len(ordered) or ordered[place + 1].confidence < one.confidence:
            found.append(CurvePoint(one.confidence, moved / weight, value / weight))
    return tuple(found)


def recovered(curve: Sequence[CurvePoint], large_share: float) -> float | None:
    """Share of the gap between both models that a router closes where this share of calls goes to the large one (PGR).

    Between two points of the curve calls of the later one are taken at random: a straight line. None where the models
    are worth the same, since there is no gap. Below 0 and above 1 where the router does worse or better than either.
    large_share: 0..1. Source: Ong et al. 2024, arXiv:2406.18665, section 2.2.
    >>> calls = [TwoAnswers("a", 0.9, 1.0, 1.0), TwoAnswers("b", 0.2, 0.0, 1.0)]
    >>> recovered(coverage_curve(calls), 0.5)
    1.0
    """
    weak, strong = curve[-1].value, curve[0].value
    if abs(strong - weak) < 1e-12:
        return None
    return (_at(curve, 1.0 - large_share) - weak) / (strong - weak)


def apgr(curve: Sequence[CurvePoint]) -> float | None:
    """Mean over all shares of calls of the gap that is closed: 0.5 for a router that draws lots, 1 for the best.

    The integral of `recovered` over shares 0..1, exact for the curve's straight lines (RouteLLM sums ten shares). None
    where there is no gap. Source: Ong et al. 2024, arXiv:2406.18665, section 2.2.
    >>> calls = [TwoAnswers("a", 0.9, 1.0, 1.0), TwoAnswers("b", 0.2, 0.0, 1.0)]
    >>> apgr(coverage_curve(calls))
    0.75
    """
    weak, strong = curve[-1].value, curve[0].value
    if abs(strong - weak) < 1e-12:
        return None
    area = sum(
        (after.coverage - before.coverage) * (before.value + after.value) / 2 for before, after in pairwise(curve)
    )
    return (area - weak) / (strong - weak)


def call_performance_threshold(curve: Sequence[CurvePoint], share: float) -> float | None:
    """Least share of calls to the large model that closes this share of the gap (CPT).

    share: 0..1, as 0.8 for CPT(80 %). None where there is no gap, or where the large model is the weaker one.
    Source: Ong et al. 2024, arXiv:2406.18665, section 2.2.
    >>> calls = [TwoAnswers("a", 0.9, 1.0, 1.0), TwoAnswers("b", 0.2, 0.0, 1.0)]
    >>> call_performance_threshold(coverage_curve(calls), 0.5)
    0.25
    """
    weak, strong = curve[-1].value, curve[0].value
    if strong - weak < 1e-12:
        return None
    wanted = weak + share * (strong - weak)
    for later, earlier in pairwise(reversed(curve)):
        if later.value >= wanted:
            return 1.0 - later.coverage
        if earlier.value >= wanted:
            part = (wanted - later.value) / (earlier.value - later.value)
            return 1.0 - (later.coverage + part * (earlier.coverage - later.coverage))
    return 1.0


def _at(curve: Sequence[CurvePoint], coverage: float) -> float:
    for before, after in pairwise(curve):
        if coverage <= after.coverage:
            part = (coverage - before.coverage) / (after.coverage - before.coverage)
            return before.value + part * (after.value - before.value)
    return curve[-1].value
