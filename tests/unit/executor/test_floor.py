"""How a cluster's room is dealt out to the runs of a command."""

import asyncio

import pytest

from harness.config import ExecutorConfig
from harness.errors import ConfigError
from harness.executor.ray_cluster import Floor

FOUR = {"CPU": 4.0, "GPU": 2.0}


def executor(**changes: object) -> ExecutorConfig:
    return ExecutorConfig.model_validate({"name": "ray", **changes})


@pytest.mark.parametrize(("runs", "shares"), [(1, [4]), (2, [2, 2]), (3, [1, 1, 2]), (4, [1, 1, 1, 1])])
async def test_runs_get_equal_parts_of_what_is_free(runs: int, shares: list[int]) -> None:
    floor = Floor(runs)

    taken = [await floor.take(executor(), FOUR) for _ in range(runs)]

    assert taken == shares


async def test_gpus_decide_where_workers_need_them() -> None:
    floor = Floor(1)

    assert await floor.take(executor(gpus=1), FOUR) == 2


async def test_one_run_at_a_time_gets_all_there_is() -> None:
    floor = Floor(3, at_once=1)

    assert await floor.take(executor(), FOUR) == 4


async def test_a_run_without_room_begins_when_another_has_ended() -> None:
    floor, one = Floor(3), {"CPU": 2.0}
    first, second = await floor.take(executor(), one), await floor.take(executor(), one)
    third = asyncio.ensure_future(floor.take(executor(), one))
    await asyncio.sleep(0)
    waited = not third.done()

    await floor.give_back(executor(), first)

    assert (first, second, waited) == (1, 1, True)
    assert await third == 1


async def test_a_number_of_workers_that_is_asked_for_is_what_a_run_waits_for() -> None:
    floor, asks = Floor(2), executor(workers=3)
    await floor.take(asks, FOUR)
    second = asyncio.ensure_future(floor.take(asks, FOUR))
    await asyncio.sleep(0)
    waited = not second.done()

    await floor.give_back(asks, 3)

    assert waited
    assert await second == 3


async def test_more_workers_than_ever_fit_do_not_wait_for_ever() -> None:
    assert await Floor(1).take(executor(workers=9), FOUR) == 9


@pytest.mark.parametrize(
    ("asks", "said"),
    [({"cpus": 8}, "the cluster has 4 processors"), ({"cpus": 0}, "executor.workers=4")],
)
async def test_what_never_fits_is_refused(asks: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        await Floor(1).take(executor(**asks), FOUR)


async def test_models_that_are_asked_in_turn_do_not_wait_for_each_other() -> None:
    floor = Floor(2, beside=True)
    await floor.take(executor(), {"CPU": 1.0})

    with pytest.raises(ConfigError, match="side by side"):
        await floor.take(executor(), {"CPU": 1.0})
