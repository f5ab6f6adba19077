"""The measuring loop: attempts in flight on one event loop, closed or open, every outcome recorded before it counts."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random

import orjson

from harness.backends.client import ChatClient
from harness.backends.stream import read_exchange
from harness.config import AgentConfig, ArrivalConfig, ModelConfig, RunnerConfig
from harness.energy import EnergyMeter
from harness.environments.pool import Worlds
from harness.errors import BackendError, HarnessError
from harness.protocols import Endpoint, SpreadBackend
from harness.records import Attempt, Sample
from harness.runner.attempt import Asker, Once
from harness.runner.guard import FATAL, Budget, Guard
from harness.runner.prefix import Routes
from harness.runner.replies import Replies

__all__ = ["Lane", "Stopwatch", "Work", "run_lanes", "warm_asker"]


_RAMP_MAX_S = 1.0
_WARM_UP_PAUSE_S = 0.005


@dataclass(frozen=True, slots=True)
class Work:
    """One attempt to be made: by which lane, and when (seconds after the start; None: as soon as there is room)."""

    lane: int
    sample: Sample
    trial: int
    due_s: float | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    """One model behind one endpoint, with how it is asked and where its outcomes go."""

    model: ModelConfig
    endpoint: Endpoint
    settings: RunnerConfig
    record: Callable[[Sample, Attempt], None]
    """Called once for each finished attempt: journals first, then counts."""
    worlds: Worlds | None = None
    """Where the tools of agents' tasks run."""
    agent: AgentConfig = field(default_factory=AgentConfig)
    replies: Replies | None = None
    """Answers of earlier runs, and where this one's are kept."""
    spread: SpreadBackend | None = None
    """Who has the attempts made on other nodes; None: they are made here."""


class Stopwatch:
    """Wall-clock seconds since `start`, 0 before it, and each lane's share of them; a meter runs along."""

    def __init__(self) -> None:
        self.meter: EnergyMeter | None = None
        """Runs while the watch does."""
        self._started: float | None = None
        self._stopped: float | None = None
        self._busy: dict[int, float] = {}

    def start(self) -> None:
        """Starts the watch."""
        if self.meter is not None:
            self.meter.__enter__()
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        if self._started is None:
            return 0.0
        return (time.perf_counter() if self._stopped is None else self._stopped) - self._started

    def stop(self) -> None:
        """Stops the watch for good."""
        self._stopped = time.perf_counter()
        if self.meter is not None:
            self.meter.__exit__(None, None, None)

    def busy(self, lane: int, seconds: float) -> None:
        """Notes the seconds that an attempt of a lane took."""
        self._busy[lane] = self._busy.get(lane, 0.0) + seconds

    def share_of(self, lane: int) -> float:
        """Seconds that fall to a lane: all of them for a single one, else in proportion to its attempts' time."""
        total = sum(self._busy.values())
        return self.seconds * self._busy.get(lane, 0.0) / total if total > 0 else 0.0


async def run_lanes(lanes: list[Lane], work: Iterator[Work], budget: Budget, clock: Stopwatch) -> str | None:
    """Makes the attempts of `work`; returns which budget ended it early, None if all were made.

    Settings are those of the first lane. The clock starts after every lane's warm-up. Raises BackendError when going on
    is pointless: an endpoint refuses, or most of the latest attempts were lost; DataError when an outcome cannot be
    written. Cancelling loses no finished attempt.
    """
    settings = lanes[0].settings
    async with AsyncExitStack() as stack:
        askers: list[Asker | SpreadBackend] = []
        ramp_s = 0.0
        for number, lane in enumerate(lanes):
            if lane.spread is not None:  # its workers have warmed up
                askers.append(lane.spread)
                continue
            limit = max(settings.concurrency, settings.arrival.max_in_flight if _is_open(settings.arrival) else 1)
            client = await stack.enter_async_context(_client(lane.endpoint, limit))
            waits = lane.replies is not None and lane.replies.reader is not None
            took_s = 0.0 if waits else await _warm_up(lane, client)
            ramp_s = max(ramp_s, min(_RAMP_MAX_S, took_s))
            asker = Asker(lane.model, lane.endpoint, settings, client, Random(number), lane.worlds, lane.agent)
            if lane.replies is not None:
                first = Once(partial(_warm_up, lane, client)) if waits else None
                asker = replace(asker, replies=lane.replies, first=first)
            askers.append(asker)
        loop = _Loop(lanes, askers, budget, clock, ramp_s)
        gc.collect(1)  # the young only: a full collection takes 0.1 s, and what is old grows no more
        gc.freeze()  # what is there by now stays: a full collection over it would stop the clock's reader for 50 ms
        clock.start()
        try:
            if _is_open(settings.arrival):
                await loop.open(work, settings.arrival.max_in_flight)
            elif len(lanes) == 1 and (slots := _slots(lanes[0].endpoint, settings)) > 1:
                await loop.routed(Routes(work, slots), slots)
            else:
                await loop.closed(work, settings.concurrency)
        except* HarnessError as errors:
            raise _first(errors) from None
        finally:
            clock.stop()
            gc.unfreeze()
        if loop.stopped is None:
            loop.finish()
    return loop.stopped


def _slots(endpoint: Endpoint, settings: RunnerConfig) -> int:
    """Slots to deal the work to, one stretch each; 1 where they cannot be chosen, or the work is found on the way."""
    if endpoint.slot_field is None or settings.stop is not None:
        return 1
    return min(settings.concurrency, endpoint.facts.slots or settings.concurrency)


