"""Worlds in worker processes: a tool may hang, die, raise or grow, and the next call finds the world as it was."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil
import pytest

from harness.environments.pool import CannotStartError, LiveWorld, Worlds
from harness.errors import ConfigError, DataError
from harness.records import Reply, Sample, Step, Timing, ToolCall
from tests.support.toy_world import put, toy_sample

HANG, DIE, FAIL = (ToolCall(name=name, arguments={}) for name in ("hang", "die", "fail"))
TURNS = ToolCall(name="turns", arguments={})
SAMPLE = toy_sample([put("a", 1)])
STEP = Step(turn=0, reply=Reply(content="done"), timing=Timing(at=0.0))
ROOT = Path(__file__).parents[3]


def get(key: str) -> ToolCall:
    return ToolCall(name="get", arguments={"key": key})


@asynccontextmanager
async def pool(tool_timeout_s: float = 20.0, environment: str = "toy") -> AsyncIterator[Worlds]:
    async with Worlds(environment, None, tool_timeout_s) as worlds:
        yield worlds


async def begun(world: LiveWorld) -> None:
    """A world with a turn begun and a value put into it."""
    await world.begin(0)
    await world.call(put("a", 1))


def workers() -> list[psutil.Process]:
    """The live worker processes of this one; multiprocessing's own tracker is none."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "spawn_main" in " ".join(child.cmdline()) and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
    return found


def kill_workers() -> None:
    """As the system would; that they are dead is left for their parent to find."""
    for child in workers():
        child.kill()
    while workers():
        time.sleep(0.01)


async def test_a_call_changes_the_world_and_is_timed() -> None:
    async with pool() as worlds, worlds.open(SAMPLE) as world:
        await world.begin(0)
        done = await world.call(put("a", 7))
        read = await world.call(get("a"))

    assert (done.content, done.error, done.ran) == ("ok", False, True)
    assert read.content == "7"
    assert read.took_ns > 0


async def test_what_a_tool_refuses_is_an_error_that_ran() -> None:
    async with pool() as worlds, worlds.open(SAMPLE) as world:
        refused = await world.call(get("nowhere"))

    assert (refused.content, refused.error, refused.ran) == ("no such key", True, True)


async def test_a_tool_that_hangs_is_killed_and_the_world_is_as_before() -> None:
    async with pool(tool_timeout_s=1.0) as worlds, worlds.open(SAMPLE) as world:
        await begun(world)
        before = {child.pid for child in workers()}
        hung = await world.call(HANG)
        after = await world.call(get("a"))
        turns = await world.call(TURNS)
        left = before & {child.pid for child in workers()}

    assert (hung.content, hung.error, hung.ran) == ("the tool hang did not answer within 1 s", True, False)
    assert 1e9 <= hung.took_ns < 30e9
    assert (after.content, turns.content) == ("1", "0")
    assert (len(before), left) == (1, set())


@pytest.mark.parametrize(
    ("call", "words"), [(DIE, "the tool die broke down"), (FAIL, "RuntimeError: the tool broke (toy_world")]
)
async def test_a_tool_that_dies_or_raises_is_told_and_the_world_is_as_before(call: ToolCall, words: str) -> None:
    async with pool() as worlds, worlds.open(SAMPLE) as world:
        await begun(world)
        broken = await world.call(call)
        after = await world.call(get("a"))

    assert words in broken.content
    assert (broken.error, broken.ran) == (True, False)
    assert after.content == "1"


async def test_a_tool_cannot_take_all_memory() -> None:
    async with pool() as worlds, worlds.open(SAMPLE) as world:
        grown = await world.call(ToolCall(name="grow", arguments={"megabytes": 3000}))
        after = await world.call(put("a", 1))

    assert "MemoryError" in grown.content
    assert after.content == "ok"


async def test_a_worker_killed_by_the_system_between_calls_is_replaced() -> None:
    async with pool() as worlds, worlds.open(SAMPLE) as world:
        await begun(world)
        kill_workers()
        await world.begin(1)
        turns = await world.call(TURNS)
        kill_workers()
        verdict = await world.verdict([STEP])

    assert turns.content == "0,1"
    assert verdict.value == 1


