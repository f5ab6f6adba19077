"""Tests of two samples by whole sessions: their level, their power, and what they say of the size."""

import numpy as np
import pytest

from harness.errors import DataError
from harness.stats.drift import Measured, TwoSides, kernel_of, mmd2, psi, quantile_codes, two_sample

DRAWS = (99, 99)


def sides(seed: int, *, sessions: int = 40, shift: float = 0.0, bent: float = 0.0, lift: float = 0.0) -> TwoSides:
    """Sessions of one to six calls that hang together. shift: of the new texts; bent: of a kind; lift: of a figure."""
    draw = np.random.default_rng(seed)
    session = np.repeat(np.arange(sessions), draw.integers(1, 7, sessions))
    flags = np.zeros(sessions, dtype=np.bool_)
    flags[draw.choice(sessions, sessions // 3, replace=False)] = True
    new = flags[session]
    rows = (draw.normal(size=(sessions, 24))[session] + draw.normal(size=(len(session), 24))).astype(np.float32)
    rows[:, 0] += shift * new
    kinds = draw.integers(0, 4, sessions)[session]
    kinds = np.where(new & (draw.random(len(session)) < bent), 4, kinds).astype(np.int64)
    value = (draw.random(sessions)[session] < 0.6 + lift * new).astype(np.float64)
    return TwoSides(new, session.astype(np.int64), {"kind": kinds}, {"outcome": value}, rows)


def smallest(found: list[Measured]) -> float:
    return min(one.p_adjusted for one in found)


def test_of_null_draws_no_more_than_the_level_are_called_different() -> None:
    ps = [smallest(two_sample(sides(seed, sessions=24), seed, DRAWS)) for seed in range(40)]

    false = sum(p <= 0.05 for p in ps)

    assert false <= 7  # of 40 at 5 %, 7 or fewer with a chance of .996
    assert np.mean(ps) > 0.3


@pytest.mark.parametrize(
    ("how", "name", "kind"),
    [({"shift": 2.5}, "texts", "auc"), ({"bent": 0.7}, "kind", "psi"), ({"lift": -0.55}, "outcome", "mean")],
)
def test_a_planted_shift_is_found_by_the_figure_that_it_is_of(how: dict[str, float], name: str, kind: str) -> None:
    found = two_sample(sides(7, sessions=120, **how), 0, (199, 999))

    (own,) = [one for one in found if (one.name, one.kind) == (name, kind)]

    assert own.p_adjusted <= 0.01
    assert smallest([one for one in found if one.name != name]) > 0.01


def test_calls_of_one_session_are_one_witness() -> None:
    session = np.repeat(np.arange(6), 200)
    outcome = np.repeat([1.0, 1.0, 0.0, 0.0, 0.0, 0.0], 200)
    new = session < 2

    (found,) = two_sample(TwoSides(new, session.astype(np.int64), {}, {"outcome": outcome}), 0, (499, 4_999))

    assert found.p == pytest.approx(1 / 15, abs=0.03)  # one of 15 ways to choose two of six
    assert (found.old, found.now) == (0.0, 1.0)


def test_the_discrepancy_is_gretton_s_where_every_call_is_a_session() -> None:
    rows = np.random.default_rng(3).normal(size=(9, 4)).astype(np.float32)
    kernel, new = kernel_of(rows), np.arange(9) < 4
    inside = [(kernel[np.ix_(side, side)].sum() - side.sum()) / (side.sum() * (side.sum() - 1)) for side in (new, ~new)]
    by_hand = sum(inside) - 2 * kernel[np.ix_(new, ~new)].mean()

    found = mmd2(kernel, new, np.arange(9))

    assert found == pytest.approx(by_hand)


def test_the_discrepancy_of_equal_sources_is_zero_on_average_though_sessions_hang_together() -> None:
    found = []
    for seed in range(40):
        one = sides(seed, sessions=24)
        assert one.rows is not None
        found.append(mmd2(kernel_of(one.rows), one.new, one.session))

    values = np.array(found, dtype=float)

    assert abs(values.mean()) < 3 * values.std() / np.sqrt(len(values))


def test_one_session_alone_has_no_discrepancy() -> None:
    kernel = kernel_of(np.eye(4, dtype=np.float32))

    assert mmd2(kernel, np.array([True, False, False, False]), np.arange(4)) is None


def test_equal_texts_do_not_tell_old_from_new() -> None:
    session = np.arange(120)
    rows = np.repeat(np.eye(3, dtype=np.float32), 40, axis=0)[np.random.default_rng(0).permutation(120)]

    found = two_sample(TwoSides(session >= 60, session, {}, {}, rows), 0, DRAWS)

    (auc,) = [one for one in found if one.kind == "auc"]
    assert 0.3 < auc.effect < 0.7
    assert auc.p > 0.01


def test_a_session_on_both_sides_is_refused() -> None:
    with pytest.raises(DataError, match="both sides"):
        two_sample(TwoSides(np.array([True, False]), np.array([0, 0]), {}, {"a": np.array([1.0, 2.0])}))


def test_the_same_calls_and_seed_give_the_same_figures() -> None:
    assert two_sample(sides(1), 5, DRAWS) == two_sample(sides(1), 5, DRAWS)


def test_the_index_takes_off_what_chance_gives() -> None:
    indices = [
        next(one.effect for one in two_sample(sides(seed), seed, DRAWS) if one.kind == "psi") for seed in range(30)
    ]
    raw = [psi([3, 5, 4, 8], [8, 4, 5, 3])]

    assert abs(float(np.mean(indices))) < 0.15
    assert raw[0] > 0.3


def test_what_no_call_says_and_what_never_varies_is_not_compared() -> None:
    nothing = np.full(8, np.nan)
    same = np.ones(8)
    codes = np.zeros(8, dtype=np.int64)

    found = two_sample(TwoSides(np.arange(8) < 4, np.arange(8), {"one": codes}, {"none": nothing, "same": same}))

    assert found == []


def test_bins_hold_equal_shares_of_what_was_logged() -> None:
    codes = quantile_codes(np.array([*range(100), np.nan], dtype=float), 4)

    assert np.bincount(codes[:-1]).tolist() == [25, 25, 25, 25]
    assert codes[-1] == -1
