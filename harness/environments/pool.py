"""Worlds in worker processes: their tools run apart from the clock, and one that hangs is killed, not waited for."""

import asyncio
import multiprocessing
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from harness.environments.worker import serve
from harness.errors import BackendError, DataError
from harness.protocols import WorldVerdict
from harness.records import Sample, Step, ToolCall
from harness.registry import load_plugin

__all__ = ["CannotStartError", "LiveWorld", "Outcome", "Worlds"]

_START_S = 60.0
_OPEN_S = 60.0
_TRIES = 2
"""Workers that are brought up for one world before giving up: one may have been killed by the system."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call came to."""

    content: str
    error: bool
    ran: bool
    """Whether the tool came to its end: only then has the world changed."""
    took_ns: int


class CannotStartError(DataError):
    """The environment does not come up here at all: no other task would fare better."""


class _Overtime(BackendError):
    """A worker did not answer in time."""


class _Died(BackendError):
    """A worker's process is gone."""


class _Worker:
    """One process and our end of its pipe."""

    def __init__(self, environment: str, data: Path | None) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe: Connection
        self._pipe, theirs = context.Pipe()
        arguments = (theirs, environment, str(data) if data else None)
        self._process: BaseProcess = context.Process(target=serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        self._ready = False

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        return self._process.is_alive()

    async def ask(self, timeout_s: float, verb: str, *arguments: object) -> object:
        """The answer to a request.

        Raises _Overtime after the time, _Died, DataError, BackendError if it failed, CannotStartError if nothing can.
        """
        try:
            if not self._ready:  # until its imports are done nothing is sent: a full pipe would hold the clock up
                await self._started()
                self._ready = True
            self._pipe.send((verb, arguments))
            return await self._answer(timeout_s)
        except (EOFError, OSError) as error:
            raise _Died("the worker that runs the environment's tools died; was it out of memory?") from error

    async def _started(self) -> None:
        try:
            await self._answer(_START_S)
        except (_Overtime, _Died):
            raise
        except (BackendError, DataError) as error:
            raise CannotStartError(str(error)) from None

    async def _answer(self, timeout_s: float) -> object:
        await _readable(self._pipe, timeout_s)
        kind, answer = self._pipe.recv()
        if kind == "data":
            raise DataError(str(answer))
        if kind == "error":
            raise BackendError(f"the environment failed: {answer}")
        return answer

    def kill(self) -> None:
        """Ends the process at once."""
        self._process.kill()
        self._process.join()
        self._pipe.close()


async def _readable(pipe: Connection, timeout_s: float) -> None:
    """Comes back when there is something to read, or the other end is gone. Raises _Overtime after the time."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Future[None] = loop.create_future()

    def note() -> None:
        if not arrived.done():
            arrived.set_result(None)

    loop.add_reader(pipe.fileno(), note)
    try:
        async with asyncio.timeout(timeout_s):
            await arrived
    except TimeoutError:
        raise _Overtime(f"no answer within {timeout_s:g} s") from None
    finally:
        loop.remove_reader(pipe.fileno())


class Worlds:
    """A pool of workers for one environment; a context. Workers are started when they are first needed."""

    def __init__(self, environment: str, data: Path | None, tool_timeout_s: float) -> None:
        """Raises ConfigError if there is no environment of that name."""
        self.environment, self.data, self.tool_timeout_s = environment, data, tool_timeout_s
        plugin = load_plugin("harness.environments", environment)
        self.runs_unoffered = bool(getattr(plugin, "runs_unoffered", False))
        """Whether calls of tools that were not offered go to the world; else they are refused before."""
        self._idle: list[_Worker] = []
        self._all: list[_Worker] = []

    @asynccontextmanager
    async def open(self, sample: Sample) -> AsyncIterator["LiveWorld"]:
        """A new world for a sample. Raises DataError if its task makes no sense, BackendError if no worker comes up."""
        world = LiveWorld(self, sample)
        try:
            await world.start()
            yield world
        finally:
            world.leave()

    def take(self) -> _Worker:
        """An idle worker, or a new one."""
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
            self.discard(worker)
        worker = _Worker(self.environment, self.data)
        self._all.append(worker)
        return worker

    def give(self, worker: _Worker) -> None:
        """Takes back a worker whose world is no longer needed."""
        if worker in self._all:
            self._idle.append(worker)

    def discard(self, worker: _Worker) -> None:
        """Ends a worker that hangs or died."""
        if worker in self._all:
            self._all.remove(worker)
            worker.kill()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._all:
            worker.kill()
        self._all.clear()
        self._idle.clear()


@dataclass(slots=True)
class LiveWorld:
    """One world; if its worker is gone, the next one is brought to the same state by the calls so far."""

    pool: Worlds
    sample: Sample
    _worker: _Worker | None = None
    _done: list[tuple[str, object]] = field(default_factory=list)
    """What has been begun and called, and came to its end."""

    async def start(self) -> None:
        """Opens the world, and does again what had been done in it."""
        for tries_left in reversed(range(_TRIES)):
            self._worker = self.pool.take()
            try:
                return await self._rebuild()
            except _Overtime:
                raise BackendError(f"the world of sample {self.sample.id} did not open within {_OPEN_S:g} s") from None
            except _Died:
                if not tries_left:
                    raise
        return None

    async def begin(self, turn: int) -> None:
        """Tells the world that a turn begins. Raises BackendError if the environment fails or hangs."""
        await self._steady("begin", turn)
        self._done.append(("begin", turn))

    async def call(self, call: ToolCall) -> Outcome:
        """Runs a tool. One that hangs or breaks its worker is an error that the model is told, and did not run."""
        began = time.perf_counter_ns()
        request = call.model_dump_json()
        try:
            content, error = cast(tuple[str, bool], await self._ask(self.pool.tool_timeout_s, "call", request))
        except _Overtime:
            words = f"the tool {call.name} did not answer within {self.pool.tool_timeout_s:g} s"
            return await self._lost(words, began)
        except _Died:
            return await self._lost(f"the tool {call.name} broke down and gave nothing back", began)
        except BackendError as broken:
            return await self._lost(str(broken), began)
        self._done.append(("call", request))
        return Outcome(content, error, ran=True, took_ns=time.perf_counter_ns() - began)

    async def verdict(self, steps: Sequence[Step], *, ended: bool = True) -> WorldVerdict:
        """What became of the task. Raises BackendError if the environment's own check fails or hangs."""
        answer = await self._steady("verdict", tuple(step.model_dump_json() for step in steps), ended)
        return cast(WorldVerdict, answer)

    def leave(self) -> None:
        """Gives the worker back."""
        if self._worker is not None:
            self.pool.give(self._worker)
            self._worker = None

    async def _rebuild(self) -> None:
        await self._ask(_OPEN_S, "open", self.sample.model_dump_json())
        for verb, argument in self._done:
            await self._ask(_OPEN_S, verb, argument)

    async def _lost(self, words: str, began: int) -> Outcome:
        took = time.perf_counter_ns() - began
        self._drop()
        await self.start()
        return Outcome(words, error=True, ran=False, took_ns=took)

    async def _steady(self, verb: str, *arguments: object) -> object:
        """The answer, from another worker if the first is gone."""
        try:
            return await self._ask(_OPEN_S, verb, *arguments)
        except _Died:
            await self.start()
            return await self._ask(_OPEN_S, verb, *arguments)
        except _Overtime:
            words = f"the environment of sample {self.sample.id} did not answer within {_OPEN_S:g} s"
            raise BackendError(words) from None

    async def _ask(self, timeout_s: float, verb: str, *arguments: object) -> object:
        assert self._worker is not None
        try:
            return await self._worker.ask(timeout_s, verb, *arguments)
        except (asyncio.CancelledError, _Overtime, _Died):  # a late answer would be taken for that of the next request
            self._drop()
            raise

    def _drop(self) -> None:
        if self._worker is not None:
            self.pool.discard(self._worker)
            self._worker = None
