"""The best pairing."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from harness.scorers.matching import pair

SQUARES = st.integers(1, 5).flatmap(
    lambda n: st.lists(st.lists(st.integers(0, 9), min_size=n, max_size=n), min_size=n, max_size=n)
)


@given(SQUARES)
def test_no_other_pairing_is_worth_more(worth: list[list[int]]) -> None:
    size = range(len(worth))

    pairs = pair(worth)

    best = max(sum(worth[row][column] for row, column in zip(size, order, strict=True)) for order in permutations(size))
    assert sum(worth[row][column] for row, column in pairs) == best
    assert sorted(column for _, column in pairs) == list(size)


def test_surplus_rows_stay_alone() -> None:
    assert pair([[0.1], [0.9]]) == ((1, 0),)


def test_nothing_pairs_with_nothing() -> None:
    assert pair([]) == () == pair([[]])
