"""Other prices and more load, against counts by hand."""

import numpy as np
import pytest

from harness.config import RouteOptions
from harness.route.evidence import Evidence
from harness.route.simulate import View
from harness.route.what_if import load_cases, price_cases, waits
from tests.support.route_calls import SMALL, call, drawn, evidence, sample


def two(arrivals: tuple[float | None, float | None] = (0.0, 10.0)) -> tuple[Evidence, list[View]]:
    """One call that is kept and one that is handed on; 2 USD large, 0.5 USD small; 4 s and 1 s."""
    calls = [
        call(sample(f"q{n}", arrival_s=arrivals[n]), drawn(1.0, cost=2.0, seconds=4.0), drawn(1.0, cost=0.5))
        for n in range(2)
    ]
    views = [View(one, None, SMALL, None, sure, "unsure") for one, sure in zip(calls, (0.9, 0.1), strict=True)]
    return evidence([], calls), views


def prices(**given: object) -> tuple[float | None, float | None, float | None, float | None]:
    found, views = two()
    case = price_cases(found, views, 0.5, RouteOptions.model_validate({"prices": given}))[-1]
    return case.policy_usd, case.large_usd, case.small_usd, case.saved


def test_a_factor_multiplies_what_the_model_costs() -> None:
    # kept 0.5 × 3; handed on 0.5 × 3 + 2
    assert prices(small=3) == pytest.approx(((1.5 + 3.5) / 2, 2.0, 1.5, 1 - 2.5 / 2.0))


def test_a_price_by_tokens_counts_them() -> None:
    # 100 tokens in, 10 out of each call
    policy, large, small, _ = prices(large={"input": 10_000.0, "output": 100_000.0})

    assert (policy, large, small) == pytest.approx(((0.5 + 2.5) / 2, 2.0, 0.5))


def test_without_prices_there_are_cases_all_the_same() -> None:
    found, views = two()

    cases = price_cases(found, views, 0.5, RouteOptions())

    assert [one.name for one in cases] == [
        "as recorded", "small models at 0.5 times their cost", "small models at 2 times their cost",
        "large model at half its cost",
    ]  # fmt: skip
    assert cases[0].policy_usd == pytest.approx((0.5 + 2.5) / 2)


def test_a_cost_nobody_knows_is_none() -> None:
    calls = [call(sample("q"), drawn(1.0, cost=None), drawn(1.0))]

    views = [View(calls[0], None, SMALL, None, 0.9, "")]

    asked = RouteOptions.model_validate({"prices": {"small": 2.0}})
    (case, *_) = price_cases(evidence([], calls), views, 0.5, asked)

    assert price_cases(evidence([], calls), views, 0.5, RouteOptions()) == (), "a table of dashes tells nobody anything"
    assert (case.policy_usd, case.saved, case.costed) == (None, None, 0)


@pytest.mark.parametrize(
    "price", [{"factor": 1, "input": 2, "output": 3}, {"input": 2}, {}], ids=["both", "half", "none"]
)
def test_a_price_is_said_in_one_way(price: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"give a factor, or input and output|input and output go together"):
        RouteOptions.model_validate({"prices": {"small": price}})


def test_calls_wait_for_the_first_free_slot() -> None:
    arrivals, takes = np.array([0.0, 0.0, 0.0, 5.0]), np.array([3.0, 4.0, 2.0, 1.0])

    assert waits(arrivals, takes, 1).tolist() == [0.0, 3.0, 7.0, 4.0]
    assert waits(arrivals, takes, 2).tolist() == [0.0, 0.0, 3.0, 0.0]


def test_waiting_agrees_with_the_queue_that_can_be_solved() -> None:
    """One slot, random arrivals, exponential service at half load: mean wait = service time (M/M/1)."""
    rng = np.random.default_rng(1)
    arrivals, takes = np.cumsum(rng.exponential(2.0, 60_000)), rng.exponential(1.0, 60_000)

    assert float(waits(arrivals, takes, 1).mean()) == pytest.approx(1.0, rel=0.1)


def test_more_load_makes_the_small_engine_busier_and_calls_wait() -> None:
    found, views = two()

    cases, why = load_cases(found, views, 0.5, RouteOptions.model_validate({"load": [1, 4], "calls_per_s": 0.5}))

    assert why is None
    assert cases[0].busy == pytest.approx(0.5, rel=0.1)
    assert cases[1].busy == pytest.approx(2.0, rel=0.1)
    assert (cases[0].wait_p95_s or 0.0) < (cases[1].wait_p95_s or 0.0)


def test_the_logs_own_times_are_taken_where_it_has_them() -> None:
    found, views = two((0.0, 10.0))

    cases, why = load_cases(found, views, 0.5, RouteOptions.model_validate({"load": [2]}))

    assert why is None
    assert (cases[0].calls_per_s, cases[0].n, cases[0].wait_p95_s) == (2 / 5, 2, 0.0)


def test_a_suite_without_times_says_what_to_type() -> None:
    found, views = two((None, None))

    cases, why = load_cases(found, views, 0.5, RouteOptions())

    assert cases == ()
    assert why == "No load was simulated: the suite does not say when its calls came (route.calls_per_s=2 does)."


def test_calls_known_to_be_unsure_do_not_load_the_small_engine() -> None:
    found, views = two()
    known = [View(one.call, None, SMALL, one.confidence, one.confidence, "unsure") for one in views]

    asked, _ = load_cases(found, views, 0.5, RouteOptions.model_validate({"load": [1], "calls_per_s": 0.5}))
    spared, _ = load_cases(found, known, 0.5, RouteOptions.model_validate({"load": [1], "calls_per_s": 0.5}))

    assert spared[0].calls_per_s == pytest.approx(asked[0].calls_per_s / 2, rel=0.1)
