"""The worker process: one world at a time, told what to do over a pipe. Started by `harness.environments.pool`."""

import contextlib
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from functools import partial
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from threading import Thread
from typing import cast

import psutil

from harness.errors import DataError, HarnessError
from harness.protocols import Environment, World
from harness.records import Sample, Step, ToolCall
from harness.registry import load_plugin

__all__ = ["serve"]

_MOST_BYTES = 2 << 30
"""Address space on top of what the process has when it starts."""
_SAID = 500


def serve(pipe: Connection, environment: str, data: str | None) -> None:
    """Answers requests until the pipe closes: (verb, arguments) in, (kind, answer) out; one answer when it is ready.

    Kinds: `ok` with the result; `data` with the words of a DataError; `error` with those of anything else. What a tool
    prints is thrown away, and the process is bounded in memory: its arguments are a model's. It ends with its parent,
    and not by the terminal's Ctrl-C, which is the parent's to answer.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.dont_write_bytecode = True  # another file in the fetched folder would make it another one, by its hash
    Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(ValueError, OSError):
        most = psutil.Process().memory_info().vms + _MOST_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        served = _Served(pipe)
        if served.answer(partial(served.make, environment, data)):
            served.run()


def _end_with_parent() -> None:
    """Ends this process when its parent is gone, whatever a tool is doing."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(0)


class _Served:
    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._environment: Environment | None = None
        self._world: World | None = None

    def make(self, environment: str, data: str | None) -> None:
        """Imports the environment, with whatever it needs."""
        factory = cast(Callable[[Path | None], Environment], load_plugin("harness.environments", environment))
        self._environment = factory(Path(data) if data else None)

    def run(self) -> None:
        """Answers until there is nobody to answer to."""
        verbs: dict[str, Callable[..., object]] = {
            "open": self._open,
            "begin": self._begin,
            "call": self._call,
            "verdict": self._verdict,
        }
        while True:
            try:
                verb, arguments = self._pipe.recv()
            except EOFError:
                return
            self.answer(partial(verbs[verb], *arguments))

    def answer(self, act: Callable[[], object]) -> bool:
        """Sends what an act gives back or says; whether it did not fail."""
        try:
            kind, said = "ok", act()
        except HarnessError as error:
            kind, said = "data", str(error)
        except BaseException:  # whatever a tool raises is told, never fatal: the next world wants this process
            kind, said = "error", _what_happened()
        self._pipe.send((kind, said))
        return kind == "ok"

    def _open(self, sample: str) -> None:
        assert self._environment is not None
        self._world = None
        self._world = self._environment.open(Sample.model_validate_json(sample))

    def _opened(self) -> World:
        if self._world is None:
            raise DataError("no world is open")
        return self._world

    def _begin(self, turn: int) -> None:
        self._opened().begin(turn)

    def _call(self, call: str) -> tuple[str, bool]:
        return self._opened().call(ToolCall.model_validate_json(call))

    def _verdict(self, steps: tuple[str, ...], ended: bool) -> object:
        return self._opened().verdict([Step.model_validate_json(step) for step in steps], ended=ended)


def _what_happened() -> str:
    kind, value, trace = sys.exc_info()
    where = traceback.extract_tb(trace)[-1]
    said = f"{kind.__name__ if kind else 'error'}: {value} ({Path(where.filename).name}:{where.lineno})"
    return said[:_SAID]
