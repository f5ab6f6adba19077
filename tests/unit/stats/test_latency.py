"""Times: quantiles, differences, ratios and shares."""

import numpy as np
import pytest
from scipy.stats import binom

from harness.errors import DataError
from harness.stats.latency import (
    latency_ratio,
    quantile_difference,
    quantile_interval,
    quantile_ratio,
    share_within,
)


def lognormal(n: int, shift: float = 0.0, seed: int = 1) -> list[float]:
    return [float(one) for one in np.exp(np.random.default_rng(seed).normal(shift, 0.5, n))]


def test_the_ends_of_a_quantile_are_the_binomial_order_statistics() -> None:
    values = sorted(lognormal(120))

    found = quantile_interval(values, 0.9)

    above = next(k for k in range(121) if binom.sf(k - 1, 120, 0.9) <= 0.025)
    below = max(k for k in range(121) if binom.cdf(k - 1, 120, 0.9) <= 0.025)
    assert found.high == values[above - 1]
    assert found.low == values[below - 1]


def test_few_values_do_not_bound_a_high_quantile() -> None:
    assert quantile_interval(lognormal(70), 0.95).high is None
    assert quantile_interval(lognormal(75), 0.95).high is not None
    assert quantile_interval([1.0], 0.5).low is None


def test_sessions_of_times_that_hang_together_bound_less() -> None:
    values = lognormal(100)

    alone = quantile_interval(values, 0.5)
    tied = quantile_interval(values, 0.5, sessions=[i // 10 for i in range(100)])

    assert alone.low is not None
    assert tied.low is not None
    assert tied.low < alone.low


def test_ties_give_no_width_of_zero() -> None:
    found = quantile_interval([1.0] * 200 + [2.0] * 5 + [0.5], 0.5)

    assert (found.low, found.high) == (0.5, 2.0)
    assert quantile_interval([1.0] * 50, 0.5).high is None


def test_a_difference_of_quantiles_has_its_sign_and_its_bounds() -> None:
    first, second = lognormal(300), [one * 1.5 for one in lognormal(300)]

    found = quantile_difference(first, second, 0.5)

    assert found.low is not None
    assert found.high is not None
    assert 0 < found.low < found.value < found.high
    assert found.value == pytest.approx(0.5 * np.median(first))
    assert quantile_difference(first[:30], second[:30], 0.95).high is None


def test_a_ratio_of_quantiles_is_free_of_the_unit() -> None:
    first, second = lognormal(200), lognormal(200, 0.3, seed=2)

    seconds, thousandths = (
        quantile_ratio(first, second, 0.9),
        quantile_ratio([1000 * one for one in first], [1000 * one for one in second], 0.9),
    )

    assert thousandths.value == pytest.approx(seconds.value)
    assert (thousandths.low, thousandths.high) == pytest.approx((seconds.low, seconds.high))


def test_a_slowdown_of_a_tenth_is_seen_in_pairs_and_none_in_like_ones() -> None:
    first = lognormal(100)
    noise = np.random.default_rng(3).normal(0, 0.05, (2, 100))

    slower = latency_ratio(first, [x * 1.1 * np.exp(e) for x, e in zip(first, noise[0], strict=True)])
    like = latency_ratio(first, [x * np.exp(e) for x, e in zip(first, noise[1], strict=True)])

    assert slower is not None
    assert slower.low is not None
    assert slower.low > 1.05
    assert like is not None
    assert like.low is not None
    assert like.high is not None
    assert like.low < 1 < like.high


def test_ratios_without_spread_have_no_interval() -> None:
    assert latency_ratio([1.0, 2.0], [2.0, 4.0]) is None
    assert latency_ratio([1.0], [2.0]) is None
    assert latency_ratio([1.0, 2.0], [2.0, 5.0], sessions=["a", "a"]) is None


def test_the_share_within_a_limit_is_sure_of_nothing_on_few_calls() -> None:
    found = share_within([0.1] * 10, 1.0)

    assert found.value == 1.0
    assert found.interval is not None
    assert found.interval.low < 0.75


def test_what_is_no_time_is_refused() -> None:
    with pytest.raises(DataError, match="above 0"):
        latency_ratio([1.0, 0.0], [1.0, 1.0])
    with pytest.raises(DataError, match="no number"):
        quantile_interval([1.0, float("nan")], 0.5)
    with pytest.raises(DataError, match="above 0"):
        latency_ratio([1.0, 2.0], [1.0, float("nan")])
    with pytest.raises(DataError, match="as many values"):
        quantile_ratio([1.0], [1.0, 2.0], 0.5)
    with pytest.raises(DataError, match="0 < q < 1"):
        quantile_interval([1.0], 1.0)


def test_times_that_go_up_and_down_together_differ_more_surely() -> None:
    first = lognormal(200)
    paired = [1.1 * one for one in first]
    mixed = [paired[(7 * i) % 200] for i in range(200)]

    together, apart = quantile_difference(first, paired, 0.5), quantile_difference(first, mixed, 0.5)

    assert together.low is not None
    assert apart.low is not None
    assert apart.low < 0 < together.low < together.value


def test_the_same_times_twice_are_no_width_of_zero() -> None:
    found = quantile_difference(lognormal(200), lognormal(200), 0.5)

    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < found.high
