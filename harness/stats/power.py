"""How many samples a verdict takes, and how likely one is, before anything was run."""

from collections.abc import Callable
from functools import lru_cache
from math import ceil, log, sqrt
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import DataError
from harness.stats.paired import SPENT, Pairs, plausible, tail_edge, tail_mass

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

__all__ = ["MOST_PLANNED", "power", "samples_needed", "zero_loss_n"]

MOST_PLANNED = 2000
"""Pairs up to which the chance is computed; above, sizes are those of the normal law."""
_HALVINGS = 14


def zero_loss_n(margin: float, alpha: float = 0.05) -> int:
    """Least number of independent samples of which none is lost that shows a loss below the margin: (1 − m)ⁿ <= α.

    No test shows it with fewer.
    >>> zero_loss_n(0.05), zero_loss_n(0.02), zero_loss_n(0.05, 0.025)
    (59, 149, 72)
    """
    _check(margin, alpha)
    return ceil(log(alpha) / log(1 - margin) - 1e-12)


def power(n: int, margin: float, alpha: float = 0.05, *, gained: float = 0.0, lost: float = 0.0) -> float:
    """Chance that n independent pairs end in `pass` if these are the true shares of gained and lost. Enumerated.

    For the score statistic's tail at the worst share of lost that data with these shares leave, as the verdict has it;
    the verdict looks at its own data for that, and so differs by a point or so.
    Raises DataError beyond 2,000 pairs and for shares that are none.
    >>> round(power(100, 0.1, gained=0.02, lost=0.02), 2)
    0.99
    """
    _check(margin, alpha)
    if not 1 <= n <= MOST_PLANNED:
        raise DataError(f"the chance of a verdict is computed for 1 to {MOST_PLANNED} pairs, not {n}; type a smaller n")
    if min(gained, lost) < 0 or gained + lost > 1:
        raise DataError(f"shares of gained and lost lie in 0..1 together, not {gained} and {lost}")
    from scipy.special import bdtrc
    from scipy.stats import binom

    edge, counts = _critical(n, margin, alpha, round(n * lost)), np.arange(n + 1)
    left = n - counts
    share = min(1.0, gained / (1 - lost)) if lost < 1 else 0.0
    inside = np.clip(edge - 1, 0, left).astype(np.float64)
    beyond = np.where(edge <= 0, 1.0, np.where(edge > left, 0.0, bdtrc(inside, left, share)))
    return float(min(1.0, (binom.pmf(counts, n, lost) * beyond).sum()))


def samples_needed(
    margin: float,
    alpha: float = 0.05,
    chance: float = 0.8,
    *,
    gained: float = 0.0,
    lost: float = 0.0,
    design_effect: float = 1.0,
) -> int | None:
    """About the least number of samples that end in `pass` with this chance at these true shares; None where none does.

    Up to 2,000 pairs by the exact power, to within 2 %; above by Nam's formula (1997, Biometrics 53). design_effect:
    that of sessions (`sessions.design_effect` at least 1), by which the number is multiplied.
    >>> samples_needed(0.05)  # no loss at all
    59
    >>> samples_needed(0.05, gained=0.0, lost=0.06) is None
    True
    """
    _check(margin, alpha)
    difference, psi = gained - lost, gained + lost
    if difference + margin <= 1e-9:
        return None
    from scipy.stats import norm

    reach = float(norm.isf(alpha) + norm.isf(1 - chance)) * sqrt(max(psi - difference**2, 0.0))
    least = zero_loss_n(margin, alpha)
    guess = max(least, ceil((reach / (difference + margin)) ** 2))
    if guess <= MOST_PLANNED / 1.5:
        guess = _searched(least, guess, chance, lambda n: power(n, margin, alpha, gained=gained, lost=lost))
    return ceil(guess * max(1.0, design_effect))


def _searched(least: int, guess: int, chance: float, at: Callable[[int], float]) -> int:
    """Least n with this chance between `least` and half more than the guess, by bisection."""
    if at(least) >= chance:
        return least
    low, high = least, min(MOST_PLANNED, ceil(1.1 * guess) + 5)
    while at(high) < chance and high < MOST_PLANNED:
        low, high = high, min(MOST_PLANNED, ceil(1.3 * high))
    while high - low > max(1, high // 50):
        middle = (low + high) // 2
        low, high = (low, middle) if at(middle) >= chance else (middle, high)
    return high


@lru_cache(maxsize=256)
def _critical(n: int, margin: float, alpha: float, lost: int) -> "Ints":
    """For each number of lost the least number of gained that passes: the largest tail that stays within α.

    Within it at all shares of lost that a sample with `lost` of them leaves: there the verdict looks for the worst.
    """
    first, last = plausible(Pairs(n, 0, lost), margin, upper=True)
    span = (1 - margin) / 2
    start, end = (float(np.arcsin(sqrt(min(1.0, max(0.0, (one - margin) / span))))) for one in (first, last))
    angles = np.linspace(start, end, int(8 * sqrt(n) * (end - start)) + 33)
    shares = margin + span * np.sin(angles) ** 2
    low, high = 0.0, 8.0  # the tail of low is too large, that of high is not
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        mass = float(tail_mass(tail_edge(n, margin, middle, upper=True), n, shares, margin, upper=True).max())
        low, high = (low, middle) if mass <= alpha - SPENT else (middle, high)
    return tail_edge(n, margin, high, upper=True)


def _check(margin: float, alpha: float) -> None:
    if not 0 < margin < 1 or not 0 < alpha < 0.5:
        raise DataError(f"a margin lies in 0..1 and α in 0..0.5, not {margin} and {alpha}")
