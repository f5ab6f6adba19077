"""Scores in plain Python say what scikit-learn says."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from harness.errors import DataError
from harness.records.route import LinearScore, TreeNode, TreeScore
from harness.router.features import REPLY_FEATURES, REQUEST_FEATURES
from harness.router.score import scorer_of

NAMES = REQUEST_FEATURES[:6]


def drawn(seed: int, n: int = 400) -> tuple[Any, Any]:
    draw = np.random.default_rng(seed)
    rows = draw.normal(size=(n, len(NAMES))).round(2)
    return rows, (rows[:, 0] * rows[:, 1] + rows[:, 2] + draw.normal(size=n) > 0).astype(int)


def test_a_logistic_score_is_that_of_scikit_learn() -> None:
    rows, right = drawn(1)
    scale = StandardScaler().fit(rows)
    model = LogisticRegression().fit(scale.transform(rows), right)
    score = scorer_of(
        LinearScore(
            features=NAMES,
            weights=tuple(model.coef_[0].tolist()),
            means=tuple(scale.mean_.tolist()),
            scales=tuple(scale.scale_.tolist()),
            bias=float(model.intercept_[0]),
        ),
        of_reply=False,
    )

    found = [score(dict(zip(NAMES, row, strict=True))) for row in rows.tolist()]

    assert np.abs(np.array(found) - model.predict_proba(scale.transform(rows))[:, 1]).max() < 1e-9


def tree_of(nodes: Any) -> tuple[TreeNode, ...]:
    return tuple(
        TreeNode(value=float(one["value"]))
        if one["is_leaf"]
        else TreeNode(
            feature=int(one["feature_idx"]),
            at=float(one["num_threshold"]),
            left=int(one["left"]),
            right=int(one["right"]),
        )
        for one in nodes
    )


def test_boosted_trees_are_those_of_scikit_learn_at_every_edge() -> None:
    rows, right = drawn(2)
    model = HistGradientBoostingClassifier(max_iter=30, max_leaf_nodes=8, random_state=0).fit(rows, right)
    score = scorer_of(
        TreeScore(
            features=NAMES,
            trees=tuple(tree_of(one[0].nodes) for one in model._predictors),
            bias=float(np.ravel(model._baseline_prediction)[0]),
        ),
        of_reply=False,
    )
    edges = np.array([[one["num_threshold"]] * len(NAMES) for each in model._predictors for one in each[0].nodes])
    every = np.concatenate([rows, edges, np.nextafter(edges, np.inf)])

    found = [score(dict(zip(NAMES, row, strict=True))) for row in every.tolist()]

    assert np.abs(np.array(found) - model.predict_proba(every)[:, 1]).max() < 1e-9


def test_an_extreme_score_stays_a_probability() -> None:
    one = LinearScore(features=("tools",), weights=(1e6,), means=(0.0,), scales=(1.0,), bias=0.0)
    score = scorer_of(one, of_reply=False)

    assert (score({"tools": -1e3}), score({"tools": 1e3})) == (0.0, 1.0)


def test_the_task_of_a_call_is_a_feature_of_its_own() -> None:
    one = LinearScore(features=("cluster:c3",), weights=(2.0,), means=(0.0,), scales=(1.0,), bias=0.0)
    score = scorer_of(one, of_reply=False)

    assert score({"cluster:c3": 1.0}) > score({"cluster:c4": 1.0}) == 0.5


@pytest.mark.parametrize("name", ["made_up", REPLY_FEATURES[0]])
def test_a_feature_that_is_not_known_before_the_reply_is_refused(name: str) -> None:
    one = LinearScore(features=(name,), weights=(1.0,), means=(0.0,), scales=(1.0,), bias=0.0)

    with pytest.raises(DataError, match=name):
        scorer_of(one, of_reply=False)


@pytest.mark.parametrize(
    "tree",
    [
        (),
        (TreeNode(feature=0, left=0, right=1), TreeNode()),
        (TreeNode(feature=9, left=1, right=2), TreeNode(), TreeNode()),
    ],
    ids=["empty", "loop", "feature"],
)
def test_a_damaged_tree_is_refused_before_any_call(tree: tuple[TreeNode, ...]) -> None:
    with pytest.raises(DataError, match="damaged"):
        scorer_of(TreeScore(features=("tools",), trees=(tree,), bias=0.0), of_reply=False)
