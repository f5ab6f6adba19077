"""The worker process: one world at a time, told what to do over a pipe. Started by `harness.environments.pool`."""

import contextlib
import os
import resource
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

from harness.errors import DataError
from harness.protocols import Environment, World
from harness.records import Sample, Step, ToolCall
from harness.registry import load_plugin

__all__ = ["serve"]

_MOST_BYTES = 2 << 30


def serve(pipe: Connection, environment: str, data: str | None) -> None:
    """Answers requests until the pipe closes: (verb, arguments) in, ("ok", result) or ("error", words) out.

    What a tool prints is thrown away, and the process is bounded in memory: its arguments are a model's.
    """
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        _Served(pipe, environment, data).run()


class _Served:
    def __init__(self, pipe: Connection, environment: str, data: str | None) -> None:
        self._pipe = pipe
        make = cast(Callable[[Path | None], Environment], load_plugin("harness.environments", environment))
        self._environment = make(Path(data) if data else None)
        self._world: World | None = None

    def run(self) -> None:
        while True:
            try:
                verb, arguments = self._pipe.recv()
            except (EOFError, KeyboardInterrupt):
                return
            self._pipe.send(self._answer(verb, arguments))

    def _answer(self, verb: str, arguments: tuple[object, ...]) -> tuple[str, object]:
        try:
            return "ok", getattr(self, f"_{verb}")(*arguments)
        except DataError as error:
            return "data", str(error)
        except BaseException:  # whatever a tool raises is told, never fatal: the next world wants this process
            kind, value, _ = sys.exc_info()
            where = traceback.extract_tb(sys.exc_info()[2])[-1]
            said = f"{kind.__name__ if kind else 'error'}: {value} ({Path(where.filename).name}:{where.lineno})"
            return "error", said[:500]

    def _open(self, sample: str) -> None:
        self._world = self._environment.open(Sample.model_validate_json(sample))

    def _gold(self, sample: str) -> tuple[str, ...]:
        return self._environment.gold(Sample.model_validate_json(sample))

    def _begin(self, turn: int) -> None:
        assert self._world is not None
        self._world.begin(turn)

    def _call(self, call: str) -> tuple[str, bool]:
        assert self._world is not None
        return self._world.call(ToolCall.model_validate_json(call))

    def _verdict(self, steps: tuple[str, ...]) -> object:
        assert self._world is not None
        return self._world.verdict([Step.model_validate_json(step) for step in steps])
