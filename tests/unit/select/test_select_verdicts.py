"""From answers to decisions: replace, hybrid, keep, need more, with the chance of a false one kept."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from harness.config import StatsConfig
from harness.records.decision import Criterion, CriterionName, Decision, Selection
from harness.select.lane import Answer, Lane
from harness.select.verdicts import judge
from tests.support.lanes import lane, questions, selected


def decision(found: Selection, cluster: str = "a") -> Decision:
    return next(one for one in found.decisions if one.cluster == cluster)


def test_an_equal_and_cheaper_variant_replaces() -> None:
    asked = questions(200)

    found = selected(lane("llm", asked, cost=1.0), [lane("slm", asked, cost=0.1)], asked, baseline="llm")

    one = decision(found)
    assert (one.verdict, one.variant, one.more) == ("replace", "slm", None)
    assert "accuracy" in one.why
    assert one.rejected == {}
    assert [c.status for c in one.evidence[0].criteria if c.name == "cost"] == ["pass"]


def test_no_difference_on_few_samples_is_no_proof() -> None:
    asked = questions(10)

    one = decision(selected(lane("llm", asked), [lane("slm", asked, cost=0.1)], asked))

    assert one.verdict == "need-n-more"
    assert one.more is not None
    assert one.more >= 49  # 59 without a single loss, at one verdict


def test_a_variant_that_is_shown_to_be_worse_is_kept_out() -> None:
    asked = questions(100)

    one = decision(selected(lane("llm", asked), [lane("slm", asked, range(40), cost=0.1)], asked))

    assert one.verdict == "keep"
    assert one.rejected["slm"].startswith("fails in accuracy: 40 lost and 0 gained of 100: −40.0 points")


def test_a_dearer_variant_does_not_replace() -> None:
    asked = questions(200)

    one = decision(selected(lane("llm", asked, cost=1.0), [lane("slm", asked, cost=2.0)], asked))

    assert one.verdict == "keep"
    assert "fails in cost: a call costs 2 times the baseline's" in one.rejected["slm"]


def test_an_unknown_cost_decides_nothing_unless_it_is_required() -> None:
    asked = questions(200)
    base, unknown = lane("llm", asked), lane("slm", asked, cost=None)

    free, strict = (decision(selected(base, [unknown], asked, stats={"cost_required": want})) for want in (False, True))

    assert free.verdict == "replace"
    assert "not known: cost" in free.why
    assert strict.verdict == "need-n-more"


def test_calls_made_where_none_is_wanted_stand_in_the_way_by_their_own_margin() -> None:
    asked = [*questions(380, wants=True), *(one for one in questions(400, wants=False)[380:])]
    wrong = range(388, 400)  # 12 of 20 without a wanted call, 3 % of all: within the margin of accuracy

    one = decision(selected(lane("llm", asked), [lane("slm", asked, wrong, cost=0.1)], asked, stats={"hybrid": []}))

    held = {c.name: c.status for c in one.evidence[0].criteria}
    assert held["accuracy"] == held["missed_calls"] == "pass"
    assert held["wrong_calls"] == "fail"
    assert one.verdict == "keep"


def test_late_first_tokens_stand_in_the_way() -> None:
    asked = questions(200)
    slow = lane("slm", asked, cost=0.1, seconds=3.0)

    late, early = (
        decision(selected(lane("llm", asked), [slow], asked, stats={"ttft_p95_s": limit})) for limit in (2.0, 4.0)
    )

    assert late.verdict == "keep"
    assert "100 % of 200 calls are later than 2 s" in late.rejected["slm"]
    assert early.verdict == "replace"


def test_a_time_that_was_not_measured_is_not_held_to_be_in_time() -> None:
    asked = questions(200)

    one = decision(
        selected(lane("llm", asked), [lane("slm", asked, cost=0.1, seconds=None)], asked, stats={"ttft_p95_s": 2.0})
    )

    assert one.verdict == "need-n-more"


def test_a_hybrid_hands_on_what_shows_a_sign_and_pays_for_both() -> None:
    asked = questions(200)
    broken = dict.fromkeys(range(40), "unreadable")
    slm = lane("slm", asked, range(40), cost=0.1, seconds=0.5, signals=broken)

    one = decision(selected(lane("llm", asked, cost=1.0, seconds=2.0), [slm], asked))

    assert (one.verdict, one.variant) == ("hybrid", "slm")
    hybrid = next(each for each in one.evidence if each.mode == "hybrid")
    assert hybrid.escalated == pytest.approx(0.2)
    assert hybrid.signals == {"unreadable": 40}
    assert hybrid.accuracy == 1.0
    assert hybrid.cost_usd_per_call == pytest.approx(0.1 + 0.2 * 1.0)
    assert hybrid.e2e_mean_s == pytest.approx(0.5 + 0.2 * 2.0)


def test_wrong_answers_without_a_sign_are_not_handed_on() -> None:
    asked = questions(200)

    one = decision(selected(lane("llm", asked), [lane("slm", asked, range(60), cost=0.1)], asked))

    assert one.verdict == "keep"
    assert [each.mode for each in one.evidence] == ["direct"]


def test_the_cheapest_of_those_that_pass_is_taken_and_the_others_say_so() -> None:
    asked = questions(300)
    dear, cheap = lane("dear", asked, cost=0.5), lane("cheap", asked, cost=0.2)

    one = decision(selected(lane("llm", asked), [dear, cheap], asked))

    assert one.variant == "cheap"
    assert one.rejected == {"dear": "passes, but cheap is cheaper or smaller"}


def test_several_verdicts_need_more_than_one() -> None:
    asked = [question for name in "abcdefgh" for question in questions(70, name)]
    base, slm = lane("llm", asked), lane("slm", asked, cost=0.1)

    alone = selected(base, [slm], asked, stats={"multiplicity": "none"})
    together = selected(base, [slm], asked)

    assert {one.verdict for one in alone.decisions} == {"replace"}
    assert {one.verdict for one in together.decisions} == {"need-n-more"}
    assert together.hypotheses == 8
    assert any("No cluster has enough samples" in note for note in together.notes)


def test_samples_of_few_sessions_count_as_few() -> None:
    asked = [*questions(100, session="one"), *questions(200, session="two")[100:]]

    one = decision(selected(lane("llm", asked), [lane("slm", asked, cost=0.1)], asked))

    assert one.verdict == "need-n-more"
    assert (one.n, one.sessions) == (200, 2)


def test_samples_that_only_one_has_are_no_pairs() -> None:
    asked = questions(200)
    slm = lane("slm", asked[:150], cost=0.1)

    one = decision(selected(lane("llm", asked), [slm], asked))

    assert one.evidence[0].n == 150


def test_a_false_replacement_is_as_rare_as_said_over_clusters_and_variants() -> None:
    rng = np.random.default_rng(3)
    asked = [question for name in "abcd" for question in questions(60, name)]
    base = lane("llm", asked, cost=None)
    corrected, alone = (StatsConfig(accuracy=0.2, hybrid=(), multiplicity=kind) for kind in ("holm", "none"))
    false = {"holm": 0, "none": 0}
    for _ in range(30):
        lanes = [
            lane(f"slm{k}", asked, np.flatnonzero(rng.random(len(asked)) < 0.2).tolist(), cost=None) for k in range(3)
        ]  # each truly worse by exactly the margin
        for stats in (corrected, alone):
            found = judge(asked, lanes, base, stats).by_cluster.values()
            false[stats.multiplicity] += any(one.status == "pass" for each in found for one in each)

    assert false["holm"] <= 6  # 1.5 expected at most; P(more than 6) is 0.03 % at 5 %
    assert false["none"] > 6  # twelve verdicts, each at 5 % at most


def test_what_is_handed_on_to_a_baseline_without_an_answer_is_left_out() -> None:
    asked = questions(200)
    slm = lane("slm", asked, range(40), cost=0.1, signals=dict.fromkeys(range(40), "schema"))

    one = decision(selected(lane("llm", asked[20:]), [slm], asked))

    hybrid = next(each for each in one.evidence if each.mode == "hybrid")
    assert hybrid.escalated == pytest.approx(20 / 180)
    assert hybrid.n == 180


def with_answers(one: Lane, change: Callable[[int, Answer], Answer]) -> Lane:
    """The lane with its answers changed, sample by sample."""
    return Lane(
        one.variant,
        {id_: tuple(change(place, each) for each in held) for place, (id_, held) in enumerate(one.answers.items())},
    )


def criterion(found: Selection, name: CriterionName, place: int = 0) -> Criterion:
    made = decision(found).evidence[place].criterion(name)
    assert made is not None
    return made


def test_the_same_cost_is_within_the_baselines() -> None:
    asked = questions(200)

    found = selected(lane("llm", asked, cost=0.3), [lane("slm", asked, cost=0.3)], asked)

    assert decision(found).verdict == "replace"
    assert (criterion(found, "cost").status, criterion(found, "cost").p_failing) == ("pass", 1.0)


def test_costs_that_are_equal_but_for_rounding_are_equal() -> None:
    asked = questions(200)
    base = with_answers(lane("llm", asked), lambda n, one: replace(one, cost_usd=0.1 * (1 + n % 7)))
    slm = with_answers(lane("slm", asked), lambda n, one: replace(one, cost_usd=0.7 * (0.1 * (1 + n % 7))))

    found = criterion(selected(base, [slm], asked, stats={"cost_ratio": 0.7}), "cost")

    assert (found.status, found.p_failing) == ("pass", 1.0)


def test_whoever_costs_something_costs_more_than_a_free_baseline() -> None:
    asked = questions(200)

    found = criterion(selected(lane("llm", asked, cost=0.0), [lane("slm", asked, cost=0.1)], asked), "cost")

    assert (found.status, found.estimate, found.interval) == ("fail", None, None)
    assert found.why == "a call costs USD 0.1, the baseline's nothing, by 200 calls"


def test_both_free_hold_the_cost() -> None:
    asked = questions(200)

    found = selected(lane("llm", asked, cost=0.0), [lane("slm", asked, cost=0.0)], asked)

    assert (criterion(found, "cost").status, decision(found).verdict) == ("pass", "replace")


def test_a_time_that_was_not_measured_is_not_in_time() -> None:
    asked = questions(200)
    slm = with_answers(lane("slm", asked, cost=0.1), lambda n, one: replace(one, e2e_s=None) if n % 2 else one)

    found = criterion(selected(lane("llm", asked), [slm], asked, stats={"e2e_p95_s": 2.0, "hybrid": ()}), "e2e")

    assert (found.status, found.n, found.estimate) == ("need_more", 200, 0.5)
    assert found.why == "50 % of 200 calls are later than 2 s or without a time (100), 5 % may be"


def test_a_hybrid_on_a_baseline_without_times_shows_no_time_in_time() -> None:
    asked = questions(200)
    slm = lane("slm", asked, range(60), cost=0.1, signals=dict.fromkeys(range(60), "schema"))

    found = selected(lane("llm", asked, seconds=None), [slm], asked, stats={"e2e_p95_s": 2.0})

    hybrid = decision(found).evidence[1]
    assert (hybrid.mode, hybrid.status, hybrid.e2e_mean_s) == ("hybrid", "need_more", None)


def test_a_hybrid_is_priced_on_samples_whose_baseline_has_a_price() -> None:
    asked = questions(200)
    base = with_answers(lane("llm", asked), lambda n, one: replace(one, cost_usd=None) if n % 2 else one)
    slm = lane("slm", asked, range(60), cost=0.1, signals=dict.fromkeys(range(60), "schema"))

    hybrid = decision(selected(base, [slm], asked)).evidence[1]

    assert hybrid.mode == "hybrid"
    assert hybrid.cost_usd_per_call == pytest.approx(0.1 + 0.3 * 1.0)


def test_a_verdict_is_on_the_calls_that_samples_stand_for() -> None:
    asked = [*questions(1, "a", weight=1000.0), *[replace(one, id=f"b{one.id}") for one in questions(299, "a")]]
    slm = lane("slm", asked, [0], cost=0.1)

    found = selected(lane("llm", asked), [slm], asked, stats={"hybrid": ()})

    accuracy = criterion(found, "accuracy")
    assert decision(found).verdict != "replace"
    assert accuracy.estimate == pytest.approx(-1000 / 1299)
    assert accuracy.why.startswith("1 lost and 0 gained of 300, by their calls: −77.0 points")


def test_weights_that_are_all_the_same_change_no_verdict() -> None:
    plain, heavy = questions(80), questions(80, weight=3.0)

    found = [
        criterion(selected(lane("llm", asked), [lane("slm", asked, [3], cost=0.1)], asked), "accuracy")
        for asked in (plain, heavy)
    ]

    assert found[0] == found[1]


def test_too_few_samples_are_not_lamented_where_they_were_enough() -> None:
    """100 with 20 gained show it, though it takes 112 without a gain."""
    asked = [*questions(100, "a"), *questions(100, "b"), *questions(100, "c")]
    base, *lanes = (
        with_answers(one, lambda _, answer: replace(answer, formed=None))
        for one in [
            lane("llm", asked, [*range(20), *range(100, 120), *range(200, 220)]),
            *(lane(f"m{k}", asked, cost=0.1 * (1 + k)) for k in range(5)),
        ]
    )

    found = selected(base, lanes, asked, stats={"hybrid": ()})

    assert decision(found).verdict == "replace"
    assert not [note for note in found.notes if note.startswith("No cluster has enough samples")]


def test_a_plan_is_priced_by_what_it_takes() -> None:
    """A variant that passes without a price leaves the price of those that are taken known."""
    asked = questions(200)

    found = selected(lane("llm", asked), [lane("a", asked, cost=0.1), lane("b", asked, cost=None)], asked)

    assert found.plans[0].assignment == {"a": "a"}
    assert found.plans[0].cost_usd_per_1k == pytest.approx(100)
