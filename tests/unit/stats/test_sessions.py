"""Sessions by design effect and by bootstrap."""

import numpy as np
import pytest

from harness.errors import DataError
from harness.stats.bounded import units_of
from harness.stats.paired_units import sign_flip_p
from harness.stats.sessions import (
    cluster_bootstrap,
    design_effect,
    design_effect_interval,
    varied,
    wild_cluster_p,
)


def spread(n: int, seed: int = 1) -> list[float]:
    return [float(one) for one in np.random.default_rng(seed).random(n)]


def test_sessions_of_four_alike_have_a_design_effect_of_four() -> None:
    values = [float(i % 2) for i in range(200) for _ in range(4)]

    found = design_effect(units_of(values, [i // 4 for i in range(800)]))

    assert found == pytest.approx(4, rel=0.01)
    assert design_effect(units_of(values)) == pytest.approx(1, rel=0.01)


def test_sessions_that_are_all_alike_show_no_design_effect() -> None:
    assert design_effect(units_of([1.0] * 20)) is None
    assert design_effect_interval(units_of([1.0] * 20)).low < 0.9


def test_few_sessions_are_held_for_all_alike() -> None:
    values, sessions = [1.0, 0.0] * 30, [i // 6 for i in range(60)]

    found = design_effect_interval(units_of(values, sessions))

    assert found.high - found.low > 0.5  # as of 10 values, not of 60


@pytest.mark.parametrize("alike", [1, 5])
def test_a_bootstrap_of_too_little_that_differs_says_nothing(alike: int) -> None:
    units = units_of([0.0] * 100 + [1.0] * alike)
    rng = np.random.default_rng(1)

    assert varied(units) == alike
    assert cluster_bootstrap(units, rng) is None
    assert wild_cluster_p(units, 0.01, rng) is None


def test_a_bootstrap_is_the_same_for_the_same_seed_and_near_students() -> None:
    units = units_of(spread(200))

    one, other = (cluster_bootstrap(units, np.random.default_rng(7)) for _ in range(2))

    assert one is not None
    assert one == other
    assert one.high - one.low == pytest.approx(2 * 1.97 * np.std(spread(200), ddof=1) / np.sqrt(200), rel=0.1)
    with pytest.raises(DataError, match="200 draws"):
        cluster_bootstrap(units, np.random.default_rng(7), draws=10)


def test_the_wild_bootstrap_tells_a_mean_that_is_far_from_one_that_is_near() -> None:
    units = units_of(spread(150), [i // 3 for i in range(150)])

    assert wild_cluster_p(units, 0.3, np.random.default_rng(2)) == pytest.approx(0, abs=0.01)
    assert wild_cluster_p(units, 0.7, np.random.default_rng(2)) == pytest.approx(1, abs=0.01)
    near = wild_cluster_p(units, units.mean, np.random.default_rng(2), greater=False)
    assert near == pytest.approx(0.5, abs=0.1)


def test_flipped_signs_of_whole_numbers_are_exact() -> None:
    totals = np.array([3.0, -1.0, 2.0, 0.0, 2.0, -2.0])
    signs = 1 - 2 * ((np.arange(32)[:, None] >> np.arange(5)) & 1)

    by_hand = (np.abs(signs @ np.array([3, 1, 2, 2, 2])) >= 4).mean()

    assert sign_flip_p(totals) == pytest.approx(by_hand)
    assert sign_flip_p(totals / 7) == pytest.approx(by_hand)


def test_flipped_signs_are_drawn_alike_each_time_and_near_the_exact_chance() -> None:
    totals = np.random.default_rng(3).integers(-3, 5, 40).astype(np.float64)

    uneven = totals * (1 + np.random.default_rng(4).random(40) / 1000)

    drawn = sign_flip_p(uneven)

    assert drawn == sign_flip_p(uneven)
    assert drawn == pytest.approx(sign_flip_p(totals), abs=0.1)  # which counts ties with what was seen
    assert sign_flip_p(totals / 7) == pytest.approx(sign_flip_p(totals))
    assert sign_flip_p(np.zeros(5)) == 1.0
