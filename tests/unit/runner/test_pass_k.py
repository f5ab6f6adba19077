"""pass@k and pass^k of a run: of exact values only, for the trials that every sample has, sessions taken together."""

import pytest

from harness.records import Attempt, Message, Reply, Sample, Score, Timing, ToolTarget
from harness.runner.summarise import pass_k
from harness.runner.tally import Tally
from harness.stats.trials import pass_at_k, pass_hat_k


def tally(rows: list[list[float]], session: str | None = None) -> Tally:
    """The totals of samples with these values in their trials."""
    found = Tally()
    for number, values in enumerate(rows):
        sample = Sample(
            id=f"s{number}", category="c", session=session, scorer="x", target=ToolTarget(expect="any_call"),
            messages=(Message(role="user", content="?"),),
        )  # fmt: skip
        for trial, value in enumerate(values):
            attempt = Attempt(
                sample=sample.id, model="m", protocol="native", trial=trial, backend="b", reply=Reply(),
                timing=Timing(at=0.0),
            )  # fmt: skip
            found.add(sample, attempt, Score(sample=sample.id, category="c", trial=trial, scorer="x", value=value))
    return found


def values(found: Tally, estimate: object) -> list[float]:
    assert callable(estimate)
    return [one.value for one in pass_k(found, estimate)]


def test_the_estimates_are_means_over_samples() -> None:
    found = tally([[1, 0], [1, 1], [0, 0]])

    assert values(found, pass_at_k) == pytest.approx([0.5, 2 / 3])
    assert values(found, pass_hat_k) == pytest.approx([0.5, 1 / 3])


def test_half_points_that_add_up_to_one_are_no_pass() -> None:
    assert pass_k(tally([[0.5, 0.5], [1, 1]]), pass_at_k) == ()


def test_k_ends_at_the_fewest_trials_of_any_sample() -> None:
    assert len(pass_k(tally([[1, 1, 1, 1], [0, 0]]), pass_hat_k)) == 2


def test_one_trial_is_no_estimate() -> None:
    assert pass_k(tally([[1], [0]]), pass_at_k) == ()


def test_samples_of_one_session_make_a_wider_interval() -> None:
    rows = [[1.0, 1.0], [0.0, 0.0]] * 10
    apart, together = pass_k(tally(rows), pass_at_k)[0], pass_k(tally(rows, "one"), pass_at_k)[0]

    assert apart.interval is not None
    assert together.interval is not None
    assert together.interval.high - together.interval.low > apart.interval.high - apart.interval.low
