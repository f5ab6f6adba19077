"""Many models on the same samples: their order, and which pairs of it are decided."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from harness.errors import DataError
from harness.records.paired import PairDecision, Ranking
from harness.stats.bounded import units_of
from harness.stats.multiplicity import Multiplicity, adjusted
from harness.stats.paired_units import sign_flip_p

__all__ = ["not_decided", "rank"]


def rank(
    values: Mapping[str, Mapping[str, float]],
    *,
    alpha: float = 0.05,
    sessions: Mapping[str, str | None] | None = None,
    method: Multiplicity = "holm",
) -> Ranking:
    """Models, best mean first, with a two-sided decision for each pair on the samples that both have.

    values: by model, the value of each sample, 0..1. The p of a pair is McNemar's exact one for right and wrong; for
    scores and for sessions with several samples signs are flipped by session (`sign_flip_p`). All p are adjusted
    together. Raises DataError for fewer than two models and for models without any sample.
    >>> found = rank({"a": {"x": 1, "y": 1}, "b": {"x": 0, "y": 1}})
    >>> found.models, found.decided
    (('a', 'b'), 0)
    """
    empty = next((model for model, held in values.items() if not held), None)
    if len(values) < 2 or empty is not None:
        raise DataError(
            f"a ranking is of two models or more, not {len(values)}" if empty is None else f"{empty} has no value"
        )
    means = {model: float(np.mean(list(held.values()))) for model, held in values.items()}
    order = sorted(values, key=lambda model: (-means[model], model))
    pairs = [
        found
        for better, worse in combinations(order, 2)
        if (found := _pair(better, worse, values, sessions or {})) is not None
    ]
    told = [
        pair.model_copy(update={"p_adjusted": p, "decided": p <= alpha})
        for pair, p in zip(pairs, adjusted([pair.p for pair in pairs], method), strict=True)
    ]
    return Ranking(
        models=tuple(order),
        means=tuple(means[model] for model in order),
        pairs=tuple(told),
        alpha=alpha,
        method=method,
        decided=sum(pair.decided for pair in told),
    )


def not_decided(pair: PairDecision) -> str:
    """One sentence about a pair: whether it is decided, and on how many samples the two differ.

    >>> found = rank({"a": {"x": 1, "y": 1}, "b": {"x": 0, "y": 1}})
    >>> not_decided(found.pairs[0])
    'a and b are not separated: 1 of 2 samples differ (1 for a, 0 for b), p 1'
    """
    said = "is better than" if pair.decided else "and"
    what = f"{pair.better} {said} {pair.worse}" + ("" if pair.decided else " are not separated")
    unequal = pair.gained + pair.lost
    counts = f"{unequal} of {pair.n} samples differ ({pair.gained} for {pair.better}, {pair.lost} for {pair.worse})"
    return f"{what}: {counts}, p {pair.p_adjusted:.2g}"


def _pair(
    first: str, second: str, values: Mapping[str, Mapping[str, float]], sessions: Mapping[str, str | None]
) -> PairDecision | None:
    """One pair, p not adjusted yet; None where they share no sample. The better is the one on the shared samples."""
    shared = sorted(values[first].keys() & values[second].keys())
    if not shared:
        return None
    apart = np.array([values[first][one] - values[second][one] for one in shared], dtype=np.float64)
    if apart.sum() < 0:
        first, second, apart = second, first, -apart
    units = units_of(apart.tolist(), [sessions.get(one) for one in shared])
    p = min(1.0, sign_flip_p(units.totals))
    return PairDecision(
        better=first,
        worse=second,
        n=len(shared),
        gained=int((apart > 0).sum()),
        lost=int((apart < 0).sum()),
        difference=max(0.0, float(apart.mean())),
        p=p,
        p_adjusted=p,
        decided=False,
    )
