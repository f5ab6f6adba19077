"""What holds for all traffic."""

import numpy as np
import pytest

from harness.errors import DataError
from harness.stats.bounded import units_interval, units_of
from harness.stats.weighted import Stratum, weighted_mean, weighted_verdict


def test_one_cluster_has_its_own_interval() -> None:
    units = units_of([1.0] * 30 + [0.0] * 5)

    found = weighted_mean([Stratum(0.3, units)])

    assert found is not None
    alone = units_interval(units)
    assert (found.interval.low, found.interval.high) == pytest.approx((alone.low, alone.high))
    assert (found.covered, found.n, found.pooled) == (1.0, 35, 0)


def test_clusters_count_by_their_traffic_not_by_their_samples() -> None:
    good, bad = units_of([1.0] * 90), units_of([0.0] * 10)

    found = weighted_mean([Stratum(1, good), Stratum(9, bad)])

    assert found is not None
    assert found.value == pytest.approx(0.1)
    assert found.interval.low < 0.1 < found.interval.high


def test_a_cluster_without_samples_is_told_and_not_guessed() -> None:
    found = weighted_mean([Stratum(3, units_of([1.0] * 20)), Stratum(1, None)])

    assert found is not None
    assert (found.value, found.covered) == (1.0, 0.75)
    assert weighted_mean([Stratum(1, None)]) is None
    with pytest.raises(DataError, match="no cluster"):
        weighted_verdict([Stratum(1, None)], 0.05, 0.05)


def test_clusters_of_a_sample_or_two_are_judged_together() -> None:
    strata = [Stratum(1, units_of([1.0, 1.0])) for _ in range(10)]

    found = weighted_mean(strata)

    assert found is not None
    assert found.pooled == 10
    assert found.interval.low == pytest.approx(units_interval(units_of([1.0] * 20)).low, abs=1e-6)
    assert found.interval.high == 1.0


def test_never_of_width_zero() -> None:
    for sizes in ((20, 20), (1, 30), (1, 1)):
        found = weighted_mean([Stratum(1, units_of([1.0] * n)) for n in sizes])
        assert found is not None
        assert found.interval.high - found.interval.low > 0.05


def test_the_verdict_is_pass_where_the_interval_leaves_the_margin_behind() -> None:
    rng = np.random.default_rng(1)
    strata = [Stratum(w, units_of(rng.choice([0.0, -1.0, 1.0], 150, p=[0.9, 0.05, 0.05]).tolist())) for w in (5, 3, 1)]
    found = weighted_mean(strata, low=-1.0, level=0.9)
    assert found is not None

    inside, outside = (weighted_verdict(strata, -found.interval.low + step, 0.05) for step in (0.005, -0.005))

    assert inside.verdict == "pass"
    assert inside.p_noninferior <= 0.05 < outside.p_noninferior
    assert outside.verdict == "need_more"
    assert outside.more is not None
    assert 100 < outside.more < 2000


def test_a_loss_in_the_cluster_with_the_traffic_fails() -> None:
    lost, same = units_of([-1.0] * 30 + [0.0] * 30), units_of([0.0] * 300)

    assert weighted_verdict([Stratum(9, lost), Stratum(1, same)], 0.05, 0.05).verdict == "fail"
    assert weighted_verdict([Stratum(1, lost), Stratum(99, same)], 0.05, 0.05).verdict == "pass"


def test_what_is_no_weight_or_margin_is_refused() -> None:
    with pytest.raises(DataError, match="weight is above 0"):
        weighted_mean([Stratum(0, units_of([1.0]))])
    with pytest.raises(DataError, match="margin"):
        weighted_verdict([Stratum(1, units_of([0.0]))], 0.0, 0.05)
