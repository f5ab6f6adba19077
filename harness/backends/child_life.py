"""How a child of the harness begins and ends: needs the standard library only.

Loaded by its path, since the Python of an environment of its own need not have the harness.
"""

import ctypes
import json
import os
import signal
import sys
import threading
from typing import Any

__all__ = ["begin"]

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def begin(*, daemon: bool = True) -> tuple[int, dict[str, Any], threading.Thread]:
    """The descriptor for the one line of report, the order from standard input, and the thread that waits for its end.

    From here on the process ends when standard input does, and on Linux when its parent does, however that dies.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the harness's to answer
    report = os.dup(1)
    os.dup2(2, 1)  # nothing but the report line may reach the harness
    order = json.loads(sys.stdin.buffer.readline())
    _die_with_parent(int(order["parent"]))
    watcher = threading.Thread(target=_end_with_input, daemon=daemon)
    watcher.start()
    return report, order, watcher


def _die_with_parent(parent: int) -> None:
    """Has the kernel end this process when its parent ends (Linux); elsewhere the end of standard input does it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it had ended before
        os._exit(0)


def _end_with_input() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)  # at once: there is nothing to save, and a request in flight would hold a gentle end up
