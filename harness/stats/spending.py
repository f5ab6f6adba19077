"""Intervals for what a call and a success cost."""

from collections.abc import Sequence
from math import sqrt

import numpy as np

from harness.records.summary import CostInterval, Interval

__all__ = ["mean_cost_interval", "per_success_interval", "split_level"]


def split_level(level: float = 0.95) -> float:
    """The level that each of two intervals needs for both to hold at `level` (Bonferroni).

    >>> round(split_level(0.95), 4)
    0.975
    """
    return 1 - (1 - level) / 2


def mean_cost_interval(
    costs: Sequence[float], sessions: Sequence[int] = (), level: float = 0.95
) -> CostInterval | None:
    """Student's t interval for the mean cost of a sample, USD; None where costs of fewer than two differ.

    costs: of each sample. sessions: number of each sample's session, if any share one: then sessions are the units, and
    the error is that of a ratio of their sums (Cochran, Sampling Techniques, 3rd ed. 1977, section 2.11).
    """
    from scipy.stats import t  # half a second to import: only when an interval is asked for

    values = np.asarray(costs, dtype=np.float64)
    if len(values) < 2:
        return None
    names = np.asarray(sessions if len(sessions) else np.arange(len(values)))
    units, place = np.unique(names, return_inverse=True)
    sums, sizes = np.bincount(place, weights=values), np.bincount(place)
    mean = float(values.mean())
    residuals = sums - mean * sizes
    if len(units) < 2 or not residuals.any():
        return None
    n = len(units)
    error = sqrt(n / (n - 1) * float(np.square(residuals).sum())) / len(values)
    half = float(t.ppf(0.5 + level / 2, n - 1)) * error
    return CostInterval(
        low=max(0.0, mean - half), high=mean + half, level=level, method="t" if n == len(values) else "t, by session"
    )


def per_success_interval(
    mean_cost: float, cost: CostInterval | None, accuracy: Interval, level: float = 0.95
) -> CostInterval:
    """Interval for mean cost / accuracy, USD for each success: the corners of two intervals that hold together.

    cost and accuracy must be at `split_level(level)`; the result then covers at `level` or more, also where successes
    are few, where Fieller's interval needs normal means. cost None: all samples cost the same.
    """
    low = mean_cost if cost is None else cost.low
    high = mean_cost if cost is None or cost.high is None else cost.high
    upper = None if accuracy.low <= 0 else high / accuracy.low
    return CostInterval(
        low=low / accuracy.high,
        high=upper,
        level=level,
        method=f"both at {split_level(level):.4g}: t and {accuracy.method}",
    )
