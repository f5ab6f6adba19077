"""From the outcomes of two runs to a verdict: pass, fail, or about how many samples more."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import ceil, log, sqrt

import numpy as np

from harness.errors import DataError
from harness.records.paired import PairedComparison, PairedVerdict
from harness.stats.paired import MOST_EXACT, Pairs, inferior_p, mcnemar_p, noninferior_p, paired_interval

__all__ = ["NoExactVerdict", "compare", "more_pairs", "outcomes", "verdict"]

_POWER = 0.8
_MOST = 1_000_000


class NoExactVerdict(DataError):
    """Outcomes that the exact test cannot judge: the message says why."""


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
) -> PairedComparison:
    """The candidate beside the baseline on the samples that both have, with the exact verdict.

    baseline, candidate: values of each sample's trials. The unit is the sample: several trials of one are one outcome
    (`outcomes`). sessions: of each sample; where one holds several samples they hang together, and no test of
    independent pairs is exact. Raises NoExactVerdict then, for values that are not 0 or 1, and without a shared sample.
    >>> compare({"a": [1], "b": [0]}, {"a": [1], "b": [1]}, margin=0.1, alpha=0.05).verdict.verdict
    'need_more'
    """
    shared = sorted(baseline.keys() & candidate.keys())
    if not shared:
        raise NoExactVerdict("no exact verdict: no sample is scored in both runs")
    known = [session for one in shared if (session := (sessions or {}).get(one)) is not None]
    if len(set(known)) < len(known):
        raise NoExactVerdict(
            "no exact verdict: several samples belong to one session, and the test takes samples for independent"
        )
    first = outcomes({one: baseline[one] for one in shared})
    second = outcomes({one: candidate[one] for one in shared})
    counts = Counter((first[one], second[one]) for one in shared)
    pairs = Pairs(len(shared), gained=counts[False, True], lost=counts[True, False])
    most = max(len(trials) for runs in (baseline, candidate) for one in shared for trials in [runs[one]])
    return PairedComparison(
        unit="sample" if most == 1 else f"sample (majority of up to {most} trials, a tie counts as wrong)",
        n=pairs.n,
        both=counts[True, True],
        gained=pairs.gained,
        lost=pairs.lost,
        neither=counts[False, False],
        difference=pairs.difference,
        interval=paired_interval(pairs),
        mcnemar_p=min(1.0, mcnemar_p(pairs)),
        verdict=verdict(pairs, margin, alpha),
    )


def verdict(pairs: Pairs, margin: float, alpha: float) -> PairedVerdict:
    """Whether Δ lies above −margin (`pass`), below it (`fail`), or neither is shown; each with chance α of being wrong.

    >>> verdict(Pairs(n=59, gained=0, lost=0), 0.05, 0.05).verdict
    'pass'
    >>> verdict(Pairs(n=100, gained=0, lost=25), 0.05, 0.05).verdict
    'fail'
    """
    better, worse = noninferior_p(pairs, margin), inferior_p(pairs, margin)
    shown = "pass" if better <= alpha else "fail" if worse <= alpha else "need_more"
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
