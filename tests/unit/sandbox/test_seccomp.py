"""The filter of system calls: what it lets through, and what the kernel then refuses."""

import asyncio
import platform
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from harness.config import SandboxConfig
from harness.errors import ConfigError
from harness.sandbox.bwrap import BwrapBox
from harness.sandbox.interpreter import Interpreter, interpreter
from harness.sandbox.run import Job, Reading, judge
from harness.sandbox.seccomp import MACHINES, filter_for

ALLOW, KILL, EPERM, ENOSYS, EAFNOSUPPORT = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026, 0x00050061
X86, ARM = MACHINES["x86_64"][0], MACHINES["aarch64"][0]


def _run(program: bytes, number: int, arch: int, argument: int = 0) -> int:
    """What a filter decides: the kernel's machine in so far as the filter uses it."""
    data = struct.pack("=IIQ6Q", number, arch, 0, argument, 0, 0, 0, 0, 0)
    code = list(struct.iter_unpack("=HBBI", program))
    place = value = 0
    while True:
        kind, then, otherwise, constant = code[place]
        place += 1
        if kind == 0x20:
            (value,) = struct.unpack_from("=I", data, constant)
        elif kind == 0x06:
            return int(constant)
        else:
            holds = {0x15: value == constant, 0x35: value >= constant, 0x45: bool(value & constant)}[kind]
            place += then if holds else otherwise


@pytest.mark.parametrize(
    ("number", "arch", "argument", "decided"),
    [
        (0, X86, 0, ALLOW),  # read
        (231, X86, 0, ALLOW),  # exit_group
        (101, X86, 0, EPERM),  # ptrace
        (165, X86, 0, EPERM),  # mount
        (272, X86, 0, EPERM),  # unshare
        (425, X86, 0, EPERM),  # io_uring_setup
        (447, X86, 0, EPERM),  # memfd_secret
        (435, X86, 0, ENOSYS),  # clone3
        (56, X86, 0x11, ALLOW),  # clone, as fork does
        (56, X86, 0x3D0F00, ALLOW),  # clone, as threads do
        (56, X86, 0x10000011, EPERM),  # clone with a user namespace
        (41, X86, 1, ALLOW),  # a Unix socket
        (41, X86, 2, ALLOW),
        (41, X86, 10, ALLOW),
        (41, X86, 16, EAFNOSUPPORT),  # netlink
        (41, X86, 40, EAFNOSUPPORT),  # vsock
        (0x40000000, X86, 0, EPERM),  # read, by its x32 number
        (0, 0x40000003, 0, KILL),  # 32 bits
    ],
)
def test_what_is_decided(number: int, arch: int, argument: int, decided: int) -> None:
    assert _run(filter_for("x86_64"), number, arch, argument) == decided


def test_the_other_machine_has_its_own_numbers() -> None:
    assert _run(filter_for("aarch64"), 117, ARM) == EPERM
    assert _run(filter_for("aarch64"), 101, ARM) == ALLOW
    assert _run(filter_for("aarch64"), 198, ARM, 40) == EAFNOSUPPORT
    assert _run(filter_for("aarch64"), 220, ARM, 0x20000000) == EPERM


def test_a_machine_without_numbers_is_refused() -> None:
    with pytest.raises(ConfigError, match="x86_64 and aarch64; this machine is riscv64"):
        filter_for("riscv64")


def _with_ctypes() -> Interpreter:
    """An interpreter that can make any system call."""
    for program in filter(None, (shutil.which("python3"), "/usr/bin/python3")):
        if (
            Path(program).exists()
            and subprocess.run(
                [program, "-I", "-S", "-c", "import ctypes"], check=False, capture_output=True
            ).returncode
            == 0
        ):
            return interpreter(program)
    pytest.skip("no Python with ctypes is here")


CALLS = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def attempt(number, *args):
    ctypes.set_errno(0)
    return libc.syscall(number, *args) >= 0
def f():
    buffer = ctypes.create_string_buffer(4096)
    tried = {
        "ptrace": (101, 0, 0, 0, 0), "mount": (165, b"none", b"/tmp", b"tmpfs", 0, 0),
        "unshare user": (272, 0x10000000),
        "unshare mount": (272, 0x20000), "setns": (308, 0, 0), "chroot": (161, b"/tmp"), "pivot": (155, b"/", b"/"),
        "bpf": (321, 0, buffer, 4096), "perf": (298, buffer, 0, -1, -1, 0), "keys": (248, b"user", b"a", b"b", 1, -4),
        "shared memory": (29, 0, 4096, 0o1600), "messages": (68, 0, 0o1600), "semaphores": (64, 0, 1, 0o1600),
        "rings": (425, 8, buffer), "faults": (323, 0), "personality": (135, 0x40000), "memfd": (319, b"x", 0),
        "handles": (304, 3, buffer, 0), "clock": (227, 0, buffer), "clone user": (56, 0x10000011, 0, 0, 0, 0),
        "read of memory": (310, 1, buffer, 1, buffer, 1, 0), "vsock": (41, 40, 1, 0), "log": (103, 3, buffer, 100),
    }
    return sorted(name for name, call in tried.items() if attempt(*call))
"""


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_no_system_call_leads_out() -> None:
    if platform.machine() != "x86_64":
        pytest.skip("the numbers in this test are those of x86_64")
    config = SandboxConfig(kind="bwrap")
    box = BwrapBox(config, _with_ctypes())

    verdict = asyncio.run(judge(box, config, Job((Reading(CALLS),), "assert f() == [], f()\n", entry_point="f")))

    assert verdict.outcome == "passed", verdict
