"""What holds for all traffic, from clusters that have their own shares of it and their own samples.

Clusters are strata: the estimate is Σ w · mean. Its interval comes of each cluster's own limits, so that clusters may
differ as they like (the method of variance estimates recovery); clusters with very few sessions are judged together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np

from harness.errors import DataError
from harness.records.paired import PairedVerdict
from harness.records.summary import Interval
from harness.stats.bounded import Units, limit, units_interval

__all__ = ["LEAST_ALONE", "Stratum", "WeightedMean", "weighted_mean", "weighted_verdict"]

_MOST = 1_000_000
LEAST_ALONE = 8
"""Sessions, by `Units.effective`, that a cluster must be worth to be judged on its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Stratum:
    """One cluster: its share of the traffic, on any scale, and what was measured in it, None if nothing was."""

    weight: float
    units: Units | None


@dataclass(frozen=True, slots=True)
class WeightedMean:
    """A mean over the traffic with its interval."""

    value: float
    interval: Interval
    covered: float
    """Share of the traffic in clusters that were measured: value and interval speak of these alone."""
    n: int
    """Samples."""
    pooled: int
    """Clusters with so few sessions that they were judged together."""


def weighted_mean(
    strata: Sequence[Stratum], *, low: float = 0.0, high: float = 1.0, level: float = 0.95
) -> WeightedMean | None:
    """Mean over the traffic of values in low..high; None where no cluster was measured. Never of width zero.

    The ends are value − √Σ (w (mean − lower))² and value + √Σ (w (upper − mean))², lower and upper those of each
    cluster by Gaffke's bound at the same level. Clusters worth fewer than 8 sessions are one stratum, in which each
    session counts by its cluster's weight.
    Source: Zou and Donner 2008, Statistics in Medicine 27, 1693–1702. Raises DataError for weights not above 0.
    >>> from harness.stats.bounded import units_of
    >>> found = weighted_mean([Stratum(3, units_of([1] * 20)), Stratum(1, units_of([1, 0] * 10)), Stratum(1, None)])
    >>> found.value, found.covered
    (0.875, 0.8)
    """
    groups, covered = _groups(strata)
    if not groups:
        return None
    value = sum(weight * units.mean for weight, units in groups)
    if len(groups) == 1:
        interval = units_interval(groups[0][1], low=low, high=high, level=level)
        ends = (interval.low, interval.high)
    else:
        alpha = (1 - level) / 2
        ends = (_end(groups, low, high, alpha, greater=True), _end(groups, low, high, alpha, greater=False))
    return WeightedMean(
        value=min(high, max(low, value)),
        interval=Interval(low=ends[0], high=ends[1], level=level, method="gaffke, by cluster"),
        covered=covered,
        n=sum(one.units.samples for one in strata if one.units),
        pooled=sum(one.units is not None and one.units.effective < LEAST_ALONE for one in strata),
    )


def weighted_verdict(strata: Sequence[Stratum], margin: float, alpha: float) -> PairedVerdict:
    """Whether the paired difference over all traffic lies above −margin, below it, or neither is shown.

    strata: of differences candidate − baseline, in −1..1. p is the least α at which the end of `weighted_mean` leaves
    the margin behind. Raises DataError where no cluster was measured, and for a margin that is no share.
    >>> from harness.stats.bounded import units_of
    >>> same = units_of([0.0] * 100)
    >>> weighted_verdict([Stratum(1, same), Stratum(2, same)], 0.05, 0.05).verdict
    'pass'
    """
    groups, _ = _groups(strata)
    if not groups:
        raise DataError("no cluster has a sample that both have scored: run more, or leave out fewer")
    if not 0 < margin < 1:
        raise DataError(f"a margin is a share between 0 and 1, such as 0.02, not {margin}")
    better, worse = (_least_alpha(groups, margin, greater=greater) for greater in (True, False))
    shown = "pass" if better <= alpha else "fail" if worse <= alpha else "need_more"
    samples = sum(one.units.samples for one in strata if one.units)
    return PairedVerdict(
        verdict=shown,
        margin=margin,
        alpha=alpha,
        p_noninferior=better,
        p_inferior=worse,
        method="Gaffke's bound, by cluster",
        more=_more(groups, samples, margin, alpha) if shown == "need_more" else None,
    )


def _more(groups: Sequence[tuple[float, Units]], samples: int, margin: float, alpha: float) -> int | None:
    """About how many samples more, spread as they are, decide it four times in five: reach falls as √n grows."""
    from scipy.stats import norm

    value = sum(weight * units.mean for weight, units in groups)
    away = value + margin
    if abs(away) < 1e-9:
        return None
    reach = abs(value - _end(groups, -1.0, 1.0, alpha, greater=away > 0))
    z = float(norm.isf(alpha))
    needed = samples * (reach / away * (z + float(norm.isf(0.2))) / z) ** 2
    return max(1, ceil(needed) - samples) if needed <= _MOST else None


def _groups(strata: Sequence[Stratum]) -> tuple[list[tuple[float, Units]], float]:
    """Weights that add up to 1 with the units they belong to, the small ones as one; and the share that is covered."""
    strange = next((one.weight for one in strata if not one.weight > 0), None)
    if strange is not None:
        raise DataError(f"a cluster's weight is above 0, not {strange:.3g}")
    known = [(one.weight, one.units) for one in strata if one.units is not None]
    if not known:
        return [], 0.0
    total = sum(weight for weight, _ in known)
    large = [(weight / total, units) for weight, units in known if units.effective >= LEAST_ALONE]
    small = [(weight / total, units) for weight, units in known if units.effective < LEAST_ALONE]
    if small:
        scales = [weight / float(units.sizes.sum()) for weight, units in small]
        together = Units(
            np.concatenate([scale * units.totals for scale, (_, units) in zip(scales, small, strict=True)]),
            np.concatenate([scale * units.sizes for scale, (_, units) in zip(scales, small, strict=True)]),
            sum(units.samples for _, units in small),
        )
        large.append((sum(weight for weight, _ in small), together))
    return large, total / sum(one.weight for one in strata)


def _end(groups: Sequence[tuple[float, Units]], low: float, high: float, alpha: float, *, greater: bool) -> float:
    """Lower (greater) or upper end at one-sided α."""
    value = sum(weight * units.mean for weight, units in groups)
    away = [
        weight * (units.mean - limit(units, alpha, low=low, high=high, greater=greater)) for weight, units in groups
    ]
    reach = sqrt(sum(one * one for one in away))
    return max(low, value - reach) if greater else min(high, value + reach)


def _least_alpha(groups: Sequence[tuple[float, Units]], margin: float, *, greater: bool) -> float:
    """Least α at which the end lies beyond −margin; at least 1e-9, 1 where even α = 1/2 does not show it."""
    from scipy.optimize import brentq

    def excess(log_alpha: float) -> float:
        return (_end(groups, -1.0, 1.0, float(np.exp(log_alpha)), greater=greater) + margin) * (1 if greater else -1)

    least, most = float(np.log(1e-9)), float(np.log(0.5))
    if excess(most) <= 0:
        return 1.0
    return 1e-9 if excess(least) >= 0 else float(np.exp(brentq(excess, least, most, xtol=1e-3)))
