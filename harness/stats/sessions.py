"""Sessions as units, the other ways: design effect, cluster bootstrap, wild bootstrap.

For verdicts `bounded.py` is the way: what stands here comes out of the spread of sessions, which few sessions, or many
that are alike, do not show. So each says None rather than an interval where too little differs.
"""

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import DataError
from harness.records.summary import Interval
from harness.stats.bounded import Units

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["LEAST_VARIED", "cluster_bootstrap", "design_effect", "design_effect_interval", "varied", "wild_cluster_p"]

LEAST_VARIED = 20
"""Sessions whose mean is not the commonest one, below which a bootstrap is not trusted."""


def varied(units: Units) -> int:
    """Sessions whose mean differs from the one that most have.

    >>> from harness.stats.bounded import units_of
    >>> varied(units_of([1, 1, 1, 0, 0.5]))
    2
    """
    _, counts = np.unique(np.round(units.totals / units.sizes, 9), return_counts=True)
    return int(len(units.sizes) - counts.max())


def design_effect(units: Units, *, low: float = 0.0, high: float = 1.0) -> float | None:
    """Variance of the mean by sessions over that of as many independent values of this mean that are low or high.

    At least 1 / the number of values a session holds; None where all sessions are alike: nothing to see it by.
    Source: Kish 1965, Survey Sampling, section 5.4; variance of a ratio as Cochran 1977, section 2.11.
    >>> from harness.stats.bounded import units_of
    >>> round(design_effect(units_of([1, 1, 0, 0] * 25, [i // 2 for i in range(100)])), 2)
    2.04
    """
    n, total, mean = len(units.sizes), float(units.sizes.sum()), units.mean
    single = (mean - low) * (high - mean)
    if n < 2 or single <= 0:
        return None
    apart = units.totals - mean * units.sizes
    variance = n / (n - 1) * float(np.square(apart).sum()) / total**2
    return variance * total / single if variance > 0 else None


def design_effect_interval(units: Units, *, low: float = 0.0, high: float = 1.0, level: float = 0.95) -> Interval:
    """Clopper and Pearson's interval at the number of independent values that the sessions are worth.

    n / design effect, times (t of n − 1 / t of sessions − 1)² for the few sessions that it is known from; never more
    than the values there are, and no more than `Units.effective` where fewer than 20 sessions differ. For values that
    are `low` or `high`; wider than needed for those between. Never of width zero.
    Source: Korn and Graubard 1998, Survey Methodology 24; Dean and Pagano 2015, JSSAM 3.
    >>> from harness.stats.bounded import units_of
    >>> design_effect_interval(units_of([1] * 10)).method
    'korn-graubard'
    """
    from scipy.stats import t

    from harness.stats.proportion import korn_graubard

    cautious, n, effect = units.effective, len(units.sizes), design_effect(units, low=low, high=high)
    worth = cautious
    if effect is not None and varied(units) >= LEAST_VARIED:
        shrunk = (float(t.ppf((1 + level) / 2, units.samples - 1)) / float(t.ppf((1 + level) / 2, n - 1))) ** 2
        worth = min(float(units.samples), max(1.0, units.samples / effect * shrunk))
    share = min(1.0, max(0.0, (units.mean - low) / (high - low)))
    found = korn_graubard(share, max(1.0, worth), level)
    span = high - low
    return found.model_copy(update={"low": low + span * found.low, "high": low + span * found.high})


def cluster_bootstrap(
    units: Units, rng: np.random.Generator, *, level: float = 0.95, draws: int = 2000
) -> Interval | None:
    """Studentised bootstrap interval for the mean, whole sessions drawn; None where fewer than 20 sessions differ.

    Values need no bounds. Source: Davison and Hinkley 1997, Bootstrap Methods, sections 2.4 and 5.2.
    draws: at least 200. The same generator state gives the same interval.
    >>> from harness.stats.bounded import units_of
    >>> cluster_bootstrap(units_of([0.0] * 100), np.random.default_rng(0)) is None
    True
    """
    if draws < 200:
        raise DataError(f"a bootstrap takes 200 draws or more, not {draws}")
    if varied(units) < LEAST_VARIED:
        return None
    n = len(units.sizes)
    drawn = rng.integers(0, n, (draws, n))
    totals, sizes = units.totals[drawn], units.sizes[drawn]
    means = totals.sum(axis=1) / sizes.sum(axis=1)
    errors = _errors(totals, sizes, means)
    some = errors > 0
    scores = (means[some] - units.mean) / errors[some]
    own = float(_errors(units.totals[None], units.sizes[None], np.array([units.mean]))[0])
    first, last = np.quantile(scores, [(1 - level) / 2, (1 + level) / 2])
    return Interval(
        low=float(units.mean - last * own), high=float(units.mean - first * own), level=level, method="bootstrap-t"
    )


def _errors(totals: "Floats", sizes: "Floats", means: "Floats") -> "Floats":
    """Standard error of the mean for each row of sessions."""
    apart = totals - means[:, None] * sizes
    n = sizes.shape[1]
    errors: Floats = np.sqrt(n / (n - 1) * np.square(apart).sum(axis=1)) / sizes.sum(axis=1)
    return errors


def wild_cluster_p(
    units: Units, at: float, rng: np.random.Generator, *, greater: bool = True, draws: int = 2000
) -> float | None:
    """The p of "the mean is `at` or less" (greater) or more, by the wild bootstrap; None where under 20 differ.

    Sessions' totals less at·size, each with Webb's random factor, as if the mean were `at`; studentised.
    Source: Cameron, Gelbach and Miller 2008, Review of Economics and Statistics 90; Webb 2023, Canadian Journal of
    Economics 56 (the six factors).
    >>> from harness.stats.bounded import units_of
    >>> values = np.random.default_rng(1).random(200)
    >>> wild_cluster_p(units_of(values.tolist()), 0.3, np.random.default_rng(2)) < 0.01
    True
    """
    if varied(units) < LEAST_VARIED:
        return None
    away = (units.totals - at * units.sizes) * (1 if greater else -1)
    factors = np.array([sqrt(1.5), 1.0, sqrt(0.5)])
    webb = rng.choice(np.concatenate([factors, -factors]), (draws, len(away)))
    seen = float(_statistic(away[None])[0])
    return float((1 + (_statistic(webb * away) >= seen).sum()) / (draws + 1))


def _statistic(away: "Floats") -> "Floats":
    """Sum over its standard error, row by row."""
    apart = away - away.mean(axis=1, keepdims=True)
    found: Floats = away.sum(axis=1) / np.sqrt(np.maximum(np.square(apart).sum(axis=1), 1e-300))
    return found
