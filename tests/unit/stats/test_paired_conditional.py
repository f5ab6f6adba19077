"""The conditional test: by hand, and its size by enumeration."""

import numpy as np
import pytest
from scipy.stats import beta, binom

from harness.errors import DataError
from harness.stats.paired import Pairs, noninferior_p
from harness.stats.paired_conditional import conditional_inferior_p, conditional_noninferior_p
from tests.unit.stats.test_paired import tables, trinomial


def test_without_a_discordant_pair_it_is_the_bound_of_their_share() -> None:
    assert conditional_noninferior_p(Pairs(40, 0, 0), 0.1) == pytest.approx(2 * 0.9**40, rel=1e-6)


def test_at_its_p_both_halves_of_alpha_are_spent() -> None:
    pairs, margin = Pairs(100, 12, 6), 0.05
    p = conditional_noninferior_p(pairs, margin)

    most = float(beta.isf(p / 2, 19, 82))
    tail = binom.sf(11, 18, (most - margin) / (2 * most))

    assert tail == pytest.approx(p / 2, rel=1e-3)


@pytest.mark.parametrize("margin", [0.05, 0.1, 0.2])
def test_it_passes_by_accident_no_more_often_than_alpha(margin: float) -> None:
    n = 30
    shares = np.linspace(margin, (1 + margin) / 2, 60)
    counts = [Pairs(n, int(gained), int(lost)) for gained, lost in zip(*tables(n), strict=True)]
    chances = trinomial(n, shares - margin, shares)

    passes = np.array([conditional_noninferior_p(one, margin) <= 0.05 for one in counts])
    fails = np.array([conditional_inferior_p(one, margin) <= 0.05 for one in counts])

    assert chances[passes].sum(axis=0).max() <= 0.05
    assert chances[fails].sum(axis=0).max() <= 0.05


def test_the_unconditional_test_is_the_stronger_one() -> None:
    pairs = Pairs(200, 6, 5)
    assert noninferior_p(pairs, 0.05) < conditional_noninferior_p(pairs, 0.05)


def test_a_margin_that_is_no_share_is_refused() -> None:
    with pytest.raises(DataError, match="between 0 and 1"):
        conditional_noninferior_p(Pairs(10, 0, 0), 1.5)