def _is_open(arrival: ArrivalConfig) -> bool:
    return arrival.kind != "closed"


def _client(endpoint: Endpoint, concurrency: int) -> ChatClient:
    return ChatClient(endpoint, concurrency=concurrency, connect_timeout_s=endpoint.connect_timeout_s)


@asynccontextmanager
async def warm_asker(lane: Lane, limit: int) -> AsyncIterator[Asker]:
    """An asker at a lane's endpoint for up to `limit` requests at once, after the lane's warm-up.

    Raises BackendError where the endpoint refuses.
    """
    async with _client(lane.endpoint, limit) as client:
        await _warm_up(lane, client)
        yield Asker(lane.model, lane.endpoint, lane.settings, client, Random(0), lane.worlds, lane.agent)


def _first(errors: BaseExceptionGroup[HarnessError]) -> HarnessError:
    found = errors.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found


class _Loop:
    """The two ways to keep attempts in flight."""

    def __init__(
        self, lanes: list[Lane], askers: list[Asker | SpreadBackend], budget: Budget, clock: Stopwatch, ramp_s: float
    ) -> None:
        self._lanes, self._askers, self._budget, self._clock, self._ramp_s = lanes, askers, budget, clock, ramp_s
        self._guards = [Guard(lane.settings.max_failed_frac) for lane in lanes]
        self.stopped: str | None = None

    def finish(self) -> None:
        """Raises BackendError if most of what a lane made last was lost."""
        for guard in self._guards:
            guard.finish()

    async def closed(self, work: Iterator[Work], concurrency: int) -> None:
        """`concurrency` attempts at once, the next one as soon as one ends."""

        async def worker(number: int) -> None:
            await self._ramped(number, concurrency)
            for item in self._within_budget(work):
                await self._one(item, None)

        async with asyncio.TaskGroup() as group:
            for number in range(concurrency):
                group.create_task(worker(number))

    async def routed(self, routes: Routes[Work], slots: int) -> None:
        """One attempt at once for each slot, each slot with a stretch of the work that begins alike."""

        async def worker(slot: int) -> None:
            await self._ramped(slot, slots)
            for item in self._within_budget(iter(partial(routes.take, slot), None)):
                await self._one(item, None, slot)

        async with asyncio.TaskGroup() as group:
            for slot in range(slots):
                group.create_task(worker(slot))

    async def open(self, work: Iterator[Work], max_in_flight: int) -> None:
        """Each attempt at its own time, however slow the server is, up to a bound on what is in flight at once.

        Where the bound holds a request back, its latency still counts from the time it was due.
        """
        room = asyncio.Semaphore(max_in_flight)
        start_ns = time.perf_counter_ns()

        async def one(item: Work, due_ns: int) -> None:
            try:
                await self._one(item, due_ns)
            finally:
                room.release()

        async with asyncio.TaskGroup() as group:
            for item in self._within_budget(work):
                due_ns = start_ns + round((item.due_s or 0.0) * 1e9)
                await asyncio.sleep(max(0.0, (due_ns - time.perf_counter_ns()) / 1e9))
                await room.acquire()
                group.create_task(one(item, due_ns))

    async def _ramped(self, number: int, of: int) -> None:
        """Starts the streams spread over the time of one call: all at once, they would wait for each other to be read.

        Measured at 64 streams: p99 of the time until the server had read a request 2.8 ms at once, 0.2 ms spread.
        """
        await asyncio.sleep(self._ramp_s * number / of)

    def _within_budget(self, work: Iterable[Work]) -> Iterator[Work]:
        for item in work:
            self.stopped = self.stopped or self._budget.spent()
            if self.stopped is not None:
                return
            self._budget.sent()
            yield item

    async def _one(self, item: Work, due_ns: int | None, slot: int | None = None) -> None:
        began = time.perf_counter()
        attempt = await self._askers[item.lane].ask(item.sample, item.trial, due_ns=due_ns, slot=slot)
        self._clock.busy(item.lane, time.perf_counter() - began)
        if attempt.failure is None or attempt.failure.boundary != "harness":
            self._lanes[item.lane].record(item.sample, attempt)
        self._budget.ended(attempt)
        self._guards[item.lane].check(attempt.failure)


async def _warm_up(lane: Lane, client: ChatClient) -> float:
    """A few short requests that are not recorded; returns the seconds that the last one took.

    A refusal here is the run's refusal. The pause between them lets a server show that it closes kept connections
    (llama.cpp does after each streamed reply, whatever its headers say).
    """
    fields: dict[str, object] = {
        "model": lane.endpoint.model,
        "messages": [{"role": "user", "content": "Say OK."}],
        "stream": True,
        lane.model.generation.max_tokens_field: 8,
    }
    body = orjson.dumps(fields | lane.endpoint.extra_body)
    took_s = 0.0
    for _ in range(lane.settings.warmup):
        began = time.perf_counter()
        exchange = await client.stream(body, deadline_s=lane.settings.deadline_s, stall_s=lane.settings.stall_s)
        took_s = time.perf_counter() - began
        failure = read_exchange(exchange).failure
        if failure is not None and failure.kind in FATAL | {"connect"}:
            raise BackendError(f"the endpoint does not answer ({failure.kind}): {failure.message}")
        await asyncio.sleep(_WARM_UP_PAUSE_S)
    return took_s
