"""Intervals for a success rate: exact where outcomes are yes or no, valid where they lie between."""

from collections import Counter
from collections.abc import Sequence
from math import log

from harness.errors import DataError
from harness.records.summary import Interval

__all__ = ["bounded_mean_interval", "clopper_pearson", "effective_n", "korn_graubard", "mean_interval", "wilson"]


def clopper_pearson(passes: int, n: int, level: float = 0.95) -> Interval:
    """Exact interval for a proportion: covers at least `level` at every n. Never of width zero.

    Source: Clopper and Pearson 1934, Biometrika 26; by the beta quantiles of scipy.
    Raises DataError unless 0 ≤ passes ≤ n and n ≥ 1.
    >>> interval = clopper_pearson(0, 10)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.0, 0.3085)
    """
    _check_counts(passes, n)
    return _between_betas(passes, n, level, "clopper-pearson")


def wilson(passes: int, n: int, level: float = 0.95) -> Interval:
    """Score interval for a proportion: close to `level` on average over p. Never of width zero.

    Source: Wilson 1927, JASA 22. Raises DataError unless 0 ≤ passes ≤ n and n ≥ 1.
    >>> round(wilson(5, 10).low, 4)
    0.2366
    """
    from scipy.stats import binomtest  # half a second to import: only when this interval is asked for

    _check_counts(passes, n)
    found = binomtest(passes, n).proportion_ci(confidence_level=level, method="wilson")
    return Interval(low=float(found.low), high=float(found.high), level=level, method="wilson")


def _check_counts(passes: int, n: int) -> None:
    if n < 1 or not 0 <= passes <= n:
        raise DataError(f"a proportion needs 0 <= passes <= n and n >= 1, not {passes} of {n}")


def _between_betas(passes: float, n: float, level: float, name: str) -> Interval:
    """Between the beta quantiles of so many passes and of one more; counts need not be whole.

    `scipy.special.betaincinv` is what `scipy.stats.beta.ppf` ends in, at a hundredth of its time and half its import.
    """
    from scipy.special import betaincinv

    alpha = (1 - level) / 2
    low = 0.0 if passes <= 0 else float(betaincinv(passes, n - passes + 1, alpha))
    high = 1.0 if passes >= n else float(betaincinv(passes + 1, n - passes, 1 - alpha))
    return Interval(low=low, high=high, level=level, method=name)


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


def korn_graubard(mean: float, n_effective: float, level: float = 0.95) -> Interval:
    """Clopper–Pearson's interval at an effective sample size that need not be whole: for outcomes in clusters.

    Source: Korn and Graubard 1998, Survey Methodology 24. Raises DataError unless n_effective >= 1 and 0 <= mean <= 1.
    >>> interval, exact = korn_graubard(0.3, 10), clopper_pearson(3, 10)
    >>> abs(interval.low - exact.low) < 1e-9, abs(interval.high - exact.high) < 1e-9
    (True, True)
    """
    if n_effective < 1 or not 0 <= mean <= 1:
        raise DataError(f"an interval needs n >= 1 and 0 <= mean <= 1, not mean {mean} of n {n_effective}")
    return _between_betas(mean * n_effective, n_effective, level, "korn-graubard")


def effective_n(sizes: Sequence[int]) -> float:
    """Independent units that clusters of these sizes are worth if all members of one agree: (Σ m)² / Σ m².

    The most cautious design effect (intracluster correlation 1). Source: Kish 1965, Survey Sampling, section 8.2.
    >>> effective_n([1, 1, 1, 1]), effective_n([2, 2])
    (4.0, 2.0)
    """
    return sum(sizes) ** 2 / sum(size * size for size in sizes)


def mean_interval(values: Sequence[float], clusters: Sequence[object] = (), level: float = 0.95) -> Interval | None:
    """Interval for the mean of values in 0..1; None for none.

    Exact if all are 0 or 1 and independent; Korn and Graubard's if values of one cluster (same entry of `clusters`,
    one a value; empty: all independent) hang together; Hoeffding's for values between 0 and 1.
    >>> mean_interval([1.0, 0.0, 1.0]).method
    'clopper-pearson'
    >>> mean_interval([1.0, 0.0, 1.0], ["a", "a", "b"]).method
    'korn-graubard'
    """
    n = len(values)
    if n == 0:
        return None
    mean = min(1.0, sum(values) / n)
    sizes = list(Counter(clusters).values()) if clusters else [1] * n
    n_effective = effective_n(sizes)
    if not all(value in (0.0, 1.0) for value in values):
        return bounded_mean_interval(mean, int(n_effective), level)
    if n_effective < n:
        return korn_graubard(mean, n_effective, level)
    return clopper_pearson(int(sum(values)), n, level)
