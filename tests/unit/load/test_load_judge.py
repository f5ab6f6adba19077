"""Verdicts on queues whose truth is known: one server, a fixed time of service."""

import numpy as np
import pytest

from harness.load.drive import Outcome, Played
from harness.load.judge import allowed_misses, holds_up_to, point_of, sentence
from harness.load.plan import Due, Play
from harness.records import Attempt, Failure, Reply, Timing
from harness.records.load import LoadGoal, LoadPoint
from tests.unit.load.test_plan import sample

GOAL = LoadGoal(ttft_s=None, e2e_s=4.0, share=0.95)
ASKED = sample("s")


def attempt(took_s: float, kind: str | None = None) -> Attempt:
    end_ns = round(took_s * 1e9)
    failure = None
    if kind is not None:
        boundary = "model" if kind == "context_overflow" else "infrastructure"
        failure = Failure.model_validate({"boundary": boundary, "kind": kind, "message": "no"})
    timing = Timing(at=0.0, first_content_ns=None if failure else end_ns, last_ns=end_ns, end_ns=end_ns)
    reply = None if failure else Reply(content="yes")
    return Attempt(
        sample="s", model="m", protocol="native", backend="test", reply=reply, timing=timing, failure=failure
    )  # fmt: skip


def queue(load: float, n: int = 400, service_s: float = 0.5, seed: int = 0, speed: float = 1.0) -> Played:
    """Poisson arrivals at one server that takes `service_s` for each: M/D/1 of this utilisation."""
    rng = np.random.default_rng(seed)
    due = np.cumsum(rng.exponential(service_s / load, n))
    free, outcomes = 0.0, []
    for at in due.tolist():
        free = max(free, at) + service_s
        outcomes.append(Outcome(at, at, free, attempt(free - at)))
    play = Play(speed, float(due[-1]), float(due[-1]), tuple(Due(at, ASKED, None) for at in due.tolist()), 0)
    return Played(play, tuple(outcomes), free, None)


@pytest.mark.parametrize("seed", range(12))
def test_a_queue_at_half_its_capacity_holds(seed: int) -> None:
    point = point_of(queue(0.5, seed=seed), GOAL)

    assert point.verdict == "holds", point.why
    assert not point.backlog.grows


@pytest.mark.parametrize("seed", range(12))
def test_a_queue_beyond_its_capacity_is_overloaded(seed: int) -> None:
    point = point_of(queue(1.3, seed=seed), GOAL)

    assert point.verdict == "overloaded"
    assert point.backlog.grows


def test_what_piles_up_is_overload_though_all_calls_are_still_in_time() -> None:
    patient = LoadGoal(ttft_s=None, e2e_s=1e6, share=0.95)

    point = point_of(queue(1.3), patient)

    assert (point.share, point.verdict) == (1.0, "overloaded")
    assert "pile up" in point.why


def test_the_rates_are_those_of_the_queue() -> None:
    point = point_of(queue(1.3), GOAL)

    assert point.offered_per_s == pytest.approx(2.6, rel=0.15)
    assert point.served_per_s == pytest.approx(2.0, rel=0.02)


def test_few_calls_decide_nothing_though_all_are_in_time() -> None:
    point = point_of(queue(0.2, n=20), GOAL)

    assert (point.share, point.verdict) == (1.0, "undecided")
    assert "it takes 59 at least" in point.why


def test_late_calls_in_one_heap_say_less_than_as_many_strewn_about() -> None:
    def played(late: set[int]) -> Played:
        outcomes = tuple(Outcome(n * 1.0, n * 1.0, n + 0.1, attempt(9.0 if n in late else 0.1)) for n in range(200))
        return Played(
            Play(1.0, 200.0, 200.0, tuple(Due(n * 1.0, ASKED, None) for n in range(200)), 0), outcomes, 200.0, None
        )

    heap, strewn = (point_of(played(late), GOAL).interval for late in (set(range(20)), set(range(0, 200, 10))))

    assert heap is not None
    assert strewn is not None
    assert heap.high - heap.low > 1.5 * (strewn.high - strewn.low)


def test_a_play_that_was_given_up_is_overloaded_whatever_its_interval() -> None:
    outcomes = tuple(Outcome(n * 1.0, n * 1.0, n + 0.1, attempt(9.0 if n > 80 else 0.1)) for n in range(92))
    play = Play(1.0, 100.0, 100.0, tuple(Due(n * 1.0, ASKED, None) for n in range(100)), 0)

    point = point_of(Played(play, outcomes, 92.0, "given up", given_up=True), GOAL)

    assert (point.verdict, point.why) == ("overloaded", "11 of 100 calls were not in time")


