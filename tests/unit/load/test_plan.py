"""Which stretch of a log is played, and which sample stands for a call."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from harness.config.load import LoadOptions
from harness.errors import ConfigError, DataError
from harness.load.plan import Deputies, play_of, traffic_facts
from harness.records import Message, ReplayReference, ReplayTarget, Sample
from harness.suite.arrivals import Arrival, Traffic, read_traffic


def sample(name: str, category: str = "a", arrival_s: float | None = None, weight: float = 1.0) -> Sample:
    target = ReplayTarget(references=(ReplayReference(text="yes"),), text="decision")
    return Sample(
        id=name, category=category, messages=(Message(role="user", content="Well?"),), target=target, scorer="replay",
        arrival_s=arrival_s, weight=weight,
    )  # fmt: skip


def traffic(*at: float, calls: float | None = None, cluster: str = "a") -> Traffic:
    arrivals = tuple(Arrival(one, f"x{place}", cluster, 100, None) for place, one in enumerate(at))
    return Traffic(arrivals, calls or float(len(at)), whole=True)


def test_the_busiest_stretch_of_the_length_is_played_at_the_speed() -> None:
    deputies = Deputies([sample("s")], {})

    play = play_of(traffic(0, 50, 100, 101, 102, 103, 200), 2.0, deputies, seconds=2.0, most=100)

    assert [one.due_s for one in play.calls] == [0.0, 0.5, 1.0, 1.5]
    assert (play.log_s, play.planned_s) == (3.0, 1.5)


def test_more_calls_than_allowed_become_the_densest_so_many() -> None:
    play = play_of(traffic(0, 5, 6, 7, 20), 1.0, Deputies([sample("s")], {}), seconds=60.0, most=3)

    assert [one.due_s for one in play.calls] == [0.0, 1.0, 2.0]


def test_calls_whose_times_were_not_kept_make_the_known_ones_come_faster() -> None:
    play = play_of(traffic(0, 10, 20, calls=6), 1.0, Deputies([sample("s")], {}), seconds=60.0, most=10)

    assert [one.due_s for one in play.calls] == [0.0, 5.0, 10.0]


def test_a_call_is_asked_with_its_own_prompt_or_one_of_its_cluster_as_long() -> None:
    own = Arrival(0.0, "short", "a", 500, None)
    near = Arrival(0.0, "x", "a", 480, None)
    deputies = Deputies(
        [sample("short"), sample("long"), sample("other", "b")], {"short": 10, "long": 500, "other": 480}
    )

    found = [deputies.of(one) for one in (own, near, Arrival(0.0, "y", "c", 480, None))]

    assert [one.id if one else None for one in found] == ["short", "long", None]


def test_equal_lengths_take_turns() -> None:
    deputies = Deputies([sample("p"), sample("q")], {"p": 10, "q": 10})

    found = [deputies.of(Arrival(0.0, f"x{n}", "a", 11, None)) for n in range(4)]

    assert {one.id for one in found if one} == {"p", "q"}


def test_a_stretch_without_any_sample_is_refused() -> None:
    with pytest.raises(DataError, match="no sample for any call"):
        play_of(traffic(0, 1, cluster="z"), 1.0, Deputies([sample("s")], {}), seconds=10.0, most=10)


def test_a_suite_without_times_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the times of 0 of 1 calls are known"):
        read_traffic(tmp_path, [sample("s")])


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"speeds": []}, "speeds"),
        ({"speeds": [1, 0]}, "speeds"),
        ({"ttft_s": None, "e2e_s": None}, "e2e_s"),
    ],
)
def test_a_setting_that_cannot_be_is_named_by_itself(given: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError) as caught:
        LoadOptions.model_validate(given)

    assert [one["loc"] for one in caught.value.errors()] == [(where,)]


def test_a_suite_without_the_whole_log_plays_its_samples_by_their_weight(tmp_path: Path) -> None:
    found = read_traffic(tmp_path, [sample("s", arrival_s=10.0, weight=3.0), sample("t", arrival_s=5.0)])

    assert [one.call for one in found.arrivals] == ["t", "s"]
    assert (found.calls, found.whole) == (4.0, False)


def test_the_busiest_minute_counts_the_copies_too() -> None:
    facts = traffic_facts(traffic(0, 10, 20, 500, calls=8), kept_sessions=False)

    assert (facts.busiest_minute, facts.per_s) == (6.0, 8 / 500)


def test_calls_of_one_moment_have_no_rate() -> None:
    assert traffic_facts(traffic(7, 7, 7), kept_sessions=False).per_s is None
