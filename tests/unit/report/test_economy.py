"""Money, energy and size in the table, and from how many calls a day a machine pays."""

from dataclasses import replace

import pytest
from pydantic import JsonValue

from harness.config import hardware_named
from harness.errors import ConfigError
from harness.records.manifest import EnergyFacts
from harness.records.summary import CostInterval, RecordedAnswers, RecordedCost
from harness.report.columns import columns_for
from harness.report.economy import break_evens, cost_range, small_model, watt_hours
from harness.report.group import groups_of
from harness.report.leaderboard import build_leaderboard
from harness.report.view import RunView
from tests.support.report_runs import made_run

LAPTOP: dict[str, JsonValue] = hardware_named("laptop_16gb").model_dump(mode="json")
H100: dict[str, JsonValue] = hardware_named("h100").model_dump(mode="json")


def local(hardware: dict[str, JsonValue] = LAPTOP, *, concurrency: int = 1, bytes: int = 98_400_000) -> RunView:
    run = made_run()
    facts = run.manifest.backend
    assert facts is not None
    assert facts.weights is not None
    facts = facts.model_copy(
        update={"memory_bytes": 2 * bytes, "weights": facts.weights.model_copy(update={"bytes": bytes})}
    )
    config = run.manifest.config | {"hardware": hardware, "run": {"concurrency": concurrency}}
    summary = run.summary.model_copy(update={"wall_s": 100.0, "n_planned": 200, "n_not_run": 0, "complete": True})
    return replace(run, manifest=run.manifest.model_copy(update={"config": config, "backend": facts}), summary=summary)


def hosted(per_call: float = 0.001) -> RunView:
    run = made_run(model="gpt", title="GPT", started_at="2026-03-01T10:00:00+00:00")
    config: dict[str, JsonValue] = {"model": {"name": "gpt", "hosted": True, "price": {"input_usd_per_mtok": 1.0}}}
    return replace(
        run,
        manifest=run.manifest.model_copy(update={"config": config, "backend": None}),
        summary=run.summary.model_copy(update={"cost_usd_per_call": per_call}),
    )


def test_a_machine_paid_all_day_pays_from_its_price_over_the_price_of_a_call() -> None:
    (group,) = groups_of([local(), hosted(0.001)])

    (found,) = break_evens(group)

    # 1,000 USD / 6,000 h + 40 W at 0.17 USD/kWh = 0.17347 USD an hour, 4.1632 a day
    assert found.machine_usd_per_day == pytest.approx(4.1632, abs=1e-4)
    assert found.calls_per_day == pytest.approx(4163.2, abs=0.1)
    assert found.capacity == pytest.approx(172_800)
    assert found.sentence == "from 4,163 calls a day; it can answer 172,800"


def test_a_machine_that_cannot_answer_so_many_calls_is_told_so() -> None:
    (group,) = groups_of([local(H100), hosted(0.0001)])

    (found,) = break_evens(group)

    assert "more than the 172,800 that it can answer" in found.sentence


def test_without_a_hosted_run_or_a_price_there_is_nothing_to_compare() -> None:
    (alone,) = groups_of([local()])
    (unknown,) = groups_of([local({"name": "none", "title": "This machine"}), hosted()])

    assert break_evens(alone) == ()
    assert break_evens(unknown) == ()


def test_a_machine_whose_answers_came_from_the_cache_has_no_pace_to_reckon_with() -> None:
    run = local()
    run = replace(run, summary=run.summary.model_copy(update={"n_cached": 150}))
    (group,) = groups_of([run, hosted()])

    assert break_evens(group) == ()


def test_requests_sent_by_a_schedule_are_not_called_one_at_a_time() -> None:
    run = local()
    settings: dict[str, JsonValue] = {"concurrency": 1, "arrival": {"kind": "poisson", "rate_per_s": 4.0}}
    run = replace(run, manifest=run.manifest.model_copy(update={"config": run.manifest.config | {"run": settings}}))
    (group,) = groups_of([run, hosted()])

    (found,) = break_evens(group)
    small = small_model(run)

    assert found.pace == "sent as its schedule says (poisson)"
    assert small is not None
    assert "by bandwidth" in small[0].why


def test_a_log_of_several_models_each_at_its_own_price_is_one_to_compare_with() -> None:
    log = hosted(0.001)
    config: dict[str, JsonValue] = {"model": {"name": "incumbent", "hosted": True, "price": None}}
    log = replace(log, manifest=log.manifest.model_copy(update={"config": config}))
    (group,) = groups_of([local(), log])

    (found,) = break_evens(group)

    assert found.calls_per_day == pytest.approx(4163.2, abs=0.1)


def incumbent(usd: float, n: int) -> RunView:
    """A log of a model whose list price nobody knows; the log says what `n` of its calls cost."""
    run = hosted()
    config: dict[str, JsonValue] = {"model": {"name": "incumbent", "hosted": False, "price": None}}
    told = RecordedCost(usd=usd, n=n, by=("log",))
    changes = {
        "cost_usd_per_call": None,
        "recorded_cost": told,
        "recorded": RecordedAnswers(n=n, of=n, models=("gpt",)),
    }
    return replace(
        run,
        manifest=run.manifest.model_copy(update={"config": config}),
        summary=run.summary.model_copy(update=changes),
    )


