"""How far a fetch is, and how a person sees it: a bar on a terminal, plain lines in a log."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as RichProgress

__all__ = ["OnProgress", "Progress", "console_progress", "human_bytes", "silent"]

LINE_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Progress:
    """One report on a running step."""

    what: str
    """The step, such as `SmolLM2.gguf: download`."""
    done: int
    """Bytes so far."""
    total: int | None
    """Bytes expected; None where nobody can know; 0 for a step that moves none."""


OnProgress = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Nothing: for callers that show no progress."""


def human_bytes(size: float) -> str:
    """A size as people write it, in powers of ten.

    >>> human_bytes(98_362_432)
    '98.4 MB'
    >>> human_bytes(812)
    '812 B'
    """
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


@contextmanager
def console_progress(stream: TextIO | None = None, *, show: bool = True) -> Iterator[OnProgress]:
    """A callback for `fetch` that shows bytes, rate and time left on `stream` (standard error unless given).

    A bar on a terminal; elsewhere, and where CI is set, one plain line when a step starts, each few seconds, and when
    it ends. Nothing with show=False.
    """
    target = stream or sys.stderr
    if not show:
        yield silent
    elif target.isatty() and not os.environ.get("CI"):
        with _bars(Console(file=target)) as bars:
            yield _Bars(bars).report
    else:
        yield _Lines(target).report


def _bars(console: Console) -> RichProgress:
    return RichProgress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
    )


@dataclass(slots=True)
class _Bars:
    shown: RichProgress
    tasks: dict[str, TaskID] = field(default_factory=dict)

    def report(self, progress: Progress) -> None:
        if progress.what not in self.tasks:
            self.tasks[progress.what] = self.shown.add_task(progress.what, total=progress.total)
        self.shown.update(self.tasks[progress.what], completed=progress.done, total=progress.total)


@dataclass(slots=True)
class _Lines:
    stream: TextIO
    what: str = ""
    began_s: float = 0.0
    began_at: int = 0
    told_s: float = 0.0

    def report(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.what != self.what:
            self.what, self.began_s, self.began_at = progress.what, now, progress.done
        elif progress.done != progress.total and now - self.told_s < LINE_EVERY_S:
            return
        self.told_s = now
        state = self._state(progress, now)
        self.stream.write(f"{progress.what}: {state}\n" if state else f"{progress.what}\n")
        self.stream.flush()

    def _state(self, progress: Progress, now: float) -> str:
        if progress.total == 0:
            return ""
        total, elapsed_s, moved = progress.total, now - self.began_s, progress.done - self.began_at
        state = human_bytes(progress.done) + (f" of {human_bytes(total)}" if total is not None else "")
        if moved <= 0 or elapsed_s <= 0:
            return state
        rate = moved / elapsed_s
        state += f", {human_bytes(rate)}/s"
        return (
            state
            if total is None or progress.done >= total
            else f"{state}, {(total - progress.done) / rate:.0f} s left"
        )
