"""Scores that are learned from the tuning split: how likely a small model's answer is worth as much as the large one's.

Fitted by scikit-learn, kept as numbers (`records/route.py`), evaluated by `router/score.py`: no pickle, no scikit-learn
where calls are routed.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from importlib.util import find_spec
from math import log
from typing import Any, Literal

import numpy as np

from harness.errors import extra
from harness.records.route import LinearScore, TreeNode, TreeScore
from harness.router.score import scorer_of

__all__ = ["Learned", "folds_of", "learn"]

FOLDS = 5
_LEAST_EACH = 10
"""Calls of either outcome below which nothing is learned."""
_TREES, _DEPTH, _LEAF, _RATE = 60, 3, 10, 0.1

ScoreKind = Literal["logistic", "boosted"]
Features = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Learned:
    """A score with what it says of the calls that it was learned from, each by a score that had not seen it."""

    score: LinearScore | TreeScore
    held_out: tuple[float, ...]
    loss: float
    """Mean logarithmic loss of those, in nats."""
    floor: float
    """Of always saying the share of good answers."""


def folds_of(sessions: Sequence[str], seed: int = 0, folds: int = FOLDS) -> list[int]:
    """A fold for each call, the same for all of a session: drawn by a hash."""
    return [blake2b(f"fold {seed} {one}".encode(), digest_size=8).digest()[0] % folds for one in sessions]


def learn(
    features: Sequence[Features], good: Sequence[bool], sessions: Sequence[str], *,
    kinds: Sequence[ScoreKind], weights: Sequence[float], seed: int = 0,
) -> Learned | str:  # fmt: skip
    """The best of these kinds of score by cross-validated loss; words where there is nothing to learn.

    features: of each call. good: whether the small model's answer is worth at least the large one's. sessions: folds
    keep each whole.
    """
    if find_spec("sklearn") is None:
        return f"learned scores need scikit-learn: {extra('logs')}"
    few = min(sum(good), len(good) - sum(good))
    if few < _LEAST_EACH:
        what = "as good as the large one's" if sum(good) == few else "worse than the large one's"
        return f"of {len(good)} tuning calls {few} are {what}: a score needs {_LEAST_EACH} of either"
    names = tuple(sorted({name for one in features for name in one}))
    if not names:
        return "the calls have no features"
    data = _matrix(features, names)
    target, weight = np.array(good, dtype=int), np.array(weights, dtype=float)
    fold = np.array(folds_of(sessions, seed))
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # scikit-learn brings it, without types

    with threadpool_limits(1):  # so small that threads only wait for each other: ten times slower on a busy machine
        found = [_learned(kind, names, features, data, target, weight, fold, seed) for kind in kinds]
    told = [one for one in found if one is not None]
    if not told:
        return "the tuning calls are of too few sessions to hold some out"
    return min(told, key=lambda one: one.loss)


def _matrix(features: Sequence[Features], names: Sequence[str]) -> Any:
    """Shape (calls, features). As float32 keeps them, since trees split on those."""
    return np.array([[one.get(name, 0.0) for name in names] for one in features], dtype=np.float32).astype(np.float64)


def _learned(  # noqa: PLR0913 - one place that hands all on
    kind: ScoreKind, names: tuple[str, ...], features: Sequence[Features], data: Any, target: Any, weight: Any,
    fold: Any, seed: int,
) -> Learned | None:  # fmt: skip
    held = np.full(len(target), np.nan)
    for one in np.unique(fold):
        inside, outside = fold != one, fold == one
        if len(np.unique(target[inside])) < 2:
            return None
        score = _fit(kind, names, data[inside], target[inside], weight[inside], seed)
        says = scorer_of(score, of_reply=True)
        held[outside] = [says(features[int(place)]) for place in np.flatnonzero(outside)]
    if len(np.unique(fold)) < 2:
        return None
    near = np.clip(held, 1e-6, 1 - 1e-6)
    loss = float(np.average(-np.where(target == 1, np.log(near), np.log(1 - near)), weights=weight))
    share = float(np.average(target, weights=weight))
    whole = _fit(kind, names, data, target, weight, seed)
    floor = -(share * log(share) + (1 - share) * log(1 - share))
    return Learned(whole, tuple(float(one) for one in held), loss, floor)


def _fit(kind: ScoreKind, names: tuple[str, ...], data: Any, target: Any, weight: Any, seed: int) -> (
    LinearScore | TreeScore
):  # fmt: skip
    return _linear(names, data, target, weight) if kind == "logistic" else _boosted(names, data, target, weight, seed)


def _linear(names: tuple[str, ...], data: Any, target: Any, weight: Any) -> LinearScore:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    means, scales = data.mean(axis=0), data.std(axis=0)
    scales = np.where(scales > 1e-9, scales, 1.0)
    model = LogisticRegression(C=0.3, max_iter=500)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a score that could be a little better is still a score
        model.fit((data - means) / scales, target, sample_weight=weight / weight.mean())
    return LinearScore(
        features=names,
        weights=tuple(float(one) for one in model.coef_[0]),
        means=tuple(float(one) for one in means),
        scales=tuple(float(one) for one in scales),
        bias=float(model.intercept_[0]),
    )


def _boosted(names: tuple[str, ...], data: Any, target: Any, weight: Any, seed: int) -> TreeScore:
    from sklearn.ensemble import GradientBoostingClassifier

    model = GradientBoostingClassifier(
        n_estimators=_TREES, max_depth=_DEPTH, min_samples_leaf=_LEAF, learning_rate=_RATE, random_state=seed
    )
    model.fit(data, target, sample_weight=weight / weight.mean())
    prior = float(model.init_.class_prior_[1])
    return TreeScore(
        features=names,
        trees=tuple(_nodes(one.tree_, model.learning_rate) for one in model.estimators_[:, 0]),
        bias=log(prior / (1 - prior)),
    )


def _nodes(tree: Any, rate: float) -> tuple[TreeNode, ...]:
    return tuple(
        TreeNode(
            feature=int(tree.feature[place]),
            at=float(tree.threshold[place]),
            left=int(tree.children_left[place]),
            right=int(tree.children_right[place]),
        )
        if tree.children_left[place] >= 0
        else TreeNode(value=float(rate * tree.value[place].ravel()[0]))
        for place in range(tree.node_count)
    )
