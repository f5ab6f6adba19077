"""Intervals of costs: they cover what they claim, never have width zero, and say where there is no bound."""

import numpy as np
import pytest

from harness.stats.proportion import mean_interval
from harness.stats.spending import mean_cost_interval, per_success_interval, split_level


def test_the_t_interval_is_the_textbooks() -> None:
    # five costs with mean 3 and standard deviation 1.5811: 3 ± 2.7764 × 1.5811 / √5
    interval = mean_cost_interval([1.0, 2.0, 3.0, 4.0, 5.0])

    assert interval is not None
    assert interval.low == pytest.approx(3 - 1.9632, abs=1e-3)
    assert interval.high == pytest.approx(3 + 1.9632, abs=1e-3)


def test_calls_of_one_session_count_as_one() -> None:
    costs = [1.0, 1.0, 1.0, 9.0, 9.0, 9.0, 2.0, 2.0, 2.0]

    alone = mean_cost_interval(costs)
    together = mean_cost_interval(costs, [0, 0, 0, 1, 1, 1, 2, 2, 2])

    assert alone is not None
    assert together is not None
    assert together.high is not None
    assert alone.high is not None
    assert together.high - together.low > 1.5 * (alone.high - alone.low)


@pytest.mark.parametrize("costs", [[], [1.0], [2.0, 2.0, 2.0]])
def test_where_costs_do_not_differ_there_is_no_interval_rather_than_one_of_width_zero(costs: list[float]) -> None:
    assert mean_cost_interval(costs) is None


def test_without_a_proven_success_the_cost_of_one_has_no_upper_bound() -> None:
    accuracy = mean_interval([0.0] * 10, level=split_level())
    assert accuracy is not None

    interval = per_success_interval(0.01, None, accuracy)

    assert interval.high is None
    assert interval.low > 0.01


def test_equal_costs_and_only_successes_still_leave_width() -> None:
    accuracy = mean_interval([1.0] * 20, level=split_level())
    assert accuracy is not None

    interval = per_success_interval(0.01, None, accuracy)

    assert interval.low == pytest.approx(0.01)
    assert interval.high is not None
    assert interval.high > 0.011


def test_the_interval_of_a_success_covers_at_least_as_often_as_it_says() -> None:
    """Costs that grow with failure (long wrong replies), 30 samples, accuracy .6: 400 simulated runs."""
    random = np.random.default_rng(7)
    truth = (0.6 * 1.0 + 0.4 * 2.0) / 0.6
    covered = 0

    for _ in range(400):
        right = random.random(30) < 0.6
        costs = np.where(right, 1.0, 2.0) * random.gamma(20, 1 / 20, 30)
        accuracy = mean_interval([float(one) for one in right], level=split_level())
        assert accuracy is not None
        cost = mean_cost_interval(costs.tolist(), level=split_level())
        interval = per_success_interval(float(costs.mean()), cost, accuracy)
        covered += interval.low <= truth and (interval.high is None or truth <= interval.high)

    assert covered >= 380
