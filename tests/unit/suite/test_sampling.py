"""Which samples a limited run takes."""

from collections import Counter
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.records import Message, Sample, ToolTarget
from harness.suite.sampling import stratified

Mode = Literal["balanced", "proportional"]
MODES: list[Mode] = ["balanced", "proportional"]


def samples(**sizes: int) -> tuple[Sample, ...]:
    return tuple(
        Sample(
            id=f"{category}_{number}",
            category=category,
            messages=(Message(role="user", content="?"),),
            target=ToolTarget(expect="no_call"),
            scorer="bfcl",
        )
        for category, size in sizes.items()
        for number in range(size)
    )


def ids(chosen: tuple[Sample, ...]) -> list[str]:
    return [sample.id for sample in chosen]


SIZES = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 12), min_size=1)


@given(SIZES, st.sampled_from(MODES), st.integers(0, 3), st.data())
def test_a_larger_limit_contains_the_smaller_one(
    sizes: dict[str, int], mode: Mode, seed: int, data: st.DataObject
) -> None:
    small = data.draw(st.integers(1, sum(sizes.values())))

    whole = ids(stratified(samples(**sizes), None, seed, mode))

    assert ids(stratified(samples(**sizes), small, seed, mode)) == whole[:small]
    assert len(set(whole)) == sum(sizes.values())


@given(SIZES, st.integers(1, 40))
def test_balanced_shares_are_equal_as_far_as_a_category_goes(sizes: dict[str, int], limit: int) -> None:
    counted = Counter(sample.category for sample in stratified(samples(**sizes), limit, 0, "balanced"))

    most = max(counted.values())
    assert all(counted[name] >= min(size, most - 1) for name, size in sizes.items())


@given(SIZES, st.integers(1, 40))
def test_proportional_shares_are_near_the_exact_ones_and_none_is_empty(sizes: dict[str, int], limit: int) -> None:
    total = sum(sizes.values())
    taken = min(limit, total)
    counted = Counter(sample.category for sample in stratified(samples(**sizes), limit, 0, "proportional"))

    assert all(counted[name] <= max(1, taken * size / total + 1) for name, size in sizes.items())
    assert taken < len(sizes) or set(counted) == set(sizes)


def test_the_choice_does_not_depend_on_the_order_within_a_category() -> None:
    forth = samples(a=20, b=20)

    assert ids(stratified(forth[:20][::-1] + forth[20:], 10, 3, "balanced")) == ids(
        stratified(forth, 10, 3, "balanced")
    )


def test_the_choice_is_the_same_on_every_machine() -> None:
    assert ids(stratified(samples(a=20, b=20), 4, 0, "balanced")) == ["a_6", "b_18", "a_19", "b_12"]


def test_another_seed_chooses_others() -> None:
    some = samples(a=50)

    assert ids(stratified(some, 10, 0, "balanced")) != ids(stratified(some, 10, 1, "balanced"))


@pytest.mark.parametrize("mode", MODES)
def test_categories_are_mixed(mode: Mode) -> None:
    first = stratified(samples(a=30, b=30, c=30), 6, 0, mode)

    assert Counter(sample.category for sample in first) == {"a": 2, "b": 2, "c": 2}


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"suite\.limit=0, allowed: 1 or more"):
        stratified(samples(a=1), 0, 0, "balanced")
