"""Paired differences that are no independent 0/1 pairs: in sessions, or scores between 0 and 1.

A difference is the candidate's value minus the baseline's, in −1..1. Sessions are taken whole, as they are where values
of one session hang together; see `bounded.py` for what that assumes.
"""

from math import ceil, log
from typing import TYPE_CHECKING

import numpy as np

from harness.records.paired import PairedVerdict
from harness.records.summary import Interval
from harness.stats.bounded import Units, units_interval, units_p

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["difference_interval", "more_units", "sign_flip_p", "units_verdict"]

_POWER = 0.8
_MOST = 1_000_000
_MOST_WHOLE = 20_000
_DRAWS = 20_000


def units_verdict(units: Units, margin: float, alpha: float) -> PairedVerdict:
    """Whether the mean difference lies above −margin (`pass`), below it (`fail`), or neither is shown.

    units: of differences in −1..1. Each answer is wrong with a chance of α at most, as far as `units_p` keeps its word.
    >>> from harness.stats.bounded import units_of
    >>> units_verdict(units_of([0.0] * 59), 0.05, 0.05).verdict
    'pass'
    >>> units_verdict(units_of([0.0] * 59, ["a"] * 10 + [None] * 49), 0.05, 0.05).verdict
    'need_more'
    """
    better = units_p(units, -margin, low=-1.0, high=1.0)
    worse = units_p(units, -margin, low=-1.0, high=1.0, greater=False)
    shown = "pass" if better <= alpha else "fail" if worse <= alpha else "need_more"
    alone = len(units.sizes) == units.samples
    return PairedVerdict(
        verdict=shown,
        margin=margin,
        alpha=alpha,
        p_noninferior=better,
        p_inferior=worse,
        method="Gaffke's bound" if alone else "Gaffke's bound, by session",
        more=more_units(units, margin, alpha) if shown == "need_more" else None,
    )


def difference_interval(units: Units, level: float = 0.95) -> Interval:
    """Interval for the mean of differences in −1..1. Never of width zero.

    >>> from harness.stats.bounded import units_of
    >>> found = difference_interval(units_of([0.0] * 10))
    >>> round(found.low, 4), round(found.high, 4)
    (-0.3085, 0.3085)
    """
    return units_interval(units, low=-1.0, high=1.0, level=level)


def more_units(units: Units, margin: float, alpha: float, power: float = _POWER) -> int | None:
    """About how many samples more decide it with this power, if what sessions are like stays; None beyond a million.

    n = (z_α + z_β)² V / (Δ + margin)², V the variance that one sample adds to the mean, from sessions' totals around
    their expectation and one discordant session more that has not been seen; at least as many as would show it without
    a single loss: log α / log(1 − margin) sessions of that size. An estimate.
    """
    from scipy.stats import norm

    seen, samples = units.mean, units.samples
    away = seen + margin
    if abs(away) < 1e-9:
        return None
    apart, unseen = units.totals - seen * units.sizes, units.unseen(margin)
    scale = samples / float(units.sizes.sum())  # 1 unless values are weighted
    each = scale * (float(np.square(apart).sum()) + unseen**2) / (float(units.sizes.sum()) + 2 * unseen)
    needed = (float(norm.isf(alpha)) + float(norm.isf(1 - power))) ** 2 * each / away**2
    if away > 0:
        needed = max(needed, scale * unseen * log(alpha) / log(1 - margin))
    return max(1, ceil(needed - 1e-9) - samples) if needed <= _MOST else None


def sign_flip_p(totals: "Floats", seed: int = 0) -> float:
    """Two-sided p of no difference: how often the sum of the totals with random signs is as far from 0 as it is.

    totals: sums of each session's differences, or single differences. Valid where a total is as likely as its negative,
    as it is where the two systems are alike. Exact for multiples of the least (by convolution) and for up to 16 totals;
    else from 20,000 draws of this seed, the data themselves counted as one more. 1 if all are 0.
    Source: Pitman 1937, JRSS Supplement 4; Phipson and Smyth 2010, SAGMB 9 (the one more).
    >>> sign_flip_p(np.array([1.0] * 8 + [-1.0]))  # McNemar's: 2 * (1 + 9) / 2**9
    0.0390625
    """
    sizes = np.abs(totals[totals != 0])
    seen = abs(float(totals.sum())) - 1e-9
    if len(sizes) == 0:
        return 1.0
    step = float(sizes.min())
    steps = np.round(sizes / step)
    if bool((np.abs(sizes / step - steps) < 1e-9).all()) and steps.sum() <= _MOST_WHOLE:
        return min(1.0, _whole(steps.astype(np.int64), seen / step))
    if len(sizes) <= 16:
        signs = 1 - 2 * ((np.arange(2 ** len(sizes))[:, None] >> np.arange(len(sizes))) & 1)
        return float((np.abs(signs @ sizes) >= seen).mean())
    rng, count = np.random.default_rng(seed), 1
    for _ in range(_DRAWS // 1000):
        drawn = 2 * rng.integers(0, 2, (1000, len(sizes))) - 1
        count += int((np.abs(drawn @ sizes) >= seen).sum())
    return count / (_DRAWS + 1)


def _whole(sizes: "NDArray[np.int64]", seen: float) -> float:
    """The chance by convolution: of ± each size, one after the other."""
    total = int(sizes.sum())
    chance = np.zeros(2 * total + 1)
    chance[total] = 1.0
    reach = 0
    for size in sizes.tolist():
        old = chance[total - reach : total + reach + 1] / 2
        reach += size
        new = np.zeros(2 * reach + 1)
        new[: len(old)] += old
        new[2 * size :] += old
        chance[total - reach : total + reach + 1] = new
    return float(chance[np.abs(np.arange(-total, total + 1)) >= seen].sum())
