"""A managed server process: started with an order, ended with its owner, its last words kept for the error."""

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from harness.errors import BackendError

__all__ = ["ServerProcess", "reason_in_log"]

_GRACE_S = 5.0
_LOOK_S = 0.02
_LOG_TAIL_BYTES = 64 * 1024
_LEVEL = re.compile(r"^\d+\.\d+\.\d+\.\d+ E\s+(?P<said>.*)")
_FATAL = re.compile(r"GGML_ASSERT|GGML_ABORT|terminate called|what\(\):|Error: |error while loading")
_FOLDER = re.compile(r"(?<![\w.])(?:~|[A-Za-z]:)?[\\/](?:[^\s'\"\\/]+[\\/])+")


class ServerProcess:
    """A child process that serves until its standard input ends. Use as a context: leaving it ends the process.

    The child is a session of its own, so that the terminal's Ctrl-C reaches the harness alone. Its standard error goes
    to a nameless file, which nobody has to drain while requests are timed.
    """

    def __init__(
        self,
        script: Path,
        order: Mapping[str, object],
        *,
        environment: Mapping[str, str],
        python: str = sys.executable,
        engine: str = "llama.cpp",
    ) -> None:
        """Runs `script` by `python`; `engine` is what the child is called where its end is told."""
        self._script = script
        self._python, self._engine = python, engine
        self._order = json.dumps({**order, "parent": os.getpid()}).encode() + b"\n"
        self._environment = {**os.environ, **environment}
        self._log: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._log = tempfile.TemporaryFile()
        command = [self._python, "-P", "-X", "utf8", str(self._script)]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                env=self._environment,
                start_new_session=True,
            )
        except OSError as error:
            self._log.close()
            raise BackendError(f"the model server's process cannot be started: {error.strerror}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._running.pid

    @property
    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            msg = "ServerProcess is a context: use it within `with`"
            raise RuntimeError(msg)
        return self._process

    async def answer(self, timeout_s: float) -> dict[str, Any]:
        """The one JSON line that the child reports with once it serves, or gives up.

        Raises BackendError when the child ends without it, TimeoutError when it does not come in time.
        """
        line = await asyncio.wait_for(asyncio.to_thread(self._exchange), timeout_s)
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise BackendError(self.obituary("while it started"))
        return answer

    def _exchange(self) -> bytes:
        process = self._running
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it ended already: the empty line below says so
            process.stdin.write(self._order)
            process.stdin.flush()
        return process.stdout.readline()

    def ended(self) -> bool:
        """Whether the child has ended by itself."""
        return self._running.poll() is not None

    async def ends(self, within_s: float = 2.0) -> bool:
        """Whether the child has ended, or does so at once: its connections close a moment before it is gone."""
        until = time.monotonic() + within_s
        while not self.ended():
            if time.monotonic() > until:
                return False
            await asyncio.sleep(_LOOK_S)
        return True

    def obituary(self, when: str) -> str:
        """One line on how the child ended, with the reason from its log."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._running.wait(_GRACE_S)
        code = self._running.poll()
        if code is None:
            how = "said nothing understandable"
        elif code < 0:
            how = f"was ended by {_signal_name(-code)}" + (" (out of memory?)" if -code == signal.SIGKILL else "")
        else:
            how = f"ended with code {code}"
        reason = reason_in_log(self.log())
        return f"{self._engine} {how} {when}" + (f": {reason}" if reason else "")

    def log(self) -> str:
        """The last part of what the child wrote to its standard error."""
        if self._log is None or self._log.closed:
            return ""
        size = os.fstat(self._log.fileno()).st_size  # the file's position is shared with the child: never move it
        return os.pread(self._log.fileno(), _LOG_TAIL_BYTES, max(0, size - _LOG_TAIL_BYTES)).decode(errors="replace")

    def stop(self) -> None:
        """Ends the child and waits for it: gently, then by force. Does not yield, so that nothing can come between."""
        process, log = self._process, self._log
        if process is not None:
            if process.stdin is not None:
                with contextlib.suppress(OSError):
                    process.stdin.close()
            process.terminate()
            try:
                process.wait(_GRACE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if log is not None:
            log.close()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def reason_in_log(log: str) -> str:
    r"""The line of llama.cpp's log that explains a failure, without time, function and folders; empty where none does.

    The first error is the cause, those after it are its consequences.
    >>> reason_in_log("0.00.002.001 W x\n0.00.023.093 E llama_model_load: error loading: '/a/b/c.gguf' is cut\n")
    "error loading: 'c.gguf' is cut"
    """
    for line in log.splitlines():
        match = _LEVEL.match(line)
        if match:
            said = re.sub(r"^(?:\w+\s+)?[\w~]+: ", "", match["said"].strip(), count=1)
            return _FOLDER.sub("", said)[:300]
        if _FATAL.search(line):
            return _FOLDER.sub("", line.strip())[:300]
    return ""
