"""Order and routes for prefix caches."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records import Message, Sample, ToolTarget
from harness.runner.prefix import Routes, by_prefix, shared_frac
from harness.toolcalling.encode import ChatRequest


def sample(name: str, *texts: str) -> Sample:
    messages = tuple(Message(role="user", content=text) for text in texts)
    return Sample(id=name, category="c", messages=messages, target=ToolTarget(expect="no_call"), scorer="x")


def plain(one: Sample) -> ChatRequest:
    return ChatRequest(messages=[{"role": m.role, "content": m.content} for m in one.messages])


def names(samples: Sequence[Sample]) -> list[str]:
    return [one.id for one in samples]


def test_what_begins_alike_comes_together_and_the_rest_keeps_its_place() -> None:
    mixed = [
        sample("a1", "A", "1"),
        sample("b1", "B", "1"),
        sample("a2", "A", "2"),
        sample("b2", "B", "2"),
        sample("c", "C"),
    ]

    assert names(by_prefix(mixed, plain)) == ["a1", "a2", "b1", "b2", "c"]


def test_longer_shared_beginnings_come_closer() -> None:
    mixed = [sample("x", "A", "h", "1"), sample("y", "A", "k", "1"), sample("z", "A", "h", "2")]

    assert names(by_prefix(mixed, plain)) == ["x", "z", "y"]


@given(st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4), min_size=1, max_size=20))
def test_ordering_loses_and_repeats_nothing_and_never_shares_less(prompts: list[list[str]]) -> None:
    samples = [sample(str(number), *texts) for number, texts in enumerate(prompts)]

    ordered = by_prefix(samples, plain)

    before, after = shared_frac(samples, plain), shared_frac(ordered, plain)
    assert sorted(names(ordered)) == sorted(names(samples))
    assert before is not None
    assert after is not None
    assert after >= before - 1e-12


def test_shared_share_is_measured_against_the_prompt_before() -> None:
    long = "x" * 10_000

    assert shared_frac([sample("a", long, "1"), sample("b", long, "2")], plain) == pytest.approx(0.5, abs=0.01)
    assert shared_frac([], plain) is None


@given(st.integers(0, 40), st.integers(1, 6))
def test_routes_deal_everything_once_whichever_slot_asks(count: int, slots: int) -> None:
    routes = Routes(range(count), slots)
    taken: list[int] = []
    slot = 0
    while (item := routes.take(slot % slots)) is not None:
        taken.append(item)
        slot = slot * 7 + 3

    assert sorted(taken) == list(range(count))


def test_a_slot_keeps_its_stretch_and_helps_out_at_the_far_end() -> None:
    routes = Routes("aaabbb", 2)

    assert [routes.take(0) for _ in range(4)] == ["a", "a", "a", "b"]
    assert routes.take(1) == "b"
