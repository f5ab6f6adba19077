"""From values of trials to a verdict."""

import numpy as np
import pytest

from harness.stats.paired import Pairs
from harness.stats.paired_verdict import NoExactVerdict, compare, more_pairs, outcomes, verdict
from tests.unit.stats.test_paired import critical, trinomial


def runs(n: int, gained: int, lost: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Values of two runs with these counts; what is left is right in both."""
    first = [0.0] * gained + [1.0] * (n - gained)
    second = [1.0] * (n - lost) + [0.0] * lost
    return {f"s{i}": [value] for i, value in enumerate(first)}, {f"s{i}": [value] for i, value in enumerate(second)}


def test_the_counts_are_taken_sample_by_sample() -> None:
    baseline, candidate = runs(30, gained=2, lost=5)
    baseline["only here"], candidate["only there"] = [1.0], [0.0]

    found = compare(baseline, candidate, margin=0.1, alpha=0.05)

    assert (found.n, found.both, found.gained, found.lost, found.neither) == (30, 23, 2, 5, 0)
    assert found.difference == pytest.approx(-0.1)
    assert found.interval.low < -0.1 < found.interval.high
    assert found.unit == "sample"


def test_no_difference_on_few_samples_does_not_pass() -> None:
    found = compare(*runs(30, 0, 0), margin=0.05, alpha=0.05)

    assert found.verdict.verdict == "need_more"
    assert found.verdict.more is not None
    assert found.verdict.more >= 29  # without a single loss
    assert found.interval.high > 0.05


def test_no_difference_on_enough_samples_passes() -> None:
    assert compare(*runs(59, 0, 0), margin=0.05, alpha=0.05).verdict.verdict == "pass"


def test_many_losses_fail_and_say_nothing_of_more() -> None:
    found = verdict(Pairs(100, 0, 25), 0.05, 0.05)

    assert found.verdict == "fail"
    assert found.more is None
    assert found.p_inferior <= 0.05 < found.p_noninferior


def test_several_trials_are_one_outcome_and_a_tie_is_wrong() -> None:
    assert outcomes({"a": [1, 1, 0], "b": [1, 0]}) == {"a": True, "b": False}
    found = compare({"a": [1, 1, 0], "b": [1]}, {"a": [0, 0, 1], "b": [1]}, margin=0.1, alpha=0.05)
    assert found.unit == "sample (majority of up to 3 trials, a tie counts as wrong)"
    assert (found.n, found.lost) == (2, 1)


def test_values_between_are_judged_as_scores() -> None:
    first = {f"s{i}": [0.75] for i in range(80)}
    second = {f"s{i}": [0.75 if i else 0.5] for i in range(80)}

    found = compare(first, second, margin=0.1, alpha=0.05)

    assert (found.outcome, found.both, found.lost, found.neither) == ("score", 79, 1, 0)
    assert found.difference == pytest.approx(-0.25 / 80)
    assert found.verdict.verdict == "pass"
    assert found.sessions is None


def test_several_trials_of_a_score_are_their_mean() -> None:
    found = compare({"a": [0.5, 1.0]}, {"a": [0.25]}, margin=0.1, alpha=0.05)

    assert found.difference == pytest.approx(-0.5)
    assert found.unit == "sample (mean of up to 2 trials)"


def test_values_beyond_their_range_have_no_verdict() -> None:
    with pytest.raises(NoExactVerdict, match=r"values lie in 0\.\.1, one is 1\.5"):
        compare({"a": [1.5]}, {"a": [1.0]}, margin=0.1, alpha=0.05)


def test_samples_of_one_session_count_for_less() -> None:
    first, second = runs(60, 0, 0)
    tied = {f"s{i}": f"session {i // 3}" for i in range(60)}

    alone = compare(first, second, margin=0.05, alpha=0.05, sessions={"s0": "x", "s1": "y", "s2": None})
    together = compare(first, second, margin=0.05, alpha=0.05, sessions=tied)

    assert (alone.verdict.verdict, alone.sessions) == ("pass", None)
    assert (together.verdict.verdict, together.sessions) == ("need_more", 20)
    assert together.verdict.p_noninferior == pytest.approx(0.95**20)
    assert together.interval.high - together.interval.low > alone.interval.high - alone.interval.low
    assert together.verdict.more is not None
    assert together.verdict.more >= 3 * 59 - 60


def test_sessions_that_lose_nothing_pass_when_there_are_enough() -> None:
    first, second = runs(3 * 59, 0, 0)

    found = compare(first, second, margin=0.05, alpha=0.05, sessions={f"s{i}": str(i % 59) for i in range(3 * 59)})

    assert found.verdict.verdict == "pass"
    assert found.verdict.method == "Gaffke's bound, by session"


def test_runs_without_a_shared_sample_have_no_verdict() -> None:
    with pytest.raises(NoExactVerdict, match="no sample"):
        compare({"a": [1.0]}, {"b": [1.0]}, margin=0.1, alpha=0.05)


def test_what_lies_at_the_margin_is_not_decided_by_more() -> None:
    assert more_pairs(Pairs(100, 0, 5), 0.05, 0.05) is None


def test_as_many_more_decide_it_about_four_times_in_five() -> None:
    """Power of the exact test, computed, at the n that was asked for."""
    seen = Pairs(15, 1, 1)
    more = more_pairs(seen, 0.3, 0.05)
    assert more is not None
    psi = 3 / 17

    found = trinomial(15 + more, np.array([psi / 2]), np.array([psi / 2]))[critical(15 + more, 0.3, 0.05, upper=True)]

    assert 0.65 < float(found.sum()) < 0.95
