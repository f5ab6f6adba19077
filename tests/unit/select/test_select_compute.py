"""Several trials of a run as one answer: unbiased, paid in full, timed as they are made."""

from itertools import combinations, permutations
from math import comb

import pytest

from harness.select.compute import first_formed, majority, voted
from harness.select.lane import Answer, Lane
from tests.support.lanes import lane, questions, selected, variant


def answer(value: float, action: str | None, *, seconds: float = 1.0, signal: str | None = None) -> Answer:
    return Answer(
        value=value,
        decision=None,
        formed=float(signal is None),
        signal=signal,  # type: ignore[arg-type]
        action=action,
        ttft_s=seconds,
        e2e_s=seconds,
        cost_usd=0.5,
        tokens=10,
    )


def trials(*each: Answer) -> Lane:
    return Lane(variant("slm"), {"a": tuple(each)})


def test_the_majority_wins_and_all_are_paid_for() -> None:
    drawn = [answer(1, "x", seconds=2), answer(1, "x"), answer(0, "y", seconds=3)]

    at_once, in_a_row = majority(drawn, parallel=True), majority(drawn, parallel=False)

    assert at_once.value == 1
    assert at_once.cost_usd == pytest.approx(1.5)
    assert at_once.tokens == 30
    assert (at_once.e2e_s, in_a_row.e2e_s) == (3, 6)
    assert at_once.ttft_s == 3  # nothing can be passed on before


def test_ties_are_the_mean_and_the_unreadable_have_no_vote() -> None:
    tied = majority([answer(1, "x"), answer(0, "y")], parallel=True)
    unread = majority([answer(0, None), answer(0, None), answer(1, "x")], parallel=True)

    assert tied.value == 0.5
    assert unread.value == 1


def test_a_majority_of_three_is_the_mean_over_all_threes() -> None:
    each = [answer(1, "x"), answer(1, "x"), answer(1, "x"), answer(0, "y"), answer(0, "y")]

    made = {one.variant.compute: one for one in voted(trials(*each), parallel=True)}

    wanted = sum(sum(one.value for one in drawn) >= 2 for drawn in combinations(each, 3)) / comb(5, 3)
    assert made["majority of 3 at once"].answers["a"][0].value == pytest.approx(wanted)
    assert made["majority of 5 at once"].answers["a"][0].value == 1


def test_the_first_well_formed_is_the_mean_over_all_orders() -> None:
    each = [
        answer(1, "x"),
        answer(0, "y", seconds=2.0),
        answer(0, None, signal="unreadable", seconds=10.0),
        answer(0, None, signal="schema"),
    ]

    found = first_formed(each)

    value = asked = took = 0.0
    orders = list(permutations(each))
    for order in orders:
        place = next(n for n, one in enumerate(order) if one.signal is None)
        value += order[place].value / len(orders)
        asked += (place + 1) / len(orders)
        took += sum(one.e2e_s or 0.0 for one in order[: place + 1]) / len(orders)
    assert found.value == pytest.approx(value)
    assert found.cost_usd == pytest.approx(0.5 * asked)
    assert found.e2e_s == pytest.approx(took)


def test_trials_that_are_all_alike_make_no_variant() -> None:
    assert voted(trials(answer(1, "x"), answer(1, "x"), answer(1, "x")), parallel=True) == []


def test_votes_are_judged_as_variants_and_held_against_single_calls_of_the_same_price() -> None:
    asked = questions(120)
    base = lane("llm", asked, cost=5.0, seconds=5.0)
    flaky = Lane(
        variant("slm"),
        {
            one.id: tuple(answer(float(k != n % 5), "x" if k != n % 5 else f"y{n}") for k in range(5))
            for n, one in enumerate(asked)
        },
    )

    found = selected(base, [flaky, lane("other", asked, range(30), cost=0.4)], asked, votes="parallel")

    vote = found.variant("slm+majority-of-5-at-once")
    assert (vote.accuracy, vote.samples) == (1.0, 5)
    assert vote.cost_usd_per_call == pytest.approx(2.5)
    line = next(one for one in found.budgets if one.several == vote.id and one.kind == "cost")
    assert line.single == "slm"
    assert line.single_accuracy == pytest.approx(0.8)
    assert "not chance" in line.comparison
    assert all(one.samples == 1 for one in selected(base, [flaky], asked, votes="off").variants)
