"""What follows a reply is let through a little at a time, in order, and nobody is forgotten."""

import asyncio
import time

import pytest

from harness.backends.pace import Pace


async def _work(pace: Pace, number: int, done: list[int], busy_s: float) -> None:
    await pace.turn()
    time.sleep(busy_s)  # noqa: ASYNC251 - stands for judging and recording, which occupy the loop
    done.append(number)


async def test_a_loop_with_nothing_else_to_do_lets_everyone_through_at_once() -> None:
    pace = Pace(slice_s=1.0)

    await asyncio.wait_for(asyncio.gather(*(pace.turn() for _ in range(100))), timeout=5)

    assert not pace._waiting


async def test_others_get_their_turn_between_tasks_that_all_became_ready_together() -> None:
    pace, done = Pace(slice_s=0.001, batch=4), list[int]()
    seen_by_others: list[int] = []

    async def other() -> None:
        while len(done) < 40:
            seen_by_others.append(len(done))
            await asyncio.sleep(0)

    await asyncio.gather(*(_work(pace, number, done, 0.001) for number in range(40)), other())

    assert done == list(range(40))
    steps = [after - before for before, after in zip(seen_by_others, [*seen_by_others[1:], 40], strict=True)]
    assert max(steps) <= 8  # two batches: one let through, one that found the gate open


async def test_a_task_cancelled_while_it_waits_holds_up_nobody() -> None:
    pace, done = Pace(slice_s=0.0, batch=1), list[int]()
    tasks = [asyncio.create_task(_work(pace, number, done, 0.0)) for number in range(5)]
    await asyncio.sleep(0)

    tasks[2].cancel()
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), timeout=5)

    assert done == [0, 1, 3, 4]
    assert isinstance(results[2], asyncio.CancelledError)


@pytest.mark.parametrize("rounds", [1, 3])
async def test_a_gate_that_was_full_once_opens_again(rounds: int) -> None:
    pace, done = Pace(slice_s=0.0, batch=2), list[int]()

    for _ in range(rounds):
        await asyncio.wait_for(asyncio.gather(*(_work(pace, number, done, 0.0) for number in range(9))), timeout=5)

    assert done == list(range(9)) * rounds
