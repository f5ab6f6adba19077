"""Verdicts and intervals: invariants on any counts, values, sessions and weights."""

from math import isfinite
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.records.summary import Interval
from harness.stats.bounded import Units, units_interval, units_of, units_p
from harness.stats.multiplicity import benjamini_hochberg, holm
from harness.stats.paired import Pairs
from harness.stats.paired_conditional import conditional_inferior_p, conditional_noninferior_p
from harness.stats.paired_units import difference_interval, sign_flip_p, units_verdict
from harness.stats.paired_verdict import compare
from harness.stats.weighted import Stratum, weighted_mean

_VALUE = st.sampled_from((0.0, 0.25, 0.5, 1.0))
_SAMPLE = st.tuples(_VALUE, _VALUE, st.integers(0, 6))
_SAMPLES = st.lists(_SAMPLE, min_size=1, max_size=40)
few = settings(max_examples=60, deadline=None)


def sound(found: Interval, value: float, low: float, high: float) -> None:
    assert low <= found.low <= value + 1e-9
    assert value - 1e-9 <= found.high <= high
    assert found.high - found.low > 1e-6
    assert isfinite(found.low)
    assert isfinite(found.high)


@few
@given(_SAMPLES)
def test_every_interval_holds_its_estimate_and_has_a_width(samples: list[tuple[float, float, int]]) -> None:
    first, second, sessions = (list(one) for one in zip(*samples, strict=True))
    apart = [after - before for before, after in zip(first, second, strict=True)]

    for labels in ((), sessions):
        units, differences = units_of(first, labels), units_of(apart, labels)
        sound(units_interval(units), units.mean, 0, 1)
        sound(difference_interval(differences), differences.mean, -1, 1)


@few
@given(_SAMPLES, st.floats(0.01, 0.5), st.sampled_from((0.025, 0.05)))
def test_a_verdict_never_passes_and_fails_and_turns_with_the_two_lanes(
    samples: list[tuple[float, float, int]], margin: float, alpha: float
) -> None:
    apart = [after - before for before, after, _ in samples]
    units = units_of(apart, [session for _, _, session in samples])

    found = units_verdict(units, margin, alpha)

    assert not (found.p_noninferior <= alpha and found.p_inferior <= alpha)
    assert found.p_noninferior + found.p_inferior >= 1 - 1e-6
    if found.verdict == "fail":
        assert units.mean < -margin
    if found.verdict == "pass":
        assert units.mean > -margin
    mirrored = Units(-units.totals, units.sizes, units.samples)
    assert units_p(mirrored, margin, low=-1.0, high=1.0, greater=False) == pytest.approx(found.p_noninferior, abs=1e-6)


@few
@given(_SAMPLES, st.randoms(use_true_random=False))
def test_a_comparison_knows_no_order(samples: list[tuple[float, float, int]], random: Random) -> None:
    names = [f"s{i}" for i in range(len(samples))]
    turned = list(range(len(samples)))
    random.shuffle(turned)

    def compared(order: list[int]) -> object:
        first, second = ({names[i]: [samples[i][side]] for i in order} for side in (0, 1))
        return compare(first, second, margin=0.1, alpha=0.05, sessions={names[i]: str(samples[i][2]) for i in order})

    assert compared(turned) == compared(sorted(turned))


@few
@given(_SAMPLES)
def test_one_more_loss_never_helps(samples: list[tuple[float, float, int]]) -> None:
    apart = [after - before for before, after, _ in samples]
    sessions = [session for _, _, session in samples]
    worse = [apart[0] - (1 + apart[0]) / 2, *apart[1:]]

    before, after = (units_p(units_of(one, sessions), -0.1, low=-1.0, high=1.0) for one in (apart, worse))

    assert after >= before - 1e-6


@few
@given(st.integers(1, 60), st.data())
def test_conditional_p_lie_within_0_and_1_and_turn_with_the_counts(n: int, data: st.DataObject) -> None:
    gained = data.draw(st.integers(0, n))
    lost = data.draw(st.integers(0, n - gained))

    better, worse = (one(Pairs(n, gained, lost), 0.1) for one in (conditional_noninferior_p, conditional_inferior_p))

    assert 0 < better <= 1
    assert 0 < worse <= 1
    assert max(better, worse) > 0.1
    if lost and gained + lost <= n:
        assert conditional_noninferior_p(Pairs(n, gained, lost - 1), 0.1) <= better + 1e-9


@few
@given(st.lists(st.floats(0, 1), max_size=20))
def test_adjusted_p_are_p_and_holms_are_no_smaller_than_the_other(ps: list[float]) -> None:
    strict, loose = holm(ps), benjamini_hochberg(ps)

    assert all(0 <= one <= 1 for one in [*strict, *loose])
    assert all(one >= other - 1e-12 for one, other in zip(strict, loose, strict=True))


@few
@given(st.lists(st.tuples(st.floats(0.01, 10), st.lists(_VALUE, max_size=15)), min_size=1, max_size=5))
def test_traffic_is_never_sure(clusters: list[tuple[float, list[float]]]) -> None:
    strata = [Stratum(weight, units_of(values) if values else None) for weight, values in clusters]

    found = weighted_mean(strata)

    if any(values for _, values in clusters):
        assert found is not None
        sound(found.interval, found.value, 0, 1)
        assert 0 < found.covered <= 1 + 1e-12
    else:
        assert found is None


@few
@given(st.lists(st.integers(-5, 5), min_size=1, max_size=12))
def test_flipped_signs_give_the_same_p_for_the_mirror_image(totals: list[int]) -> None:
    found = sign_flip_p(np.array(totals, dtype=np.float64))

    assert 0 < found <= 1
    assert found == pytest.approx(sign_flip_p(-np.array(totals, dtype=np.float64)))
