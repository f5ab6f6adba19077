"""Intervals for a success rate: exact where outcomes are yes or no, valid where they lie between."""

from collections.abc import Sequence
from math import log

from harness.errors import DataError
from harness.records.summary import Interval

__all__ = ["bounded_mean_interval", "clopper_pearson", "mean_interval", "wilson"]


def clopper_pearson(passes: int, n: int, level: float = 0.95) -> Interval:
    """Exact interval for a proportion: covers at least `level` at every n. Never of width zero.

    Source: Clopper and Pearson 1934, Biometrika 26; by the beta quantiles of scipy.
    Raises DataError unless 0 ≤ passes ≤ n and n ≥ 1.
    >>> interval = clopper_pearson(0, 10)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.0, 0.3085)
    """
    return _binomial(passes, n, level, "exact", "clopper-pearson")


def wilson(passes: int, n: int, level: float = 0.95) -> Interval:
    """Score interval for a proportion: close to `level` on average over p. Never of width zero.

    Source: Wilson 1927, JASA 22. Raises DataError unless 0 ≤ passes ≤ n and n ≥ 1.
    >>> round(wilson(5, 10).low, 4)
    0.2366
    """
    return _binomial(passes, n, level, "wilson", "wilson")


def _binomial(passes: int, n: int, level: float, method: str, name: str) -> Interval:
    from scipy.stats import binomtest  # half a second to import: only when an interval is asked for

    if n < 1 or not 0 <= passes <= n:
        raise DataError(f"a proportion needs 0 <= passes <= n and n >= 1, not {passes} of {n}")
    found = binomtest(passes, n).proportion_ci(confidence_level=level, method=method)
    return Interval(low=float(found.low), high=float(found.high), level=level, method=name)


def bounded_mean_interval(mean: float, n: int, level: float = 0.95) -> Interval:
    """Interval for the mean of n independent values in 0..1 of any distribution; wider than exact, never too narrow.

    Inverts Hoeffding's bound exp(−n·KL(mean‖p)) at (1−level)/2 on each side.
    Source: Hoeffding 1963, JASA 58, theorem 1. Raises DataError unless n ≥ 1 and 0 ≤ mean ≤ 1.
    >>> interval = bounded_mean_interval(0.5, 100)
    >>> round(interval.low, 3), round(interval.high, 3)
    (0.367, 0.633)
    """
    from scipy.optimize import brentq

    if n < 1 or not 0 <= mean <= 1:
        raise DataError(f"a mean of values in 0..1 needs n >= 1 and 0 <= mean <= 1, not mean {mean} of n {n}")
    budget = log(2 / (1 - level)) / n

    def excess(p: float) -> float:
        return _kl(mean, p) - budget

    tiny = 1e-12
    low = 0.0 if mean <= tiny else float(brentq(excess, tiny, mean)) if excess(tiny) > 0 else 0.0
    high = 1.0 if mean >= 1 - tiny else float(brentq(excess, mean, 1 - tiny)) if excess(1 - tiny) > 0 else 1.0
    return Interval(low=low, high=high, level=level, method="hoeffding-kl")


def _kl(q: float, p: float) -> float:
    """Kullback–Leibler divergence between Bernoulli(q) and Bernoulli(p), in nats."""
    left = 0.0 if q == 0 else q * log(q / p)
    right = 0.0 if q == 1 else (1 - q) * log((1 - q) / (1 - p))
    return left + right


def mean_interval(values: Sequence[float], level: float = 0.95) -> Interval | None:
    """Interval for the mean of independent values in 0..1, exact if all are 0 or 1, else Hoeffding's; None for none.

    >>> mean_interval([1.0, 0.0, 1.0]).method
    'clopper-pearson'
    """
    n = len(values)
    if n == 0:
        return None
    if all(value in (0.0, 1.0) for value in values):
        return clopper_pearson(int(sum(values)), n, level)
    return bounded_mean_interval(min(1.0, sum(values) / n), n, level)
