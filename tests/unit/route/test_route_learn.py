"""Learned scores are kept as numbers, and say what scikit-learn says."""

import numpy as np
import pytest

from harness.records.route import LinearScore, TreeScore
from harness.route.learn import Learned, folds_of, learn
from harness.router.features import REQUEST_FEATURES
from harness.router.score import scorer_of

NAMES = REQUEST_FEATURES[:4]


def rows(count: int, seed: int) -> tuple[list[dict[str, float]], list[bool]]:
    rng = np.random.default_rng(seed)
    data = rng.integers(-40, 40, size=(count, 4)) / 8  # exact in 32 bits, as trees see them
    good = rng.random(count) < 1 / (1 + np.exp(-(data[:, 0] - data[:, 1] * (data[:, 2] > 0))))
    return [dict(zip(NAMES, map(float, one), strict=True)) for one in data], [bool(one) for one in good]


def learned(kind: str, count: int = 300) -> tuple[Learned, list[dict[str, float]], list[bool]]:
    features, good = rows(count, 3)
    found = learn(features, good, [str(n) for n in range(count)], kinds=(kind,), weights=[1.0] * count)  # type: ignore[arg-type]
    assert isinstance(found, Learned), found
    return found, features, good


def test_boosted_trees_say_what_scikit_learn_says() -> None:
    from sklearn.ensemble import GradientBoostingClassifier

    found, features, good = learned("boosted")
    names = found.score.features
    data = np.array([[one[name] for name in names] for one in features])
    model = GradientBoostingClassifier(
        n_estimators=60, max_depth=3, min_samples_leaf=10, learning_rate=0.1, random_state=0
    ).fit(data, good, sample_weight=np.ones(len(good)))

    says = scorer_of(found.score, of_reply=False)

    assert isinstance(found.score, TreeScore)
    assert np.abs(np.array([says(one) for one in features]) - model.predict_proba(data)[:, 1]).max() < 1e-9


def test_a_logistic_score_says_what_scikit_learn_says() -> None:
    from sklearn.linear_model import LogisticRegression

    found, features, good = learned("logistic")
    assert isinstance(found.score, LinearScore)
    data = np.array([[one[name] for name in found.score.features] for one in features])
    scaled = (data - np.array(found.score.means)) / np.array(found.score.scales)
    model = LogisticRegression(C=0.3, max_iter=500).fit(scaled, good)

    says = scorer_of(found.score, of_reply=False)

    assert np.abs(np.array([says(one) for one in features]) - model.predict_proba(scaled)[:, 1]).max() < 1e-6


def test_what_can_be_learned_lowers_the_loss_on_calls_that_were_held_out() -> None:
    found, _, _ = learned("logistic")

    assert found.loss < 0.85 * found.floor


def test_calls_of_a_session_are_in_one_fold() -> None:
    folds = folds_of([f"s{n % 7}" for n in range(70)])

    assert all(len({fold for n, fold in enumerate(folds) if n % 7 == own}) == 1 for own in range(7))


@pytest.mark.parametrize("good", [0, 9])
def test_too_few_of_one_outcome_are_told_in_words(good: int) -> None:
    features, _ = rows(100, 1)

    found = learn(features, [n < good for n in range(100)], [str(n) for n in range(100)],
                  kinds=("logistic",), weights=[1.0] * 100)  # fmt: skip

    assert found == f"of 100 tuning calls {good} are as good as the large one's: a score needs 10 of either"


def test_one_session_alone_cannot_be_held_out() -> None:
    features, good = rows(100, 1)

    found = learn(features, good, ["s"] * 100, kinds=("logistic",), weights=[1.0] * 100)

    assert found == "the tuning calls are of too few sessions to hold some out"
