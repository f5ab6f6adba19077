"""The mean of values within known bounds, in sessions of any size: p and interval that say no more than the data do.

Gaffke's bound. To the n values comes one more at the bound that hurts most; the n + 1 get random weights that are
uniform on the simplex (a Dirichlet's), and the share of such weighted means on the wrong side is p. For independent
values of 0 and 1 that is Clopper and Pearson's bound to the digit, for spread-out values it nears Student's t, and no
sample whatever gives an interval of width zero. Sessions are taken whole: their totals are the values.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import asinh, exp, log, pi, sqrt
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import DataError
from harness.records.summary import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Units", "limit", "units_interval", "units_of", "units_p"]

_STEP = 0.08
_MORE = 2.0
_SEARCHES = 60
_TINY = 1e-12
_EDGE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """Sessions that are independent of one another, each with the sum of its values and its size."""

    totals: "Floats"
    """(n,) sum of the values of each session, times their weights."""
    sizes: "Floats"
    """(n,) how many values it holds, or the sum of their weights."""
    samples: int
    """Values in all of them."""

    def __post_init__(self) -> None:
        if len(self.totals) == 0 or len(self.totals) != len(self.sizes) or not bool((self.sizes > 0).all()):
            raise DataError(f"units need as many totals as sizes, at least one, all sizes above 0: {len(self.totals)}")

    @property
    def mean(self) -> float:
        """Sum of all values over their number."""
        return float(self.totals.sum() / self.sizes.sum())

    def unseen(self, share: float) -> float:
        """Size of the session to fear, that was not seen: the longest, or less where the longest hold few values.

        With it Gaffke's p of sessions without a loss is the greatest chance, Π (1 − qₖ), that none of them is lost
        whole where this share of the values is lost on the mean, whichever sessions are the likelier to be lost: the
        longest ones alone, 1 − qₖ = min(1, c / size). Where all are of one size it is that size.
        share: of the values, 0..1; of 0 or less the longest.
        >>> units = Units(np.zeros(4), np.array([1.0, 2.0, 2.0, 5.0]), 10)
        >>> units.unseen(0.0), round(units.unseen(0.1), 1), round(units.unseen(0.5), 1)
        (5.0, 4.8, 3.3)
        """
        longest, least = float(self.sizes.max()), float(self.sizes.min())
        if share <= 0 or least == longest:
            return longest
        lost = min(share, 1 - _EDGE)
        sizes = np.sort(self.sizes)[::-1]
        cuts = (np.cumsum(sizes) - lost * sizes.sum()) / np.arange(1, len(sizes) + 1)
        last = int(np.argmax(cuts >= np.append(sizes[1:], 0.0)))  # sessions up to it are longer than the cut c
        chance = float(np.log(sizes[: last + 1] / cuts[last]).sum())
        odds = lost / (1 - lost)

        def excess(size: float) -> float:
            return float(np.log1p(odds * sizes / size).sum()) - chance

        return _where_zero(excess, least, longest)

    @property
    def effective(self) -> float:
        """Independent units that they are worth if the values of one session are all alike: (Σ m)² / Σ m²."""
        return float(self.sizes.sum() ** 2 / (self.sizes**2).sum())


def units_of(values: Sequence[float], sessions: Sequence[object] = (), weights: Sequence[float] = ()) -> Units:
    """Values summed up by session. A session of None, or no sessions at all: a value that stands alone.

    sessions: label of each value's session. weights: what each value counts for; all 1 if empty.
    Raises DataError for no values, for lists of different lengths, for NaN, and for weights that are not above 0.
    >>> units = units_of([1, 0, 1], ["a", "a", None])
    >>> units.totals.tolist(), units.sizes.tolist()
    ([1.0, 1.0], [2.0, 1.0])
    """
    n = len(values)
    if n == 0 or len(sessions) not in (0, n) or len(weights) not in (0, n):
        raise DataError(
            f"{n} values with {len(sessions)} sessions and {len(weights)} weights: give one of each a value"
        )
    worth = np.asarray(weights, dtype=np.float64) if len(weights) else np.ones(n)
    if not bool(((worth > 0) & np.isfinite(worth)).all()):
        raise DataError(f"a weight is a number above 0, not {float(worth.min()):.3g}")
    if not bool(np.isfinite(np.asarray(values, dtype=np.float64)).all()):
        raise DataError("a value is no number: leave out what was not measured")
    places: dict[object, int] = {}
    labels = sessions if len(sessions) else [None] * n
    place = [
        places.setdefault(("alone", i) if one is None else ("session", one), len(places))
        for i, one in enumerate(labels)
    ]
    scaled = np.asarray(values, dtype=np.float64) * worth
    totals: Floats = np.bincount(place, weights=scaled).astype(np.float64)
    sizes: Floats = np.bincount(place, weights=worth).astype(np.float64)
    return Units(totals, sizes, n)


def units_p(units: Units, at: float, *, low: float = 0.0, high: float = 1.0, greater: bool = True) -> float:
    """The p of "the mean is `at` or less" (greater) or "`at` or more" (not greater); small values speak against it.

    The chance that Σ E (total − at·size) + E₀ (bound − at)·m falls below 0, or for the other side above it: E of each
    session and E₀ independent exponentials, bound the worst possible value, m the size of one more session, that has
    not been seen (`Units.unseen`). The values of one session may hang together in any way, and longer sessions may fail
    more often, or alone. That errors stay within α is proven for independent values of 0 and 1, a
    conjecture without known counter-example for other independent values, and computed for sessions on the designs of
    `benchmarks/verdicts.py`.
    Sources: Gaffke 2005, Mathematical Methods of Statistics 14; Learned-Miller and Thomas 2019, arXiv:1905.06208.
    Raises DataError unless low < high, and for values beyond them.
    >>> round(units_p(units_of([1] * 59), 0.95), 6) == round(0.95**59, 6)
    True
    """
    _check(units, low, high)
    worst = (low - at) if greater else (at - high)
    if worst >= 0:
        return 1.0
    away = (units.totals - at * units.sizes) * (1 if greater else -1)
    beyond, reach = (units.mean - at, units.mean - low) if greater else (at - units.mean, high - units.mean)
    return _below_zero(away, worst * units.unseen(beyond / reach if beyond > 0 else 0.0))


def units_interval(units: Units, *, low: float = 0.0, high: float = 1.0, level: float = 0.95) -> Interval:
    """Interval for the mean: all means that neither side's p at (1 − level) / 2 refutes. Never of width zero.

    >>> found = units_interval(units_of([0] * 10))
    >>> round(found.low, 4), round(found.high, 4)  # as Clopper and Pearson
    (0.0, 0.3085)
    """
    alpha = (1 - level) / 2
    name = "gaffke" if len(units.sizes) == units.samples else "gaffke, by session"
    return Interval(
        low=limit(units, alpha, low=low, high=high),
        high=limit(units, alpha, low=low, high=high, greater=False),
        level=level,
        method=name,
    )


def limit(units: Units, alpha: float, *, low: float = 0.0, high: float = 1.0, greater: bool = True) -> float:
    """The lower (greater) or upper bound of the mean at one-sided α: where `units_p` is α.

    >>> round(limit(units_of([1] * 59), 0.05), 4)
    0.9505
    """
    from scipy.optimize import brentq

    _check(units, low, high)
    mean, span = min(high, max(low, units.mean)), high - low
    bound = low if greater else high
    first = bound + (_TINY if greater else -_TINY) * span

    def excess(at: float) -> float:
        return log(max(units_p(units, at, low=low, high=high, greater=greater), 1e-300) / alpha)

    if abs(mean - bound) < 1e-9 * span or excess(first) >= 0:
        return bound
    if excess(mean) <= 0:  # alpha beyond the p of the mean itself, which is about a half
        return mean
    return float(brentq(excess, first, mean, xtol=1e-8 * span))


def _where_zero(excess: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function is 0; the end where it is not between."""
    from scipy.optimize import brentq

    if excess(high) >= 0:
        return high
    return low if excess(low) <= 0 else float(brentq(excess, low, high, xtol=1e-9 * high))


