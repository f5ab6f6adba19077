"""From the outcomes of two runs to a verdict: pass, fail, or about how many samples more."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import ceil, log, sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.errors import DataError
from harness.records.paired import PairedComparison, PairedVerdict
from harness.stats.bounded import units_of
from harness.stats.paired import MOST_EXACT, Pairs, inferior_p, mcnemar_p, noninferior_p, paired_interval
from harness.stats.paired_units import difference_interval, sign_flip_p, units_verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["NoExactVerdict", "compare", "decide", "more_pairs", "outcomes", "verdict"]

_POWER = 0.8
_MOST = 1_000_000


class NoExactVerdict(DataError):
    """Outcomes that no test here can judge: the message says why."""


def outcomes(values: Mapping[str, Sequence[float]]) -> dict[str, bool]:
    """Right or wrong for each sample, from the values of its trials: the majority, and a tie is wrong.

    Raises NoExactVerdict for values that are not 0 or 1.
    >>> outcomes({"a": [1.0], "b": [1.0, 0.0]})
    {'a': True, 'b': False}
    """
    strange = next((one for trials in values.values() for one in trials if one not in (0.0, 1.0)), None)
    if strange is not None:
        raise NoExactVerdict(f"no exact verdict: values are not 0/1 (one is {strange:.3g})")
    return {sample: 2 * sum(trials) > len(trials) for sample, trials in values.items()}


def compare(
    baseline: Mapping[str, Sequence[float]],
    candidate: Mapping[str, Sequence[float]],
    *,
    margin: float,
    alpha: float,
    sessions: Mapping[str, str | None] | None = None,
    weights: Mapping[str, float] | None = None,
) -> PairedComparison:
    """The candidate beside the baseline on the samples that both have, with the verdict.

    baseline, candidate: values of each sample's trials. The unit is the sample: several trials of one are one outcome
    (`outcomes`; the mean where any value lies between 0 and 1, and then differences of scores are judged). sessions: of
    each sample; where one holds several samples they hang together, and sessions are judged whole. Independent samples
    that are right or wrong are judged by the exact test, all others by `units_verdict`. weights: calls that each sample
    stands for; where they are not all alike the difference is that of the calls, and a sample of many of them counts as
    a session of so many.
    Raises NoExactVerdict without a shared sample and for values beyond 0..1.
    >>> compare({"a": [1], "b": [0]}, {"a": [1], "b": [1]}, margin=0.1, alpha=0.05).verdict.verdict
    'need_more'
    """
    shared = sorted(baseline.keys() & candidate.keys())
    if not shared:
        raise NoExactVerdict("no verdict: no sample is scored in both runs")
    first, second, graded = _outcomes(baseline, candidate, shared)
    labels = [(sessions or {}).get(one) for one in shared]
    known = [label for label in labels if label is not None]
    tied = len(set(known)) < len(known)
    higher, lower = second > first, second < first
    same = ~(higher | lower)
    worth = [(weights or {}).get(one, 1.0) for one in shared]
    weighted = len(set(worth)) > 1
    units = units_of((second - first).tolist(), labels, worth if weighted else ())
    if tied or graded or weighted:
        interval, p, found = difference_interval(units), sign_flip_p(units.totals), units_verdict(units, margin, alpha)
    else:
        pairs = Pairs(len(shared), gained=int(higher.sum()), lost=int(lower.sum()))
        interval, p, found = paired_interval(pairs), mcnemar_p(pairs), verdict(pairs, margin, alpha)
    most = max(len(trials) for runs in (baseline, candidate) for one in shared for trials in [runs[one]])
    return PairedComparison(
        unit=_unit(most, graded=graded),
        n=len(shared),
        both=int((same & (first > 0)).sum()),
        gained=int(higher.sum()),
        lost=int(lower.sum()),
        neither=int((same & (first == 0)).sum()),
        difference=units.mean if weighted else float((second - first).mean()),
        interval=interval,
        mcnemar_p=min(1.0, p),
        verdict=found,
        outcome="score" if graded else "right or wrong",
        sessions=len(units.sizes) if tied else None,
        weighted=weighted,
    )


def _unit(most: int, *, graded: bool) -> str:
    if most == 1:
        return "sample"
    how = f"mean of up to {most} trials" if graded else f"majority of up to {most} trials, a tie counts as wrong"
    return f"sample ({how})"


def _outcomes(
    baseline: Mapping[str, Sequence[float]], candidate: Mapping[str, Sequence[float]], shared: Sequence[str]
) -> "tuple[Floats, Floats, bool]":
    """One value a sample for either, and whether they are scores: any that is neither 0 nor 1."""
    both = [{one: run[one] for one in shared} for run in (baseline, candidate)]
    values = [value for run in both for trials in run.values() for value in trials]
    strange = next((value for value in values if not 0 <= value <= 1), None)
    if strange is not None:
        raise NoExactVerdict(f"no verdict: values lie in 0..1, one is {strange:.3g}")
    graded = any(value not in (0.0, 1.0) for value in values)
    if graded:
        lists = [[sum(trials) / len(trials) for trials in run.values()] for run in both]
    else:
        lists = [[float(right) for right in outcomes(run).values()] for run in both]
    first, second = (np.array(one, dtype=np.float64) for one in lists)
    return first, second, graded


def decide(p_noninferior: float, p_inferior: float, alpha: float) -> Literal["pass", "fail", "need_more"]:
    """The word for two p values, as they are or after an adjustment for many tests (`multiplicity.py`).

    >>> decide(0.03, 0.9, 0.05), decide(0.06, 0.9, 0.05)
    ('pass', 'need_more')
    """
    return "pass" if p_noninferior <= alpha else "fail" if p_inferior <= alpha else "need_more"


@lru_cache(maxsize=65_536)
def verdict(pairs: Pairs, margin: float, alpha: float) -> PairedVerdict:
    """Whether Δ lies above −margin (`pass`), below it (`fail`), or neither is shown; each with chance α of being wrong.

    >>> verdict(Pairs(n=59, gained=0, lost=0), 0.05, 0.05).verdict
    'pass'
    >>> verdict(Pairs(n=100, gained=0, lost=25), 0.05, 0.05).verdict
    'fail'
    """
    better, worse = noninferior_p(pairs, margin), inferior_p(pairs, margin)
    shown = decide(better, worse, alpha)
    return PairedVerdict(
        verdict=shown,
        margin=margin,
        alpha=alpha,
        p_noninferior=better,
        p_inferior=worse,
        method="unconditional exact, score statistic" if pairs.n <= MOST_EXACT else "Clopper-Pearson of both shares",
        more=more_pairs(pairs, margin, alpha) if shown == "need_more" else None,
    )


def more_pairs(pairs: Pairs, margin: float, alpha: float, power: float = _POWER) -> int | None:
    """About how many pairs more decide it with this power, if the shares are as seen; None where a million would not.

    n = ((z_α √V₀ + z_β √V₁) / (Δ + margin))², V₁ = ψ − Δ² the variance of a pair, ψ the discordant share with one pair
    added to the counts and two to n, V₀ that variance under Δ = −margin. At least as many as would show it without a
    single loss: log α / log(1 − margin). Source: Nam 1997, Biometrics 53, 1422–1430. An estimate: the shares are not
    known, and the exact test asks for a little more than the normal law at small n.
    """
    from scipy.stats import norm

    seen, away = pairs.difference, pairs.difference + margin
    if abs(away) < 1e-9:
        return None
    psi = (pairs.gained + pairs.lost + 1) / (pairs.n + 2)
    q = _restricted((psi + seen) / 2, (psi - seen) / 2, -margin)
    under, true = 2 * q - margin * (1 + margin), max(psi - seen**2, 1e-12)
    reach = float(norm.isf(alpha)) * sqrt(max(under, 0.0)) + float(norm.isf(1 - power)) * sqrt(true)
    needed = (reach / away) ** 2
    if away > 0:
        needed = max(needed, log(alpha) / log(1 - margin))
    return max(1, ceil(needed - 1e-9) - pairs.n) if needed <= _MOST else None


def _restricted(gained: float, lost: float, delta: float) -> float:
    """Share of c likeliest under Δ = delta, from shares instead of counts (`score_statistic`, with n = 1)."""
    linear = -gained - lost + (2 - gained + lost) * delta
    root = sqrt(max(linear**2 + 8 * lost * delta * (1 - delta), 0.0))
    return float(np.clip((root - linear) / 4, max(0.0, -delta), (1 - delta) / 2))
