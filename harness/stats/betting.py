"""The mean of independent bounded values by betting: wider than Gaffke's bound, and proven for every distribution.

A gambler stakes the share λ on each value being above a supposed mean; if the mean is no higher than that, the capital
is expected to stay. Many λ are played at once, each with a part of the capital, all fixed beforehand: so the capital
grows beyond 1/α with a chance of α at most also where the values have different means, and it needs no order.
"""

from collections.abc import Sequence
from math import exp, log
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import DataError
from harness.records.summary import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["betting_interval", "betting_p", "log_evalue"]

_STAKES = 24
_TINY = 1e-9


def log_evalue(values: Sequence[float], mean: float, *, low: float, high: float, greater: bool = True) -> float:
    """Log of the capital after all values, begun with 1, playing against "the mean is `mean` or less" (or more).

    E = Σ wᵢ Π (1 + λᵢ (x − mean)), λᵢ from the most that may be lost, 1 / (mean − low), down to 1 / (8 n), on a
    logarithmic scale; equal wᵢ. E has an expected value of 1 at most: Π (1 + λ μⱼ) <= (1 + λ μ̄)ⁿ <= 1 for any means
    whose average lies below. Source: Waudby-Smith and Ramdas 2024, JRSS B 86, 1–27 (arXiv:2010.09686), section 4.
    Raises DataError for no values, values beyond the bounds, or a mean that does not lie between them.
    >>> round(exp(log_evalue([1.0] * 10, 0.5, low=0.0, high=1.0)), 1) > 40
    True
    """
    found = np.asarray(values, dtype=np.float64)
    slack = 1e-9 * (high - low)
    if len(found) == 0 or not low < mean < high or not bool(((found >= low - slack) & (found <= high + slack)).all()):
        raise DataError(f"betting needs values in {low:g}..{high:g}, at least one, and a mean between, not {mean:.3g}")
    found = np.clip(found, low, high)
    away = found - mean if greater else mean - found
    most = 1 / (mean - low if greater else high - mean)
    stakes = np.geomspace(most * (1 - 1e-12), min(most / 2, most / (8 * len(found))), _STAKES)
    grown = np.log1p(np.maximum(stakes[:, None] * away, -1 + 1e-15)).sum(axis=1)
    peak = float(grown.max())
    return peak + log(float(np.exp(grown - peak).mean()))


def betting_p(values: Sequence[float], mean: float, *, low: float, high: float, greater: bool = True) -> float:
    """The p of "the mean is `mean` or less" (greater) or more: 1 / E, by Markov's inequality.

    >>> betting_p([1.0] * 100, 0.9, low=0.0, high=1.0) < 0.001
    True
    """
    return min(1.0, exp(-log_evalue(values, mean, low=low, high=high, greater=greater)))


def betting_interval(values: Sequence[float], *, low: float = 0.0, high: float = 1.0, level: float = 0.95) -> Interval:
    """Interval for the mean of independent values: all means against which nobody would have won 2 / (1 − level).

    Holds at any n for any distribution, also where values differ in their means. Never of width zero.
    >>> found = betting_interval([0.0] * 100)
    >>> found.low, round(found.high, 2) < 0.08
    (0.0, True)
    """
    from scipy.optimize import brentq

    need, ends, span = log(2 / (1 - level)), [], high - low
    centre = min(high - _TINY * span, max(low + _TINY * span, sum(values) / max(1, len(values))))
    for greater, bound in ((True, low), (False, high)):
        edge = bound + (_TINY if greater else -_TINY) * span

        def excess(mean: float, greater: bool = greater) -> float:
            return log_evalue(values, mean, low=low, high=high, greater=greater) - need

        open_ = excess(edge) <= 0 or abs(centre - edge) < 1e-12 * span
        ends.append(bound if open_ else float(brentq(excess, edge, centre, xtol=1e-9 * span)))
    return Interval(low=ends[0], high=ends[1], level=level, method="betting")
