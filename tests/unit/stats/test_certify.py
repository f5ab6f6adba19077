"""Certified thresholds and the curves of routers."""

from math import inf

import numpy as np
import pytest

from benchmarks.certificates import DESIGNS, Design, edge, root, simulate
from harness.errors import DataError
from harness.stats.cascade import apgr, call_performance_threshold, coverage_curve, recovered
from harness.stats.certify import TwoAnswers, certify, ladder, routed


def calls(n: int, prefix: str, *, wrong: int = 0, session: int | None = None) -> list[TwoAnswers]:
    """The small model is right but for the least sure ones; the large one always is."""
    return [
        TwoAnswers(
            f"{prefix}{i}",
            (i + 0.5) / n,
            float(i >= wrong),
            1.0,
            session=f"{prefix}{i // session}" if session else None,
        )
        for i in range(n)
    ]


def test_a_threshold_is_certified_where_the_small_model_never_loses() -> None:
    found = certify(calls(100, "a"), calls(100, "b"), margin=0.05)

    assert found is not None
    assert found.covered > 0.95
    assert found.difference == 0.0
    assert found.coverage.low < found.covered
    assert found.worst == pytest.approx(-0.0295, abs=0.001)  # 1 - 0.05 ** (1 / 100): what 100 without a loss show


def test_too_few_calls_certify_nothing() -> None:
    assert certify(calls(58, "a"), calls(58, "b"), margin=0.05) is None
    assert certify(calls(59, "a"), calls(59, "b"), margin=0.05) is not None


def test_the_threshold_stays_above_the_calls_that_the_small_model_loses() -> None:
    found = certify(calls(400, "a", wrong=100), calls(400, "b", wrong=100), margin=0.05)

    assert found is not None
    assert 0.70 < found.covered < 0.80
    assert found.rungs[-1].p > 0.05 or found.rungs[-1].threshold == found.threshold


def test_calls_that_may_never_be_passed_on_are_not() -> None:
    never = [TwoAnswers(f"n{i}", -inf, 1.0, 1.0) for i in range(50)]

    found = certify(calls(100, "a") + never, [*calls(100, "b"), TwoAnswers("m", -inf, 0.0, 1.0)], margin=0.05)

    assert found is not None
    assert found.covered < 1.0
    assert routed([TwoAnswers("m", -inf, 0.0, 1.0)], found.threshold) == {"m": [1.0]}


def test_calls_of_equal_confidence_are_passed_on_together() -> None:
    tied = [TwoAnswers(f"t{i}", 0.5, float(i % 2), 1.0) for i in range(10)]

    assert ladder(tied, 0.05) == []
    assert ladder(tied, 0.6) == [0.5]


def test_sessions_are_judged_whole() -> None:
    found = certify(calls(100, "a", session=10), calls(100, "b", session=10), margin=0.05)

    assert found is None  # ten sessions without a loss show less than a hundred calls


@pytest.mark.parametrize(
    ("tuning", "testing", "says"),
    [
        ([], [TwoAnswers("b", 1, 1, 1)], "choose it on"),
        ([TwoAnswers("a", 1, 1, 1)], [], "certified on"),
        ([TwoAnswers("a", 1, 1, 1)], [TwoAnswers("a", 1, 1, 1)], "in both splits"),
        ([TwoAnswers("a", 1, 1, 1, "s")], [TwoAnswers("b", 1, 1, 1, "s")], "session s is in both"),
    ],
)
def test_splits_that_are_none_are_refused(tuning: list[TwoAnswers], testing: list[TwoAnswers], says: str) -> None:
    with pytest.raises(DataError, match=says):
        certify(tuning, testing, margin=0.05)


@pytest.mark.parametrize("design", [Design("root", root, 0.1, 60), Design("edge", edge, 0.05, 70)])
def test_certificates_are_wrong_at_most_as_often_as_they_say(design: Design) -> None:
    wrong, _, _ = simulate(design, draws=30, seed=3, steps=8)  # 1,000 draws of more designs: benchmarks/certificates.py

    assert wrong <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 30)


def test_the_designs_are_what_they_are_called() -> None:
    at_the_edge = next(one for one in DESIGNS if one.name == "edge")

    assert at_the_edge.loss(0.0) == pytest.approx(0.05)
    assert at_the_edge.loss(0.5) == pytest.approx(0.025)


def test_a_router_that_draws_lots_closes_half_the_gap() -> None:
    rng = np.random.default_rng(0)
    lots = [TwoAnswers(str(i), rng.random(), float(rng.random() < 0.5), 1.0) for i in range(4000)]

    curve = coverage_curve(lots)

    assert apgr(curve) == pytest.approx(0.5, abs=0.03)
    assert recovered(curve, 0.3) == pytest.approx(0.3, abs=0.05)
    assert call_performance_threshold(curve, 0.8) == pytest.approx(0.8, abs=0.05)


def test_the_best_router_asks_the_large_model_only_where_it_helps() -> None:
    best = [TwoAnswers(str(i), float(i >= 30), float(i >= 30), 1.0) for i in range(100)]

    curve = coverage_curve(best)

    assert call_performance_threshold(curve, 1.0) == pytest.approx(0.3)
    assert apgr(curve) == pytest.approx(0.85)


def test_models_of_equal_worth_leave_no_gap_to_close() -> None:
    same = coverage_curve([TwoAnswers("a", 0.1, 1.0, 1.0), TwoAnswers("b", 0.9, 1.0, 1.0)])

    assert (apgr(same), recovered(same, 0.5), call_performance_threshold(same, 0.5)) == (None, None, None)
