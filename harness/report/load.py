"""The page of a load replay: one file without a network, from the record to HTML."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from math import ceil, floor, log10
from pathlib import Path
from typing import Final

from jinja2 import Environment
from markupsafe import Markup

from harness.records.load import LoadBook, LoadPoint, LoadTraffic
from harness.report.formats import memory, percent, seconds, share_text
from harness.report.page import environment, static_text, write_html

__all__ = ["build_page", "today", "write_page"]

_CSS: Final = ("base.css", "table.css", "figures.css", "quantize.css", "load.css", "print.css")
_SIZES: Final = (("wide", 620.0), ("narrow", 336.0))
_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 14.0, 14.0, 44.0
_HEIGHT: Final = 250.0
_LEAST_S: Final = 1e-3


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a picture: `points` as SVG has them, its name at its end."""

    key: str
    name: str
    points: str
    dots: tuple[tuple[float, float, str], ...]


@dataclass(frozen=True, slots=True)
class _Plot:
    width: float
    height: float
    left: float
    right: float
    bottom: float
    lines: tuple[_Line, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    bounds: tuple[tuple[float, str], ...]
    """Goals, as heights with their names."""


def write_page(book: LoadBook, path: Path) -> None:
    """Writes the page to `path`, whole or not at all. Raises DataError if it cannot be written."""
    write_html(path, build_page(book))


def build_page(book: LoadBook) -> str:
    """The page as HTML, a function of the record alone."""
    return (
        _environment()
        .get_template("load.html.j2")
        .render(
            book=book,
            latencies=[(size, _latencies(book, width)) for size, width in _SIZES],
            backlogs=[(point, [(size, _backlog(point, width)) for size, width in _SIZES]) for point in book.points],
            today=today(book.traffic),
            first=_day(book.traffic.first),
            last=_day(book.traffic.last),
            css=Markup(static_text(_CSS)),
        )
    )


def today(traffic: LoadTraffic) -> str:
    """The log's own traffic in words."""
    calls = f"{traffic.calls:,.0f} calls"
    if traffic.per_s is None:
        return f"{calls}, all within a second"
    hourly = traffic.per_s * 3600
    rate = f"{hourly:,.0f}" if hourly >= 100 else f"{hourly:.3g}"
    return f"{calls}, {rate} an hour on average, {traffic.busiest_minute:,.0f} in the busiest minute"


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


_FIGURES: Final[tuple[tuple[str, str, Callable[[LoadPoint], float | None]], ...]] = (
    ("ttft50", "TTFT p50", lambda one: one.ttft_s.p50 if one.ttft_s else None),
    ("ttft95", "TTFT p95", lambda one: one.ttft_s.p95 if one.ttft_s else None),
    ("e2e50", "e2e p50", lambda one: one.e2e_s.p50 if one.e2e_s else None),
    ("e2e95", "e2e p95", lambda one: one.e2e_s.p95 if one.e2e_s else None),
)


def _latencies(book: LoadBook, width: float) -> _Plot | None:
    """Times by speed, both on a log scale; None where nothing was served."""
    values = [value for one in book.points for _, _, pick in _FIGURES if (value := pick(one)) is not None]
    if not values:
        return None
    goals = [(value, name) for name, value in (("TTFT", book.goal.ttft_s), ("e2e", book.goal.e2e_s)) if value]
    every = [max(_LEAST_S, one) for one in values] + [value for value, _ in goals]
    low, high = floor(log10(min(every))), ceil(log10(max(every)) + 1e-9)
    right, bottom = width - _RIGHT, _HEIGHT - _BOTTOM
    speeds = [one.speed for one in book.points]
    first, last = log10(min(speeds)), log10(max(speeds))

    def x(speed: float) -> float:
        return (
            (_LEFT + right) / 2
            if first == last
            else _LEFT + 12 + (log10(speed) - first) / (last - first) * (right - _LEFT - 24)
        )

    def y(value: float) -> float:
        return bottom - (log10(max(_LEAST_S, value)) - low) / max(1, high - low) * (bottom - _TOP)

    lines = []
    for key, name, pick in _FIGURES:
        known = [(one, value) for one in book.points if (value := pick(one)) is not None]
        dots = tuple((x(one.speed), y(value), f"{name} at {one.speed:g} ×: {seconds(value)}") for one, value in known)
        if dots:
            lines.append(_Line(key, name, _points([(a, b) for a, b, _ in dots]), dots))
    return _Plot(
        width=width,
        height=_HEIGHT,
        left=_LEFT,
        right=right,
        bottom=bottom,
        lines=tuple(lines),
        x_ticks=tuple((x(one), f"{one:g} ×") for one in speeds),
        y_ticks=tuple((y(10.0**power), seconds(10.0**power)) for power in range(low, high + 1)),
        bounds=tuple((y(value), f"goal {name}") for value, name in goals),
    )


def _backlog(point: LoadPoint, width: float) -> _Plot | None:
    """Calls due and not done over time; None for an empty trace."""
    if not point.trace:
        return None
    right, bottom = width - _RIGHT, _HEIGHT - _BOTTOM
    end_s = max(at for at, _ in point.trace) or 1.0
    most = max(1, *(count for _, count in point.trace))

    def x(at_s: float) -> float:
        return _LEFT + at_s / end_s * (right - _LEFT)

    def y(count: float) -> float:
        return bottom - count / most * (bottom - _TOP)

    step = max(1, round(most / 4))
    return _Plot(
        width=width,
        height=_HEIGHT,
        left=_LEFT,
        right=right,
        bottom=bottom,
        lines=(
            _Line(point.verdict, f"{point.speed:g} ×", _points([(x(at), y(count)) for at, count in point.trace]), ()),
        ),
        x_ticks=tuple(
            (x(end_s * part / 4), seconds(max(_LEAST_S, end_s * part / 4)) if part else "0") for part in range(5)
        ),
        y_ticks=tuple((y(count), str(count)) for count in range(0, most + 1, step)),
        bounds=(),
    )


def _points(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


@cache
def _environment() -> Environment:
    made = environment()
    made.filters |= {"percent": percent, "seconds": seconds, "memory": memory}
    made.globals |= {"share_text": share_text}
    return made
