"""Intervals of costs: they cover what they claim, never have width zero, and say where there is no bound."""

import numpy as np
import pytest

from harness.errors import DataError
from harness.stats.proportion import mean_interval
from harness.stats.spending import (
    bootstrap_per_success,
    cost_ratio,
    fieller,
    mean_cost_interval,
    per_success_interval,
    split_level,
)


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


def test_fieller_holds_what_per_success_holds_and_is_narrower() -> None:
    costs, done = [0.01, 0.03, 0.02, 0.02] * 25, [1.0, 1.0, 0.0, 1.0] * 25

    found = fieller(costs, done)

    assert found is not None
    assert found.high is not None
    assert found.low < 0.02 / 0.75 < found.high
    assert found.high - found.low < 0.01


def test_fieller_has_no_upper_end_without_a_success() -> None:
    found = fieller([0.01] * 10, [0.0] * 10)

    assert found is not None
    assert found.high is None
    assert found.low > 0.01


def test_one_price_and_all_right_is_no_width_of_zero() -> None:
    for found in (
        fieller([0.01] * 30, [1.0] * 30),
        bootstrap_per_success([0.01] * 30, [1.0] * 30, np.random.default_rng(1)),
    ):
        assert found is not None
        assert found.high is not None
        assert found.low <= 0.01 + 1e-12
        assert found.high > 0.0105


def test_sessions_widen_the_cost_per_success() -> None:
    costs, done = [0.01, 0.03] * 30, [1.0] * 30 + [0.0] * 10 + [1.0] * 20
    sessions = [i // 10 for i in range(60)]

    alone, tied = fieller(costs, done), fieller(costs, done, sessions=sessions)

    assert alone is not None
    assert tied is not None
    assert tied.high is None or alone.high is None or tied.high > alone.high


def test_a_bootstrap_is_the_same_for_the_same_seed() -> None:
    costs, done = [0.01, 0.03] * 30, [1.0, 0.0, 1.0] * 20

    one, other = (bootstrap_per_success(costs, done, np.random.default_rng(5)) for _ in range(2))

    assert one == other
    assert bootstrap_per_success([0.1], [1.0], np.random.default_rng(5)) is None


def test_a_cost_ratio_is_of_means_and_uses_the_pairs() -> None:
    base = [0.01 * (1 + i % 7) for i in range(70)]
    cheaper = [one * (0.2 + 0.001 * (i % 5)) for i, one in enumerate(base)]

    found = cost_ratio(base, cheaper)

    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < sum(cheaper) / sum(base) < found.high
    assert found.high - found.low < 0.001
    assert cost_ratio(base, [0.5 * one for one in base]) is None
    assert cost_ratio([0.0, 0.0], [1.0, 2.0]) is None


def test_costs_and_successes_come_in_pairs() -> None:
    with pytest.raises(DataError, match="one of each a sample"):
        fieller([0.1, 0.2], [1.0])


def test_a_long_upper_tail_moves_the_interval_up() -> None:
    costs = [0.01] * 18 + [0.02, 0.1]

    found, mirrored = mean_cost_interval(costs), mean_cost_interval([0.11 - one for one in costs])

    assert found is not None
    assert found.high is not None
    mean = sum(costs) / 20
    assert found.high - mean > 2 * (mean - found.low)
    assert mirrored is not None
    assert mirrored.low == pytest.approx(0.11 - found.high)


def test_the_mean_of_few_costs_with_a_long_tail_is_held_as_often_as_said() -> None:
    """2,000 runs of 20 costs: 95 % hold it, less 1 % and three standard errors of the simulation."""
    rng = np.random.default_rng(8)
    runs = rng.gamma(2.0, 0.005, (2000, 20))

    held = [(one.low <= 0.01 <= (one.high or 1)) for row in runs if (one := mean_cost_interval(row.tolist()))]

    assert np.mean(held) > 0.94 - 3 * 0.0049
