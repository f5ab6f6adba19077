"""Two systems on the same samples, outcomes right or wrong: whether the second is less than a margin worse.

b: samples that only the candidate has right; c: those that only the baseline has right; Δ = (b − c) / n estimates the
candidate's share of right answers minus the baseline's. Pairs that agree carry no weight in Δ, but n decides how sure
it is: an interval that comes out of the differences' spread alone has width zero where all agree, and these have not.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import DataError
from harness.records.summary import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = [
    "MOST_EXACT",
    "Pairs",
    "inferior_p",
    "mcnemar_p",
    "noninferior_p",
    "paired_interval",
    "score_statistic",
    "tail_edge",
    "tail_mass",
]

MOST_EXACT = 20_000
"""Pairs up to which the tests are exact; above, `noninferior_p` and `inferior_p` bound each share on its own."""
_TIE = 1e-9
_REACH = 9.0
"""Standard deviations around the mean beyond which a binomial's mass (below 1e-15) is left out."""
_REFINED = 3
"""Highest points of the grid around which the greatest value is sought."""
SPENT = 1e-4
"""Chance given away so that the nuisance share is sought only where the data leave it (Berger and Boos)."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Counts over n samples that both systems answered."""

    n: int
    gained: int
    """Right with the candidate alone: b."""
    lost: int
    """Right with the baseline alone: c."""

    def __post_init__(self) -> None:
        if self.n < 1 or min(self.gained, self.lost) < 0 or self.gained + self.lost > self.n:
            raise DataError(
                f"pairs need n >= 1, gained and lost >= 0 and gained + lost <= n, not {self.gained} gained and "
                f"{self.lost} lost of {self.n}"
            )

    @property
    def difference(self) -> float:
        """Δ: share of right answers of the candidate minus that of the baseline."""
        return (self.gained - self.lost) / self.n


def score_statistic(gained: "Ints | int", lost: "Ints | int", n: int, delta: float) -> "Floats":
    """Tango's score statistic of Δ = delta: (b − c − nΔ) / √(n (2q + Δ(1 − Δ))), q the share of c likeliest under it.

    Large values speak for a greater Δ. Source: Tango 1998, Statistics in Medicine 17, 891–908, section 2.
    gained, lost: counts of any shape. Raises DataError unless −1 < delta < 1.
    >>> score_statistic(10, 10, 100, 0.0).item()
    0.0
    """
    if not -1 < delta < 1:
        raise DataError(f"a difference of shares to test lies within -1 and 1, not at {delta}")
    b, c = np.asarray(gained, dtype=np.float64), np.asarray(lost, dtype=np.float64)
    linear = -b - c + (2 * n - b + c) * delta
    constant = -c * delta * (1 - delta)
    q = (np.sqrt(np.maximum(linear**2 - 8 * n * constant, 0.0)) - linear) / (4 * n)
    q = np.clip(q, max(0.0, -delta), (1 - delta) / 2)
    spread = n * (2 * q + delta * (1 - delta))
    away = b - c - n * delta
    some = spread > 0  # else delta is 0 and so are both counts
    found: Floats = np.where(some, away / np.sqrt(np.where(some, spread, 1.0)), 0.0)
    return found