def _check(units: Units, low: float, high: float) -> None:
    if not low < high:
        raise DataError(f"bounds of values need low < high, not {low} and {high}")
    slack = 1e-9 * (high - low) * units.sizes
    if bool((units.totals < low * units.sizes - slack).any() or (units.totals > high * units.sizes + slack).any()):
        raise DataError(f"a mean of values in {low:g}..{high:g} got values beyond them")


def _below_zero(away: "Floats", worst: float) -> float:
    """P(Σ Eₖ aₖ + E₀ worst <= 0) for independent standard exponentials, worst < 0.

    The inverse Laplace transform of Π 1 / (1 − s aₖ) over s, along a hyperbola through the integrand's saddle point
    that bends to where it decays, by the trapezoidal rule; all poles lie on the real axis. Relative error below 1e-4
    for p up to a half. Source: Weideman and Trefethen 2007, Mathematics of Computation 76 (such contours).
    """
    scale = max(-worst, float(np.abs(away).max()))
    factors, counts = np.unique(np.append(away, worst) / scale, return_counts=True)
    counts = counts[factors != 0]
    factors = factors[factors != 0]
    if factors[-1] < 0:
        return 1.0
    if float((factors * counts).sum()) < 0:  # p beyond a half: from the other tail, the smaller one
        return 1 - _smaller_tail(-factors, counts)
    return _smaller_tail(factors, counts)


def _smaller_tail(factors: "Floats", counts: "NDArray[np.int64]") -> float:
    """P(Σ Eₖ aₖ <= 0) where the sum's mean is 0 or more; some aₖ are below 0 and some above."""
    low, high = 0.0, 1 / -float(factors.min())
    at = high / 2
    for _ in range(_SEARCHES):  # any line between the poles will do, one near the saddle point takes few nodes
        shares = factors / (1 + at * factors)
        slope = -float(counts @ shares) - 1 / at
        curve = float(counts @ (shares * shares)) + 1 / at**2
        if slope * slope < 1e-4 * curve:
            break
        low, high = (low, at) if slope > 0 else (at, high)
        step = at - slope / curve
        at = step if low < step < high else (low + high) / 2
    shares = factors / (1 + at * factors)
    curve = float(counts @ shares**2) + at**-2
    bend = max(0.0, -2 * (float(counts @ shares**3) + at**-3) / (3 * curve**1.5))  # as the steepest descent does
    width = 1 / sqrt(curve)
    reach = _MORE + asinh(10 ** (11 / (1 + float(counts.sum()))) * sqrt(float(counts.sum())))
    steps = np.arange(0.0, reach, _STEP)
    path = at + width * (1j * np.sinh(steps) + bend * (np.cosh(steps) - 1))
    logs = -(counts * np.log(1 + path[:, None] * factors)).sum(axis=1) - np.log(path)
    peak = float(logs[0].real)
    heights = (np.exp(logs - peak) * (1j * np.cosh(steps) + bend * np.sinh(steps))).imag
    area = float(heights.sum() - heights[0] / 2) * _STEP * width
    return float(min(1.0, max(0.0, exp(peak) * area / pi)))
