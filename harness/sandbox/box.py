"""What a wall is: a command line around one of the two processes, and how that process is ended with all it started."""

import asyncio
import compileall
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import orjson

from harness.config import SandboxConfig
from harness.sandbox.tree import below, kill

__all__ = ["INSIDE", "Box", "Role", "Started", "bootstrap", "compile_inside", "end_tree", "limits_of"]

Role = Literal["program", "oracle"]

INSIDE = Path(__file__).resolve().parent / "inside"
_OPEN_FILES = 64
_MIB = 1 << 20
_REPLY_SHARE = 8
"""A value may take this part of the memory when written out, so that reading it back fits."""
_END_S = 5.0


@dataclass(frozen=True, slots=True)
class Started:
    """How one process is to be started."""

    command: tuple[str, ...]
    name: str = ""
    """By which an engine knows it, where it is not our child."""
    folder: str = "/"
    """Where the command starts."""
    descriptors: tuple[int, ...] = field(default=(), repr=False)
    """Open files that the command wants to inherit; to be closed once it runs."""


class Box(Protocol):
    """A kind of sandbox."""

    @property
    def kind(self) -> str:
        """Its name in `scoring.sandbox.kind`."""
        ...

    def start(self, role: Role) -> Started:
        """How to start a process, anew each time."""
        ...

    async def end(self, process: asyncio.subprocess.Process, started: Started) -> None:
        """Ends a process and all that it started; nothing of it runs when this returns."""
        ...


def bootstrap(root: str, role: Role) -> str:
    """What Python is told with `-c`: modules come from `root`, which has nothing of the harness but `inside/`."""
    return f"import sys; sys.path.insert(0, {root!r}); from harness.sandbox.inside.{role} import main; main()"


def limits_of(config: SandboxConfig, role: Role, uid: int | None, processes: int | None) -> str:
    """The limits that a process takes on itself, as JSON."""
    limits = {
        "memory_bytes": config.memory_mb * _MIB,
        "cpu_s": int(config.timeout_s) + 2,
        "file_bytes": config.disk_mb * _MIB,
        "open_files": _OPEN_FILES,
    }
    if uid is not None:
        limits["uid"] = uid
    if processes is not None:
        limits["processes"] = processes
    if role == "oracle":
        limits["reply_bytes"] = config.memory_mb * _MIB // _REPLY_SHARE
    return orjson.dumps(limits).decode()


def compile_inside() -> None:
    """Leaves bytecode beside the modules that run inside, where it can: nothing is written from in there."""
    compileall.compile_dir(INSIDE, quiet=2)


async def end_tree(process: asyncio.subprocess.Process, extra: Collection[int] = ()) -> None:
    """Kills the process's descendants, then itself, and waits for it.

    Of a process namespace the first descendant is its init: with it the kernel ends all of them before it is gone.
    extra: processes that were seen among its descendants before, and may have another parent now.
    """
    if process.returncode is None:
        inner = below(process.pid)
        for one in inner or (process.pid,):
            kill(one)
    for one in extra:
        kill(one)
    try:
        await asyncio.wait_for(process.wait(), _END_S)
    except TimeoutError:
        kill(process.pid)
        await process.wait()
