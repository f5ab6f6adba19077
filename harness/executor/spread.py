"""The engine of a run, as it is or one on each worker of a Ray cluster."""

from collections.abc import Sequence
from pathlib import Path

from harness.config import RunConfig
from harness.errors import ConfigError, extra
from harness.protocols import Backend, SpreadBackend
from harness.records import AgentTarget, Sample

__all__ = ["spread"]

_HERE_ALONE = ("recorded", "incumbent")
"""Engines that answer from a file of this machine."""


def spread(backend: Backend, config: RunConfig, samples: Sequence[Sample], data: Path | None) -> Backend:
    """The backend itself with `executor=local`; with `executor=ray` one that has it brought up on every worker.

    data: the suite's, for environments; it has to lie at the same place on every node.

    Raises ConfigError where Ray is not installed, and for what needs a single machine.
    """
    here = config.executor.name == "local" or config.backend.name in _HERE_ALONE
    if here or isinstance(backend, SpreadBackend):
        return backend
    if config.run.reply_cache != "off":
        raise ConfigError(
            f"run.reply_cache={config.run.reply_cache} keeps answers on one machine; leave it off with executor=ray"
        )
    try:
        import ray  # noqa: F401 - only to see that it is there
    except ImportError:
        raise ConfigError(f"executor=ray needs Ray: {extra('ray')}") from None
    from harness.executor.ray_run import RayBackend

    names = {one.target.environment for one in samples if isinstance(one.target, AgentTarget)}
    return RayBackend(backend, config, next(iter(names), None), data)
