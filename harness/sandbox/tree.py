"""A process and all that came from it, as Linux's /proc tells: who they are, and what they hold."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import psutil

__all__ = ["Usage", "below", "kill", "usage"]

_THREADS, _PAGES = 17, 21
"""Places in /proc/PID/stat after the name: number of threads, resident pages."""
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process tree holds."""

    tasks: int
    """Threads of all its processes."""
    resident_bytes: int
    """Sum over its processes; pages that they share count for each."""


def below(pid: int) -> list[int]:
    """Descendants of a process, nearest first; none if it is gone."""
    found: list[int] = []
    queue = [pid]
    while queue:
        children = _children(queue.pop(0))
        found += children
        queue += children
    return found


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    try:
        return [int(one) for task in os.listdir(tasks) for one in (tasks / task / "children").read_text().split()]  # noqa: PTH208  names alone are wanted, thousands of times
    except FileNotFoundError:
        if Path("/proc/self/task").exists() and not Path(f"/proc/self/task/{os.getpid()}/children").exists():
            return _children_elsewhere(pid)
        return []
    except (ProcessLookupError, NotADirectoryError):
        return []


def _children_elsewhere(pid: int) -> list[int]:
    """The same for kernels that do not list children."""
    try:
        return [one.pid for one in psutil.Process(pid).children()]
    except psutil.NoSuchProcess:
        return []


def usage(pids: list[int]) -> Usage:
    """What these processes hold together; those that are gone hold nothing."""
    tasks = pages = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        tasks += int(fields[_THREADS])
        pages += int(fields[_PAGES])
    return Usage(tasks, pages * _PAGE)


def kill(pid: int) -> None:
    """Kills a process, if it is still there and ours."""
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
