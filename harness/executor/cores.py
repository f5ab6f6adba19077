"""The processors that collect, curate, cluster and build work on: this machine's, or a Ray cluster's."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain, islice
from multiprocessing.connection import wait
from typing import Any, TypeVar

from harness.config import ExecutorConfig
from harness.cores import ONE_CORE, Cores, Stage
from harness.errors import BackendError

__all__ = ["LocalCores", "cores_of", "opened"]

Part = TypeVar("Part")
Made = TypeVar("Made")
_WAITING = 2
"""Parts a process that are handed out or done and not yet taken."""
_OPEN: dict[Any, Callable[[Any], Any]] = {}
_MOST_OPEN = 4
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def cores_of(config: ExecutorConfig) -> Iterator[Cores]:
    """The processors of `executor`: with `local` processes of this machine, as many as `executor.cores` or all.

    Raises ConfigError where Ray is not installed, and BackendError where its cluster cannot be reached.
    """
    if config.name == "ray":
        from harness.executor.ray_cores import ray_cores

        with ray_cores(config) as cores:
            yield cores
        return
    count = config.cores or len(os.sched_getaffinity(0))
    if count == 1:
        yield ONE_CORE
        return
    with LocalCores(count) as local:
        yield local


def opened(stage: Stage[Part, Made]) -> Callable[[Part], Made]:
    """The stage's function, opened once in this process; the last four that were asked for stay open."""
    work = _OPEN.get(stage)
    if work is None:
        while len(_OPEN) >= _MOST_OPEN:
            _OPEN.pop(next(iter(_OPEN)))
        work = _OPEN[stage] = stage.open()
    return work


class LocalCores:
    """Processes of this machine, started with the first two parts and ended with the context."""

    def __init__(self, count: int) -> None:
        """Starts nothing yet."""
        self._count = count
        self._pool: ProcessPoolExecutor | None = None

    @property
    def count(self) -> int:
        """Processes."""
        return self._count

    def __enter__(self) -> "LocalCores":
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def map(self, stage: Stage[Part, Made], parts: Iterable[Part]) -> Iterator[Made]:
        """What the stage makes of each part, in their order. A single part is worked on here."""
        source = iter(parts)
        first = list(islice(source, 2))
        if len(first) < 2:
            yield from ONE_CORE.map(stage, first)
            return
        pool = self._started()
        waiting: deque[Future[Made]] = deque()
        try:
            for part in chain(first, source):
                waiting.append(pool.submit(_work, stage, part))
                if len(waiting) >= self._count * _WAITING:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            self._pool = None
            raise BackendError(
                "a process that worked on a part of the log was ended from outside (too little memory?); "
                "try again with executor.cores=1"
            ) from None
        finally:
            for one in waiting:
                one.cancel()

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            spawned = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._count, mp_context=spawned, initializer=_begin)
        return self._pool


def _work(stage: Stage[Part, Made], part: Part) -> Made:
    return opened(stage)(part)


def _begin() -> None:
    """In a new process: Ctrl-C is the parent's to handle, its end is ours too, and BLAS takes one thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    for name in _THREADS:  # before NumPy is loaded here
        os.environ[name] = "1"


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
