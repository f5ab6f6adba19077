"""Many models on the same samples: their order, and which pairs of it are decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import DataError
from harness.records.paired import PairDecision, Ranking
from harness.stats.multiplicity import Multiplicity, adjusted
from harness.stats.paired_units import sign_flip_p

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["not_decided", "rank"]

_DRAWS = 20_000
_CHUNK = 500
_SMALL = 200_000
"""Additions that an exact p of unequal differences may take."""


def rank(
    values: Mapping[str, Mapping[str, float]],
    *,
    alpha: float = 0.05,
    sessions: Mapping[str, str | None] | None = None,
    weights: Mapping[str, float] | None = None,
    method: Multiplicity = "holm",
) -> Ranking:
    """Models, best mean first, with a two-sided decision for each pair on the samples that both have.

    values: by model, the value of each sample, 0..1. weights: what each sample counts for; all 1 if none are given.
    The p of a pair is McNemar's exact one for right and wrong; for scores, for unequal weights and for sessions with
    several samples signs are flipped by session: exact where that is little work (`sign_flip_p`), else by 20,000 draws
    that all pairs share, or Hoeffding's bound (1963, JASA 58) where that is below what draws can tell. All p are
    adjusted together. Raises DataError for fewer than two models and for models without any sample.
    >>> found = rank({"a": {"x": 1, "y": 1}, "b": {"x": 0, "y": 1}})
    >>> found.models, found.decided
    (('a', 'b'), 0)
    """
    empty = next((model for model, held in values.items() if not held), None)
    if len(values) < 2 or empty is not None:
        raise DataError(
            f"a ranking is of two models or more, not {len(values)}" if empty is None else f"{empty} has no value"
        )
    table = _table(values, sessions or {}, weights or {})
    means = {model: table.mean(row) for model, row in table.rows.items()}
    order = sorted(values, key=lambda model: (-means[model], model))
    pairs = [found for pair in combinations(order, 2) if (found := table.pair(*pair)) is not None]
    told = _decided(pairs, alpha, method)
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


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """Two models on the samples that both have, the better one first."""

    better: str
    worse: str
    n: int
    gained: int
    lost: int
    difference: float
    totals: "Floats"
    """(n_units,) sums of each session's differences, by weight."""


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """The values as an array, NaN where a model has none."""

    rows: dict[str, int]
    values: "Floats"
    """(n_models, n_samples)"""
    weights: "Floats"
    """(n_samples,)"""
    units: "NDArray[np.int64] | None"
    """(n_samples,) number of each sample's session; None where each stands alone."""

    def mean(self, row: int) -> float:
        """A model's mean by weight, over the samples that it has."""
        held = ~np.isnan(self.values[row])
        return float(np.average(self.values[row, held], weights=self.weights[held]))

    def pair(self, first: str, second: str) -> _Pair | None:
        """The pair; None where they share no sample. The better is the one on the shared samples."""
        apart = self.values[self.rows[first]] - self.values[self.rows[second]]
        shared = ~np.isnan(apart)
        if not shared.any():
            return None
        apart = np.where(shared, apart, 0.0)
        weighted = apart * self.weights
        total = float(weighted.sum())
        if total < 0:
            first, second, apart, weighted, total = second, first, -apart, -weighted, -total
        return _Pair(
            better=first,
            worse=second,
            n=int(shared.sum()),
            gained=int((apart > 0).sum()),
            lost=int((apart < 0).sum()),
            difference=min(1.0, total / float(self.weights[shared].sum())),
            totals=weighted if self.units is None else np.bincount(self.units, weights=weighted).astype(np.float64),
        )


def _table(
    values: Mapping[str, Mapping[str, float]], sessions: Mapping[str, str | None], weights: Mapping[str, float]
) -> _Table:
    samples = {sample: place for place, sample in enumerate(sorted({one for held in values.values() for one in held}))}
    array = np.full((len(values), len(samples)), np.nan)
    for row, held in enumerate(values.values()):
        array[row, [samples[sample] for sample in held]] = list(held.values())
    named = [sessions.get(sample) for sample in samples]
    labels = [("alone", str(place)) if one is None else ("session", one) for place, one in enumerate(named)]
    numbers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    worth = np.array([weights.get(sample, 1.0) for sample in samples], dtype=np.float64)
    units = None if len(numbers) == len(labels) else np.array([numbers[label] for label in labels], dtype=np.int64)
    return _Table({model: row for row, model in enumerate(values)}, array, worth, units)


def _decided(pairs: Sequence[_Pair], alpha: float, method: Multiplicity) -> list[PairDecision]:
    ps = _all_p([pair.totals for pair in pairs])
    return [
        PairDecision(
            better=pair.better,
            worse=pair.worse,
            n=pair.n,
            gained=pair.gained,
            lost=pair.lost,
            difference=pair.difference,
            p=p,
            p_adjusted=together,
            decided=together <= alpha,
        )
        for pair, p, together in zip(pairs, ps, adjusted(ps, method), strict=True)
    ]


def _all_p(totals: Sequence["Floats"]) -> list[float]:
    """Two-sided p of no difference of each pair, by flipping signs."""
    found = [_p(each) for each in totals]
    left = [place for place, p in enumerate(found) if p is None]
    drawn = iter(_drawn([totals[place] for place in left]))
    return [min(1.0, next(drawn) if p is None else p) for p in found]


def _p(totals: "Floats") -> float | None:
    """The p of one pair, exact or by Hoeffding's bound; None if draws are needed."""
    from scipy.special import bdtr

    apart = totals[totals != 0]
    if len(apart) == 0:
        return 1.0
    sizes, seen = np.abs(apart), abs(float(apart.sum()))
    if float(sizes.max() - sizes.min()) <= 1e-9 * float(sizes.max()):
        fewer = min(int((apart > 0).sum()), int((apart < 0).sum()))
        return 2 * float(bdtr(fewer, len(apart), 0.5))
    steps = sizes / sizes.min()
    whole = bool((np.abs(steps - np.round(steps)) < 1e-9).all()) and len(steps) * steps.sum() <= _SMALL
    if len(apart) <= 16 or whole:
        return sign_flip_p(totals)
    bound = 2 * float(np.exp(-(seen**2) / (2 * np.square(sizes).sum())))
    return bound if bound < 1 / (_DRAWS + 1) else None


def _drawn(totals: Sequence["Floats"], seed: int = 0) -> list[float]:
    """The p of each pair from 20,000 draws of signs, the data themselves counted as one more."""
    if not totals:
        return []
    table = np.stack(totals, axis=1).astype(np.float32)  # (n_units, n_pairs)
    seen = np.abs(table.sum(axis=0)) * (1 - 1e-5)  # what float32 loses must not turn a tie into a win
    rng, count = np.random.default_rng(seed), np.ones(len(totals), dtype=np.int64)
    for _ in range(_DRAWS // _CHUNK):
        signs = 2 * rng.integers(0, 2, (_CHUNK, len(table)), dtype=np.int8) - 1
        count += (np.abs(signs.astype(np.float32) @ table) >= seen).sum(axis=0)
    return [float(one) for one in count / (_DRAWS + 1)]
