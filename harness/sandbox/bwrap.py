"""Bubblewrap: namespaces of the process's own, a root with Python's files only, a user without rights, a call filter.

As root the program is started without a user namespace and takes on a user id of its own, used by nothing else: root's
id, in whatever namespace, would still own the kernel's settings under /proc/sys. As anyone else the user namespace is
what makes the other ones possible.
"""

import asyncio
import os
import random
import shutil
import subprocess
from pathlib import Path
from typing import Literal

from harness.config import SandboxConfig
from harness.errors import ConfigError
from harness.sandbox.box import INSIDE, Role, Started, bootstrap, compile_inside, end_tree, limits_of
from harness.sandbox.interpreter import Interpreter, interpreter
from harness.sandbox.seccomp import filter_for

__all__ = ["INSTALL", "BwrapBox"]

INSTALL = "apt-get install bubblewrap"
_ROOT = "/box"
_MIB = 1 << 20
_OWN_TASKS = 1
"""The first process itself counts among a user's tasks."""
_WHOLE_MAP = 4294967295
_PROBE_S = 30.0


class BwrapBox:
    """Starts processes under bubblewrap."""

    kind: Literal["bwrap"] = "bwrap"

    def __init__(self, config: SandboxConfig, python: Interpreter | None = None) -> None:
        """Raises ConfigError if bubblewrap is not here, or this machine does not let it make its namespaces.

        python: that the programs run on; None: the one that this process runs on.
        """
        found = shutil.which("bwrap")
        if found is None:
            raise ConfigError(f"bubblewrap is not installed; type: {INSTALL}")
        self._config, self._bwrap, self._filter = config, found, filter_for()
        self._python = python or interpreter()
        self._as_root = os.geteuid() == 0
        compile_inside()
        self._probe()

    def start(self, role: Role) -> Started:
        """As for any box; the filter travels in an open file, a new one each time."""
        descriptor = os.memfd_create("filter")
        os.write(descriptor, self._filter)
        os.lseek(descriptor, 0, os.SEEK_SET)
        command = (*self._walls(), "--seccomp", str(descriptor), "--", *self._inner(role))
        return Started(command, descriptors=(descriptor,))

    async def end(self, process: asyncio.subprocess.Process, started: Started) -> None:
        """As for any box: the process namespace ends as one."""
        del started
        await end_tree(process)

    def _walls(self) -> tuple[str, ...]:
        rights = ("--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")
        who = rights if self._as_root else ("--unshare-user", "--uid", "65534", "--gid", "65534", "--cap-drop", "ALL")
        inside = f"{_ROOT}/harness/sandbox/inside"
        shown = [part for path in self._python.folders for part in ("--ro-bind", path, path)]
        above = sorted({str(one) for path in (*self._python.folders, inside) for one in Path(path).parents} - {"/"})
        open_to_all = [part for one in above for part in ("--perms", "0755", "--dir", one)]
        links = [part for target, place in self._python.links for part in ("--symlink", target, place)]
        disk = str(self._config.disk_mb * _MIB)
        return (
            self._bwrap,
            *("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
            *who,
            *("--hostname", "box", "--as-pid-1", "--die-with-parent", "--new-session", "--clearenv"),
            *open_to_all,
            *shown,
            *links,
            *("--ro-bind", str(INSIDE), inside),
            *("--proc", "/proc", "--tmpfs", "/proc/sys", "--remount-ro", "/proc/sys"),
            *("--dev", "/dev", "--remount-ro", "/dev"),
            *("--perms", "1777", "--size", disk, "--tmpfs", "/tmp", "--chdir", "/tmp"),
            *("--remount-ro", "/"),
        )

    def _inner(self, role: Role) -> tuple[str, ...]:
        uid = _free_uid() if self._as_root else None
        limits = limits_of(self._config, role, uid, self._config.processes + _OWN_TASKS)
        return (self._python.program, "-I", "-S", "-B", "-W", "ignore", "-c", bootstrap(_ROOT, role), limits)

    def _probe(self) -> None:
        """Starts a process that ends at once. Raises ConfigError with what the machine refused."""
        started = self.start("program")
        try:
            done = subprocess.run(
                started.command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                pass_fds=started.descriptors,
                timeout=_PROBE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ConfigError(f"bubblewrap did not start a program within {_PROBE_S:g} s") from None
        finally:
            for one in started.descriptors:
                os.close(one)
        if done.returncode:
            said = " ".join(done.stderr.decode(errors="replace").split())[-200:]
            raise ConfigError(f"bubblewrap cannot work here ({said}); {_advice(said, as_root=self._as_root)}")


def _advice(said: str, *, as_root: bool) -> str:
    if as_root:
        return "inside a container it needs the right CAP_SYS_ADMIN; run as another user, or outside"
    restricted = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    if restricted.exists() and restricted.read_text().strip() != "0":
        return "AppArmor forbids user namespaces; type: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    if "unprivileged_userns_clone" in said or "namespace" in said:
        return "this machine forbids user namespaces; type: sysctl -w user.max_user_namespaces=10000"
    return "see that it runs by hand: bwrap --unshare-all --ro-bind / / true"


def _free_uid() -> int:
    """A user id that nothing else has: so its limit of processes counts the program's own only."""
    mapped = int(Path("/proc/self/uid_map").read_text().split()[2])
    if mapped == _WHOLE_MAP:
        return random.randrange(1_000_000_000, 2_000_000_000)
    return random.randrange(30_000, 60_000)
