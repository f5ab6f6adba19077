"""What is certified of a policy holds, and what cannot be is said with the reason."""

from functools import cache

import numpy as np
import pytest

from harness.config import RouteOptions
from harness.errors import ConfigError
from harness.route.build import Built, route
from harness.route.evidence import Evidence
from tests.support.route_calls import call, drawn, evidence, planted, sample

NO_INDEX = "no index of tasks"


def root(sure: float) -> float:
    return float(np.sqrt(sure))


def built(found: Evidence, **more: object) -> Built:
    given = {"margin": 0.05, "kinds": ["cascade"], "confidence": "mean_logprob", **more}
    return route("2026-01-01", found, NO_INDEX, RouteOptions.model_validate(given))


@cache
def good() -> Built:
    """Of a confidence that tells right from wrong."""
    return built(both(root))


@cache
def two_kinds() -> Built:
    return built(both(root), kinds=["cascade", "hybrid", "cluster"])


def both(right: object, count: int = 300, **more: object) -> Evidence:
    return evidence(
        planted(count, 11, right, prefix="a", **more),  # type: ignore[arg-type]
        planted(count, 12, right, prefix="b", **more),  # type: ignore[arg-type]
    )


def test_a_confidence_that_tells_right_from_wrong_is_certified_and_its_true_loss_is_below_the_margin() -> None:
    found = good()

    certified = found.policy.certified
    assert certified is not None
    floor = float(np.exp(certified.threshold))
    grid = np.linspace(max(0.01, floor), 1.0, 10_000)
    true_loss = (1.0 - max(0.01, floor)) / 0.99 * float((0.9 - np.sqrt(grid)).mean())
    assert true_loss < 0.05
    assert found.policy.threshold == certified.threshold
    assert 0.2 < certified.covered < 0.9
    assert found.report.sentence.startswith("At most 5 points below large with 95 % confidence at ")


def test_the_certificate_is_of_the_test_split_alone() -> None:
    found = good()

    certified = found.policy.certified
    assert certified is not None
    assert (certified.n, certified.tuned_on, certified.split) == (300, 300, "planted halves")
    assert sum(one.kept for one in found.simulated) == round(certified.covered * 300)


def test_a_small_model_that_is_never_right_is_not_certified() -> None:
    found = built(both(lambda _: 0.0), margin=0.02)

    assert found.policy.threshold is None
    assert found.policy.certified is None
    assert found.policy.why_not == ("cascade: even the surest calls lose 2 points or more on the tuning split")
    assert found.report.chosen is None
    assert found.report.sentence == (
        "No threshold is shown to stay within 2 points of large with 95 % confidence; more calls would not change that"
    )


def test_too_few_calls_say_about_how_many_more() -> None:
    found = built(both(root, 50))

    (kind,) = found.report.kinds
    assert kind.status == "not certified"
    assert kind.more is not None
    assert 10 < kind.more < 2_000
    assert "test calls more may show it" in found.report.sentence


def test_several_kinds_share_alpha() -> None:
    found = two_kinds()

    assert {one.certified.alpha for one in found.report.kinds if one.certified} == {0.025}
    assert any("0.05 / 2 = 0.025 (Bonferroni)" in note for note in found.report.notes)


def test_a_kind_that_cannot_be_made_takes_no_share_of_alpha() -> None:
    found = two_kinds()

    status = {one.kind: (one.status, one.why_not) for one in found.report.kinds}
    assert status["cluster"] == ("not made", NO_INDEX)
    assert found.policy.certified is not None
    assert found.policy.certified.alpha == 0.025  # of two, not of three


def test_of_kinds_that_hold_the_one_that_costs_least_is_taken() -> None:
    found = two_kinds()

    held = {one.kind: one.figures for one in found.report.kinds if one.certified and one.figures}
    least = min(held, key=lambda kind: held[kind].cost_usd_per_call or 0.0)
    assert len(held) == 2
    assert found.report.chosen == found.policy.kind == least


