"""The connection of this process to a Ray cluster, and how the cluster's room is dealt out to the runs of a command."""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from harness.config import ExecutorConfig
from harness.errors import BackendError, ConfigError

__all__ = ["Floor", "connected", "joined"]

_REACH_S = 10.0
_MOST_WORKERS = 4096
_STARTS = 3
"""Tries to start a cluster of this machine's own. Ray's node process gives up when a part of it takes longer than 15 s
to start, and no setting changes that (ray-project/ray issue 65983); the next time its files are in memory."""
_LATE = ("timed out during startup", "Timed out waiting for file")
_PATIENCE = {
    "RAY_gcs_server_port_wait_time_s": "120",
    "RAY_agent_register_timeout_ms": "120000",
    "RAY_worker_register_timeout_seconds": "180",
}
"""Waits at the start of a cluster that can be set, for a machine that is busy; Ray's own are 30, 30 and 60 s."""
_SAY = logging.getLogger("harness.executor")


@contextmanager
def joined(config: ExecutorConfig) -> Iterator[None]:
    """A connection to the cluster, or to one of this machine's own that ends with it; nothing new within another one.

    Raises BackendError where there is no cluster at the address, or where Ray does not start here.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        yield
        return
    with ThreadPoolExecutor(1) as aside:  # in the main thread Ray takes SIGTERM for itself
        aside.submit(_join, config).result()
        try:
            yield
        finally:
            aside.submit(ray.shutdown).result()


@asynccontextmanager
async def connected(config: ExecutorConfig) -> AsyncIterator[None]:
    """`joined`, for the event loop."""
    context = joined(config)
    await asyncio.to_thread(context.__enter__)
    try:
        yield
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)


def _join(config: ExecutorConfig) -> None:
    if config.address is None:
        return _start(config)
    try:
        _reach(config.address)
        _init(config)
    except (OSError, ValueError, RuntimeError) as error:
        raise BackendError(
            f"no Ray cluster at executor.address={config.address} ({_said(error)}); start one with "
            "`ray start --head`, or leave the address out for one on this machine"
        ) from None


def _start(config: ExecutorConfig) -> None:
    for left in reversed(range(_STARTS)):
        try:
            return _init(config)
        except Exception as error:  # Ray raises no narrower one here
            if not any(late in str(error) for late in _LATE):
                raise
            if not left:
                raise BackendError(
                    f"Ray did not start on this machine in {_STARTS} tries ({_said(error)}): is it very busy? Try "
                    "again, or start a cluster beforehand with `ray start --head` and name it: executor.address=auto"
                ) from None
            _SAY.warning("Ray took too long to start; once more")


def _init(config: ExecutorConfig) -> None:
    import ray

    own = {} if config.address else {"include_dashboard": False, "num_cpus": config.cores}
    ray.init(address=config.address or "local", log_to_driver=False, logging_level=logging.ERROR, **own)


def _said(error: Exception) -> str:
    words = str(error).strip()
    return words.splitlines()[0][:160] if words else type(error).__name__


def _reach(address: str | None) -> None:
    """Nothing where somebody listens at the address: Ray itself would try for minutes. Raises OSError."""
    if address is None or address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=_REACH_S):
        pass


@dataclass(slots=True)
class Floor:
    """The cluster's room for the workers of a command's runs. A run that begins gets an equal part of what is free."""

    to_come: int = 1
    """Runs that have no workers yet."""
    at_once: int | None = None
    """Runs with workers at any time; None: as many as there is room for."""
    beside: bool = False
    """All of them need workers at the same time: nobody waits for another to end."""
    _taken: list[tuple[ExecutorConfig, int]] = field(default_factory=list)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self, config: ExecutorConfig, resources: dict[str, float]) -> int:
        """Workers for a run, once there is room for one. resources: of the whole cluster.

        Raises ConfigError where there will never be room.
        """
        if not (config.cpus or config.gpus or config.workers):
            raise ConfigError("executor.cpus=0 executor.gpus=0 takes no room, so say how many: executor.workers=4")
        whole = _room(resources, config)
        if whole < 1:
            raise ConfigError(
                f"the cluster has {resources.get('CPU', 0.0):g} processors and {resources.get('GPU', 0.0):g} GPUs, and "
                f"a worker takes {config.cpus:g} and {config.gpus:g}; lower executor.cpus or executor.gpus"
            )
        async with self._changed:
            while not (workers := self._part(config, resources, whole)):
                if self.beside:
                    raise ConfigError(
                        "run.stop asks models side by side, and the cluster has no room for a worker of each: add "
                        "nodes, or lower executor.workers, executor.cpus or executor.gpus"
                    )
                await self._changed.wait()
            self._taken.append((config, workers))
            self.to_come -= 1
            return workers

    async def give_back(self, config: ExecutorConfig, workers: int) -> None:
        """The run's workers are gone."""
        async with self._changed:
            self._taken.remove((config, workers))
            self._changed.notify_all()

    def _part(self, config: ExecutorConfig, resources: dict[str, float], whole: int) -> int:
        """Workers that a run may have now; 0: it has to wait."""
        free = {
            "CPU": resources.get("CPU", 0.0) - sum(one.cpus * workers for one, workers in self._taken),
            "GPU": resources.get("GPU", 0.0) - sum(one.gpus * workers for one, workers in self._taken),
        }
        room = _room(free, config)
        if config.workers is not None:  # more than ever fit join in when nodes do
            fits = room >= min(config.workers, whole)
            return config.workers if fits else 0
        beside = self.to_come if self.at_once is None else min(self.to_come, self.at_once - len(self._taken))
        return min(room, max(1, room // max(1, beside)))


def _room(resources: dict[str, float], config: ExecutorConfig) -> int:
    """Workers that these resources have room for."""
    room = resources.get("CPU", 0.0) / config.cpus if config.cpus else float("inf")
    if config.gpus:
        room = min(room, resources.get("GPU", 0.0) / config.gpus)
    return int(min(room + 1e-9, _MOST_WORKERS))
