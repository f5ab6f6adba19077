"""The engine `transformers` as a process of its own.

Started by path, in a Python that has torch and transformers but need not have the harness: of it, the modules
`harness.backends.transformers_*` are loaded, which need nothing else of it. Reads one JSON line from standard input,
answers with one on standard output ({"address": …} or {"error": …}), and lives until its standard input ends.
"""

import json
import os
import runpy
import sys
import types
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LaneSettings"]


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


def main() -> None:
    """Serves until standard input ends."""
    report, order, _ = runpy.run_path(str(Path(__file__).with_name("child_life.py")))["begin"]()
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
