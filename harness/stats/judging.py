"""A judging model held against people's labels, boiled down for the summary of a run."""

from collections.abc import Sequence

from harness.records.summary import HumanAgreement
from harness.stats.agreement import agreement_rate, kappa, spearman
from harness.stats.ppi import ppi_mean

__all__ = ["beside_people"]


def beside_people(
    human: Sequence[float], judged_too: Sequence[float], judged: Sequence[float], *, tied: bool = False
) -> HumanAgreement:
    """Agreement on the answers labelled by both, and the mean of `judged` put right by it.

    human, judged_too: of the same n answers; judged: of the N answers of the run. All 0..1. The correction takes the
    judge's mean in full (λ = 1), since the labelled answers are others than the run's. tied: whether sessions tie the
    run's samples together; then there is no correction, as its interval would be too narrow.
    Raises DataError for no labels.
    >>> beside_people([1, 0, 1, 1], [1, 1, 1, 1], [1, 1, 0, 1]).corrected
    0.5
    """
    people, too, run = ([min(1.0, one) for one in values] for values in (human, judged_too, judged))
    same, beyond, ranks = agreement_rate(people, too), kappa(people, too), spearman(people, too)
    assert same.interval is not None
    right = None if tied or len(people) < 2 or len(run) < 2 else ppi_mean(people, too, run, weight=1.0)
    return HumanAgreement(
        n=len(people),
        same=same.value,
        same_interval=same.interval,
        kappa=beyond.value if beyond else None,
        kappa_interval=beyond.interval if beyond else None,
        spearman=ranks.value if ranks else None,
        spearman_interval=ranks.interval if ranks else None,
        bias=(sum(too) - sum(people)) / len(people),
        corrected=right.value if right else None,
        corrected_interval=right.interval if right else None,
    )
