"""Progress of a run: a live line on a terminal, plain lines elsewhere, or nothing."""

import sys
import time
from collections.abc import Sequence
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

    def update(self) -> None:
        """Called after each finished attempt."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


def make_progress(mode: Mode, title: str, tallies: Sequence[Tally], n_planned: int) -> Progress:
    """The display of runs that go on together; mode `auto` is live on a terminal and plain lines elsewhere."""
    if mode == "off":
        return _Silent()
    line = _Line(title, tallies, n_planned)
    console = Console(stderr=True)
    return _Live(console, line) if mode == "auto" and console.is_terminal else _Plain(line)


class _Line:
    """The words of a progress line."""

    def __init__(self, title: str, tallies: Sequence[Tally], n_planned: int) -> None:
        self._title, self._tallies, self._planned = title, tallies, n_planned
        self._before = self._done()
        self._started = time.monotonic()

    def _done(self) -> int:
        return sum(tally.n_finished + tally.n_waiting for tally in self._tallies)

    def text(self) -> str:
        done = self._done()
        elapsed = time.monotonic() - self._started
        rate = (done - self._before) / elapsed if elapsed > 0 else 0.0
        parts = [f"{self._title}  {done}/{self._planned}"]
        if rate > 0:
            parts.append(f"{rate:.1f}/s" if rate >= 1 else f"{1 / rate:.1f} s each")
        if any(tally.n_scored for tally in self._tallies):
            parts.append("accuracy " + ", ".join(_accuracy(tally) for tally in self._tallies))
        if lost := sum(tally.n_failed for tally in self._tallies):
            parts.append(f"{lost} lost")
        costs = [tally.cost_usd for tally in self._tallies if tally.cost_usd is not None]
        if costs:
            parts.append(f"{sum(costs):.4f} USD")
        if rate > 0 and done < self._planned:
            parts.append(f"{_clock((self._planned - done) / rate)} left")
        return " · ".join(parts)


def _accuracy(tally: Tally) -> str:
    return f"{tally.value_sum / tally.n_scored:.1%}" if tally.n_scored else "–"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class _Silent:
    def update(self) -> None:
        """Says nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


class _Live:
    """A line that the terminal redraws five times a second, whatever the rate of the run."""

    def __init__(self, console: Console, line: _Line) -> None:
        self._live = Live(get_renderable=lambda: Text(line.text()), console=console, refresh_per_second=5)

    def update(self) -> None:
        """Nothing: the line is read when it is drawn."""

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.stop()


class _Plain:
    """A line every quarter of a minute, and one at the end."""

    def __init__(self, line: _Line) -> None:
        self._line = line
        self._next = time.monotonic() + _PLAIN_EVERY_S
        self._unsaid = False

    def update(self) -> None:
        now = time.monotonic()
        self._unsaid = now < self._next
        if not self._unsaid:
            self._next = now + _PLAIN_EVERY_S
            self._say()

    def _say(self) -> None:
        sys.stderr.write(self._line.text() + "\n")
        sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._unsaid:
            self._say()
