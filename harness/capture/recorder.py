"""Captured calls on their way to the disk: handed over in microseconds, written by a thread of its own."""

import atexit
import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.capture.dayfile import DayFile

__all__ = ["Counts", "Recorder", "recorder_of"]

_LOG = logging.getLogger("harness.capture")
_RETRY_S = 1.0
_CLOSE_S = 5.0
_IDLE_S = 0.2

Line = Callable[[], bytes | None]
"""Makes a line of JSON, without its end, or None for a call that is not to be kept. Runs in the writing thread."""


@dataclass(slots=True)
class Counts:
    """What became of the calls: handed = written + left out + dropped + failed + waiting."""

    handed: int = 0
    written: int = 0
    left_out: int = 0
    """Human chat, and requests that are none of a model."""
    dropped: int = 0
    """No room: the disk was full for long, or the calls came faster than they could be written."""
    failed: int = 0
    """Could not be put into a line."""

    @property
    def waiting(self) -> int:
        """Calls that are not on disk yet."""
        return self.handed - self.written - self.left_out - self.dropped - self.failed


class Recorder:
    """Appends captured calls to JSON lines in a folder: a file for each process and day, closed to others (0600).

    `put` never raises and never waits. A kill loses what was not written yet, some milliseconds' worth, and never
    tears a line that a reader would take for a call. While the disk is full, calls wait in memory up to `max_waiting`.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        keep_human_chat: bool = False,
        max_waiting: int = 10_000,
        prefix: str = "calls",
    ) -> None:
        """Starts nothing yet. prefix: how the files' names begin.

        Raises OSError if the folder cannot be made: that is the program's start, not a call.
        """
        self.folder = Path(folder)
        self.keep_human_chat = keep_human_chat
        self.counts = Counts()
        self._max_waiting = max_waiting
        self._prefix = prefix
        self._fresh()
        atexit.register(self.close)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._fresh)

    def _fresh(self) -> None:
        """As new: also in a forked child, which has no thread and must not write its parent's lines again."""
        self._waiting: deque[Line] = deque()
        self._wake = threading.Event()
        self._handing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._warned = False
        self._file = DayFile(self.folder, self._prefix, ".jsonl")
        self.counts = Counts()

    def put(self, line: Line) -> None:
        """Hands a call over."""
        try:
            with self._handing:
                self.counts.handed += 1
                if len(self._waiting) >= self._max_waiting:
                    self.counts.dropped += 1
                    self._warn("captured calls are dropped: they come faster than they can be written")
                    return
                self._waiting.append(line)
                if self._thread is None:
                    self._thread = threading.Thread(target=self._work, name="harness-capture", daemon=True)
                    self._thread.start()
            self._wake.set()
        except Exception:  # a call of the program must never fail by being looked at
            self._warn("a call could not be captured")

    def close(self, timeout_s: float = _CLOSE_S) -> None:
        """Writes what waits, for so long at most. Calls handed over later start anew."""
        thread, self._closing = self._thread, True
        until_s = time.monotonic() + timeout_s
        if thread is not None and thread.is_alive():
            self._wake.set()
            thread.join(timeout_s)
        if thread is None or not thread.is_alive():  # else it writes still, and two must not
            while self._waiting and time.monotonic() < until_s and self._write_one():
                pass  # handed over while the thread ended
            self._file.shut()
            with self._handing:
                self._thread = None
        self._closing = False
        if self.counts.waiting > 0:
            self._warn(f"{self.counts.waiting} captured calls could not be written before the end")

    def _work(self) -> None:
        while True:
            self._wake.wait(_IDLE_S)
            self._wake.clear()
            while self._waiting:
                if not self._write_one() and self._closing:
                    return
            if self._closing:
                self._file.shut()
                return

    def _write_one(self) -> bool:
        """Whether the oldest call is off the queue. One that the disk has no room for stays."""
        try:
            made = self._waiting[0]()
        except Exception as error:  # whatever a provider sent: the program must go on, and it is counted
            self._waiting.popleft()
            self.counts.failed += 1
            self._warn(f"a captured call could not be put into a line ({type(error).__name__})")
            return True
        if made is None:
            self._waiting.popleft()
            self.counts.left_out += 1
            return True
        try:
            self._file.append(made + b"\n")
        except OSError as error:
            self._warn(f"captured calls cannot be written ({error.strerror or error}); they wait in memory")
            self._waiting[0] = lambda: made  # not to be put together twice
            if not self._closing:
                time.sleep(_RETRY_S)
            return False
        self._waiting.popleft()
        self.counts.written += 1
        self._warned = False
        return True

    def _warn(self, text: str) -> None:
        """A word to the program's log, once until writing works again."""
        if not self._warned:
            self._warned = True
            with contextlib.suppress(Exception):
                _LOG.warning("%s", text)


_SHARED: dict[tuple[str, bool], Recorder] = {}
_SHARING = threading.Lock()


def recorder_of(folder: str | os.PathLike[str], *, keep_human_chat: bool = False) -> Recorder:
    """The recorder of a folder, the same for all clients: a program may make one a request, and each has a thread.

    Raises OSError if the folder cannot be made.
    """
    name = (os.path.abspath(folder), keep_human_chat)  # noqa: PTH100 - resolve() would follow links that change
    with _SHARING:
        if name not in _SHARED:
            _SHARED[name] = Recorder(name[0], keep_human_chat=keep_human_chat)
        return _SHARED[name]
