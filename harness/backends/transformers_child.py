"""The engine `transformers` as a process of its own.

Started by path, in a Python that has torch and transformers but need not have the harness: of it, the modules
`harness.backends.transformers_*` are loaded, which need nothing else of it. Reads one JSON line from standard input,
answers with one on standard output ({"address": …} or {"error": …}), and lives until its standard input ends.
"""

import ctypes
import json
import os
import signal
import sys
import threading
import types
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LaneSettings"]

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


@dataclass(frozen=True, slots=True)
class LaneSettings:
    """What the engine is told. Sent as JSON, so plain values only."""

    folder: str
    """With config.json, safetensors and the tokenizer's files."""
    alias: str
    dtype: str
    device: str
    threads: int
    attention: str | None
    context_tokens: int | None
    chat_template: str
    """Jinja source; empty: the one beside the weights."""
    adapter: str | None
    """Folder of a PEFT adapter."""
    merge: bool
    tool_parser: str


def _harness_without_its_start() -> None:
    """Lets `harness.backends.…` be imported without what the packages' own files import."""
    backends = Path(__file__).resolve().parent
    for name, folder in (("harness", backends.parent), ("harness.backends", backends)):
        package = types.ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package


def _die_with_parent(parent: int) -> None:
    """Has the kernel end this process when its parent ends (Linux); elsewhere the end of standard input does it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it had ended before
        os._exit(0)


def _end_with_input() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)  # at once: there is nothing to save


def main() -> None:
    """Serves until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the harness's to answer
    report = os.dup(1)
    os.dup2(2, 1)  # nothing but the report line may reach the harness
    order = json.loads(sys.stdin.buffer.readline())
    _die_with_parent(int(order["parent"]))
    threading.Thread(target=_end_with_input, daemon=True).start()
    _harness_without_its_start()
    try:
        from harness.backends.transformers_child import LaneSettings as Settings  # the class that the engine knows
        from harness.backends.transformers_server import LaneServer

        server = LaneServer(Settings(**order["settings"]))
        answer: dict[str, object] = {"address": server.address, **server.facts}
    except Exception as error:  # the harness says it in its own words
        said = {"error": str(error)[:2000], "kind": type(error).__name__}
        os.write(report, json.dumps(said).encode() + b"\n")
        os._exit(1)
    os.write(report, json.dumps(answer).encode() + b"\n")
    os.close(report)
    server.serve()


if __name__ == "__main__":
    main()
