"""What is asked beside the caller's call: never on the caller's time, never with an effect on the caller."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from threading import Lock
from weakref import WeakKeyDictionary

__all__ = ["Aside", "AsideCounts"]

_LOG = logging.getLogger("harness.router")
Job = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class AsideCounts:
    """What became of the jobs: offered = done + dropped + failed + those under way."""

    offered: int = 0
    done: int = 0
    dropped: int = 0
    """No room, or the program's loop ended before they did."""
    failed: int = 0


class Aside:
    """Runs jobs as tasks of the loop that offers them: so many at once, so many waiting, the rest is dropped."""

    def __init__(self, at_once: int, most_waiting: int) -> None:
        """Starts nothing yet."""
        self.counts = AsideCounts()
        self._at_once, self._most = at_once, at_once + most_waiting
        self._open = 0
        self._lock = Lock()
        self._warned = False
        self._tasks: WeakKeyDictionary[asyncio.AbstractEventLoop, set[asyncio.Task[None]]] = WeakKeyDictionary()
        self._slots: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

    def offer(self, job: Job) -> bool:
        """Takes a job, if there is room. Call it within a running loop."""
        with self._lock:
            self.counts.offered += 1
            if self._open >= self._most:
                self.counts.dropped += 1
                return False
            self._open += 1
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._run(job, self._slots.setdefault(loop, asyncio.Semaphore(self._at_once))))
        tasks = self._tasks.setdefault(loop, set())
        tasks.add(task)
        task.add_done_callback(lambda ended: self._ended(ended, tasks))
        return True

    async def _run(self, job: Job, slots: asyncio.Semaphore) -> None:
        async with slots:
            await job()

    def _ended(self, task: "asyncio.Task[None]", tasks: "set[asyncio.Task[None]]") -> None:
        tasks.discard(task)
        with self._lock:
            self._open -= 1
            if task.cancelled():
                self.counts.dropped += 1
                return
            error = task.exception()
            if error is None:
                self.counts.done += 1
                return
            self.counts.failed += 1
            first, self._warned = not self._warned, True
        if first:
            with contextlib.suppress(Exception):
                _LOG.warning("a call aside failed (%s); callers do not notice, further ones are counted", error)

    async def drain(self, timeout_s: float) -> None:
        """Waits for the jobs of this loop, for so long at most; those left are dropped."""
        tasks = list(self._tasks.get(asyncio.get_running_loop(), ()))
        if not tasks:
            return
        _, left = await asyncio.wait(tasks, timeout=timeout_s)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
