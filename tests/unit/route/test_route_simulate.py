"""Simulation counts what a router would do, call by call."""

from math import inf

import pytest

from harness.route.simulate import View, all_large, all_small, curve_of, figures_of, oracle, random_mix, two_answers
from tests.support.route_calls import SMALL, call, drawn, sample


def six() -> list[View]:
    """Confidences 0.9 to 0.4; small right in 1, 2, 4; large right in 1, 3, 5, 6."""
    small, large = (1, 1, 0, 1, 0, 0), (1, 0, 1, 0, 1, 1)
    return [
        View(
            call(
                sample(f"q{place}", weight=1.0 if place else 3.0),
                drawn(float(large[place]), cost=10.0, seconds=4.0),
                drawn(float(small[place]), cost=1.0, seconds=1.0 + place),
            ),
            None, SMALL, None, 0.9 - place / 10, "unsure",
        )
        for place in range(6)
    ]  # fmt: skip


def test_figures_are_those_of_a_count_by_hand() -> None:
    found = figures_of("policy", [one.routed(0.65) for one in six()])

    # kept: q0 (three calls), q1, q2; handed on: q3, q4, q5, which cost 11 and take 1 + place + 4 seconds
    assert found.coverage == pytest.approx(5 / 8)
    assert found.both == pytest.approx(3 / 8)
    assert found.accuracy == pytest.approx((3 * 1 + 1 + 0 + 0 + 1 + 1) / 8)
    assert found.difference == pytest.approx((0 + 1 - 1) / 8)
    assert found.cost_usd_per_call == pytest.approx((5 * 1 + 3 * 11) / 8)
    assert found.cost_usd_per_success == pytest.approx(38 / 8 / (6 / 8))
    assert (found.e2e_p50_s, found.e2e_p95_s) == (2.0, 10.0)


def test_without_a_threshold_the_small_model_is_never_asked() -> None:
    found = figures_of("policy", [one.routed(None) for one in six()])

    assert (found.coverage, found.both, found.difference) == (0.0, 0.0, 0.0)
    assert found.cost_usd_per_call == pytest.approx(10.0)


def test_what_is_known_before_a_reply_saves_the_small_call() -> None:
    made = [View(one.call, None, SMALL, one.confidence, one.confidence, "unsure") for one in six()]

    found = figures_of("policy", [one.routed(0.65) for one in made])

    assert found.both == 0.0
    assert found.cost_usd_per_call == pytest.approx((5 * 1 + 3 * 10) / 8)


def test_a_signal_after_a_sure_request_costs_both() -> None:
    view = View(six()[0].call, None, SMALL, 0.9, -inf, "schema")

    routed = view.routed(0.5)

    assert (routed.kept, routed.both, routed.reason, routed.cost_usd) == (0.0, True, "schema", 11.0)


def test_a_call_without_an_expert_goes_to_the_large_model_alone() -> None:
    routed = View(six()[0].call, "t", None, None, -inf, "no expert").routed(-5.0)

    assert (routed.kept, routed.both, routed.cost_usd, routed.reason) == (0.0, False, 10.0, "no expert")


def test_several_samples_cost_their_sum_and_take_the_longest() -> None:
    expert = SMALL.model_copy(update={"samples": 3})
    three = call(sample("q"), drawn(1.0, cost=10.0), *(drawn(0.0, cost=1.0, seconds=s) for s in (1.0, 3.0, 2.0)))
    view = View(three, None, expert, None, 1.0, "unsure", chosen=1)

    routed = view.routed(0.5)

    assert (routed.cost_usd, routed.e2e_s) == (3.0, 3.0)


def test_a_cost_that_is_not_known_of_one_model_is_left_out_whoever_answers() -> None:
    views = six()
    views[0] = View(call(sample("x"), drawn(1.0, cost=None), drawn(1.0, cost=1.0)), None, SMALL, None, 0.9, "unsure")

    found = figures_of("policy", [one.routed(0.65) for one in views])

    assert found.costed == 5
    assert found.cost_usd_per_call == pytest.approx((2 * 1 + 3 * 11) / 5)


def test_no_cost_at_all_is_none_and_not_zero() -> None:
    views = [
        View(call(sample("x"), drawn(1.0, cost=None, seconds=None), drawn(1.0, cost=None)), None, SMALL, None, 0.9, "")
    ]

    found = figures_of("policy", [one.routed(0.5) for one in views])

    assert (found.cost_usd_per_call, found.cost_usd_per_success, found.e2e_p50_s) == (None, None, None)


def test_the_oracle_takes_the_small_model_where_it_is_worth_as_much() -> None:
    found = figures_of("oracle", oracle([one.call for one in six()], "small"))

    assert found.coverage == pytest.approx(5 / 8)
    assert found.accuracy == 1.0


def test_a_lot_lies_between_both_models() -> None:
    calls = [one.call for one in six()]
    large, small = figures_of("large", all_large(calls)), figures_of("small", all_small(calls, "small"))

    found = random_mix(calls, "small", 0.25)

    assert found.accuracy == pytest.approx(0.75 * large.accuracy + 0.25 * small.accuracy)
    assert found.cost_usd_per_call == pytest.approx(0.75 * 10 + 0.25 * 1)


def test_the_curve_starts_with_the_large_model_and_pays_for_calls_that_are_handed_on() -> None:
    curve = curve_of(six())

    assert (curve[0].threshold, curve[0].coverage, curve[0].cost_usd_per_call) == (None, 0.0, 10.0)
    assert curve[1].cost_usd_per_call == pytest.approx((3 * 1 + 5 * 11) / 8)
    assert (curve[-1].coverage, curve[-1].accuracy) == pytest.approx((1.0, 5 / 8))


def test_the_curves_costs_are_those_of_the_calls_one_by_one() -> None:
    some = six()
    views = [
        some[0], View(some[1].call, None, SMALL, 0.8, 0.8, "unsure"), View(some[2].call, None, SMALL, 0.7, -inf, "x"),
        View(some[3].call, "t", None, None, -inf, "no expert"),
        View(call(sample("y"), drawn(1.0, cost=None), drawn(1.0)), None, SMALL, None, 0.75, "unsure"), *some[4:],
    ]  # fmt: skip

    for point in curve_of(views):
        assert point.cost_usd_per_call == pytest.approx(
            figures_of("x", [one.routed(point.threshold) for one in views]).cost_usd_per_call
        )


def test_calls_without_an_expert_stand_at_the_weak_end_of_the_curve() -> None:
    view = View(call(sample("x"), drawn(1.0), drawn(0.0)), None, None, None, -inf, "no expert")

    (found,) = two_answers([view])

    assert (found.confidence, found.small, found.large) == (-inf, 0.0, 1.0)
