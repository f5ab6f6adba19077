"""How far a judge and people agree on the same answers: accuracy, Cohen's kappa, Spearman's correlation."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import atanh, sqrt, tanh
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import DataError
from harness.records.summary import Interval
from harness.stats.proportion import clopper_pearson, mean_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Estimate", "agreement_rate", "kappa", "spearman"]

_LEAST_RANKED = 5


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval; None where that cannot be given."""

    value: float
    interval: Interval | None


def agreement_rate(human: Sequence[float], judged: Sequence[float], cut: float = 0.5) -> Estimate:
    """Share of answers that both hold for right (>= cut) or both for wrong; with Clopper and Pearson's interval.

    >>> agreement_rate([1, 1, 0, 0], [1, 0.8, 0.2, 0.9]).value
    0.75
    """
    _check(human, judged)
    same = sum((one >= cut) == (other >= cut) for one, other in zip(human, judged, strict=True))
    return Estimate(same / len(human), clopper_pearson(same, len(human)))


def kappa(human: Sequence[float], judged: Sequence[float], level: float = 0.95) -> Estimate | None:
    """Agreement beyond chance: 1 − mean squared difference / mean squared difference of all pairs of the two margins.

    For yes and no that is Cohen's kappa; for grades it is kappa with quadratic weights. 1: always the same; 0: no more
    than chance. None if both always say the same one thing: there is nothing to agree on. The interval is that of the
    observed disagreement (exact for yes and no, else Hoeffding's), the chance of disagreeing taken as known.
    Sources: Cohen 1960, Educational and Psychological Measurement 20; Cohen 1968, Psychological Bulletin 70.
    Raises DataError for lists that are empty or of different lengths, or values beyond 0..1.
    >>> round(kappa([1, 1, 0, 0, 1], [1, 0, 0, 0, 1]).value, 4)
    0.6154
    """
    left, right = _check(human, judged)
    expected = float((left**2).mean() + (right**2).mean() - 2 * left.mean() * right.mean())
    if expected < 1e-12:
        return None
    seen = ((left - right) ** 2).tolist()
    bounds = mean_interval(seen, level=level)
    assert bounds is not None
    interval = Interval(
        low=max(-1.0, 1 - bounds.high / expected),
        high=min(1.0, 1 - bounds.low / expected),
        level=level,
        method=f"disagreement-{bounds.method}",
    )
    return Estimate(1 - sum(seen) / len(seen) / expected, interval)


def spearman(human: Sequence[float], judged: Sequence[float], level: float = 0.95) -> Estimate | None:
    """Correlation of the ranks, -1..1; None with fewer than 5 answers or where one side always says the same.

    The interval is Fisher's with the standard error √((1 + r²/2) / (n − 3)); none for a correlation of exactly ±1.
    Source: Bonett and Wright 2000, Psychometrika 65.
    >>> spearman([0, 0.2, 0.4, 0.6, 0.8], [0.1, 0.2, 0.3, 0.4, 0.9]).value
    1.0
    """
    from scipy.stats import norm, rankdata

    left, right = _check(human, judged)
    if len(left) < _LEAST_RANKED or left.std() == 0 or right.std() == 0:
        return None
    value = min(1.0, max(-1.0, float(np.corrcoef(rankdata(left), rankdata(right))[0, 1])))
    if abs(value) > 1 - 1e-9:
        return Estimate(float(round(value)), None)
    half = float(norm.ppf((1 + level) / 2)) * sqrt((1 + value**2 / 2) / (len(left) - 3))
    low, high = tanh(atanh(value) - half), tanh(atanh(value) + half)
    return Estimate(value, Interval(low=low, high=high, level=level, method="bonett-wright"))


def _check(human: Sequence[float], judged: Sequence[float]) -> "tuple[Floats, Floats]":
    left, right = np.asarray(human, dtype=np.float64), np.asarray(judged, dtype=np.float64)
    if len(left) != len(right) or len(left) == 0:
        raise DataError(f"agreement is between as many values, at least one, not {len(left)} and {len(right)}")
    if not bool(np.all((left >= 0) & (left <= 1) & (right >= 0) & (right <= 1))):
        raise DataError("agreement is between values in 0..1")
    return left, right
