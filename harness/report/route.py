"""The page of a routing policy: one file without a network and without a script, from the record alone to HTML."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from math import ceil, floor
from pathlib import Path
from typing import Final

from jinja2 import Environment
from markupsafe import Markup

from harness.records.routing import CurveRecord, KindRecord, RouteFigures, RouteReport
from harness.report.figures.axes import number
from harness.report.figures.coverage import CoveragePoint, coverage_plot
from harness.report.figures.figure import Axis, Plot, Point, Rule, Series
from harness.report.figures.html import picture
from harness.report.formats import counted, percent, seconds, usd
from harness.report.page import environment, static_text, write_html
from harness.report.route_table import figure_title, kind_text, signed, span

__all__ = ["build_page", "write_page"]

_CSS: Final = ("base.css", "table.css", "figures.css", "quantize.css", "select.css", "route.css", "print.css")


def write_page(report: RouteReport, path: Path) -> None:
    """Writes the page to `path`, whole or not at all. Raises DataError if it cannot be written."""
    write_html(path, build_page(report))


def build_page(report: RouteReport) -> str:
    """The page as HTML."""
    best = next((one for one in report.kinds if one.kind == report.chosen), None)
    return (
        _environment()
        .get_template("route.html.j2")
        .render(
            report=report,
            best=best,
            pictures=[picture(one, "route") for one in _plots(report)],
            css=Markup(static_text(_CSS)),
        )
    )


def _plots(report: RouteReport) -> list[Plot]:
    """Accuracy and cost by coverage, a curve for each kind that was made, with the certified points."""
    large = next(one for one in report.figures if one.name == "large")
    goal = Rule(large.accuracy - report.margin, f"{report.large.name} less {100 * report.margin:g} points")
    told = f"{report.tested_on:,} test calls of {report.suite}; the marked points are certified, others are not"
    caption = f"{told}. A point is a threshold; nothing was chosen by this picture."
    values = [point.accuracy for one in report.kinds for point in one.curve] or [0.0]
    low, high = floor(20 * min([*values, goal.at]) - 0.5) / 20, ceil(20 * max(values) + 0.5) / 20
    accuracy = coverage_plot(
        "accuracy",
        "Right answers by the share of calls that a small model takes",
        Axis("accuracy", "Right answers over all calls", "share", low=max(0.0, low), high=min(1.0, high)),
        [(one.kind, [_point(point, point.accuracy) for point in one.curve]) for one in report.kinds],
        caption,
        goal,
    )
    cost = coverage_plot(
        "cost",
        "Cost of a call by the share of calls that a small model takes",
        Axis("cost_usd_per_call", "USD per call", "usd", low=0.0),
        [(one.kind, _costs(one)) for one in report.kinds],
        f"{caption} All models that are asked for a call are paid; without any coverage the large model answers alone.",
    )
    return [
        _marked(plot, report, read)
        for plot, read in (
            (accuracy, lambda found: found.accuracy),
            (cost, lambda found: found.cost_usd_per_call),
        )
        if plot is not None
    ]


def _marked(plot: Plot, report: RouteReport, read: Callable[[RouteFigures], float | None]) -> Plot:
    """The plot with the certified points, and a sentence that names them."""
    points, told = [], []
    for one in report.kinds:
        value = read(one.figures) if one.figures is not None else None
        if one.certified is None or one.figures is None or value is None:
            continue
        words = f"{one.kind}, certified: {number(value, plot.y.unit)} at {percent(one.figures.coverage)} coverage"
        points.append(Point(one.figures.coverage, value, words, label=one.kind, strong=one.kind == report.chosen))
        told.append(words)
    if not points:
        return plot
    certified = Series("certified", "certified", tuple(points), "points", len(plot.series))
    return replace(plot, series=(*plot.series, certified), message=f"{'; '.join(told)}.")


def _costs(kind: KindRecord) -> list[CoveragePoint]:
    return [_point(one, one.cost_usd_per_call) for one in kind.curve if one.cost_usd_per_call is not None]


def _point(point: CurveRecord, value: float) -> CoveragePoint:
    return CoveragePoint(point.coverage, value, threshold=point.threshold)


@cache
def _environment() -> Environment:
    made = environment()
    made.filters |= {
        "percent": percent, "seconds": seconds, "counted": counted, "usd": usd, "signed": signed, "span": span,
        "kind_text": kind_text,
    }  # fmt: skip
    made.globals |= {"title_of": figure_title}
    return made