def paired_interval(pairs: Pairs, level: float = 0.95) -> Interval:
    """Tango's score interval for Δ: all Δ whose score statistic stays within the normal quantile. Never of width zero.

    Source: Tango 1998, Statistics in Medicine 17, 891–908.
    >>> found = paired_interval(Pairs(n=50, gained=1, lost=12))
    >>> round(found.low, 4), round(found.high, 4)
    (-0.3595, -0.0942)
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    bound, seen, end = float(norm.ppf((1 + level) / 2)), pairs.difference, 1 - 1e-9

    def excess(delta: float, side: float) -> float:
        return float(score_statistic(pairs.gained, pairs.lost, pairs.n, delta)) - side * bound

    low = -1.0 if excess(-end, 1) <= 0 else float(brentq(excess, -end, min(seen, end), args=(1.0,), xtol=1e-10))
    high = 1.0 if excess(end, -1) >= 0 else float(brentq(excess, max(seen, -end), end, args=(-1.0,), xtol=1e-10))
    return Interval(low=max(-1.0, low), high=min(1.0, high), level=level, method="tango")


def mcnemar_p(pairs: Pairs) -> float:
    """Two-sided exact p of no difference: the discordant pairs as throws of a fair coin; 1 without any.

    Source: McNemar 1947, Psychometrika 12; by scipy's binomial test.
    >>> round(mcnemar_p(Pairs(n=100, gained=1, lost=9)), 6)
    0.021484
    """
    from scipy.stats import binomtest

    discordant = pairs.gained + pairs.lost
    return float(binomtest(pairs.gained, discordant).pvalue) if discordant else 1.0


def noninferior_p(pairs: Pairs, margin: float) -> float:
    """Exact p of "the candidate is worse by the margin or more" (Δ ≤ −margin): small values show non-inferiority.

    Unconditional: the chance of a score statistic at least as large, at the worst of those shares of c that Clopper and
    Pearson's interval of level 1 − β leaves, plus β = 0.0001. So errors stay within α at every n, whatever the shares
    are: the statistic grows with b and falls with c, which makes Δ = −margin the worst case for each share of c.
    Outcomes without a loss rank by `lossless` at least: n without any loss show a margin m as soon as (1 − m)ⁿ does.
    Above `MOST_EXACT` pairs it is the least α at which exact bounds of both shares, each at α / 2, show it: larger.
    Sources: Liu, Hsueh, Hsieh and Chen 2002, Statistics in Medicine 21, 231–245 (unconditional test, score statistic);
    Lloyd and Moldovan 2008, Statistics in Medicine 27, 3540–3549 (the worst nuisance share); Berger and Boos 1994, JASA
    89, 1012–1016 (within an interval of it); Röhmel and Mansmann 1999, Biometrical Journal 41, 149–170 (worst case).
    Raises DataError unless 0 < margin < 1.
    >>> round(noninferior_p(Pairs(n=59, gained=0, lost=0), 0.05), 4)
    0.0486
    """
    return _p(pairs, margin, upper=True)


def inferior_p(pairs: Pairs, margin: float) -> float:
    """Exact p of "the candidate is worse by the margin at most" (Δ ≥ −margin): small values show that it is inferior.

    The mirror image of `noninferior_p`: the chance of a score statistic at most as large. Same sources.
    >>> inferior_p(Pairs(n=100, gained=0, lost=20), 0.05) < 0.001
    True
    """
    return _p(pairs, margin, upper=False)


def _p(pairs: Pairs, margin: float, *, upper: bool) -> float:
    if not 0 < margin < 1:
        raise DataError(f"a margin is a share between 0 and 1, such as 0.02, not {margin}")
    if pairs.n > MOST_EXACT:
        return _split_p(pairs, margin, upper=upper)
    seen = float(score_statistic(pairs.gained, pairs.lost, pairs.n, -margin))
    if upper and pairs.lost == 0:
        seen = max(seen, lossless(pairs.n, margin))
    edge = tail_edge(pairs.n, margin, seen, upper=upper)
    return min(1.0, _greatest(edge, pairs, margin, upper=upper) + SPENT)


def tail_edge(n: int, margin: float, statistic: float, *, upper: bool) -> "Ints":
    """For each c = 0 … n the b at which the tail begins: the least of the upper tail, the greatest of the lower.

    n − c + 1 or −1 where no b belongs to it. By bisection, for the statistic grows with b. The tail is that of score
    statistics at Δ = −margin that are at least (upper), or at most (lower) this one.
    """
    delta = -margin
    limit = statistic - _TIE if upper else statistic + _TIE
    lost = np.arange(n + 1, dtype=np.int64)
    low, high = np.full(n + 1, -1, dtype=np.int64), n - lost + 1  # statistic at low below the limit, at high not
    while bool((high - low > 1).any()):
        middle = (low + high) // 2
        value = score_statistic(np.clip(middle, 0, n - lost), lost, n, delta)
        reached = value >= limit if upper else value > limit
        open_ = high - low > 1
        high, low = np.where(open_ & reached, middle, high), np.where(open_ & ~reached, middle, low)
    if upper and lossless(n, margin) >= limit:
        high[0] = 0
    return high if upper else low


def lossless(n: int, margin: float) -> float:
    """Least rank, among score statistics, of outcomes without any loss: the normal quantile of 1 − (1 − margin)ⁿ.

    That is the chance of no loss at the margin with nothing gained. The score statistic ranks it a little lower, behind
    outcomes with gains and losses, and would ask for a sample more before "no loss in n" is shown. The order still
    grows with b and falls with c, so that errors stay within α.
    """
    from scipy.special import ndtri

    return float(-ndtri((1 - margin) ** n))


def _greatest(edge: "Ints", pairs: Pairs, margin: float, *, upper: bool) -> float:
    """The tail's greatest probability over q, the chance of c, at Δ = −margin, q where `plausible` leaves it.

    A grid as fine as the square root of counts varies, then a search around its highest points.
    """
    from scipy.optimize import minimize_scalar

    n, span = pairs.n, (1 - margin) / 2
    ends = np.arcsin(np.sqrt(np.clip((np.array(plausible(pairs, margin, upper=upper)) - margin) / span, 0.0, 1.0)))

    def at(angles: "Floats") -> "Floats":
        return tail_mass(edge, n, margin + span * np.sin(angles) ** 2, margin, upper=upper)

    grid = np.linspace(ends[0], ends[1], int(6 * np.sqrt(n) * (ends[1] - ends[0])) + 33)
    values = at(grid)
    best = float(values.max())
    for place in np.argsort(values)[-_REFINED:]:
        around = (float(grid[max(0, place - 1)]), float(grid[min(len(grid) - 1, place + 1)]))
        if around[0] < around[1]:
            found = minimize_scalar(lambda x: -float(at(np.array([x]))[0]), bounds=around, method="bounded")
            best = max(best, -float(found.fun))
    return best


def plausible(pairs: Pairs, margin: float, *, upper: bool) -> tuple[float, float]:
    """Range of q that the data leave: from the exact interval of c's share, for the lower tail from that of b's."""
    from scipy.stats import beta

    n, count = pairs.n, pairs.lost if upper else pairs.gained
    low = 0.0 if count == 0 else float(beta.ppf(SPENT / 2, count, n - count + 1))
    high = 1.0 if count == n else float(beta.isf(SPENT / 2, count + 1, n - count))
    shift, top = (0.0 if upper else margin), (1 + margin) / 2
    return min(max(low + shift, margin), top), min(max(high + shift, margin), top)


def tail_mass(edge: "Ints", n: int, q: "Floats", margin: float, *, upper: bool) -> "Floats":
    """Probability of the tail that begins at `edge` for each chance q of c, the chance of b being q − margin."""
    from scipy.special import gammaln, xlog1py, xlogy

    reach = int(_REACH * np.sqrt(n / 4)) + 12
    width = min(n + 1, 2 * reach + 1)
    first = np.clip(np.round(n * q).astype(np.int64) - reach, 0, n + 1 - width)
    lost, shares = first[:, None] + np.arange(width), q[:, None]
    ways = gammaln(n + 1) - gammaln(lost + 1) - gammaln(n - lost + 1)
    mass = np.exp(ways + xlogy(lost, shares) + xlog1py(n - lost, -shares))
    used = mass > 1e-18  # the rest is not worth an incomplete beta function
    gain = np.clip((q - margin) / np.maximum(1 - q, 1e-300), 0.0, 1.0)
    gains = np.broadcast_to(gain[:, None], lost.shape)[used]
    counts, starts = (n - lost)[used], edge[lost][used]
    held = np.zeros_like(mass)
    held[used] = mass[used] * _beyond(starts - 1 if upper else starts, counts, gains, upper=upper)
    total: Floats = held.sum(axis=1)
    return total


def _beyond(limits: "Ints", counts: "Ints", shares: "Floats", *, upper: bool) -> "Floats":
    """Chance of more than the limit, or of at most the limit; limits outside of 0 … count are not scipy's to judge."""
    from scipy.special import bdtr, bdtrc

    inside = np.clip(limits, 0, counts).astype(np.float64)
    found = bdtrc(inside, counts, shares) if upper else bdtr(inside, counts, shares)
    below, above = (1.0, 0.0) if upper else (0.0, 1.0)
    result: Floats = np.where(limits < 0, below, np.where(limits >= counts, above, found))
    return result


def _split_p(pairs: Pairs, margin: float, *, upper: bool) -> float:
    """Least α at which Δ's bound from two exact one-sided bounds, each at α / 2, leaves the margin behind."""
    from scipy.optimize import brentq
    from scipy.stats import beta

    n, gained, lost = pairs.n, pairs.gained, pairs.lost

    def low(count: int, alpha: float) -> float:
        return 0.0 if count == 0 else float(beta.ppf(alpha / 2, count, n - count + 1))

    def high(count: int, alpha: float) -> float:
        return 1.0 if count == n else float(beta.isf(alpha / 2, count + 1, n - count))

    def excess(alpha: float) -> float:
        if upper:
            return low(gained, alpha) - high(lost, alpha) + margin
        return -(high(gained, alpha) - low(lost, alpha) + margin)

    least, most = 1e-12, 1.0
    if excess(most) <= 0:
        return 1.0
    return least if excess(least) >= 0 else float(brentq(excess, least, most))
