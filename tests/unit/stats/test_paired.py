"""Paired outcomes: the interval, the exact tests and their errors, computed without simulation."""

from itertools import pairwise
from math import comb

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import binom, binomtest, norm

from harness.errors import DataError
from harness.stats.paired import Pairs, inferior_p, mcnemar_p, noninferior_p, paired_interval, score_statistic

Floats = NDArray[np.float64]
ALPHAS = (0.025, 0.05)


def tables(n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every (gained, lost) of n pairs."""
    gained, lost = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    inside = gained + lost <= n
    return gained[inside], lost[inside]


def critical(n: int, margin: float, alpha: float, *, upper: bool) -> NDArray[np.bool_]:
    """Which tables the test rejects. Of those with a normal p above 0.3, one in ten is looked at and must be kept."""
    gained, lost = tables(n)
    statistic = score_statistic(gained, lost, n, -margin)
    near = norm.sf(statistic if upper else -statistic) < 0.3
    test = noninferior_p if upper else inferior_p
    found = np.zeros(len(gained), dtype=bool)
    for place in np.flatnonzero(near | (np.arange(len(near)) % 10 == 0)):
        found[place] = test(Pairs(n, int(gained[place]), int(lost[place])), margin) <= alpha
    assert not bool(found[~near].any())
    return found


def trinomial(n: int, gained_share: Floats, lost_share: Floats) -> Floats:
    """Probability of every table (rows) for each pair of shares (columns)."""
    gained, lost = tables(n)
    first = binom.pmf(lost[:, None], n, lost_share)
    share = np.clip(gained_share / np.maximum(1 - lost_share, 1e-300), 0, 1)
    return np.asarray(first * binom.pmf(gained[:, None], (n - lost)[:, None], share))


def greatest_error(n: int, margin: float, alpha: float, *, upper: bool) -> float:
    """Chance of a false verdict, at its worst over a fine grid of shares on and within the null hypothesis."""
    rejected = critical(n, margin, alpha, upper=upper)
    worst = 0.0
    inner = (margin, 1.2 * margin, 2 * margin, 0.5) if upper else (margin, 0.5 * margin, 0.0, -0.1)
    for loss in inner:
        steps = 2000 if loss == margin else 60
        lost_share = np.linspace(max(0.0, loss), (1 + loss) / 2, steps)
        chances = trinomial(n, lost_share - loss, lost_share)
        worst = max(worst, float(chances[rejected].sum(axis=0).max(initial=0.0)))
    return worst


@pytest.mark.parametrize(("n", "margin", "alpha"), [(10, 0.1, 0.05), (16, 0.015, 0.05), (20, 0.1, 0.025)])
def test_false_passes_are_within_alpha(n: int, margin: float, alpha: float) -> None:
    assert greatest_error(n, margin, alpha, upper=True) <= alpha + 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("n", [10, 20, 30, 50])
@pytest.mark.parametrize("margin", [0.015, 0.02, 0.05, 0.1])
@pytest.mark.parametrize("alpha", ALPHAS)
def test_false_passes_are_within_alpha_wherever_the_truth_lies(n: int, margin: float, alpha: float) -> None:
    assert greatest_error(n, margin, alpha, upper=True) <= alpha + 1e-9


@pytest.mark.parametrize(("n", "margin", "alpha"), [(10, 0.1, 0.05), (14, 0.02, 0.05)])
def test_false_fails_are_within_alpha_wherever_the_truth_lies(n: int, margin: float, alpha: float) -> None:
    assert 0 < greatest_error(n, margin, alpha, upper=False) <= alpha + 1e-9


def test_the_exact_test_is_not_needlessly_shy() -> None:
    assert greatest_error(20, 0.2, 0.05, upper=True) > 0.03


@pytest.mark.parametrize(("n", "gained", "lost", "margin"), [(12, 1, 2, 0.1), (25, 0, 0, 0.05), (40, 5, 3, 0.02)])
def test_p_is_the_greatest_tail_over_the_nuisance_share(n: int, gained: int, lost: int, margin: float) -> None:
    every, dropped = tables(n)
    seen = float(score_statistic(gained, lost, n, -margin))
    tail = score_statistic(every, dropped, n, -margin) >= seen - 1e-9
    lost_share = np.linspace(margin, (1 + margin) / 2, 20_001)
    chances = np.zeros(len(lost_share))
    for b, c in zip(every[tail], dropped[tail], strict=True):
        rest = n - b - c
        ways = comb(n, b) * comb(n - b, c)
        chances += ways * (lost_share - margin) ** b * lost_share**c * (1 + margin - 2 * lost_share) ** rest

    worst = float(chances.max()) + 1e-4  # β: what Berger and Boos pay for looking at plausible shares alone
    assert noninferior_p(Pairs(n, gained, lost), margin) == pytest.approx(worst, abs=1e-7)


@pytest.mark.parametrize(
    ("margin", "alpha", "n"),
    [(0.02, 0.05, 149), (0.05, 0.05, 59), (0.1, 0.05, 29), (0.02, 0.025, 183), (0.05, 0.025, 72), (0.1, 0.025, 36)],
)
def test_without_a_difference_the_least_n_is_that_of_zero_failures(margin: float, alpha: float, n: int) -> None:
    assert (1 - margin) ** n <= alpha < (1 - margin) ** (n - 1)
    assert noninferior_p(Pairs(n, 0, 0), margin) <= alpha < noninferior_p(Pairs(n - 1, 0, 0), margin)


def test_p_falls_with_what_is_gained_and_rises_with_what_is_lost() -> None:
    by_gain = [noninferior_p(Pairs(60, gained, 4), 0.05) for gained in range(0, 20, 2)]
    by_loss = [noninferior_p(Pairs(60, 4, lost), 0.05) for lost in range(0, 20, 2)]
    by_margin = [noninferior_p(Pairs(60, 4, 4), margin) for margin in (0.01, 0.02, 0.05, 0.1, 0.2)]

    assert all(a >= b for a, b in pairwise(by_gain))
    assert all(a <= b for a, b in pairwise(by_loss))
    assert all(a > b for a, b in pairwise(by_margin))


@pytest.mark.parametrize("n", [7, 23, 60])
@pytest.mark.parametrize("margin", [0.015, 0.1])
def test_the_statistic_grows_with_gains_and_falls_with_losses(n: int, margin: float) -> None:
    """What lets the worst case stand at the margin, and the tail be found by bisection."""
    for lost in range(n):
        values = score_statistic(np.arange(n - lost + 1), lost, n, -margin)
        assert bool((np.diff(values) > 0).all())
    for gained in range(n):
        values = score_statistic(gained, np.arange(n - gained + 1), n, -margin)
        assert bool((np.diff(values) < 0).all())


@pytest.mark.parametrize(("n", "gained", "lost"), [(20, 3, 8), (44, 0, 1), (50, 1, 12), (10, 4, 6)])
@pytest.mark.parametrize("delta", [-0.3, -0.02, 0.0, 0.15])
def test_the_statistic_uses_the_likeliest_share_under_the_hypothesis(
    n: int, gained: int, lost: int, delta: float
) -> None:
    def loss(q: float) -> float:
        cells = ((gained, q + delta), (lost, q), (n - gained - lost, 1 - 2 * q - delta))
        return -sum(count * float(np.log(share)) for count, share in cells if count)

    lowest, highest = max(0.0, -delta) + 1e-12, (1 - delta) / 2 - 1e-12
    q = float(minimize_scalar(loss, bounds=(lowest, highest), method="bounded", options={"xatol": 1e-12}).x)
    wanted = (gained - lost - n * delta) / np.sqrt(n * (2 * q + delta * (1 - delta)))

    assert float(score_statistic(gained, lost, n, delta)) == pytest.approx(wanted, abs=1e-4)


def test_the_interval_ends_where_the_statistic_meets_the_normal_quantile() -> None:
    found = paired_interval(Pairs(44, 0, 1))

    assert float(score_statistic(0, 1, 44, found.low)) == pytest.approx(norm.ppf(0.975), abs=1e-6)
    assert float(score_statistic(0, 1, 44, found.high)) == pytest.approx(-norm.ppf(0.975), abs=1e-6)
    assert found.low < -1 / 44 < found.high


def test_a_published_example_comes_out_as_published() -> None:
    """21 children, 1 and 7 discordant: Fagerland, Lydersen and Laake 2014, Statistics in Medicine 33, 2850–2875."""
    found = paired_interval(Pairs(21, 1, 7))

    assert (round(found.low, 3), round(found.high, 3)) == (-0.517, -0.026)
    assert round(mcnemar_p(Pairs(21, 1, 7)), 3) == 0.07


@pytest.mark.parametrize("n", [1, 2, 5, 11])
def test_no_interval_has_width_zero_and_each_holds_its_estimate(n: int) -> None:
    for gained, lost in zip(*tables(n), strict=True):
        pairs = Pairs(n, int(gained), int(lost))
        found = paired_interval(pairs)
        mirrored = paired_interval(Pairs(n, int(lost), int(gained)))

        assert -1 <= found.low <= pairs.difference <= found.high <= 1
        assert found.high - found.low > 0.2
        assert mirrored.low == pytest.approx(-found.high, abs=1e-6)


@pytest.mark.parametrize("difference", [0.0, -0.05, -0.2])
def test_the_interval_covers_what_it_says(difference: float) -> None:
    n, lost_share = 40, np.array([0.05, 0.1, 0.2, 0.3]) - min(0.0, difference)
    gained, lost = tables(n)
    found = [paired_interval(Pairs(n, int(b), int(c))) for b, c in zip(gained, lost, strict=True)]
    holds = np.array([one.low <= difference <= one.high for one in found])

    cover = trinomial(n, lost_share + difference, lost_share)[holds].sum(axis=0)

    assert float(cover.min()) > 0.93


def test_mcnemar_is_the_sign_test_of_the_discordant_pairs() -> None:
    assert mcnemar_p(Pairs(100, 3, 12)) == pytest.approx(binomtest(3, 15).pvalue)
    assert mcnemar_p(Pairs(100, 12, 3)) == mcnemar_p(Pairs(80, 3, 12))
    assert mcnemar_p(Pairs(10, 0, 0)) == 1.0


def test_many_pairs_are_judged_by_bounds_that_are_wider_than_the_exact_test() -> None:
    exact = noninferior_p(Pairs(20_000, 500, 700), 0.013)
    bounded = noninferior_p(Pairs(20_001, 500, 700), 0.013)

    assert exact < bounded < 0.5
    assert noninferior_p(Pairs(30_000, 500, 500), 0.02) < 1e-6
    assert inferior_p(Pairs(30_000, 500, 500), 0.02) == 1.0
    assert inferior_p(Pairs(30_000, 500, 3000), 0.02) < 1e-6


@pytest.mark.parametrize(("n", "gained", "lost"), [(0, 0, 0), (3, 2, 2), (3, -1, 0)])
def test_counts_that_cannot_be_are_refused(n: int, gained: int, lost: int) -> None:
    with pytest.raises(DataError, match="pairs need"):
        Pairs(n, gained, lost)


@pytest.mark.parametrize("margin", [0.0, -0.02, 1.0])
def test_a_margin_is_a_share(margin: float) -> None:
    with pytest.raises(DataError, match="margin is a share"):
        noninferior_p(Pairs(10, 0, 0), margin)


@pytest.mark.parametrize(("n", "margin", "alpha"), [(17, 0.2, 0.025), (14, 0.2, 0.05)])
def test_that_outcomes_without_a_loss_rank_higher_costs_no_false_pass(n: int, margin: float, alpha: float) -> None:
    assert greatest_error(n, margin, alpha, upper=True) <= alpha + 1e-9
