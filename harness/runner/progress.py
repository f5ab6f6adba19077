"""Progress of a run: a live line on a terminal, plain lines elsewhere, or nothing."""

import sys
import time
from typing import Literal, Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from harness.runner.tally import Tally

__all__ = ["Progress", "make_progress"]

Mode = Literal["auto", "plain", "off"]
_PLAIN_EVERY_S = 15.0


class Progress(Protocol):
    """What a run tells while it goes on. Use as a context."""

    def update(self, tally: Tally) -> None:
        """Called after each finished attempt."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


def make_progress(mode: Mode, title: str, n_planned: int, n_before: int) -> Progress:
    """The progress display for a mode; `auto` is live on a terminal and plain elsewhere."""
    if mode == "off":
        return _Silent()
    console = Console(stderr=True)
    if mode == "auto" and console.is_terminal:
        return _Live(console, title, n_planned, n_before)
    return _Plain(title, n_planned, n_before)


class _Line:
    """The words of a progress line."""

    def __init__(self, title: str, n_planned: int, n_before: int) -> None:
        self._title, self._planned, self._before = title, n_planned, n_before
        self._started = time.monotonic()

    def text(self, tally: Tally) -> str:
        done = tally.n_finished
        elapsed = time.monotonic() - self._started
        rate = (done - self._before) / elapsed if elapsed > 0 else 0.0
        parts = [f"{self._title}  {done}/{self._planned}"]
        if rate > 0:
            parts.append(f"{rate:.1f}/s" if rate >= 1 else f"{1 / rate:.1f} s each")
        if tally.n_scored:
            parts.append(f"accuracy {tally.value_sum / tally.n_scored:.1%}")
        if tally.n_failed:
            parts.append(f"{tally.n_failed} lost")
        if tally.cost_usd is not None:
            parts.append(f"{tally.cost_usd:.4f} USD")
        if rate > 0 and done < self._planned:
            parts.append(f"{_clock((self._planned - done) / rate)} left")
        return " · ".join(parts)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class _Silent:
    def update(self, tally: Tally) -> None:
        """Says nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


class _Live:
    def __init__(self, console: Console, title: str, n_planned: int, n_before: int) -> None:
        self._line = _Line(title, n_planned, n_before)
        self._latest = Text(title)
        self._live = Live(get_renderable=lambda: self._latest, console=console, refresh_per_second=5, transient=False)

    def update(self, tally: Tally) -> None:
        self._latest = Text(self._line.text(tally))

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.stop()


class _Plain:
    def __init__(self, title: str, n_planned: int, n_before: int) -> None:
        self._line = _Line(title, n_planned, n_before)
        self._next = time.monotonic() + _PLAIN_EVERY_S
        self._unsaid: Tally | None = None

    def update(self, tally: Tally) -> None:
        now = time.monotonic()
        if now < self._next:
            self._unsaid = tally
            return
        self._next = now + _PLAIN_EVERY_S
        self._unsaid = None
        self._say(self._line.text(tally))

    def _say(self, text: str) -> None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._unsaid is not None:
            self._say(self._line.text(self._unsaid))
