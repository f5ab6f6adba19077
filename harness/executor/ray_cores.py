"""Parts worked on by the nodes of a Ray cluster, through Ray Data.

The command hands parts out in windows, so that it holds few of them, and takes what is made of them in their order.
What a lost node was working on, or had made and not handed over, Ray Data has worked on again by another.
"""

import logging
import os
import pickle
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, TypeVar

from harness import __version__
from harness.config import ExecutorConfig
from harness.cores import ONE_CORE, Cores, Stage
from harness.errors import BackendError, ConfigError, HarnessError, extra
from harness.executor.cores import opened

__all__ = ["RayCores", "ray_cores"]

Part = TypeVar("Part")
Made = TypeVar("Made")
_WINDOW: Final = 8
"""Parts a worker that are handed out together."""
_LOUDEST: Final = logging.ERROR


@contextmanager
def ray_cores(config: ExecutorConfig) -> Iterator[Cores]:
    """The processors of a Ray cluster, or of one of this machine's own that ends with the context.

    Raises ConfigError where Ray is not installed or the cluster has no room for a worker, and BackendError where the
    cluster cannot be reached.
    """
    try:
        import ray  # noqa: F401 - only to see that it is there
    except ImportError:
        raise ConfigError(f"executor=ray needs Ray: {extra('ray')}") from None
    from harness.executor.ray_cluster import joined

    with joined(config):
        _silence()
        yield RayCores(_workers(config), config.cpus, config.gpus)


@dataclass(frozen=True, slots=True)
class RayCores:
    """Workers of the Ray cluster that this process is connected to."""

    count: int
    cpus: float = 1.0
    """Kept for a worker."""
    gpus: float = 0.0

    def map(self, stage: Stage[Part, Made], parts: Iterable[Part]) -> Iterator[Made]:
        """What the stage makes of each part, in their order. A single part is worked on here."""
        source = iter(parts)
        first = list(islice(source, 2))
        if len(first) < 2:
            yield from ONE_CORE.map(stage, first)
            return
        told = pickle.dumps((__version__, str(Path.cwd()), stage))
        rest = chain(first, source)
        while window := [pickle.dumps(part) for part in islice(rest, self.count * _WINDOW)]:
            yield from self._made(told, window)

    def _made(self, told: bytes, window: list[bytes]) -> Iterator[Any]:
        import ray
        import ray.exceptions as gone

        try:
            rows = ray.data.from_items(window, override_num_blocks=len(window)).map(
                _work,
                fn_kwargs={"told": told},
                num_cpus=self.cpus,
                num_gpus=self.gpus or None,
                compute=ray.data.TaskPoolStrategy(size=self.count),
            )
            for row in rows.iter_rows():
                good, made = pickle.loads(row["made"])
                if not good:
                    raise made
                yield made
        except gone.RayError as error:
            said = str(error).strip().splitlines()
            raise BackendError(
                f"the Ray cluster lost a part and could not have it worked on again "
                f"({said[-1][:160] if said else type(error).__name__}); what was committed is kept, and the same "
                "command goes on"
            ) from None


def _work(row: dict[str, Any], told: bytes) -> dict[str, Any]:
    """On a worker: what the stage makes of a part, or what it raised. As bytes, since Ray Data would convert it."""
    made: tuple[bool, Any]
    try:
        made = (True, _made(told, row["item"]))
    except Exception as error:  # raised again in the command; where it was is told of a bug alone
        if not isinstance(error, HarnessError):
            error.add_note(traceback.format_exc())
        made = (False, error)
    return {"made": pickle.dumps(made)}


def _made(told: bytes, part: bytes) -> Any:
    version, folder, stage = pickle.loads(told)
    if version != __version__:
        raise BackendError(
            f"a node of the cluster has version {__version__} of the harness, and the command has {version}; "
            "install the same on every node"
        )
    with suppress(OSError):  # where relative paths begin; a node that lacks it may do with absolute ones
        os.chdir(folder)
    return opened(stage)(pickle.loads(part))


def _workers(config: ExecutorConfig) -> int:
    """Workers that are asked for, or that the cluster has room for."""
    if config.workers is not None:
        return config.workers
    import ray

    found = ray.cluster_resources()
    room = found.get("CPU", 0.0) / (config.cpus or 1.0)
    if config.gpus:
        room = min(room, found.get("GPU", 0.0) / config.gpus)
    if room < 1:
        raise ConfigError(
            f"the cluster has {found.get('CPU', 0.0):g} processors and {found.get('GPU', 0.0):g} GPUs, and a worker "
            f"takes {config.cpus:g} and {config.gpus:g}; lower executor.cpus or executor.gpus"
        )
    return int(room)


def _silence() -> None:
    """Has Ray Data keep the order and say nothing: no bars, and in the log what is an error."""
    import ray.data

    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(_LOUDEST)