def test_a_small_model_that_is_the_better_one_is_said_and_takes_all() -> None:
    calls = [[call(sample(f"{p}{n}"), drawn(float(n % 3 > 0)), drawn(1.0, sure=0.5)) for n in range(200)] for p in "ab"]

    found = built(evidence(calls[0], calls[1]))

    assert found.policy.certified is not None
    assert found.policy.certified.covered == 1.0
    assert found.report.kinds[0].cpt_50 is None
    assert any("small is more often right than large on the test split" in note for note in found.report.notes)


def test_no_probabilities_while_they_are_asked_for_is_a_stated_result() -> None:
    calls = [[call(sample(f"{p}{n}"), drawn(1.0), drawn(1.0)) for n in range(60)] for p in "ab"]

    found = built(evidence(calls[0], calls[1]))

    (kind,) = found.report.kinds
    assert (kind.status, found.policy.threshold) == ("not made", None)
    assert "run it with model.generation.logprobs=true" in (kind.why_not or "")
    assert found.report.sentence == "No policy could be made: all calls go to large"


def test_costs_that_are_not_known_are_left_open_and_the_widest_policy_is_taken() -> None:
    calls = [
        [call(sample(f"{p}{n}"), drawn(1.0, cost=None), drawn(1.0, cost=None, sure=0.5)) for n in range(100)]
        for p in "ab"
    ]

    found = built(evidence(calls[0], calls[1]))

    assert found.policy.certified is not None
    assert found.report.figures[0].cost_usd_per_call is None
    assert any(note.startswith("No cost is known of small, large") for note in found.report.notes)


def test_a_policy_that_only_draws_lots_is_called_so() -> None:
    found = built(both(lambda _: 0.89), margin=0.1)

    lots = [note for note in found.report.notes if "no better than as many calls drawn by lot" in note]
    coverage = found.report.figures[0].coverage
    assert found.policy.certified is not None
    assert bool(lots) == (coverage < 1 and found.report.figures[0].difference <= found.report.figures[3].difference)


def test_a_policy_that_costs_more_than_the_large_model_is_called_so() -> None:
    calls = [
        [call(sample(f"{p}{n}"), drawn(1.0, cost=1.0), drawn(1.0, cost=0.9, finish="stop" if n % 2 else "length"))
         for n in range(200)] for p in "ab"
    ]  # fmt: skip

    found = built(evidence(calls[0], calls[1]), confidence="form")

    assert found.report.figures[0].cost_usd_per_call == pytest.approx(1.4)
    assert any("costs 1.40 times what large alone does" in note for note in found.report.notes)


def test_a_threshold_that_no_test_call_reaches_is_not_called_certified() -> None:
    calls = [[call(sample(f"{p}{n}"), drawn(1.0), drawn(1.0, sure=sure)) for n in range(200)]
             for p, sure in (("a", 0.9), ("b", 0.5))]  # fmt: skip

    found = built(evidence(calls[0], calls[1]))

    assert found.policy.certified is None
    assert "no test call is as sure as the safest threshold" in (found.policy.why_not or "")


def test_a_price_of_a_model_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"route\.prices names gpt-9, which is none of large, small"):
        built(both(root, 200), prices={"gpt-9": 2.0})


@pytest.mark.parametrize("key", ["alpha", "margin"])
def test_levels_out_of_bounds_are_refused(key: str) -> None:
    with pytest.raises(ValueError, match="less than"):
        RouteOptions.model_validate({key: 1.5})


def test_a_sign_that_no_router_can_see_is_refused() -> None:
    with pytest.raises(ValueError, match="no_answer is found by a suite's scorer"):
        RouteOptions.model_validate({"signals": ["no_answer"]})


def test_sessions_that_hang_together_certify_less() -> None:
    alone, together = good(), built(both(root, sessions=20))

    assert alone.policy.certified is not None
    certified = together.policy.certified
    assert certified is None or certified.sessions == 15
