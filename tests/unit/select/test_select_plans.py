"""Which deployments to run, and what fewer of them give away."""

from itertools import combinations

import numpy as np
import pytest

from harness.records.decision import Assessment, Decision, Selection, Traffic
from harness.select import plans as plans_module
from harness.select.lane import Lane, Question
from tests.support.lanes import lane, questions, selected, variant

N = 300


def two_specialists() -> tuple[list[Question], Lane, list[Lane]]:
    """Cluster a can go to `left` and `wide`, b to `right` and `wide`; `wide` is dearer than both."""
    asked = [*questions(N, "a"), *questions(N, "b")]
    a, b = range(N), range(N, 2 * N)
    base = lane("llm", asked, cost=1.0)
    lanes = [lane("left", asked, b, cost=0.1), lane("right", asked, a, cost=0.1), lane("wide", asked, cost=0.3)]
    return asked, base, lanes


def test_each_simplification_has_its_price() -> None:
    asked, base, lanes = two_specialists()

    found = selected(base, lanes, asked, most_models=3)

    best, one = found.plans
    assert best.deployments == ("left", "right")
    assert best.assignment == {"a": "left", "b": "right"}
    assert best.cost_usd_per_1k == pytest.approx(100)
    assert best.price_usd_per_1k is None
    assert (one.name, one.deployments, one.exact) == ("one for all", ("wide",), True)
    assert one.price_usd_per_1k == pytest.approx(200)
    assert one.price_calls == 0


def test_no_plan_without_a_variant_that_passes() -> None:
    asked = questions(20)

    assert selected(lane("llm", asked), [lane("slm", asked)], asked).plans == ()


def _brute(found: Selection, count: int) -> float:
    """The least cost of 1,000 calls with so many deployments, by looking at every set."""
    names = sorted({one.variant for d in found.decisions for one in d.evidence if one.status == "pass"})
    calls = sum(d.traffic.calls for d in found.decisions)
    costs = []
    for held in combinations(names, min(count, len(names))):
        total = 0.0
        for d in found.decisions:
            assert d.traffic.usd is not None
            own = [one.cost_usd_per_call or 0 for one in d.evidence if one.status == "pass" and one.variant in held]
            total += min(own) * d.traffic.calls if own else d.traffic.usd
        costs.append(1000 * total / calls)
    return min(costs)


@pytest.mark.parametrize("seed", range(3))
def test_the_best_few_are_the_best_of_all_sets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    asked = [question for name in "abcde" for question in questions(N, name)]
    lanes = [lane("wide", asked, cost=0.6)]
    for k in range(5):  # each right in its own cluster and in one other
        held = {k, int(rng.integers(5))}
        wrong = [n for c in range(5) if c not in held for n in range(c * N, (c + 1) * N)]
        lanes.append(lane(f"m{k}", asked, wrong, cost=float(rng.uniform(0.1, 0.3))))

    found = selected(lane("llm", asked), lanes, asked, stats={"hybrid": []}, most_models=4)

    assert len(found.plans) >= 3
    for plan in found.plans[1:]:
        assert plan.exact
        assert plan.cost_usd_per_1k == pytest.approx(_brute(found, len(plan.deployments)))


def test_a_choice_too_large_is_greedy_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, base, lanes = two_specialists()
    monkeypatch.setattr(plans_module, "_MOST_CHOICES", 1)

    found = selected(base, lanes, asked)

    assert [plan.exact for plan in found.plans] == [True, False]
    assert found.plans[1].deployments == ("wide",)


def test_without_costs_most_calls_decide() -> None:
    asked = [*questions(N, "a"), *questions(N, "b")]
    lanes = [lane("part", asked, range(N), cost=None), lane("all", asked, cost=None)]

    found = selected(lane("llm", asked, cost=None), lanes, asked)

    assert found.plans[0].cost_usd_per_1k is None
    assert found.plans[0].calls_moved == 1


def _passing(variant_: str, cost: float, handed: float | None = None) -> Assessment:
    return Assessment(
        cluster="", variant=variant_, mode="direct" if handed is None else "hybrid", status="pass", p=0.0,
        p_adjusted=0.0, criteria=(), n=1, accuracy=1.0, cost_usd_per_call=cost, ttft_p95_s=None, e2e_mean_s=None,
        e2e_p50_s=None, e2e_p95_s=None, escalated=handed,
    )  # fmt: skip


def test_a_plan_names_no_deployment_that_takes_nothing() -> None:
    """`wide` as a hybrid everywhere is the best one, and no second one makes it better: `idle` least of all."""
    offers = {
        "a": [_passing("left", 0.8), _passing("wide", 0.5, 0.4), _passing("idle", 0.6, 0.4)],
        "b": [_passing("middle", 0.8), _passing("wide", 0.5, 0.4)],
        "c": [_passing("right", 0.8), _passing("wide", 0.5, 0.4)],
    }
    decisions = [
        Decision(
            cluster=name, name=name, verdict="replace", variant=evidence[0].variant, more=None, why="", n=1, sessions=1,
            traffic=Traffic(calls=1.0, tokens=None, usd=1.0, seconds=None), baseline_accuracy=1.0, rejected={},
            evidence=tuple(evidence),
        )
        for name, evidence in offers.items()
    ]  # fmt: skip
    lanes = {one.variant: Lane(variant(one.variant), {}) for each in offers.values() for one in each}

    found = plans_module.make_plans(decisions, lanes, 3)

    assert [(plan.name, plan.deployments) for plan in found] == [
        ("the best for each cluster", ("left", "middle", "right")),
        ("one for all", ("wide",)),
    ]
