"""The exact conditional test of non-inferiority: given how many pairs disagree, the candidate's share of them.

Beside the unconditional test of `paired.py`, which is the stronger one and decides verdicts: this one is plain enough
to check by hand.
"""

from harness.errors import DataError
from harness.stats.paired import Pairs

__all__ = ["conditional_inferior_p", "conditional_noninferior_p"]

_LEAST = 1e-12


def conditional_noninferior_p(pairs: Pairs, margin: float) -> float:
    """Exact p of "the candidate is worse by the margin or more", from the pairs that disagree and how many they are.

    Of m discordant pairs the gained are binomial with share (ψ − margin) / 2ψ at most, ψ the share of discordant pairs.
    ψ is not known: α / 2 is spent on Clopper and Pearson's upper bound of it, α / 2 on the binomial tail at that bound;
    p is the least α that shows it. A bound of ψ below the margin shows it alone.
    Source: McNemar 1947, Psychometrika 12 (the conditional law); Berger and Boos 1994, JASA 89 (the bound of ψ).
    Raises DataError unless 0 < margin < 1.
    >>> round(conditional_noninferior_p(Pairs(n=72, gained=0, lost=0), 0.05), 4)  # 2 * (1 - 0.05)**72
    0.0498
    """
    return _least_alpha(pairs, margin, upper=True)


def conditional_inferior_p(pairs: Pairs, margin: float) -> float:
    """Exact p of "the candidate is worse by the margin at most", the mirror image: ψ is bounded from below.

    >>> conditional_inferior_p(Pairs(n=100, gained=0, lost=30), 0.05) < 0.001
    True
    """
    return _least_alpha(pairs, margin, upper=False)


def _least_alpha(pairs: Pairs, margin: float, *, upper: bool) -> float:
    from scipy.optimize import brentq

    if not 0 < margin < 1:
        raise DataError(f"a margin is a share between 0 and 1, such as 0.02, not {margin}")

    def excess(alpha: float) -> float:
        return _tail(pairs, margin, alpha / 2, upper=upper) - alpha / 2

    if excess(1.0) >= 0:
        return 1.0
    return _LEAST if excess(_LEAST) <= 0 else float(brentq(excess, _LEAST, 1.0, xtol=1e-14))


def _tail(pairs: Pairs, margin: float, spent: float, *, upper: bool) -> float:
    """Binomial tail of the gained at the worst share of discordant pairs that is left at a chance of `spent`."""
    from scipy.special import bdtr, bdtrc, betaincinv

    n, unequal = pairs.n, pairs.gained + pairs.lost
    if upper:
        most = 1.0 if unequal == n else float(betaincinv(unequal + 1, n - unequal, 1 - spent))
        if most <= margin:
            return 0.0
        share = (most - margin) / (2 * most)
        return 1.0 if pairs.gained == 0 else float(bdtrc(pairs.gained - 1, unequal, share))
    least = 0.0 if unequal == 0 else float(betaincinv(unequal, n - unequal + 1, spent))
    share = max(0.0, (least - margin) / (2 * least)) if least > 0 else 0.0
    return 1.0 if pairs.gained >= unequal else float(bdtr(pairs.gained, unequal, share))
