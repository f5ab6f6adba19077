"""The page of a frontier: one file without a network, from the record and its runs to HTML."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment
from markupsafe import Markup

from harness.assets.progress import human_bytes
from harness.records.frontier import Frontier, FrontierPoint
from harness.report.formats import counted, memory, percent, seconds, share_text
from harness.report.page import environment, static_text, write_html
from harness.report.quantize_table import bits, headline, points, spread, verdict_text
from harness.report.scatter import Scatter, scatter
from harness.report.view import RunView

__all__ = ["build_page", "write_page"]

_CSS: Final = ("base.css", "table.css", "figures.css", "quantize.css", "print.css")
_SIZES: Final = (("wide", 620.0, 400.0), ("narrow", 336.0, 340.0))
_BROAD: Final = (("wide", 1100.0), ("narrow", 336.0))
_LEFT, _RIGHT, _ROW, _TOP, _BOTTOM = 84.0, 18.0, 34.0, 12.0, 40.0
_STEPS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


@dataclass(frozen=True, slots=True)
class _Line:
    """One type in the picture of differences, in the picture's units."""

    point: FrontierPoint
    y: float
    x: float | None
    low: float | None
    high: float | None
    text: str


@dataclass(frozen=True, slots=True)
class _Differences:
    """Differences from the baseline with their intervals, the margin beside zero."""

    width: float
    height: float
    left: float
    right: float
    bottom: float
    zero: float
    margin: float
    ticks: tuple[tuple[float, str], ...]
    lines: tuple[_Line, ...]


@dataclass(frozen=True, slots=True)
class _Figure:
    title: str
    note: str
    plots: tuple[tuple[str, Scatter], ...]


def write_page(frontier: Frontier, views: Mapping[str, RunView], path: Path) -> None:
    """Writes the page to `path`, whole or not at all. Raises DataError if it cannot be written."""
    write_html(path, build_page(frontier, views))


def build_page(frontier: Frontier, views: Mapping[str, RunView]) -> str:
    """The page as HTML. views: the runs by type, with their samples and scores."""
    return (
        _environment()
        .get_template("quantize.html.j2")
        .render(
            frontier=frontier,
            base=frontier.point(frontier.baseline),
            headline=headline(frontier),
            figures=_figures(frontier, views),
            differences=[(size, _differences(frontier, width)) for size, width in _BROAD],
            css=Markup(static_text(_CSS)),
        )
    )


def _figures(frontier: Frontier, views: Mapping[str, RunView]) -> list[_Figure]:
    """Accuracy against the size of the file, the memory, and the time of a reply."""
    named = [
        replace(views[point.type], summary=views[point.type].summary.model_copy(update={"model_title": point.type}))
        for point in frontier.points
        if point.type in views
    ]
    by_run = {point.run: point for point in frontier.points}
    how = "attempts in turn" if frontier.together else "one type after the other: compare with care"
    wanted: tuple[tuple[str, str, str, Callable[[FrontierPoint], float | None], Callable[[float], str]], ...] = (
        ("Accuracy against size", "", "size of the file", lambda point: float(point.bytes), human_bytes),
        ("Accuracy against time", how, "whole reply, median", lambda point: point.e2e_p50_s, seconds),
    )
    found = []
    for title, note, axis, value, text in wanted:
        plots = [
            (size, plot)
            for size, width, height in _SIZES
            if (plot := scatter(named, _price(by_run, value), text, axis, width, height)) is not None
        ]
        found += [_Figure(title, note, tuple(plots))] if plots else []
    return found


def _price(
    by_run: Mapping[str, FrontierPoint], value: Callable[[FrontierPoint], float | None]
) -> Callable[[RunView], float | None]:
    return lambda run: value(by_run[run.id])


def _differences(frontier: Frontier, width: float) -> _Differences:
    others = [point for point in frontier.points if point.type != frontier.baseline]
    intervals = [one.comparison.interval for one in others if one.comparison]
    ends = [abs(end) for one in intervals for end in (one.low, one.high)]
    reach = min(1.0, max([*ends, 1.5 * frontier.margin]) * 1.05)
    left, right = _LEFT, width - _RIGHT
    bottom = _TOP + _ROW * max(1, len(others))

    def x(share: float) -> float:
        return left + (share + reach) / (2 * reach) * (right - left)

    step = next((one for one in _STEPS if 2 * reach / one <= (9 if width > 400 else 5)), 1.0)
    count = int(reach / step + 1e-9)
    return _Differences(
        width=width,
        height=bottom + _BOTTOM,
        left=left,
        right=right,
        bottom=bottom,
        zero=x(0),
        margin=x(-frontier.margin),
        ticks=tuple((x(place * step), _tick(100 * place * step)) for place in range(-count, count + 1)),
        lines=tuple(_line(point, _TOP + _ROW * (place + 0.5), x) for place, point in enumerate(others)),
    )


def _tick(value: float) -> str:
    return "0" if abs(value) < 1e-9 else f"{value:+g}".replace("-", "−")


def _line(point: FrontierPoint, y: float, x: Callable[[float], float]) -> _Line:
    found = point.comparison
    if found is None:
        return _Line(point, y, None, None, None, f"{point.type}: {point.no_verdict}")
    text = (
        f"{point.type}: {points(found.difference)} points, 95 % interval {spread(found.interval)}, "
        f"{found.lost} lost and {found.gained} gained of {found.n}: {verdict_text(point)}"
    )
    return _Line(point, y, x(found.difference), x(found.interval.low), x(found.interval.high), text)


@cache
def _environment() -> Environment:
    made = environment()
    made.filters |= {
        "percent": percent, "points": points, "seconds": seconds, "memory": memory, "size": human_bytes,
        "counted": counted, "bits": bits, "spread": spread, "verdict": verdict_text, "shares": share_text,
    }  # fmt: skip
    return made
