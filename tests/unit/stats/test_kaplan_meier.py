"""The product-limit estimate, beside values worked out by hand and by simulation."""

import numpy as np
import pytest
from scipy.stats import CensoredData, ecdf

from harness.errors import DataError
from harness.stats.survival import kaplan_meier


def test_without_censoring_it_is_the_share_that_is_left() -> None:
    found = kaplan_meier([1, 2, 2, 4], [True] * 4)

    assert [(one.time, one.at_risk, one.events) for one in found] == [(1, 4, 1), (2, 3, 2), (4, 1, 1)]
    assert [one.share for one in found] == pytest.approx([0.75, 0.25, 0.0])


def test_who_is_lost_from_sight_counts_until_then() -> None:
    found = kaplan_meier([1, 2, 3, 4], [True, False, True, False])

    assert [(one.time, one.at_risk) for one in found] == [(1, 4), (3, 2), (4, 1)]
    assert [one.share for one in found] == pytest.approx([0.75, 0.375, 0.375])


def test_one_lost_at_the_time_of_an_event_is_at_risk_of_it() -> None:
    (found,) = kaplan_meier([2, 2], [True, False])

    assert (found.at_risk, found.share) == (2, 0.5)


def test_no_interval_is_given_where_all_or_none_are_left() -> None:
    full = kaplan_meier([3, 5], [False, False])
    none = kaplan_meier([1, 1], [True, True])

    assert [one.interval for one in (*full, *none)] == [None, None]


def test_what_hangs_together_counts_as_one() -> None:
    times, events = [1, 2, 2, 4, 5, 5, 6, 7], [True, True, False, True, True, False, True, False]
    pairs = [unit for unit in range(8) for _ in range(2)]

    alone = kaplan_meier(times, events)
    doubled = kaplan_meier(np.repeat(times, 2).tolist(), np.repeat(events, 2).tolist(), pairs)

    for one, two in zip(alone, doubled, strict=True):
        assert one.share == pytest.approx(two.share)
        assert one.interval is not None
        assert two.interval is not None
        assert (one.interval.low, one.interval.high) == pytest.approx((two.interval.low, two.interval.high))


def test_for_units_of_one_the_variance_is_greenwoods() -> None:
    rng = np.random.default_rng(3)
    ends, lost = rng.geometric(0.1, 4_000), rng.integers(1, 30, 4_000)
    times, events = np.minimum(ends, lost), ends <= lost
    function = ecdf(CensoredData(uncensored=times[events], right=times[~events])).sf
    between = function.confidence_interval(method="log-log")

    for one in kaplan_meier(times.tolist(), events.tolist())[:15]:
        assert one.share == pytest.approx(float(function.evaluate(one.time)))
        assert one.interval is not None
        assert one.interval.low == pytest.approx(float(between.low.evaluate(one.time)), abs=5e-4)
        assert one.interval.high == pytest.approx(float(between.high.evaluate(one.time)), abs=5e-4)


def test_one_unit_alone_has_no_interval() -> None:
    (first, *_) = kaplan_meier([1, 2, 3], [True, True, False], ["s", "s", "s"])

    assert first.interval is None


def test_what_was_never_seen_counts_for_nothing() -> None:
    assert kaplan_meier([0, 0], [False, False]) == ()
    assert kaplan_meier([0, 1, 2], [False, True, False])[0].at_risk == 2


def test_times_and_events_belong_together() -> None:
    with pytest.raises(DataError, match="2 times, 1 events and 0 units"):
        kaplan_meier([1, 2], [True])


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(200):
        ends = rng.geometric(0.2, 80)
        lost = rng.integers(2, 9, 80)
        found = kaplan_meier(np.minimum(ends, lost).tolist(), (ends <= lost).tolist())
        third = next(one for one in found if one.time == 3)
        assert third.interval is not None
        held += third.interval.low <= 0.8**3 <= third.interval.high

    assert held >= 180
