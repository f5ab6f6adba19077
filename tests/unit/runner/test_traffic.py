"""Accuracy by the traffic that samples stand for, and what does not fit into the context."""

import numpy as np
import pytest

from harness.records import Attempt, Failure, Message, ReplayReference, ReplayTarget, Reply, Sample, Score, Timing
from harness.runner.tally import Tally
from harness.runner.traffic import overflow_summary, overflow_text, traffic_summary


def sample(
    name: str, category: str = "a", *, weight: float = 1.0, session: str | None = None, text: str = "?"
) -> Sample:
    target = ReplayTarget(references=(ReplayReference(text="yes"),), text="decision")
    return Sample(
        id=name, category=category, session=session, weight=weight, scorer="replay", target=target,
        messages=(Message(role="user", content=text),),
    )  # fmt: skip


def add(tally: Tally, one: Sample, value: float | None) -> Sample:
    """Adds an attempt of this value; None: it does not fit into the context."""
    failure = None
    if value is None:
        failure = Failure(boundary="model", kind="context_overflow", message="too long")
    attempt = Attempt(
        sample=one.id, model="m", protocol="native", backend="b", reply=Reply() if value is not None else None,
        timing=Timing(at=0.0), failure=failure,
    )  # fmt: skip
    tally.add(one, attempt, Score(sample=one.id, category=one.category, scorer="x", value=value or 0.0))
    return one


def test_categories_count_by_their_traffic_whatever_part_of_them_was_run() -> None:
    tally = Tally()
    for number in range(4):
        add(tally, sample(f"a{number}", "a"), 1.0)
    add(tally, sample("b", "b"), 0.0)

    found = traffic_summary(tally.samples, {"a": 10.0, "b": 90.0})

    assert found is not None
    assert found.accuracy == pytest.approx(0.1)
    assert (found.covered_frac, found.calls) == (1.0, 100.0)


def test_within_a_category_samples_count_by_their_weight() -> None:
    tally = Tally()
    add(tally, sample("x", weight=30.0), 1.0)
    add(tally, sample("y", weight=10.0), 0.0)

    found = traffic_summary(tally.samples, {"a": 40.0})

    assert found is not None
    assert found.accuracy == pytest.approx(0.75)


def test_traffic_without_a_scored_sample_is_not_spoken_of() -> None:
    tally = Tally()
    add(tally, sample("x"), 1.0)

    found = traffic_summary(tally.samples, {"a": 25.0, "b": 75.0})

    assert found is not None
    assert (found.accuracy, found.covered_frac) == (1.0, 0.25)


def test_a_suite_that_stands_for_nothing_has_no_accuracy_by_traffic() -> None:
    tally = Tally()
    add(tally, sample("x"), 1.0)

    assert traffic_summary(tally.samples, {}) is None


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_the_interval_is_never_a_point(value: float) -> None:
    tally = Tally()
    for number in range(20):
        add(tally, sample(f"s{number}", weight=1.0 + number), value)

    found = traffic_summary(tally.samples, {"a": 210.0})

    assert found is not None
    assert found.interval.high - found.interval.low > 0.05


def test_one_long_session_is_worth_little_more_than_one_sample() -> None:
    apart, together = Tally(), Tally()
    for number in range(20):
        add(apart, sample(f"s{number}"), 1.0)
        add(together, sample(f"s{number}", session="one"), 1.0)

    wide, narrow = traffic_summary(together.samples, {"a": 20.0}), traffic_summary(apart.samples, {"a": 20.0})

    assert wide is not None
    assert narrow is not None
    assert wide.interval.low < 0.05 < 0.8 < narrow.interval.low
    assert (round(wide.effective_n), round(narrow.effective_n)) == (1, 20)


def test_the_interval_covers_the_truth_where_clusters_differ_in_traffic_and_accuracy() -> None:
    rng = np.random.default_rng(7)
    chance, traffic = {"a": 0.95, "b": 0.7, "c": 0.4}, {"a": 70.0, "b": 25.0, "c": 5.0}
    truth = sum(chance[name] * traffic[name] for name in traffic) / 100
    covered, runs = 0, 200
    for _ in range(runs):
        tally = Tally()
        for name in traffic:
            for number in range(30):
                add(
                    tally,
                    sample(f"{name}{number}", name, weight=traffic[name] / 30),
                    float(rng.random() < chance[name]),
                )
        found = traffic_summary(tally.samples, traffic)
        assert found is not None
        covered += found.interval.low <= truth <= found.interval.high

    assert covered / runs >= 0.92


def test_what_does_not_fit_is_counted_in_calls_traffic_and_text() -> None:
    tally = Tally()
    samples = [
        add(tally, sample("short", "a", weight=9.0, text="x" * 100), 1.0),
        add(tally, sample("long", "b", weight=1.0, text="x" * 9_000), None),
        sample("not yet", "a", text="x" * 50_000),
    ]

    found = overflow_summary(tally, samples, {"a": 9.0, "b": 1.0}, 2048)

    assert found is not None
    assert (found.n, found.of) == (1, 2)
    assert found.traffic_frac == pytest.approx(0.1)
    assert 0.9 < found.text_frac < 1
    assert "1 of 2 calls (50.0%; 10.0% of the traffic, " in overflow_text(found)
    assert "the context of 2,048 tokens" in overflow_text(found)


def test_nothing_is_said_where_all_fits() -> None:
    tally = Tally()
    one = add(tally, sample("x"), 0.0)

    assert overflow_summary(tally, [one], {"a": 1.0}, 2048) is None


def test_that_nothing_fits_is_said_in_so_many_words() -> None:
    tally = Tally()
    samples = [add(tally, sample(f"s{number}"), None) for number in range(3)]

    found = overflow_summary(tally, samples, {}, None)

    assert found is not None
    assert overflow_text(found) == "not one of 3 calls fits into the context: each counts as a miss"
