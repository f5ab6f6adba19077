"""No wall at all: limits, a session of its own, and an end. For whoever says `scoring.sandbox.kind=none`."""

import asyncio
import shutil
import sys
import tempfile
import weakref
from pathlib import Path
from typing import Literal

from harness.config import SandboxConfig
from harness.sandbox.box import INSIDE, Role, Started, bootstrap, compile_inside, end_tree, limits_of
from harness.sandbox.tree import below

__all__ = ["BareBox"]


class BareBox:
    """Starts processes as they are: they can read, write and send whatever this user can."""

    kind: Literal["none"] = "none"

    def __init__(self, config: SandboxConfig) -> None:
        self._config = config
        compile_inside()
        self._folder = tempfile.mkdtemp(prefix="harness-bare-")
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        place = Path(self._folder) / "harness" / "sandbox"
        place.mkdir(parents=True)
        (place / "inside").symlink_to(INSIDE)

    def start(self, role: Role) -> Started:
        """As for any box. The number of processes is not limited: all of this user's would count."""
        limits = limits_of(self._config, role, None, None)
        inner = bootstrap(self._folder, role)
        command = (sys.executable, "-I", "-S", "-B", "-W", "ignore", "-c", inner, limits)
        return Started(command, folder=tempfile.mkdtemp(dir=self._folder))

    async def end(self, process: asyncio.subprocess.Process, started: Started) -> None:
        """As for any box, as far as can be: what left the process's tree goes on."""
        await end_tree(process, below(process.pid))
        shutil.rmtree(started.folder, ignore_errors=True)
