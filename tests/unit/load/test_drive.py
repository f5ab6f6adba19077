"""Calls go out at their times, whatever the engine does."""

import asyncio
import time

import pytest

from harness.errors import BackendError
from harness.load.drive import Limits, play
from harness.load.plan import Due, Play
from harness.records import Attempt, Sample
from harness.records.load import LoadGoal
from tests.unit.load.test_load_judge import ASKED, attempt

GOAL = LoadGoal(ttft_s=None, e2e_s=30.0, share=0.9)
LIMITS = Limits(allowed=100, max_in_flight=100, drain_s=30.0)


def calls(*due_s: float, session: str | None = None) -> Play:
    return Play(1.0, 1.0, 1.0, tuple(Due(one, ASKED, session) for one in due_s), 0)


async def test_a_slow_reply_delays_no_other_call() -> None:
    open_now, most = 0, 0
    together = asyncio.Event()

    async def ask(_sample: Sample, _number: int, _due_ns: int) -> Attempt:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        if open_now == 3:
            together.set()
        await together.wait()
        return attempt(0.1)

    played = await play(calls(0.0, 0.01, 0.02), ask, GOAL, LIMITS)

    assert most == 3
    assert all(one.attempt is not None for one in played.outcomes)


async def test_the_bound_on_calls_at_once_holds() -> None:
    open_now, most = 0, 0

    async def ask(_sample: Sample, _number: int, _due_ns: int) -> Attempt:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0.01)
        open_now -= 1
        return attempt(0.01)

    await play(calls(*[0.0] * 8), ask, GOAL, Limits(allowed=100, max_in_flight=2, drain_s=30.0))

    assert most == 2


async def test_a_session_keeps_its_order_only_where_that_is_wanted() -> None:
    async def most_open(*, keep: bool) -> int:
        open_now, most = 0, 0

        async def ask(_sample: Sample, _number: int, _due_ns: int) -> Attempt:
            nonlocal open_now, most
            open_now += 1
            most = max(most, open_now)
            await asyncio.sleep(0.05)
            open_now -= 1
            return attempt(0.05)

        limits = Limits(allowed=100, max_in_flight=100, drain_s=30.0, keep_sessions=keep)
        await play(calls(0.0, 0.0, 0.0, session="one"), ask, GOAL, limits)
        return most

    assert (await most_open(keep=True), await most_open(keep=False)) == (1, 3)


async def test_it_is_given_up_once_the_goal_is_out_of_reach() -> None:
    async def never(_sample: Sample, _number: int, _due_ns: int) -> Attempt:
        await asyncio.Event().wait()
        raise AssertionError

    impatient = LoadGoal(ttft_s=None, e2e_s=0.05, share=0.9)

    played = await play(calls(0.0, 0.0, 3600.0), never, impatient, Limits(allowed=1, max_in_flight=9, drain_s=3600.0))

    assert played.stopped is not None
    assert "cannot be reached any more" in played.stopped
    assert len(played.outcomes) == 2
    assert all(one.attempt is None for one in played.outcomes)


async def test_open_calls_are_waited_for_only_so_long() -> None:
    async def never(_sample: Sample, _number: int, _due_ns: int) -> Attempt:
        await asyncio.Event().wait()
        raise AssertionError

    played = await play(calls(0.0), never, GOAL, Limits(allowed=5, max_in_flight=9, drain_s=0.05))

    assert played.stopped == "1 call was still open 0.05 s after the last was due"


async def test_an_engine_that_is_gone_ends_it_without_a_verdict() -> None:
    async def gone(_sample: Sample, _number: int, _due_ns: int) -> Attempt:
        raise BackendError("the endpoint cannot be used")

    with pytest.raises(BackendError, match="cannot be used"):
        await play(calls(0.0, 3600.0), gone, GOAL, LIMITS)


async def test_times_count_from_when_a_call_was_due() -> None:
    due: list[int] = []

    async def ask(_sample: Sample, _number: int, due_ns: int) -> Attempt:
        due.append(due_ns - time.perf_counter_ns())
        return attempt(0.0)

    await play(calls(0.0, 0.05), ask, GOAL, LIMITS)

    assert all(one <= 0 for one in due)
