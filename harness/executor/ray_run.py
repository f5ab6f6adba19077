"""A run over the workers of a Ray cluster: the driver deals out attempts and keeps the journal, workers ask.

An attempt counts when the driver has written it to its journal. What a lost node was asking is asked again elsewhere;
what it had told is on the driver's disk. So each attempt is recorded once, and none that was recorded is lost.
Budgets and arrival rates are the driver's, and so hold for all workers together.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from typing import Any

from harness import __version__
from harness.config import RunConfig
from harness.errors import BackendError, HarnessError
from harness.executor.ray_cluster import Floor, connected
from harness.executor.ray_worker import Plan, Worker
from harness.protocols import Backend, Endpoint
from harness.records import Attempt, Sample
from harness.records.manifest import WeightFacts

__all__ = ["RayBackend"]

_PATIENCE_S = 120.0
"""How long a run waits for a worker to come back when none is left."""
_MOST_LOST = 3
"""So many workers may be lost over one attempt before the attempt is held to be the reason."""
_LOOKED_AT = 64
_SAY = logging.getLogger("harness.executor")


@dataclass(slots=True, eq=False)
class _Seat:
    """A worker as the driver sees it."""

    handle: Any
    busy: int = 0
    lost: bool = False


@dataclass(slots=True)
class RayBackend:
    """A backend that is brought up on every worker. Its endpoint is the first worker's, for the facts alone."""

    backend: Backend
    config: RunConfig
    environment: str | None = None
    """Where the tools of agents' tasks run: on the worker."""
    data: Path | None = None
    floor: Floor = field(default_factory=Floor)
    """The cluster's room; shared by the runs of a command."""
    name: str = field(init=False)
    """Of the engine."""
    _seats: list[_Seat] = field(default_factory=list)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _returning: set["asyncio.Task[None]"] = field(default_factory=set)
    _streams: int = 1

    def __post_init__(self) -> None:
        self.name = self.backend.name

    def prepare(self) -> WeightFacts | None:
        """Looks at the weights here too, since the run is named by them."""
        return self.backend.prepare()

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[Endpoint]:
        """A context in which workers are up. Raises BackendError where the cluster has no room for one."""
        import ray

        executor = self.config.executor
        async with connected(executor):
            resources = await asyncio.to_thread(ray.cluster_resources)
            workers = await self.floor.take(executor, resources)
            try:
                self._place(workers)
                yield replace(await self._first(), slot_field=None)  # a worker deals its own slots out
            finally:
                await self._end()
                await self.floor.give_back(executor, workers)

    async def probe(self, samples: Sequence[Sample]) -> str | None:
        """A warning if the chat template drops the tools, as a worker sees it."""
        warning: str | None = await self._seats[0].handle.probe.remote(list(samples[:_LOOKED_AT]))
        return warning

    async def ask(self, sample: Sample, trial: int, *, due_ns: int | None = None, slot: int | None = None) -> Attempt:
        """The attempt as a worker made it, by another one where that was lost.

        Raises BackendError where no worker is left, or this attempt takes one down after the other.
        """
        del slot  # a worker knows its own
        import ray.exceptions as gone

        for _ in range(_MOST_LOST):
            seat = await self._free()
            late_ns = None if due_ns is None else time.perf_counter_ns() - due_ns
            try:
                attempt: Attempt = await seat.handle.ask.remote(sample, trial, late_ns)
            except gone.RayTaskError as error:
                raise _own(error) from None
            except (gone.RayActorError, gone.WorkerCrashedError, gone.ObjectLostError, gone.NodeDiedError) as error:
                self._lose(seat, error)
            else:
                return attempt
            finally:
                await self._leave(seat)
        raise BackendError(f"{_MOST_LOST} workers were lost over sample {sample.id}; see the logs of the Ray cluster")

    def _place(self, workers: int) -> None:
        """Asks the cluster for workers, spread over its nodes."""
        import ray

        config = self.config.executor
        self._streams = max(1, ceil(self._at_once() / workers))
        plan = Plan(self.config, self._streams, __version__, self.environment, self.data)
        made = ray.remote(
            num_cpus=config.cpus, num_gpus=config.gpus, max_restarts=-1, max_task_retries=0,
            max_concurrency=self._streams + 2, scheduling_strategy="SPREAD",
        )(Worker)  # fmt: skip
        self._seats = [_Seat(made.remote(plan)) for _ in range(workers)]

    def _at_once(self) -> int:
        run = self.config.run
        return run.concurrency if run.arrival.kind == "closed" else run.arrival.max_in_flight

    async def _first(self) -> Endpoint:
        """Waits for the workers; those that do not come up in time are looked for again later."""
        import ray.exceptions as gone

        wait_s = self.config.executor.start_timeout_s
        opened = [asyncio.ensure_future(_awaited(seat.handle.open.remote())) for seat in self._seats]
        await asyncio.wait(opened, timeout=wait_s)
        endpoint: Endpoint | None = None
        for seat, one in zip(self._seats, opened, strict=True):
            if not one.done():
                one.cancel()
                self._lose(seat, None)
                continue
            try:
                endpoint = endpoint or one.result()
                one.result()
            except gone.RayTaskError as error:
                raise _own(error) from None
            except gone.RayError as error:
                self._lose(seat, error)
        if endpoint is None:
            config = self.config.executor
            raise BackendError(
                f"no worker came up in {wait_s:g} s, each with {config.cpus:g} processors and {config.gpus:g} GPUs of "
                "its own: add nodes, lower executor.cpus or executor.gpus, or wait longer: executor.start_timeout_s=…"
            )
        return endpoint

    async def _free(self) -> _Seat:
        """The worker with the fewest attempts, once there is room."""
        async with self._changed:
            until_s = time.monotonic() + _PATIENCE_S
            while True:
                live = [seat for seat in self._seats if not seat.lost]
                room = [seat for seat in live if seat.busy < self._streams]
                if room:
                    seat = min(room, key=lambda one: one.busy)
                    seat.busy += 1
                    return seat
                left_s = until_s - time.monotonic()
                if live:
                    await self._changed.wait()
                elif left_s <= 0:
                    raise BackendError(
                        f"no worker is left, and none came back in {_PATIENCE_S:g} s; what is finished is kept, and "
                        "the same command goes on"
                    )
                else:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._changed.wait(), left_s)

    async def _leave(self, seat: _Seat) -> None:
        async with self._changed:
            seat.busy -= 1
            self._changed.notify_all()

    def _lose(self, seat: _Seat, error: Exception | None) -> None:
        if seat.lost:
            return
        seat.lost = True
        _SAY.warning("a worker is lost (%s); what it was asking is asked again", type(error).__name__)
        task = asyncio.ensure_future(self._return(seat))
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)

    async def _return(self, seat: _Seat) -> None:
        """Waits for Ray to start the worker again, here or on another node."""
        import ray.exceptions as gone

        while True:
            try:
                await seat.handle.open.remote()
            except gone.ActorUnavailableError:
                await asyncio.sleep(1.0)
            except gone.RayActorError:
                return  # it will not come back
            except gone.RayTaskError:
                await asyncio.sleep(5.0)
            else:
                async with self._changed:
                    seat.lost = False
                    self._changed.notify_all()
                return

    async def _end(self) -> None:
        import ray

        for task in self._returning:
            task.cancel()
        with suppress(TimeoutError, Exception):  # they end with the cluster's word, whatever they answer
            await asyncio.wait_for(
                asyncio.gather(
                    *(_awaited(seat.handle.close.remote()) for seat in self._seats if not seat.lost),
                    return_exceptions=True,
                ),
                30.0,
            )
        for seat in self._seats:
            with suppress(Exception):
                ray.kill(seat.handle)


async def _awaited(reference: Any) -> Any:
    return await reference


def _own(error: Any) -> HarnessError:
    """The harness's own error that a worker raised; anything else is one of the engine's."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, HarnessError):
        return cause
    return BackendError(f"a worker failed: {str(cause or error).strip().splitlines()[-1][:200]}")
