"""What is kept apart: costs that others tell, batch prices, what was paid, and who wrote to which cache."""

import pytest

from harness.config import LongPromptPrices, PriceConfig, TokenPrices
from harness.records import Attempt, RecordedBy, Reply, Step, Timing, Usage
from harness.runner.agent import total_usage
from harness.runner.books import Books

PRICE = PriceConfig(
    input_usd_per_mtok=2,
    output_usd_per_mtok=8,
    as_of="2026-11-01",
    batch=TokenPrices(input_usd_per_mtok=1, output_usd_per_mtok=4),
    long_prompt=(LongPromptPrices(over_tokens=5000, input_usd_per_mtok=4, output_usd_per_mtok=16),),
)


def attempt(prompt: int = 1000, output: int = 100, **more: object) -> Attempt:
    usage = Usage(prompt_tokens=prompt, output_tokens=output, counted_by="server")
    base = {"sample": "s", "model": "m", "protocol": "native", "backend": "b", "reply": Reply(content="x")}
    return Attempt.model_validate({**base, "timing": Timing(at=0.0), "usage": usage, **more})


def books(*attempts: Attempt) -> Books:
    found = Books(PRICE)
    for one in attempts:
        found.add(one)
    return found


def test_told_and_computed_costs_are_summed_over_the_same_attempts_and_never_together() -> None:
    told: RecordedBy = "provider"
    found = books(
        attempt(cost_usd=0.5, recorded_cost_usd=0.25, recorded_cost_by=told),
        attempt(cost_usd=0.5, recorded_cost_usd=0.25, recorded_cost_by=told),
        attempt(cost_usd=8.0),
    ).told()

    assert found is not None
    assert (found.usd, found.n, found.computed_usd, found.by) == (0.5, 2, 1.0, ("provider",))


def test_where_one_has_no_price_there_is_no_sum_beside_what_is_told() -> None:
    found = books(attempt(cost_usd=0.5, recorded_cost_usd=0.25), attempt(recorded_cost_usd=0.25)).told()

    assert found is not None
    assert (found.usd, found.computed_usd) == (0.5, None)


def test_a_batch_costs_what_its_own_prices_say() -> None:
    assert books(attempt(), attempt()).batch_usd() == pytest.approx(2 * (1000 * 1 + 100 * 4) / 1e6)


def test_a_batch_with_one_prompt_whose_batch_price_is_not_known_has_no_sum() -> None:
    assert books(attempt(), attempt(prompt=6000)).batch_usd() is None


def test_an_agents_steps_are_no_batch() -> None:
    step = Step(turn=0, reply=Reply(content="x"), timing=Timing(at=0.0))

    assert books(attempt(steps=(step,))).batch_usd() is None


def test_of_a_task_with_some_replies_from_the_cache_only_the_others_were_paid() -> None:
    steps = tuple(
        Step(turn=0, reply=Reply(content="x"), timing=Timing(at=0.0), cost_usd=0.5, origin=origin)
        for origin in ("cached", "measured", "cached")
    )

    assert attempt(steps=steps, cost_usd=1.5, origin="cached").spent_usd == 0.5


@pytest.mark.parametrize(("origin", "spent"), [("measured", 0.5), ("cached", 0.0), ("recorded", 0.0)])
def test_what_was_not_asked_was_not_paid(origin: str, spent: float) -> None:
    assert attempt(cost_usd=0.5, origin=origin).spent_usd == spent


def test_a_journal_of_before_reads_as_measured() -> None:
    old = attempt().model_dump(
        mode="json", exclude={"origin", "recorded_cost_usd", "recorded_cost_by", "latency_source"}
    )

    assert Attempt.model_validate(old).origin == "measured"


def test_tokens_written_to_a_cache_are_summed_over_an_agents_steps() -> None:
    steps = [
        Step(turn=0, reply=Reply(content="x"), timing=Timing(at=0.0), usage=Usage(cache_write_tokens=number))
        for number in (400, None, 50)
    ]

    assert total_usage(steps).cache_write_tokens == 450
