"""The monitor keeps its promise at every look, finds a loss in time, and goes on from what it has written."""

import numpy as np
import pytest
from pydantic import ValidationError

from benchmarks.monitor import Truth, ends, measure, stream
from harness.errors import DataError
from harness.records.monitor import MonitorDesign, MonitorState
from harness.stats.monitor import Monitor, cells_of, least_delay

STREAMS = 250
"""Of each test; all draws are seeded."""


def false_share(design: MonitorDesign, truth: Truth, seed: int = 1) -> float:
    """Share of streams without a change in which the monitor ever alarms."""
    totals, sizes = stream(truth, STREAMS, np.random.default_rng(seed))
    return float((ends([design], totals, sizes) <= truth.looks).mean())


def test_no_more_streams_at_the_limit_ever_alarm_than_promised() -> None:
    row = measure((Truth("null", MonitorDesign(limit=0.2), after=None, looks=1500), STREAMS, 3))

    assert 0 < row["false"] / STREAMS <= 0.05


def test_a_loss_of_five_points_at_twenty_is_found_within_five_hundred_calls() -> None:
    row = measure((Truth("loss", MonitorDesign(limit=0.2), looks=4000), STREAMS, 4))

    assert row["missed"] == 0
    assert row["bound"] < row["delay"] < 500


def test_a_greater_loss_is_found_sooner() -> None:
    row = measure((Truth("loss", MonitorDesign(limit=0.2), after=(0.4, 0.0), looks=800), STREAMS, 5))

    assert row["delay"] < 70


def test_a_rate_bounds_false_alarms_within_any_number_of_units() -> None:
    design = MonitorDesign(limit=0.2, promise="rate", every=5000)

    assert 0 < false_share(design, Truth("null", design, after=None, looks=1000)) <= 1000 / 5000


def test_a_rate_finds_a_loss_that_begins_late_as_soon_as_one_that_begins_at_once() -> None:
    design = MonitorDesign(limit=0.2, promise="rate", every=5000)

    late = measure((Truth("late", design, change=500, looks=3000), STREAMS, 6))

    assert late["delay"] < 500


def test_calls_that_hang_together_are_sound_as_sessions_only() -> None:
    design = MonitorDesign(limit=0.2, largest=8)
    truth = Truth("null", design, after=None, largest=8, looks=600)

    assert false_share(design, truth) <= 0.05

    totals, sizes = stream(truth, STREAMS, np.random.default_rng(1))
    room = np.arange(8)
    single = (room < totals[..., None])[room < sizes[..., None]][: STREAMS * 2400].reshape(STREAMS, -1)
    alone = ends([MonitorDesign(limit=0.2)], single.astype(float), np.ones(single.shape))
    assert (alone <= single.shape[1]).mean() > 0.1


def test_a_state_goes_on_where_it_stopped() -> None:
    design = MonitorDesign(limit=0.1, largest=3)
    units = [(float(n % 7 == 0) + float(n % 3 == 0), 1 + n % 3 + (n % 7 == 0)) for n in range(90)]
    whole, first = Monitor(design), Monitor(design)
    for total, size in units:
        whole.look(min(total, size), size)
    for total, size in units[:40]:
        first.look(min(total, size), size)

    second = Monitor(design, MonitorState.model_validate_json(first.state.model_dump_json()))
    for total, size in units[40:]:
        second.look(min(total, size), size)

    assert second.state == whole.state


def test_the_state_does_not_grow() -> None:
    monitor = Monitor(MonitorDesign(limit=0.2))
    for _ in range(10):
        monitor.look(0.0)
    early = len(monitor.state.model_dump_json())

    for _ in range(1000):
        monitor.look(0.0)

    assert len(monitor.state.model_dump_json()) < early + 60


def test_a_baseline_of_few_calls_takes_more_to_alarm_than_one_of_many() -> None:
    def looks(calls: int) -> int:
        blocks = ((1.0, 1, calls // 5), (0.0, 1, calls - calls // 5))
        monitor = Monitor(MonitorDesign(limit=0.0, baseline=blocks))
        while not monitor.alarm:
            monitor.look(float(monitor.state.units % 2))
        return monitor.state.units

    assert looks(50) > looks(500) > looks(20_000)


def test_a_baseline_that_is_not_known_exactly_does_not_break_the_promise() -> None:
    design = MonitorDesign(limit=0.0, baseline=((1.0, 1, 1), (0.0, 1, 4)), detect=0.2)
    truth = Truth("null", design, after=None, calibration=60, looks=150)

    row = measure((truth, STREAMS, 7))

    assert row["false"] / row["streams"] <= 0.05


def test_supposed_means_of_a_baseline_lie_on_a_grid_that_the_data_do_not_move() -> None:
    one = cells_of(MonitorDesign(limit=0.01, baseline=((1.0, 1, 80), (0.0, 1, 320))))
    other = cells_of(MonitorDesign(limit=0.01, baseline=((1.0, 1, 83), (0.0, 1, 317))))

    assert {round(cell.limit, 9) for cell in one} & {round(cell.limit, 9) for cell in other}
    assert all(abs(cell.limit / 0.00125 - round(cell.limit / 0.00125)) < 1e-6 for cell in (*one, *other))


def test_the_likeliest_beginning_of_a_change_is_named() -> None:
    monitor = Monitor(MonitorDesign(limit=0.2))
    for n in range(300):
        monitor.look(float(n % 10 == 0))
    while not monitor.alarm:
        monitor.look(float(monitor.state.units % 2))

    assert 290 <= monitor.state.since_units <= 305


def test_the_wait_that_is_told_is_about_that_of_the_mean_stream() -> None:
    told = Monitor(MonitorDesign(limit=0.2)).to_go()

    assert told == pytest.approx(449, rel=0.1)


def test_no_delay_can_be_had_for_a_mean_within_the_limit() -> None:
    with pytest.raises(DataError, match="no change to be found"):
        least_delay({1.0: 0.2, 0.0: 0.8}, 0.2)


@pytest.mark.parametrize(("total", "size"), [(2.0, 1), (-0.1, 1), (0.0, 0)])
def test_a_unit_out_of_bounds_is_refused(total: float, size: int) -> None:
    with pytest.raises(DataError, match="a unit of values"):
        Monitor(MonitorDesign(limit=0.2)).look(total, size)


def test_designs_that_promise_nothing_are_refused() -> None:
    with pytest.raises(ValidationError, match="leaves the bounds"):
        MonitorDesign(limit=0.96)
    with pytest.raises(ValidationError, match="the limit lies between"):
        MonitorDesign(limit=0.0)
    with pytest.raises(ValidationError, match="need a spread"):
        MonitorDesign(limit=0.0, low=-1.0)
    with pytest.raises(ValidationError, match="promise=ever"):
        MonitorDesign(limit=0.0, baseline=((1.0, 1, 5),), promise="rate")
