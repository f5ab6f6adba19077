"""Means without bounds: costs, tokens, logarithms of times."""

import pytest

from harness.stats.means import signs_of


@pytest.mark.parametrize(("n", "p_below"), [(1, 0.5), (5, 0.03125)])
def test_what_is_nothing_everywhere_is_not_above_nothing(n: int, p_below: float) -> None:
    found = signs_of([0.0] * n, [None] * n, 0.05)

    assert (found.p_below, found.p_above) == (p_below, 1.0)
    assert found.more == (4 if n == 1 else None)


def test_one_session_is_never_sure_however_many_values_it_has() -> None:
    found = signs_of([-1.0] * 100, ["one"] * 100, 0.05)

    assert found.p_below == 0.5
    assert found.p_above == 0.5
