"""How sure it is that a mean lies below or above 0, for what has no bounds: costs, tokens, logarithms of times."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np

from harness.stats.bounded import units_of

__all__ = ["Signs", "signs_of"]

_POWER = 0.8
_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class Signs:
    """Of the mean of some values."""

    p_below: float
    """Of "the mean is 0 or more": small values show that it is below."""
    p_above: float
    """Of "the mean is 0 or less"."""
    more: int | None
    """About how many values more decide it at α with a chance of 80 %, if they are alike; None beyond a million."""


def signs_of(values: Sequence[float], sessions: Sequence[str | None], alpha: float) -> Signs:
    """Student's t on the sums of sessions, as for a ratio of means.

    No surer than the sign test's 1 / 2ⁿ of n sessions: sums without spread are no proof of none. Where all are 0, as
    what costs nothing beside what costs nothing, the mean is not above 0, and p_below is that 1 / 2ⁿ.
    Sources: Fieller 1954, JRSS B 16; Cochran, Sampling Techniques, 3rd ed. 1977, section 2.11.
    >>> found = signs_of([-1.0, -1.1, -0.9, -1.0, -1.2], [None] * 5, 0.05)
    >>> found.p_below, round(found.p_above, 3)
    (0.03125, 1.0)
    """
    from scipy.stats import norm, t  # half a second to import

    units = units_of(values, sessions)
    totals, n = units.totals, len(units.totals)
    if not totals.any():
        return Signs(0.5**n, 1.0, max(1, ceil(-np.log2(alpha)) - n) if 0.5**n > alpha else None)
    spread = float(np.square(totals - units.mean * units.sizes).sum()) * n / max(1, n - 1)
    floor = 0.5**n
    if n < 2 or spread <= 1e-24 * float(np.square(totals).sum() + 1e-300):
        below, above = (floor, 1 - floor) if units.mean < 0 else (1 - floor, floor)
        return Signs(below, above, max(1, ceil(-np.log2(alpha)) - n) if min(below, above) > alpha else None)
    away = float(totals.sum()) / sqrt(spread)
    below = float(t.cdf(away, n - 1))
    found = Signs(max(below, floor), max(1 - below, floor), None)
    if min(found.p_below, found.p_above) <= alpha or abs(away) < 1e-9:
        return found
    reach = float(norm.isf(alpha)) + float(norm.isf(1 - _POWER))
    needed = len(values) * (reach / away) ** 2
    return Signs(found.p_below, found.p_above, max(1, ceil(needed) - len(values)) if needed <= _MOST else None)
