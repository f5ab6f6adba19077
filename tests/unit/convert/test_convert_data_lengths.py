"""Rows side by side: never cut, never over the length, none lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.convert.data.lengths import length_stats, pack, packing_plan


@given(st.lists(st.integers(1, 64), max_size=60), st.integers(64, 200))
def test_every_row_is_in_one_sequence_and_none_is_over(lengths: list[int], capacity: int) -> None:
    groups = pack(lengths, capacity)

    assert sorted(place for group in groups for place in group) == list(range(len(lengths)))
    assert all(sum(lengths[place] for place in group) <= capacity for group in groups)


@given(st.lists(st.integers(1, 64), min_size=1, max_size=60), st.integers(64, 200))
def test_sequences_are_few(lengths: list[int], capacity: int) -> None:
    least = -(-sum(lengths) // capacity)

    assert len(pack(lengths, capacity)) <= 2 * least  # no two half empty ones: a bound that every first fit keeps


def test_a_row_longer_than_a_sequence_is_refused() -> None:
    with pytest.raises(ValueError, match="a row of 9 tokens does not fit into a sequence of 8"):
        pack([3, 9], 8)


def test_packing_says_what_it_saves() -> None:
    plan = packing_plan([10, 10, 10, 100], 100)

    assert (plan.sequences, plan.filled_frac, plan.padded_frac) == (2, 0.65, 0.325)


def test_nothing_has_no_lengths() -> None:
    assert length_stats([]) is None
