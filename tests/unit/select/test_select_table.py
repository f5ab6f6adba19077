"""Variants beside each other: constraints, the Pareto front, and orders that are not decided."""

import pytest

from harness.config import HardwareConfig, SelectOptions
from harness.errors import ConfigError, DataError
from harness.select.build import find_baseline
from harness.select.constraints import barred
from harness.select.table import pareto_of
from tests.support.lanes import NOWHERE, lane, questions, selected, variant

L4 = HardwareConfig(name="l4", title="L4", gpu_memory_gb=24, usable_frac=0.9)


@pytest.mark.parametrize(
    ("given", "options", "reason"),
    [
        ({"licence": "MIT"}, {"licences": ["apache-2.0"]}, "licence MIT, allowed: apache-2.0"),
        ({}, {"licences": ["MIT"]}, "licence not told"),
        ({"hosted": True}, {"hosted": False}, "hosted, and select.hosted=false"),
        ({"languages": ["en"]}, {"languages": ["en", "de"]}, "language de not among en"),
        ({"context_tokens": 4096}, {"context_tokens": 8192}, "context 4,096 tokens, at least 8,192"),
        ({"memory_bytes": 3 << 30, "memory_from": "measured"}, {"memory_gb": 2}, "needs 3.00 GiB (measured), 2.00"),
        ({}, {"memory_gb": 2}, "memory not known, 2.0 GiB usable"),
        ({"ttft_p95_s": 2.5}, {"ttft_p95_s": 2}, "p95 to the first token 2.5 s, at most 2 s"),
        ({}, {"e2e_p95_s": 2}, "p95 of the whole reply not measured"),
        ({"tokens_per_s": 9}, {"tokens_per_s": 10}, "tokens per second 9, at least 10"),
    ],
)
def test_a_constraint_that_is_not_held_says_why(
    given: dict[str, object], options: dict[str, object], reason: str
) -> None:
    found = barred(variant("slm", **given), SelectOptions.model_validate(options), NOWHERE)

    assert found is not None
    assert found.startswith(reason)


def test_named_hardware_bounds_the_memory_of_local_models_alone() -> None:
    large = {"memory_bytes": 23 << 30, "memory_from": "measured"}

    local, hosted = (barred(variant("m", hosted=h, **large), SelectOptions(), L4) for h in (False, True))

    assert local is not None
    assert "21.60 usable (L4)" in local
    assert hosted is None


def test_a_barred_variant_is_not_tested_but_named() -> None:
    asked = questions(200)
    free, bound = lane("free", asked, cost=0.5, licence="MIT"), lane("bound", asked, cost=0.1, licence="other")

    found = selected(lane("llm", asked), [free, bound], asked, licences=["MIT"])

    assert found.hypotheses == 1
    assert found.decisions[0].variant == "free"
    assert found.decisions[0].rejected["bound"] == "licence other, allowed: MIT"
    assert found.variant("bound").barred is not None


def test_the_front_is_of_accuracy_cost_and_time() -> None:
    best = variant("best", accuracy=0.9, cost_usd_per_call=3.0, e2e_p50_s=2.0)
    quick = variant("quick", accuracy=0.7, cost_usd_per_call=3.0, e2e_p50_s=1.0)
    worse = variant("worse", accuracy=0.7, cost_usd_per_call=4.0, e2e_p50_s=1.0)
    unknown = variant("unknown", accuracy=0.99, e2e_p50_s=0.1)

    points = {one.variant: one for one in pareto_of([best, quick, worse, unknown])}

    assert [name for name, one in points.items() if one.front] == ["best", "quick"]
    assert points["worse"].dominated_by == ("quick",)
    assert points["unknown"].missing == ("cost",)


def test_a_figure_that_nobody_has_counts_for_none() -> None:
    points = pareto_of([variant("a", accuracy=0.9), variant("b", accuracy=0.8)])

    assert [one.front for one in points] == [True, False]
    assert points[0].missing == ()


def test_an_order_that_is_not_decided_says_so_with_its_pairs() -> None:
    asked = questions(160)
    first, second = lane("first", asked, range(17)), lane("second", asked, range(17, 37))

    (pair,) = selected(first, [second], asked).ranking

    assert (pair.discordant, pair.n, pair.decided) == (37, 160, False)
    assert pair.text.startswith("37 of 160 pairs discordant, 20 for the first and 17 for the second: not decided")


def test_a_clear_order_is_decided() -> None:
    asked = questions(160)

    (pair,) = selected(lane("first", asked), [lane("second", asked, range(40))], asked).ranking

    assert pair.decided


def test_the_incumbent_is_the_baseline_unless_another_is_named() -> None:
    asked = questions(2)
    incumbent, slm = lane("gpt", asked, title="incumbent (gpt)"), lane("slm", asked)

    assert find_baseline([slm, incumbent], None) is incumbent
    assert find_baseline([slm, incumbent], "slm") is slm
    assert find_baseline([slm, incumbent], "results/run/slm/") is slm


def test_a_baseline_that_is_not_one_run_is_refused_with_what_there_is() -> None:
    asked = questions(2)

    with pytest.raises(ConfigError, match=r"no run of the incumbent .*select\.baseline=NAME.*slm \(slm\)"):
        find_baseline([lane("slm", asked)], None)
    with pytest.raises(ConfigError, match=r"select\.baseline=other is none of them"):
        find_baseline([lane("slm", asked)], "other")


def test_a_baseline_alone_is_nothing_to_choose_from() -> None:
    asked = questions(2)

    with pytest.raises(DataError, match="only the baseline llm has a run of suite"):
        selected(lane("llm", asked), [], asked)


def test_constraints_that_leave_nobody_keep_everything_and_say_so() -> None:
    asked = questions(60)

    found = selected(lane("llm", asked), [lane("slm", asked, cost=0.1)], asked, licences=["MIT"])

    (one,) = found.decisions
    assert (one.verdict, one.why) == ("keep", "the constraints leave no variant")
    assert found.hypotheses == 0
    assert found.shares[0].not_refuted == 0
