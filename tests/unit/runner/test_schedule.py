"""Order and times of the work."""

from itertools import islice
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.config import ArrivalConfig, BudgetConfig
from harness.errors import BackendError, ConfigError
from harness.records import Attempt, Failure, Message, Reply, Sample, Step, Timing, ToolTarget, Usage
from harness.runner.attempt import pause_s
from harness.runner.guard import Budget, Guard
from harness.runner.schedule import arrivals_s, interleave


def sample(number: int, arrival_s: float | None = None) -> Sample:
    return Sample(
        id=f"s{number}",
        category="c",
        messages=(Message(role="user"),),
        target=ToolTarget(expect="no_call"),
        scorer="x",
        arrival_s=arrival_s,
    )


@given(st.lists(st.integers(0, 9), min_size=1, max_size=4))
def test_interleaving_keeps_every_item_once_and_each_lanes_order(lengths: list[int]) -> None:
    lanes = [list(range(length)) for length in lengths]

    mixed = list(interleave(lanes))

    for index, lane in enumerate(lanes):
        assert [item for at, item in mixed if at == index] == lane


def test_two_lanes_alternate_as_abba() -> None:
    assert [lane for lane, _ in interleave([range(4), range(4)])] == [0, 1, 1, 0, 0, 1, 1, 0]


def test_constant_and_poisson_arrivals_have_the_rate_asked_for() -> None:
    constant = arrivals_s(ArrivalConfig(kind="constant", rate_per_s=4), [], seed=0)
    poisson = arrivals_s(ArrivalConfig(kind="poisson", rate_per_s=4), [], seed=0)
    again = arrivals_s(ArrivalConfig(kind="poisson", rate_per_s=4), [], seed=0)
    assert constant is not None
    assert poisson is not None
    assert again is not None

    times = list(islice(poisson, 4000))

    assert list(islice(constant, 4)) == [0.0, 0.25, 0.5, 0.75]
    assert times == list(islice(again, 4000))
    assert np.diff(times).mean() == pytest.approx(0.25, rel=0.06)
    assert np.diff(times).std() == pytest.approx(0.25, rel=0.1)


def test_logged_arrivals_keep_their_gaps_at_the_speed_asked_for() -> None:
    samples = [sample(0, 100.0), sample(1, 103.0), sample(2, 110.0)]

    times = arrivals_s(ArrivalConfig(kind="log", speedup=10), samples, seed=0)

    assert times is not None
    assert list(times) == pytest.approx([0.0, 0.3, 1.0])


def test_a_second_trial_plays_the_log_once_more_after_the_first() -> None:
    samples = [sample(0, 100.0), sample(1, 110.0)]

    times = arrivals_s(ArrivalConfig(kind="log"), [*samples, *samples], seed=0)

    assert times is not None
    assert list(times) == pytest.approx([0.0, 10.0, 10.0, 20.0])


def test_logged_arrivals_without_a_log_say_what_to_use_instead() -> None:
    times = arrivals_s(ArrivalConfig(kind="log"), [sample(0)], seed=0)

    assert times is not None
    with pytest.raises(ConfigError, match=r"run\.arrival\.kind=poisson"):
        next(times)


def test_open_loop_without_a_rate_is_refused() -> None:
    with pytest.raises(ValueError, match=r"add run\.arrival\.rate_per_s"):
        ArrivalConfig(kind="poisson")


def attempt(**fields: object) -> Attempt:
    base: dict[str, object] = {
        "sample": "s",
        "model": "m",
        "protocol": "native",
        "backend": "b",
        "timing": Timing(at=0.0),
    }
    return Attempt.model_validate(base | fields)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"calls": 3}, "run.budget.calls=3"),
        ({"tokens": 20}, "run.budget.tokens=20"),
        ({"usd": 0.5}, "run.budget.usd=0.5"),
        ({"minutes": 1e-9}, "run.budget.minutes=1e-09"),
    ],
)
def test_each_budget_ends_the_run_with_its_name(limits: dict[str, object], said: str) -> None:
    budget = Budget(BudgetConfig.model_validate(limits))
    unlimited = Budget(BudgetConfig())
    for one in (budget, unlimited):
        one.sent()
        one.sent()
        one.ended(attempt(usage=Usage(prompt_tokens=15, output_tokens=5), cost_usd=0.5, tries=2))

    assert (budget.spent() or "").startswith(said)
    assert unlimited.spent() is None


STEP = Step(turn=0, reply=Reply(content="x"), timing=Timing(at=0.0))
LOST = {"boundary": "infrastructure", "kind": "timeout", "message": "m"}


@pytest.mark.parametrize(
    ("made", "requests"),
    [
        ({"tries": 3, "failed_tries": (LOST, LOST)}, 3),
        ({"steps": (STEP, STEP, STEP)}, 3),
        ({"steps": (STEP, STEP.model_copy(update={"tries": 3})), "failed_tries": (LOST, LOST)}, 4),
        ({"steps": (STEP,), "failed_tries": (LOST,), "failure": LOST}, 3),
        ({"failed_tries": (LOST, LOST), "failure": LOST}, 3),
        ({"steps": (STEP, STEP), "failure": LOST | {"kind": "task_error"}}, 2),
        ({"steps": (STEP, STEP.model_copy(update={"tries": 2}))}, 3),
    ],
)
def test_a_budget_of_calls_counts_requests(made: dict[str, object], requests: int) -> None:
    reached, short = Budget(BudgetConfig(calls=requests)), Budget(BudgetConfig(calls=requests + 1))

    for one in (reached, short):
        one.sent()
        one.ended(attempt(**made))

    assert reached.spent() is not None
    assert short.spent() is None


def lost(kind: str = "server_error") -> Failure:
    return Failure.model_validate({"boundary": "infrastructure", "kind": kind, "message": "m"})


def test_the_guard_trips_only_when_most_of_a_full_window_is_lost() -> None:
    guard = Guard(0.5)
    for _ in range(10):
        guard.check(None)
    for _ in range(10):
        guard.check(lost())

    with pytest.raises(BackendError, match="11 of the last 20"):
        guard.check(lost())


def test_model_failures_never_trip_the_guard() -> None:
    guard = Guard(0.0)

    for _ in range(50):
        guard.check(Failure(boundary="model", kind="context_overflow", message="m"))

    with pytest.raises(BackendError):
        guard.check(lost())


@pytest.mark.parametrize("kind", ["auth", "not_found", "dns", "tls"])
def test_the_guard_stops_at_once_where_nothing_can_get_better(kind: str) -> None:
    with pytest.raises(BackendError, match=kind):
        Guard(1.0).check(lost(kind))


@given(st.integers(1, 30), st.integers(0, 1000))
def test_pauses_are_jittered_bounded_and_never_shorter_than_asked(failures: int, seed: int) -> None:
    assert 0 <= pause_s(failures, None, Random(seed)) <= min(30.0, 0.5 * 2 ** (failures - 1))
    assert 7.0 <= pause_s(failures, 7.0, Random(seed)) <= 10.0
