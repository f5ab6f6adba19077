"""How many samples a verdict takes."""

import numpy as np
import pytest

from harness.errors import DataError
from harness.stats.paired import Pairs
from harness.stats.paired_verdict import verdict
from harness.stats.power import power, samples_needed, zero_loss_n
from tests.unit.stats.test_paired import critical, trinomial


@pytest.mark.parametrize(
    ("margin", "alpha", "n"),
    [(0.05, 0.05, 59), (0.02, 0.05, 149), (0.1, 0.05, 29), (0.02, 0.025, 183), (0.1, 0.025, 36)],
)
def test_without_a_loss_that_many_show_it_and_one_fewer_does_not(margin: float, alpha: float, n: int) -> None:
    assert zero_loss_n(margin, alpha) == n
    assert verdict(Pairs(n - 1, 0, 0), margin, alpha).verdict == "need_more"
    assert verdict(Pairs(n, 0, 0), margin, alpha).verdict == "pass"


def test_power_is_the_chance_that_the_verdict_passes() -> None:
    n, margin, share = 16, 0.3, 0.1

    real = float(trinomial(n, np.array([share]), np.array([share]))[critical(n, margin, 0.05, upper=True)].sum())

    assert power(n, margin, 0.05, gained=share, lost=share) == pytest.approx(real, abs=0.02)


def test_the_number_asked_for_has_the_power_and_a_tenth_less_has_not() -> None:
    n = samples_needed(0.1, gained=0.04, lost=0.04)

    assert n is not None
    assert power(n, 0.1, gained=0.04, lost=0.04) >= 0.8
    assert power(int(0.85 * n), 0.1, gained=0.04, lost=0.04) < 0.8


def test_sessions_that_hang_together_take_more() -> None:
    assert samples_needed(0.05, design_effect=2.0) == 2 * 59
    assert samples_needed(0.05, design_effect=0.5) == 59


def test_a_loss_at_the_margin_is_never_shown_to_be_smaller() -> None:
    assert samples_needed(0.05, gained=0.01, lost=0.06) is None


def test_many_samples_are_planned_by_the_normal_law() -> None:
    n = samples_needed(0.005, gained=0.1, lost=0.1)

    assert n == pytest.approx((1.645 + 0.842) ** 2 * 0.2 / 0.005**2, rel=0.01)


def test_more_samples_and_wider_margins_give_more_power() -> None:
    assert power(100, 0.1, gained=0.05, lost=0.05) > power(50, 0.1, gained=0.05, lost=0.05)
    assert power(50, 0.15, gained=0.05, lost=0.05) > power(50, 0.1, gained=0.05, lost=0.05)


def test_what_cannot_be_planned_is_refused() -> None:
    with pytest.raises(DataError, match="type a smaller n"):
        power(5000, 0.05)
    with pytest.raises(DataError, match=r"lie in 0\.\.1 together"):
        power(50, 0.05, gained=0.7, lost=0.7)
    with pytest.raises(DataError, match="margin lies in"):
        zero_loss_n(0.0)
