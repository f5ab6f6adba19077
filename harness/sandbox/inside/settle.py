"""The first thing that a process in the sandbox does: give up rights, take on limits, set its channels aside."""

from __future__ import annotations

import os
import resource
import sys
from io import BufferedReader, BufferedWriter, FileIO

from harness.sandbox.inside.plainjson import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

__all__ = ["channels", "compile_first", "limits_given", "settle"]


def settle(limits: dict[str, int]) -> None:
    """Takes on limits for good, and another user where `uid` is given.

    limits: `memory_bytes`, `cpu_s`, `file_bytes`, `open_files`, `processes`, `uid`; those that are missing stay as is.
    """
    with open("/proc/self/oom_score_adj", "w") as victim:  # noqa: PTH123  pathlib takes 5 ms to import
        victim.write("1000")  # where memory is short all the same, the kernel takes this process first
    uid = limits.get("uid")
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    wanted = {
        resource.RLIMIT_AS: limits.get("memory_bytes"),
        resource.RLIMIT_CPU: limits.get("cpu_s"),
        resource.RLIMIT_FSIZE: limits.get("file_bytes"),
        resource.RLIMIT_NOFILE: limits.get("open_files"),
        resource.RLIMIT_NPROC: limits.get("processes"),
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    for which, most in wanted.items():
        if most is not None:
            hard = resource.getrlimit(which)[1]
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(which, (most, most))


def channels() -> tuple[BufferedReader, BufferedWriter, int]:
    """What comes in at 0, what goes out at 1, and number 2, set aside under other numbers that children do not inherit.

    After this nothing can be read from 0, and what is written to 1 goes where 2 goes.
    """
    come, go, aside = os.dup(0), os.dup(1), os.dup(2)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return BufferedReader(FileIO(come, "rb")), BufferedWriter(FileIO(go, "wb")), aside


def compile_first(sources: list[str], name: str) -> tuple[int, CodeType]:
    """Which of several readings of a source is the first that compiles, and its code.

    Raises what the compiler raised on the first one if none does.
    """
    first: BaseException | None = None
    for number, source in enumerate(sources):
        try:
            return number, compile(source, name, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            first = first or error
    assert first is not None
    raise first


def limits_given() -> dict[str, int]:
    """The limits as the command line says them."""
    given = loads(sys.argv[1].encode())
    assert isinstance(given, dict)
    return {name: value for name, value in given.items() if isinstance(value, int)}
