"""What several trials of one sample say: pass@k and pass^k."""

from collections.abc import Sequence
from math import comb

from harness.errors import DataError
from harness.stats.agreement import Estimate
from harness.stats.bounded import units_interval, units_of

__all__ = ["pass_at_k", "pass_hat_k", "pass_interval"]


def pass_at_k(trials: int, passes: int, k: int) -> float:
    """Chance that at least one of k attempts passes, drawn without replacement (pass@k).

    Unbiased: 1 − C(trials − passes, k) / C(trials, k). Source: Chen et al. 2021, arXiv:2107.03374, section 2.1.
    trials, passes: counts for one sample. Returns a fraction in 0..1.
    Raises DataError unless 0 <= passes <= trials and 1 <= k <= trials.
    >>> pass_at_k(4, 1, 2)
    0.5
    """
    _check("pass@", trials, passes, k)
    return 1 - comb(trials - passes, k) / comb(trials, k)


def pass_hat_k(trials: int, passes: int, k: int) -> float:
    """Chance that k attempts drawn without replacement all pass (pass^k).

    Unbiased: C(passes, k) / C(trials, k). Source: Yao et al. 2024, arXiv:2406.12045, section 3.
    trials, passes: counts for one sample. Returns a fraction in 0..1.
    Raises DataError unless 0 <= passes <= trials and 1 <= k <= trials.
    >>> pass_hat_k(4, 3, 2)
    0.5
    """
    _check("pass^", trials, passes, k)
    return comb(passes, k) / comb(trials, k)


def pass_interval(
    counts: Sequence[tuple[int, int]],
    k: int,
    *,
    every: bool,
    sessions: Sequence[object] = (),
    level: float = 0.95,
) -> Estimate:
    """pass^k (every) or pass@k (not every) over samples, with the interval of a mean of values in 0..1.

    counts: trials and passes of each sample. sessions: label of each sample's session, None where it stands alone.
    The interval holds whatever trials of one sample share, since the sample is the unit; it is never of width zero.
    Raises DataError for no samples, and as `pass_at_k` and `pass_hat_k`.
    >>> found = pass_interval([(4, 4), (4, 3), (4, 0)], 2, every=True)
    >>> found.value
    0.5
    """
    one = pass_hat_k if every else pass_at_k
    units = units_of([one(trials, passes, k) for trials, passes in counts], sessions)
    return Estimate(units.mean, units_interval(units, level=level))


def _check(what: str, trials: int, passes: int, k: int) -> None:
    if not 0 <= passes <= trials:
        raise DataError(f"{what}{k} of {passes} passes in {trials} trials makes no sense: 0 <= passes <= trials")
    if not 1 <= k <= trials:
        raise DataError(f"{what}{k} needs at least {k} trials per sample, this run has {trials}; type run.trials={k}")
