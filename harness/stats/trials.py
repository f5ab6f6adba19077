"""What several trials of one sample say: pass@k and pass^k."""

from math import comb

from harness.errors import DataError

__all__ = ["pass_at_k", "pass_hat_k"]


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


def _check(what: str, trials: int, passes: int, k: int) -> None:
    if not 0 <= passes <= trials:
        raise DataError(f"{what}{k} of {passes} passes in {trials} trials makes no sense: 0 <= passes <= trials")
    if not 1 <= k <= trials:
        raise DataError(f"{what}{k} needs at least {k} trials per sample, this run has {trials}; type run.trials={k}")