def test_a_model_that_only_the_log_has_a_price_for_is_one_to_compare_with() -> None:
    (group,) = groups_of([local(), incumbent(usd=0.15, n=150)])

    (found,) = break_evens(group)

    assert found.hosted_usd_per_call == pytest.approx(0.001)
    assert found.calls_per_day == pytest.approx(4163.2, abs=0.1)
    assert found.priced == "as told by the log, for 150 of them"


def test_measured_energy_is_paid_by_the_call_and_the_machine_by_the_day() -> None:
    run = local()
    run = replace(run, summary=run.summary.model_copy(update={"energy_joules": 200 * 3600.0}))
    (group,) = groups_of([run, hosted(0.001)])

    (found,) = break_evens(group)

    # 1 Wh a call at 0.17 USD/kWh = 0.00017 USD; 1,000 USD / 6,000 h × 24 h = 4 USD a day
    assert found.machine_usd_per_day == pytest.approx(4.0)
    assert found.energy_usd_per_call == pytest.approx(0.00017)
    assert found.calls_per_day == pytest.approx(4.0 / 0.00083, rel=1e-6)


def test_a_call_whose_energy_costs_more_than_the_other_asks_never_pays() -> None:
    run = local()
    run = replace(run, summary=run.summary.model_copy(update={"energy_joules": 200 * 36_000.0}))
    (group,) = groups_of([run, hosted(0.001)])

    (found,) = break_evens(group)

    assert found.calls_per_day is None
    assert found.sentence == "never: the energy of a call costs more than a call there"


def test_energy_of_a_rented_machine_is_in_its_rent() -> None:
    run = local(H100)
    run = replace(run, summary=run.summary.model_copy(update={"energy_joules": 200 * 3600.0}))
    (group,) = groups_of([run, hosted(0.001)])

    (found,) = break_evens(group)

    assert found.energy_usd_per_call == 0.0


def test_the_page_says_whose_price_and_what_energy_it_reckons_with() -> None:
    run = local()
    run = replace(run, summary=run.summary.model_copy(update={"energy_joules": 200 * 3600.0}))

    page = build_leaderboard([run, incumbent(usd=0.15, n=150)])

    assert "as told by the log, for 150 of them" in page
    assert "energy of a call as measured" in page


def test_the_cell_of_a_missing_cost_tells_a_missing_price_from_missing_counts() -> None:
    silent = hosted()
    silent = replace(silent, summary=silent.summary.model_copy(update={"cost_usd_per_sample": None, "cost_usd": None}))
    paid = local()
    paid = replace(paid, summary=paid.summary.model_copy(update={"cost_usd_per_sample": 0.001}))
    (group,) = groups_of([paid, silent])
    column = next(one for one in columns_for(group) if one.key == "cost")

    assert column.cell(silent).reason == "not known: some answers came without counts of tokens"


def test_the_page_shows_the_break_even_only_where_there_is_one() -> None:
    both, one = build_leaderboard([local(), hosted()]), build_leaderboard([local()])

    assert "it can answer 172,800" in both
    assert "From how many calls a day" not in one


def test_a_model_that_fits_and_answers_quickly_on_a_consumer_device_is_small() -> None:
    found = small_model(local())

    assert found is not None
    assert (found[0].verdict, found[1]) == (True, "Laptop, 16 GB")
    assert "measured" in found[0].why


def test_on_a_server_the_latency_is_not_taken_for_the_laptops() -> None:
    found = small_model(local(H100))

    assert found is not None
    assert found[1] == "Laptop, 16 GB"
    assert "by bandwidth" in found[0].why


def test_a_model_larger_than_the_device_is_not_small() -> None:
    found = small_model(local(H100, bytes=20 << 30))

    assert found is not None
    assert (found[0].verdict, found[0].why) == (False, "does not fit")


def test_a_model_whose_weights_are_not_seen_is_left_open() -> None:
    assert small_model(hosted()) is None


def test_energy_is_told_per_thousand_attempts() -> None:
    run = local()
    measured = replace(run, summary=run.summary.model_copy(update={"energy_joules": 720.0}))

    assert watt_hours(measured) == pytest.approx(1.0)
    assert watt_hours(run) is None


def test_why_energy_is_missing_stands_in_the_cell() -> None:
    run = local()
    facts = EnergyFacts(joules=None, seconds=1.0, reason="no RAPL counter here")
    run = replace(run, manifest=run.manifest.model_copy(update={"energy": facts}))
    seen = replace(local(), summary=run.summary.model_copy(update={"energy_joules": 720.0, "run": "other"}))
    (group,) = groups_of([run, seen])
    column = next(one for one in columns_for(group) if one.key == "energy")

    assert column.cell(run).reason == "not measured: no RAPL counter here"
    assert column.cell(seen).text == "1.00 Wh"


def test_an_interval_without_a_bound_says_so() -> None:
    bounded = CostInterval(low=0.001, high=0.002, level=0.95, method="t")

    assert cost_range(bounded) == "95 % interval $1.00 to $2.00 (t)"
    assert "upwards, without a bound" in cost_range(bounded.model_copy(update={"high": None}))
    assert cost_range(None) == ""


def test_a_machine_that_is_not_known_names_those_that_are() -> None:
    with pytest.raises(ConfigError, match=r"hardware=toaster is not known; there are: a10g, .*phone_8gb"):
        hardware_named("toaster")
