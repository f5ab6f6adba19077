"""Times of two systems: quantiles, their differences and ratios, and the share within a limit; with intervals.

Intervals of quantiles are order statistics, so they hold for times of any distribution, long tails included.
"""

from collections.abc import Callable, Sequence
from math import exp, log, sqrt
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import DataError
from harness.records.paired import Span
from harness.stats.agreement import Estimate
from harness.stats.bounded import Units, units_interval, units_of, units_p

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = [
    "latency_ratio",
    "quantile_difference",
    "quantile_interval",
    "quantile_ratio",
    "share_within",
    "t_half_width",
]


def share_within(
    values: Sequence[float], limit: float, *, sessions: Sequence[object] = (), level: float = 0.95
) -> Estimate:
    """Share of values that are at most the limit, with an interval that is never of width zero.

    >>> share_within([0.2, 0.4, 1.7, 0.3], 1.0).value
    0.75
    """
    units = units_of([float(value <= limit) for value in values], sessions)
    return Estimate(units.mean, units_interval(units, level=level))


def quantile_interval(
    values: Sequence[float], q: float, *, sessions: Sequence[object] = (), level: float = 0.95
) -> Span:
    """The q-quantile with an interval between two of the values; None for an end that so few values do not bound.

    high: the least value x for which "q or less of all lie at x or below" is refuted; low: the greatest for which "q or
    more lie below x" is. By `units_p` at (1 − level) / 2 each: for independent values the exact binomial interval. p95
    has an upper end from 72 independent values on. Where ties would make both ends one value, they move to the next.
    Source: Conover, Practical Nonparametric Statistics, 3rd ed. 1999, section 3.2.
    Raises DataError for no values, for NaN, and for q beyond 0..1.
    >>> found = quantile_interval([float(i) for i in range(1, 101)], 0.5)
    >>> found.low, found.high
    (40.0, 61.0)
    """
    if not 0 < q < 1 or len(values) == 0:
        raise DataError(f"a quantile needs at least one value and 0 < q < 1, not {q} of {len(values)} values")
    places = np.array(values, dtype=np.float64)
    if not bool(np.isfinite(places).all()):
        raise DataError("a time is no number: leave out what was not measured")
    marks = np.unique(places)
    alpha = (1 - level) / 2

    def refuted(mark: int, *, greater: bool) -> bool:
        found = places <= marks[mark] if greater else places < marks[mark]
        return units_p(units_of(found.astype(np.float64).tolist(), sessions), q, greater=greater) <= alpha

    above = _first(len(marks), lambda mark: refuted(mark, greater=True))
    below = _first(len(marks), lambda mark: not refuted(mark, greater=False)) - 1
    if above == below:  # ties
        above, below = above + 1, below - 1
    return Span(
        value=float(np.quantile(places, q)),
        low=float(marks[below]) if below >= 0 else None,
        high=float(marks[above]) if above < len(marks) else None,
        level=level,
        method="order statistics, by session" if len(sessions) else "order statistics",
    )


def _first(n: int, true_at: Callable[[int], bool]) -> int:
    """First of 0 … n − 1 at which it is true, n if none; it stays true from there on."""
    low, high = -1, n
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if true_at(middle) else (middle, high)
    return high


def quantile_difference(
    baseline: Sequence[float],
    candidate: Sequence[float],
    q: float,
    *,
    sessions: Sequence[object] = (),
    level: float = 0.95,
) -> Span:
    """The candidate's q-quantile minus the baseline's, in the unit of the values; below 0 the candidate is faster.

    From the two intervals: value − √(d² + u² − 2 r d u), d the candidate's value less its lower end, u the baseline's
    upper end less its value, r how far values that lie above both quantiles are the same pairs (`_together`); and its
    mirror. None for an end that one of them does not bound.
    Source: Zou and Donner 2008, Statistics in Medicine 27, 1693–1702. baseline, candidate: in the same order.
    >>> found = quantile_difference([float(i) for i in range(100)], [i + 50.0 for i in range(100)], 0.5)
    >>> found.value, found.low is not None and found.low > 0
    (50.0, True)
    """
    first, second = _two(baseline, candidate, q, sessions, level)
    low, high = _recovered(first, second, _together(baseline, candidate, q))
    return Span(value=second.value - first.value, low=low, high=high, level=level, method=f"{first.method}, difference")


