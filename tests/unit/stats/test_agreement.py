"""Agreement of a judge with people, against the reference implementations and known truths."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from harness.errors import DataError
from harness.stats.agreement import agreement_rate, kappa, spearman


def graded(rng: np.random.Generator, n: int, grades: int) -> tuple[list[float], list[float]]:
    human = rng.integers(0, grades, n)
    judge = np.clip(human + rng.integers(-1, 2, n), 0, grades - 1)
    return (human / (grades - 1)).tolist(), (judge / (grades - 1)).tolist()


@pytest.mark.parametrize("grades", [2, 3, 5])
def test_kappa_is_that_of_scikit_learn(grades: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="the reference is scikit-learn's")
    rng = np.random.default_rng(2)

    for n in (6, 20, 60):
        human, judge = graded(rng, n, grades)
        whole = [np.round(np.array(one) * (grades - 1)).astype(int) for one in (human, judge)]
        theirs = metrics.cohen_kappa_score(*whole, weights="quadratic", labels=list(range(grades)))
        found = kappa(human, judge)
        assert found is not None
        assert found.value == pytest.approx(theirs)


def test_kappa_of_two_by_two_is_that_of_the_formula() -> None:
    human, judge = [1] * 20 + [1] * 5 + [0] * 10 + [0] * 15, [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15

    found = kappa(human, judge)

    assert found is not None
    assert found.value == pytest.approx(0.4)  # observed 0.7, by chance 0.5


def test_interval_of_kappa_holds_the_truth() -> None:
    rng = np.random.default_rng(4)
    rate, right = 0.8, 0.9
    said = rate * right + (1 - rate) * (1 - right)
    chance = rate * said + (1 - rate) * (1 - said)
    truth = (right - chance) / (1 - chance)
    held = 0

    for _ in range(400):
        human = (rng.random(60) < rate).astype(float)
        judge = np.where(rng.random(60) < right, human, 1 - human)
        found = kappa(human.tolist(), judge.tolist())
        assert found is not None
        assert found.interval is not None
        held += found.interval.low <= truth <= found.interval.high

    assert held / 400 > 0.92


def test_full_agreement_has_an_interval_with_width() -> None:
    found = kappa([1, 0, 1, 0], [1, 0, 1, 0])

    assert found is not None
    assert found.interval is not None
    assert (found.value, found.interval.high) == (1, 1)
    assert found.interval.low < 0.5


def test_kappa_of_one_thing_always_said_is_undefined() -> None:
    assert kappa([1, 1, 1], [1, 1, 1]) is None


def test_spearman_is_that_of_scipy_with_ties() -> None:
    human, judge = graded(np.random.default_rng(8), 40, 5)

    found = spearman(human, judge)

    assert found is not None
    assert found.interval is not None
    assert found.value == pytest.approx(spearmanr(human, judge).statistic)
    assert found.interval.low < found.value < found.interval.high


@pytest.mark.parametrize(("human", "judge"), [([0, 1], [0, 1]), ([0.5] * 9, [0.1 * one for one in range(9)])])
def test_spearman_is_undefined_for_few_values_or_a_constant(human: list[float], judge: list[float]) -> None:
    assert spearman(human, judge) is None


def test_agreement_counts_what_both_hold_for_right_or_wrong() -> None:
    found = agreement_rate([1, 0.4, 0, 1], [0.5, 0.3, 0.6, 1])

    assert (found.value, found.interval and found.interval.method) == (0.75, "clopper-pearson")


def test_lists_of_different_lengths_are_refused() -> None:
    with pytest.raises(DataError):
        agreement_rate([1], [1, 0])
