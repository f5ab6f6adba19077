"""The engine of a run, as it is or one on each worker of a Ray cluster."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.config import ExecutorConfig, RunConfig, VllmConfig
from harness.errors import ConfigError, extra
from harness.protocols import Backend, SpreadBackend
from harness.records import AgentTarget, Sample

__all__ = ["one_floor", "spread"]

_HERE_ALONE = ("recorded", "incumbent")
"""Engines that answer from a file of this machine."""


def spread(backend: Backend, config: RunConfig, samples: Sequence[Sample], data: Path | None) -> Backend:
    """The backend itself with `executor=local`; with `executor=ray` one that has it brought up on every worker.

    data: the suite's, for environments; it has to lie at the same place on every node.

    Raises ConfigError where Ray is not installed, for what needs a single machine, and for executor.cores here.
    """
    if config.executor.name == "local" and config.executor.cores is not None:
        raise ConfigError(
            f"executor.cores={config.executor.cores} is for do=collect, curate, cluster and build; an engine's "
            f"processors are backend.threads={config.executor.cores}"
        )
    here = config.executor.name == "local" or config.backend.name in _HERE_ALONE
    if here or isinstance(backend, SpreadBackend):
        return backend
    if config.run.reply_cache != "off":
        raise ConfigError(
            f"run.reply_cache={config.run.reply_cache} keeps answers on one machine; leave it off with executor=ray"
        )
    _refuse_gpus(config)
    try:
        import ray  # noqa: F401 - only to see that it is there
    except ImportError:
        raise ConfigError(f"executor=ray needs Ray: {extra('ray')}") from None
    from harness.executor.ray_run import RayBackend

    names = {one.target.environment for one in samples if isinstance(one.target, AgentTarget)}
    return RayBackend(backend, config, next(iter(names), None), data)


def _refuse_gpus(config: RunConfig) -> None:
    """Nothing where a replica of vLLM has the GPUs that it wants. Raises ConfigError where it has more or fewer."""
    backend, gpus = config.backend, config.executor.gpus
    if not isinstance(backend, VllmConfig) or any("parallel-size" in word for word in backend.extra_args):
        return
    if gpus > 1 and gpus != backend.tensor_parallel:
        raise ConfigError(
            f"executor.gpus={gpus:g} keeps {gpus:g} GPUs for a worker, and backend.tensor_parallel="
            f"{backend.tensor_parallel} uses {backend.tensor_parallel}; write backend.tensor_parallel={int(gpus)}, or "
            "executor.gpus=1 for replicas"
        )
    if backend.tensor_parallel > max(gpus, 1):
        wanted = backend.tensor_parallel
        raise ConfigError(
            f"backend.tensor_parallel={wanted} wants {wanted} GPUs for a worker; add executor.gpus={wanted}"
        )


@contextmanager
def one_floor(groups: Sequence[Sequence[Backend]], config: ExecutorConfig) -> Iterator[None]:
    """A context in which the runs of a command share the room of one cluster; nothing where none has engines there.

    groups: the backends of runs that are made at once; those within a group need their engines at the same time.
    Raises BackendError where there is no cluster.
    """
    from harness.executor.ray_cluster import Floor, joined
    from harness.executor.ray_run import RayBackend

    on_nodes = [[one for one in group if isinstance(one, RayBackend)] for group in groups]
    if not any(on_nodes):
        yield
        return
    if any(len(group) > 1 for group in on_nodes):  # they are made in turn
        floors = [Floor(len(group), beside=True) for group in on_nodes]
    else:
        floors = [Floor(sum(map(len, on_nodes)), config.runs)] * len(on_nodes)
    for group, floor in zip(on_nodes, floors, strict=True):
        for one in group:
            one.floor = floor
    with joined(config):
        yield