def test_what_does_not_fit_is_no_load_and_what_is_lost_is_not_in_time() -> None:
    outcomes = (
        Outcome(0.0, 0.0, 0.1, attempt(0.1)),
        Outcome(1.0, 1.0, 1.1, attempt(0.1, "context_overflow")),
        Outcome(2.0, 2.0, 2.1, attempt(0.1, "server_error")),
        Outcome(3.0, 3.0),
    )
    play = Play(1.0, 3.0, 3.0, tuple(Due(one.due_s, ASKED, None) for one in outcomes), 0)

    point = point_of(Played(play, outcomes, 4.0, None), GOAL)

    assert (point.served, point.unfit, point.lost, point.unfinished) == (1, 1, 1, 1)
    assert (point.in_time, point.counted) == (1, 2)


def test_a_call_open_for_longer_than_the_goal_is_late() -> None:
    play = Play(1.0, 0.0, 0.0, (Due(0.0, ASKED, None),), 0)

    point = point_of(Played(play, (Outcome(0.0, 0.0),), 4.5, "stopped"), GOAL)

    assert (point.in_time, point.counted, point.unfinished) == (0, 1, 0)


def test_a_call_that_is_not_even_sent_is_late_by_its_first_token() -> None:
    goal = LoadGoal(ttft_s=2.0, e2e_s=None, share=0.95)
    play = Play(1.0, 0.0, 0.0, (Due(0.0, ASKED, None), Due(0.0, ASKED, None)), 0)

    point = point_of(Played(play, (Outcome(0.0), Outcome(0.0, 0.0)), 2.5, "stopped"), goal)

    assert (point.in_time, point.counted, point.unfinished) == (0, 1, 1)


@pytest.mark.parametrize(("n", "share"), [(10, 0.95), (59, 0.95), (500, 0.95), (40, 0.9)])
def test_one_miss_more_than_allowed_makes_the_goal_impossible(n: int, share: float) -> None:
    allowed = allowed_misses(n, share)
    goal = GOAL.model_copy(update={"share": share})

    def best(missed: int) -> LoadPoint:  # all the rest in time, misses strewn about
        late = {round((place + 0.5) * n / missed) for place in range(missed)} if missed else set()
        outcomes = tuple(Outcome(i * 1.0, i * 1.0, i + 0.1, attempt(9.0 if i in late else 0.1)) for i in range(n))
        return point_of(
            Played(Play(1.0, n, n, tuple(Due(i * 1.0, ASKED, None) for i in range(n)), 0), outcomes, n, None), goal
        )

    assert best(allowed).verdict != "overloaded"
    assert best(min(n, allowed + 1)).share is not None
    assert allowed < n


def point(speed: float, verdict: str, in_time: int = 100, counted: int = 100) -> LoadPoint:
    made = point_of(queue(0.5, n=100, speed=speed), GOAL)
    return made.model_copy(update={"verdict": verdict, "in_time": in_time, "counted": counted})


def test_the_verdict_is_the_highest_speed_below_any_that_failed() -> None:
    points = [point(1, "holds"), point(2, "holds"), point(4, "overloaded")]

    assert holds_up_to(points) == 2
    assert sentence(points, GOAL).startswith("Holds the traffic up to 2 × today's rate")
    assert "overloaded at 4 ×" in sentence(points, GOAL)


def test_too_few_calls_at_a_low_speed_do_not_hide_that_a_higher_one_holds() -> None:
    assert holds_up_to([point(1, "undecided", 20, 20), point(8, "holds")]) == 8
    assert holds_up_to([point(1, "undecided", 90, 100), point(8, "holds")]) is None


def test_calls_that_all_came_at_once_are_not_told_as_one() -> None:
    outcomes = tuple(Outcome(0.0, 0.0, 0.1, attempt(0.1)) for _ in range(80))
    play = Play(1.0, 0.0, 0.0, tuple(Due(0.0, ASKED, None) for _ in range(80)), 0)

    found = point_of(Played(play, outcomes, 0.1, None), GOAL)

    assert found.verdict == "holds"
    assert "80 calls at once" in sentence([found], GOAL)


def test_nothing_shown_is_said_so() -> None:
    assert sentence([point(1, "undecided", 20, 20)], GOAL).startswith("Not decided at 1 ×")
    assert sentence([point(1, "overloaded")], GOAL).startswith("Overloaded at 1 ×")
