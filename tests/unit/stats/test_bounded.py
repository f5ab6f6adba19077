"""The mean of bounded values in sessions."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import binom, multinomial

from harness.errors import DataError
from harness.stats.betting import betting_interval, betting_p
from harness.stats.bounded import Units, limit, units_interval, units_of, units_p
from harness.stats.proportion import clopper_pearson


@pytest.mark.parametrize(
    ("passes", "n"), [(0, 1), (1, 1), (0, 59), (59, 59), (7, 20), (250, 500), (1, 500), (499, 500)]
)
def test_of_independent_yes_and_no_it_is_clopper_and_pearsons(passes: int, n: int) -> None:
    found = units_interval(units_of([1.0] * passes + [0.0] * (n - passes)))

    exact = clopper_pearson(passes, n)
    assert found.low == pytest.approx(exact.low, abs=2e-6)
    assert found.high == pytest.approx(exact.high, abs=2e-6)


def test_p_is_the_binomial_tail_far_out_too() -> None:
    for n, k, share in ((3000, 3, 0.01), (200, 40, 0.35), (59, 0, 0.05)):
        found = units_p(units_of([0.0] * (n - k) + [1.0] * k), share, greater=False)
        assert found == pytest.approx(float(binom.cdf(k, n, share)), rel=1e-4)


def test_p_is_the_share_of_randomly_weighted_means_below() -> None:
    rng = np.random.default_rng(3)
    values, sessions = rng.random(60), rng.integers(0, 15, 60).tolist()
    units = units_of(values.tolist(), sessions)
    weights = rng.standard_exponential((100_000, len(units.sizes) + 1))

    fear = units.unseen((units.mean - 0.4) / units.mean)
    away = np.append(units.totals - 0.4 * units.sizes, -0.4 * fear)

    assert units_p(units, 0.4) == pytest.approx(float((weights @ away <= 0).mean()), abs=0.005)


@pytest.mark.parametrize("values", [[0.5] * 30, [0.0] * 30, [1.0], [0.25, 0.25]])
def test_no_interval_has_width_zero(values: list[float]) -> None:
    for found in (units_interval(units_of(values)), betting_interval(values)):
        assert 0 <= found.low <= values[0] <= found.high <= 1
        assert found.high - found.low > 0.03


def test_sessions_that_are_all_alike_count_once() -> None:
    alone, tied = units_of([1.0] * 10), units_of([1.0] * 50, [i % 10 for i in range(50)])

    assert units_p(tied, 0.9) == pytest.approx(units_p(alone, 0.9))
    assert units_p(tied, 0.9) == pytest.approx(0.9**10)


def test_one_long_session_among_short_ones_shows_little() -> None:
    even = units_of([1.0] * 40, [i // 2 for i in range(40)])
    uneven = units_of([1.0] * 40, [0] * 20 + list(range(1, 21)))

    assert units_p(uneven, 0.9) > units_p(even, 0.9)
    assert units_p(units_of([1.0] * 20, ["one"] * 20), 0.9) == pytest.approx(0.9)


def test_the_order_of_values_and_the_names_of_sessions_do_not_matter() -> None:
    rng = np.random.default_rng(4)
    values, sessions = rng.random(40), rng.integers(0, 9, 40)
    turned = rng.permutation(40)

    first = units_interval(units_of(values.tolist(), sessions.tolist()))
    second = units_interval(units_of(values[turned].tolist(), [f"x{name}" for name in sessions[turned]]))

    assert second.low == pytest.approx(first.low, abs=1e-7)
    assert second.high == pytest.approx(first.high, abs=1e-7)


def test_a_scale_of_weights_changes_nothing() -> None:
    values = [1.0, 0.0, 1.0, 1.0, 0.5]
    first = units_interval(units_of(values, weights=[1, 2, 3, 4, 5]))
    second = units_interval(units_of(values, weights=[10, 20, 30, 40, 50]))

    assert second.low == pytest.approx(first.low, abs=1e-7)
    assert units_of(values, weights=[1, 2, 3, 4, 5]).mean == pytest.approx((1 + 3 + 4 + 2.5) / 15)


def test_p_falls_as_the_supposed_mean_does() -> None:
    units = units_of([0.0, 0.5, 1.0, 1.0, 0.75] * 8)
    found = [units_p(units, at) for at in np.linspace(0.02, 0.98, 40)]

    assert found == sorted(found)
    assert units_p(units, 0.4) + units_p(units, 0.4, greater=False) >= 1


def test_the_limit_is_where_p_is_alpha() -> None:
    units = units_of([0.0, 0.5, 1.0, 1.0, 0.75] * 8)

    assert units_p(units, limit(units, 0.05)) == pytest.approx(0.05, rel=1e-4)
    assert units_p(units, limit(units, 0.05, greater=False), greater=False) == pytest.approx(0.05, rel=1e-4)


def test_the_proven_interval_is_the_wider_one() -> None:
    values = np.random.default_rng(5).beta(2, 1, 80).tolist()

    narrow, wide = units_interval(units_of(values)), betting_interval(values)

    assert wide.low < narrow.low < narrow.high < wide.high
    assert betting_p(values, 0.4, low=0.0, high=1.0) >= units_p(units_of(values), 0.4)


def test_what_cannot_be_units_is_refused() -> None:
    with pytest.raises(DataError, match="0 values"):
        units_of([])
    with pytest.raises(DataError, match="one of each a value"):
        units_of([1.0], ["a", "b"])
    with pytest.raises(DataError, match="above 0"):
        units_of([1.0], weights=[0.0])
    with pytest.raises(DataError, match="no number"):
        units_of([1.0, float("nan")])
    with pytest.raises(DataError, match="beyond them"):
        units_p(units_of([1.5]), 0.5)
    with pytest.raises(DataError, match="as many totals as sizes"):
        Units(np.array([1.0]), np.array([0.0]), 1)
    with pytest.raises(DataError, match="betting"):
        betting_p([2.0], 0.5, low=0.0, high=1.0)


def test_false_passes_of_few_unequal_sessions_stay_within_alpha() -> None:
    """Twelve sessions of 1 to 20, each lost whole with a chance of 0.15, at a margin of 0.15: 1,000 runs."""
    rng, passed = np.random.default_rng(6), 0
    for _ in range(1000):
        sizes = rng.integers(1, 21, 12)
        totals = -sizes * (rng.random(12) < 0.15)
        units = Units(totals.astype(np.float64), sizes.astype(np.float64), int(sizes.sum()))
        passed += units_p(units, -0.15, low=-1.0, high=1.0) <= 0.05

    assert passed <= 50 + 3 * 7


@pytest.mark.parametrize("middle", [0.2, 0.5])
def test_no_distribution_on_three_values_is_missed_more_often_than_alpha(middle: float) -> None:
    """Enumerated: every sample of six, every distribution on a grid, for the conjecture that the bound rests on."""
    n, alpha = 6, 0.05
    counts = [(a, b, n - a - b) for a in range(n + 1) for b in range(n + 1 - a)]
    limits = np.array([limit(units_of([0.0] * a + [middle] * b + [1.0] * c), alpha) for a, b, c in counts])

    shares = [(i / 20, j / 20, (20 - i - j) / 20) for i in range(21) for j in range(21 - i)]
    missed = [multinomial.pmf(counts, n, share)[limits > share[1] * middle + share[2] + 1e-7].sum() for share in shares]

    assert max(missed) <= alpha
    assert max(missed) > 0.03


@pytest.mark.parametrize("sizes", [[1] * 380 + [20] * 20, [1, 2, 3, 4, 5] * 30, [7] * 59, [1] * 100 + [60]])
def test_without_a_loss_p_is_the_greatest_chance_of_it_whichever_sessions_are_lost(sizes: list[int]) -> None:
    """Whole sessions are lost, 5 % of the values on the mean: at the cut c the least likely not to show."""
    counted = np.array(sizes, dtype=np.float64)
    cut = float(brentq(lambda c: np.maximum(counted - c, 0).sum() - 0.05 * counted.sum(), 0, counted.max()))

    found = units_p(Units(counted, counted, int(counted.sum())), 0.95)

    assert found == pytest.approx(float(np.minimum(1, cut / counted).prod()), rel=1e-3)


@pytest.mark.parametrize(("short", "long", "n"), [(0.8, 5, 150), (0.95, 20, 400), (0.9, 10, 200)])
@pytest.mark.parametrize("alone", [True, False])
def test_long_sessions_that_are_lost_more_often_do_not_pass_by_accident(
    short: float, long: int, n: int, alone: bool
) -> None:
    """At a loss of exactly the margin, in long sessions alone or in proportion to size."""
    rng, runs, margin = np.random.default_rng(11), 250, 0.05
    mean = short + (1 - short) * long
    scale = margin * mean / ((1 - short) * long if alone else short + (1 - short) * long**2)
    passed = 0
    for _ in range(runs):
        sizes = np.where(rng.random(n) < short, 1.0, float(long))
        chance = np.where(sizes > 1, scale if alone else scale * long, 0.0 if alone else scale)
        totals = -sizes * (rng.random(n) < chance)
        passed += units_p(Units(totals, sizes, int(sizes.sum())), -margin, low=-1.0, high=1.0) <= 0.05

    assert passed / runs <= 0.05 + 2.5 * (0.05 * 0.95 / runs) ** 0.5
