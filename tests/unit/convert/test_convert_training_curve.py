"""What more rows buy: read off a law where the points follow one, and not at all where they do not."""

import pytest

from harness.convert.training.curve import fit_curve
from harness.records.convert import CurvePoint


def points(*seen: tuple[int, float], n: int = 400) -> list[CurvePoint]:
    return [CurvePoint(rows=rows, steps=100, seconds=1.0, metric=metric, n=n) for rows, metric in seen]


def test_a_power_law_is_found_and_foretells_the_next_doubling() -> None:
    law = points(*((rows, 1 - 4 * rows**-0.5) for rows in (50, 100, 250, 500, 1000)))

    found = fit_curve(law, key="k")

    assert found.exponent == pytest.approx(0.5, abs=0.02)
    assert found.next_rows == 2000
    assert found.next_metric == pytest.approx(1 - 4 * 2000**-0.5, abs=0.01)
    assert found.next_interval is not None
    low, high = found.next_interval.low, found.next_interval.high
    assert low is not None
    assert high is not None
    assert low < 1 - 4 * 2000**-0.5 < high


def test_points_that_do_not_rise_foretell_nothing() -> None:
    found = fit_curve(points((50, 0.8), (100, 0.81), (250, 0.8), (500, 0.79), n=50), key="k")

    assert found.next_metric is None
    assert found.why.startswith("cannot tell: these points do not show")


def test_two_points_make_no_law() -> None:
    found = fit_curve(points((50, 0.5), (100, 0.9)), key="k")

    assert found.exponent is None
    assert "takes 3 points, here are 2" in found.why


def test_a_point_that_nobody_judged_is_left_out_and_kept() -> None:
    unjudged = CurvePoint(rows=1000, steps=100, seconds=1.0, metric=None, n=0)

    found = fit_curve([*points((50, 0.5), (100, 0.9)), unjudged], key="k")

    assert len(found.points) == 3
    assert found.next_metric is None


def test_no_error_at_all_still_has_an_interval() -> None:
    found = fit_curve(points((50, 0.5), (100, 0.8), (250, 1.0), (500, 1.0), n=60), key="k")

    assert found.next_interval is not None
    assert found.next_interval.low is not None
    assert found.next_interval.low < 1.0


def test_the_same_points_give_the_same_law() -> None:
    seen = points((50, 0.5), (100, 0.7), (250, 0.9))

    assert fit_curve(seen, key="k") == fit_curve(seen, key="k")
