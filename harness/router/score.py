"""A learned score of a policy, evaluated in plain Python: no model library is loaded in the user's program."""

from collections.abc import Callable, Mapping
from math import exp

from harness.errors import DataError
from harness.records.route import LinearScore, TreeNode, TreeScore
from harness.router.features import REPLY_FEATURES, REQUEST_FEATURES

__all__ = ["CLUSTER", "Scorer", "scorer_of"]

CLUSTER = "cluster:"
"""Before the id of a task: a feature that is 1 for its calls and 0 for others."""

Scorer = Callable[[Mapping[str, float]], float]
"""From features by their names to a probability, 0..1."""


def scorer_of(score: LinearScore | TreeScore, *, of_reply: bool) -> Scorer:
    """The function that a score stands for. Features of tasks (`cluster:c3`) that are not given are 0.

    of_reply: whether features of the reply may be in it. Trees compare as scikit-learn's histogram boosting does, in 64
    bits. Raises DataError for a damaged score: unknown features, lists of different lengths, a tree with a loop.
    """
    known = {*REQUEST_FEATURES, *(REPLY_FEATURES if of_reply else ())}
    strange = [name for name in score.features if name not in known and not name.startswith(CLUSTER)]
    if strange:
        raise DataError(f"the policy's score reads {strange[0]!r}, which is no feature here; make the policy anew")
    return _linear(score) if isinstance(score, LinearScore) else _boosted(score)


def _sigmoid(value: float) -> float:
    if value >= 0:
        return 1.0 / (1.0 + exp(-value))
    small = exp(value)
    return small / (1.0 + small)


def _linear(score: LinearScore) -> Scorer:
    lengths = {len(score.features), len(score.weights), len(score.means), len(score.scales)}
    if len(lengths) > 1 or any(one == 0 for one in score.scales):
        raise DataError("the policy's score has lists of different lengths or a scale of 0; make the policy anew")
    parts = tuple(zip(score.features, score.weights, score.means, score.scales, strict=True))

    def evaluate(features: Mapping[str, float]) -> float:
        return _sigmoid(
            score.bias + sum(weight * (_value(features, name) - mean) / scale for name, weight, mean, scale in parts)
        )

    return evaluate


def _boosted(score: TreeScore) -> Scorer:
    for tree in score.trees:
        _check(tree, len(score.features))
    trees = tuple(tuple((one.feature, one.at, one.left, one.right, one.value) for one in tree) for tree in score.trees)

    def evaluate(features: Mapping[str, float]) -> float:
        values = [_value(features, name) for name in score.features]
        total = score.bias
        for tree in trees:
            feature, at, left, right, value = tree[0]
            while feature >= 0:
                feature, at, left, right, value = tree[left if values[feature] <= at else right]
            total += value
        return _sigmoid(total)

    return evaluate


def _check(tree: tuple[TreeNode, ...], features: int) -> None:
    """Children stand behind their parent, so that every way down ends."""
    sound = bool(tree) and all(
        one.feature < 0 or (one.feature < features and place < one.left < len(tree) and place < one.right < len(tree))
        for place, one in enumerate(tree)
    )
    if not sound:
        raise DataError("a tree of the policy's score is damaged; make the policy anew")


def _value(features: Mapping[str, float], name: str) -> float:
    return features.get(name, 0.0) if name.startswith(CLUSTER) else features[name]
