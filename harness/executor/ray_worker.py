"""What a worker of a Ray cluster does in a run: one engine, one client beside it, attempts from request to record.

Requests are sent and timed here, next to the engine; the driver keeps the books. Nothing is written here that counts.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from harness import __version__
from harness.backends import backend_for
from harness.config import RunConfig
from harness.environments.pool import Worlds
from harness.errors import BackendError
from harness.protocols import Endpoint
from harness.records import Attempt, Sample
from harness.runner.attempt import Asker
from harness.runner.engine import Lane, warm_asker
from harness.runner.probe import probe_tools

__all__ = ["Plan", "Worker"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a worker is told when it is made."""

    config: RunConfig
    streams: int
    """Requests in flight at once."""
    version: str
    """Of the driver's harness."""
    environment: str | None = None
    data: Path | None = None


class Worker:
    """One engine with its client. It is brought up by the first call that needs it, and anew after a crash."""

    def __init__(self, plan: Plan) -> None:
        """Starts nothing yet."""
        self._plan = plan
        self._stack = AsyncExitStack()
        self._asker: Asker | None = None
        self._starting = asyncio.Lock()
        self._slots: list[int] = []

    async def open(self) -> Endpoint:
        """Brings the engine up, and tells of its endpoint all but the headers, which may hold a key.

        Raises BackendError where it does not come up, or where this node has another version of the harness.
        """
        return replace((await self._ready()).endpoint, headers={})

    async def probe(self, samples: Sequence[Sample]) -> str | None:
        """A warning if the chat template drops the tools."""
        asker = await self._ready()
        return await probe_tools(asker.endpoint, asker.model, samples)

    async def ask(self, sample: Sample, trial: int, late_ns: int | None) -> Attempt:
        """The attempt as it ended. late_ns: nanoseconds since the schedule wanted it out; None: no schedule."""
        asker = await self._ready()
        due_ns = None if late_ns is None else time.perf_counter_ns() - late_ns
        slot = self._slots.pop() if self._slots else None
        try:
            return await asker.ask(sample, trial, due_ns=due_ns, slot=slot)
        finally:
            if slot is not None:
                self._slots.append(slot)

    async def close(self) -> None:
        """Takes the engine down."""
        self._asker = None
        await self._stack.aclose()

    async def _ready(self) -> Asker:
        async with self._starting:
            if self._asker is None:
                self._asker = await self._started()
            return self._asker

    async def _started(self) -> Asker:
        plan, config = self._plan, self._plan.config
        if plan.version != __version__:
            raise BackendError(
                f"a node of the cluster has version {__version__} of the harness, and the command has {plan.version}; "
                "install the same on every node"
            )
        backend = backend_for(config.model, config.backend)
        await asyncio.to_thread(backend.prepare)
        worlds = None
        if plan.environment is not None:
            tools = Worlds(plan.environment, plan.data, config.agent.tool_timeout_s)
            worlds = await self._stack.enter_async_context(tools)
        endpoint = await self._stack.enter_async_context(backend.serve())
        if endpoint.slot_field is not None and (endpoint.facts.slots or 1) > 1:
            self._slots = list(range(endpoint.facts.slots or 1))
        lane = Lane(config.model, endpoint, config.run, _nothing, worlds, config.agent)
        return await self._stack.enter_async_context(warm_asker(lane, plan.streams))


def _nothing(sample: Sample, attempt: Attempt) -> None:
    """The driver records."""
    del sample, attempt