def quantile_ratio(
    baseline: Sequence[float],
    candidate: Sequence[float],
    q: float,
    *,
    sessions: Sequence[object] = (),
    level: float = 0.95,
) -> Span:
    """The candidate's q-quantile over the baseline's; below 1 the candidate is faster.

    As the difference, on logarithms. Raises DataError for values that are not above 0.
    >>> round(quantile_ratio([1.0, 2.0, 3.0], [2.0, 4.0, 6.0], 0.5).value, 6)
    2.0
    """
    _positive(baseline, candidate)
    first, second = (_log(one) for one in _two(baseline, candidate, q, sessions, level))
    low, high = _recovered(first, second, _together(baseline, candidate, q))
    return Span(
        value=exp(second.value - first.value),
        low=None if low is None else exp(low),
        high=None if high is None else exp(high),
        level=level,
        method=f"{first.method}, ratio",
    )


def _two(
    baseline: Sequence[float], candidate: Sequence[float], q: float, sessions: Sequence[object], level: float
) -> tuple[Span, Span]:
    first = quantile_interval(baseline, q, sessions=sessions, level=level)
    return first, quantile_interval(candidate, q, sessions=sessions, level=level)


def _log(span: Span) -> Span:
    ends = {"low": None if span.low is None else log(span.low), "high": None if span.high is None else log(span.high)}
    return span.model_copy(update={"value": log(span.value), **ends})


def _together(baseline: Sequence[float], candidate: Sequence[float], q: float) -> float:
    """Correlation of lying above the quantile, 0 to 0.9, less the error that so many pairs leave in it.

    Errors of sample quantiles are to first order those of such shares (Bahadur 1966, Annals of Math. Statistics 37).
    """
    above = [np.array(one) > np.quantile(np.array(one), q) for one in (baseline, candidate)]
    if any(one.all() or not one.any() for one in above):
        return 0.0
    found = float(np.corrcoef(above[0], above[1])[0, 1])
    return min(0.9, max(0.0, found - 1 / sqrt(len(baseline) * 4 * q * (1 - q))))


def _recovered(first: Span, second: Span, together: float) -> tuple[float | None, float | None]:
    """Ends for second − first out of both intervals, whose errors are correlated so far."""
    value = second.value - first.value

    def reach(one: float, other: float) -> float:
        return sqrt(one * one + other * other - 2 * together * one * other)

    low = high = None
    if second.low is not None and first.high is not None:
        low = value - reach(second.value - second.low, first.high - first.value)
    if second.high is not None and first.low is not None:
        high = value + reach(second.high - second.value, first.value - first.low)
    return low, high


def latency_ratio(
    baseline: Sequence[float],
    candidate: Sequence[float],
    *,
    sessions: Sequence[object] = (),
    level: float = 0.95,
) -> Span | None:
    """Geometric mean of candidate / baseline over the pairs; None where fewer than two ratios, or none, differ.

    Student's t interval of the mean logarithm, sessions whole (a ratio of sums, Cochran 1977, section 2.11), with
    (Σ m)² / Σ m² − 1 degrees of freedom. Raises DataError for values that are not above 0.
    >>> found = latency_ratio([1.0, 2.0, 4.0], [2.0, 4.2, 8.0])
    >>> round(found.value, 2), found.low > 1.8
    (2.03, True)
    """
    _positive(baseline, candidate)
    logs = np.log(np.array(candidate, dtype=np.float64) / np.array(baseline, dtype=np.float64))
    units = units_of(logs.tolist(), sessions)
    half = t_half_width(units, level)
    if half is None:
        return None
    name = "t of logarithms" if len(units.sizes) == units.samples else "t of logarithms, by session"
    return Span(
        value=exp(units.mean), low=exp(units.mean - half), high=exp(units.mean + half), level=level, method=name
    )


def t_half_width(units: Units, level: float) -> float | None:
    """Half of Student's t interval for the mean by sessions; None where they show no spread."""
    from scipy.stats import t

    n, freedom = len(units.sizes), units.effective - 1
    apart = units.totals - units.mean * units.sizes
    if n < 2 or freedom <= 0 or float(np.abs(apart).max()) <= 1e-12 * max(1.0, abs(units.mean)):
        return None
    error = sqrt(n / (n - 1) * float(np.square(apart).sum())) / float(units.sizes.sum())
    return float(t.ppf((1 + level) / 2, freedom)) * error


def _positive(baseline: Sequence[float], candidate: Sequence[float]) -> None:
    if len(baseline) != len(candidate) or len(baseline) == 0:
        raise DataError(f"a ratio is of as many values, at least one: {len(baseline)} and {len(candidate)}")
    least = float(np.min([*baseline, *candidate]))  # NaN if one is
    if not least > 0:
        raise DataError(f"a ratio needs values above 0, the least is {least:.3g}")