async def test_an_idle_worker_that_died_is_not_given_out() -> None:
    async with pool() as worlds:
        async with worlds.open(SAMPLE) as world:
            await begun(world)
        kill_workers()
        async with worlds.open(SAMPLE) as world:
            fresh = await world.call(get("a"))

    assert fresh.content == "no such key"


async def test_worlds_opened_one_after_the_other_share_a_worker_and_nothing_else() -> None:
    seen = []
    async with pool() as worlds:
        for _ in range(3):
            async with worlds.open(SAMPLE) as world:
                seen.append((await world.call(get("a"))).content)
                await begun(world)
        count = len(workers())

    assert seen == ["no such key"] * 3
    assert count == 1


async def test_worlds_that_are_open_together_are_apart() -> None:
    async with pool() as worlds, worlds.open(SAMPLE) as one, worlds.open(SAMPLE) as other:
        await one.call(put("a", 1))
        seen = await other.call(get("a"))

    assert seen.content == "no such key"


async def test_a_task_that_makes_no_sense_is_a_data_error_and_spoils_no_worker() -> None:
    target = SAMPLE.target.model_copy(update={"task": {}})
    senseless = SAMPLE.model_copy(update={"target": target})
    async with pool() as worlds:
        with pytest.raises(DataError, match="sample toy_1 wants nothing"):
            async with worlds.open(senseless):
                pass
        async with worlds.open(SAMPLE) as world:
            await world.call(put("a", 1))
            verdict = await world.verdict([STEP])

    assert verdict.value == 1


async def test_an_environment_that_does_not_come_up_says_why() -> None:
    async with pool(environment="toy_broken") as worlds:
        with pytest.raises(CannotStartError, match="the toys are in another box"):
            async with worlds.open(SAMPLE):
                pass


def test_an_unknown_environment_is_a_config_error_with_the_names() -> None:
    with pytest.raises(ConfigError, match=r"environment 'toi' is not known; known: .*toy.*did you mean toy"):
        Worlds("toi", None, 1.0)


async def test_a_call_that_is_cancelled_leaves_no_process_behind() -> None:
    async with pool() as worlds:

        async def hang(sample: Sample) -> None:
            async with worlds.open(sample) as world:
                await world.begin(0)
                started.set()
                await world.call(HANG)

        started = asyncio.Event()
        task = asyncio.create_task(hang(SAMPLE))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        left = workers()

    assert left == []


async def test_no_worker_outlives_its_pool() -> None:
    async with pool() as worlds, worlds.open(SAMPLE) as world:
        await begun(world)
        during = len(workers())

    assert (during, workers()) == (1, [])


async def test_what_a_tool_prints_reaches_nobody(capfd: pytest.CaptureFixture[str]) -> None:
    async with pool() as worlds, worlds.open(SAMPLE) as world:
        said = await world.call(ToolCall(name="talk", arguments={"length": 3}))

    assert said.content == "www"
    assert capfd.readouterr().out == ""


def test_a_worker_in_a_hanging_tool_ends_when_its_parent_is_killed() -> None:
    script = "from tests.unit.environments.test_pool import hang_for_ever; hang_for_ever()"
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = psutil.Process(int(parent.stdout.readline()))

    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()

    psutil.wait_procs([worker], timeout=20)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


def hang_for_ever() -> None:
    """Opens a world in this process, tells its worker's number and calls a tool that hangs."""

    async def main() -> None:
        async with pool(tool_timeout_s=600) as worlds, worlds.open(SAMPLE) as world:
            await world.begin(0)
            print(workers()[0].pid, flush=True)
            await world.call(HANG)

    asyncio.run(main())


async def test_the_event_loop_runs_on_while_a_worker_starts_and_a_tool_hangs() -> None:
    longest, last = 0.0, time.perf_counter()

    async def tick() -> None:
        nonlocal longest, last
        while True:
            await asyncio.sleep(0.005)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now

    async with pool(tool_timeout_s=1.0) as worlds:
        ticking = asyncio.create_task(tick())
        async with worlds.open(SAMPLE) as world:
            await world.call(HANG)
        ticking.cancel()

    assert longest < 0.9
