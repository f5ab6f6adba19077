"""Means put right by people's labels: right on average, and intervals that hold the truth as often as they say."""

import numpy as np
import pytest

from harness.errors import DataError
from harness.stats.judging import beside_people
from harness.stats.ppi import ppi_mean

ROUNDS = 400


def drawn(rng: np.random.Generator, n: int, rate: float, right: float, wrong: float) -> tuple[list[float], list[float]]:
    """Labels of people, 1 at `rate`, and of a judge who says 1 to a 1 with chance `right` and to a 0 with `wrong`."""
    truth = (rng.random(n) < rate).astype(float)
    judge = (rng.random(n) < np.where(truth == 1, right, wrong)).astype(float)
    return truth.tolist(), judge.tolist()


@pytest.mark.parametrize("weight", [1.0, None])
@pytest.mark.parametrize(
    ("n", "rate", "right", "wrong"), [(12, 0.9, 0.95, 0.2), (40, 0.5, 0.9, 0.3), (150, 0.95, 0.98, 0.1)]
)
def test_interval_holds_the_truth_as_often_as_it_says(
    weight: float | None, n: int, rate: float, right: float, wrong: float
) -> None:
    rng = np.random.default_rng(11)
    held = 0

    for _ in range(ROUNDS):
        human, judge = drawn(rng, n + 400, rate, right, wrong)
        interval = ppi_mean(human[:n], judge[:n], judge[n:], weight=weight).interval
        held += interval.low <= rate <= interval.high

    assert held / ROUNDS > 0.92  # 95 % less three standard errors of 400 rounds


@pytest.mark.parametrize("weight", [1.0, None])
def test_bias_of_the_judge_is_taken_out(weight: float | None) -> None:
    rng = np.random.default_rng(3)
    found, naive = [], []

    for _ in range(ROUNDS):
        human, judge = drawn(rng, 460, 0.6, 0.95, 0.5)  # lenient: 77 % for a truth of 60 %
        found.append(ppi_mean(human[:60], judge[:60], judge[60:], weight=weight).value)
        naive.append(np.mean(judge))

    assert np.mean(naive) == pytest.approx(0.77, abs=0.01)
    assert np.mean(found) == pytest.approx(0.6, abs=0.01)


def test_a_good_judge_narrows_the_interval_and_a_useless_one_does_no_harm() -> None:
    rng = np.random.default_rng(5)
    width: dict[str, list[float]] = {"labels": [], "good": [], "useless": []}

    for _ in range(100):
        for name, right, wrong in (("good", 0.97, 0.03), ("useless", 0.5, 0.5)):
            human, judge = drawn(rng, 1_050, 0.5, right, wrong)
            interval = ppi_mean(human[:50], judge[:50], judge[50:]).interval
            width[name].append(interval.high - interval.low)
        human, judge = drawn(rng, 1_050, 0.5, 0.5, 0.5)
        alone = ppi_mean(human[:50], judge[:50], judge[50:], weight=0.0).interval
        width["labels"].append(alone.high - alone.low)

    good, useless, labels = (float(np.mean(width[name])) for name in ("good", "useless", "labels"))
    assert good < 0.6 * labels
    assert useless < 1.05 * labels


def test_perfect_agreement_on_few_labels_is_no_certainty() -> None:
    found = ppi_mean([1.0] * 5, [1.0] * 5, [1.0] * 100, weight=1)

    assert found.value == 1
    assert found.interval.low < 0.8
    assert found.interval.high == 1


def test_weight_of_a_judge_who_always_says_the_same_is_none() -> None:
    human = [1.0, 0.0] * 10

    found = ppi_mean(human, [1.0] * 20, [1.0] * 100)

    assert (found.weight, found.value) == (0, 0.5)


@pytest.mark.parametrize(
    ("human", "too", "judged"),
    [
        ([1.0], [1.0], [1.0, 0.0]),
        ([1.0, 0.0], [1.0], [1.0, 0.0]),
        ([1.0, 0.0], [1.0, 0.0], [1.0]),
        ([2, 0], [1, 0], [1, 0]),
    ],
)
def test_too_little_or_impossible_data_is_refused(human: list[float], too: list[float], judged: list[float]) -> None:
    with pytest.raises(DataError):
        ppi_mean(human, too, judged)


def test_summary_beside_people_tells_a_lenient_judge() -> None:
    human, too = [1.0, 0.0, 0.5, 1.0, 0.0, 1.0], [1.0, 0.5, 0.75, 1.0, 0.25, 1.0]

    found = beside_people(human, too, [1.0, 0.75, 0.5, 0.75])

    assert found.bias == pytest.approx(1 / 6)
    assert found.corrected == pytest.approx(0.75 - 1 / 6)
    assert found.same == pytest.approx(5 / 6)
    assert found.spearman is not None
    assert found.spearman > 0.9


def test_no_correction_where_sessions_tie_samples_together() -> None:
    assert beside_people([1.0, 0.0], [1.0, 0.0], [1.0, 0.0], tied=True).corrected is None
