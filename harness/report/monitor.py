"""The page of a policy's monitors: what they say, and their evidence and estimate over time; one file, offline."""

from functools import cache
from math import ceil, floor
from pathlib import Path
from typing import Final

from jinja2 import Environment
from markupsafe import Markup

from harness.records.monitor import MonitorPoint, MonitorReport, MonitorView
from harness.report.export import Columns, Field, Table, table_of
from harness.report.figures.figure import Axis, Plot, Point, Rule, Series
from harness.report.figures.html import picture
from harness.report.monitor_words import (
    day,
    findings,
    headline,
    limit_words,
    more_words,
    points,
    promise_words,
    state_words,
)
from harness.report.page import environment, static_text, write_html

__all__ = ["build_page", "monitor_tables", "write_page"]

_CSS: Final = ("base.css", "table.css", "figures.css", "quantize.css", "print.css")
_MOST: Final = 6
_CALLS: Final = Axis("verified_calls", "Verified calls", "count")


def write_page(report: MonitorReport, path: Path) -> None:
    """Writes the page to `path`, whole or not at all. Raises DataError if it cannot be written."""
    write_html(path, build_page(report))


def build_page(report: MonitorReport) -> str:
    """The page as HTML, a function of the record alone."""
    return (
        _environment()
        .get_template("monitor.html.j2")
        .render(
            report=report,
            headline=headline(report),
            findings=findings(report),
            promise=promise_words(report),
            pictures=[picture(one, "monitor") for one in _plots(report)],
            css=Markup(static_text(_CSS)),
        )
    )


@cache
def _environment() -> Environment:
    made = environment()
    made.filters |= {"points": points, "day": day, "state": state_words, "more": more_words}
    made.globals |= {"limit_words": limit_words}
    return made


def _plots(report: MonitorReport) -> list[Plot]:
    shown = [one for one in sorted(report.views, key=_worst) if one.points][:_MOST]
    if not shown:
        return []
    left_out = len(report.views) - len(shown)
    notes = (f"{left_out} monitors with less evidence are not drawn.",) if left_out else ()
    return [_evidence(report, shown, notes), *(_estimate(report, one) for one in shown[:2])]


def _worst(view: MonitorView) -> tuple[bool, float]:
    return (not view.alarm, -view.strongest)


def _evidence(report: MonitorReport, views: list[MonitorView], notes: tuple[str, ...]) -> Plot:
    need = min(one.need for one in views)
    heights = [need, -1.0, *(point.evidence for one in views for point in one.points)]
    told = "; ".join(f"{one.key} at {one.evidence:.2f}" for one in views)
    return Plot(
        key="evidence",
        title="Evidence that the limit was passed",
        message=f"{told}; {need:.2f} makes an alarm.",
        caption=f"Natural logarithm of the capital that bets on a mean above the limit, after verified calls of "
        f"{report.policy}: {promise_words(report)}",
        x=_CALLS,
        y=Axis("log_evidence", "Log of the evidence", "count", low=floor(min(heights)), high=ceil(max(heights)) + 0.5),
        series=tuple(_series(one, place) for place, one in enumerate(views)),
        rules=(Rule(need, "alarm"),),
        notes=notes,
    )  # fmt: skip


def _series(view: MonitorView, place: int) -> Series:
    found = tuple(Point(one.values, one.evidence, _text(view, one)) for one in view.points)
    if len(found) == 1:
        return Series(f"m{place}", view.key, found, "points", place)
    return Series(f"m{place}", view.key, found, "steps", place)


def _text(view: MonitorView, one: MonitorPoint) -> str:
    return f"{view.key}, {day(one.at)}: {one.evidence:.2f} after {one.values:,} calls, mean {points(one.mean)}"


def _estimate(report: MonitorReport, view: MonitorView) -> Plot:
    last = view.points[-1]
    name = {"disagreement": "Disagreement", "loss": "Loss", "error": "Error"}[report.outcome]
    band = tuple(Point(one.values, one.mean, _text(view, one), one.low, one.high) for one in view.points)
    least = min(one.low for one in view.points)
    return Plot(
        key=f"estimate-{view.key}",
        title=f"{name} over time: {view.key}",
        message=f"{points(last.mean)} with a confidence sequence of {points(last.low)} to {points(last.high)} after "
        f"{last.values:,} calls; the limit is {points(view.limit)}.",
        caption=f"Mean over all verified calls so far, with its 95 % confidence sequence, which holds at every look as "
        f"long as the mean stays what it is. After a change it lags behind: the alarm does not. Limit: "
        f"{limit_words(report, view)}.",
        x=_CALLS,
        y=Axis("mean", name, "share", low=min(0.0, floor(least * 5) / 5)),
        series=(Series("mean", "mean so far", band, "band" if len(band) > 1 else "points", 0),),
        rules=(Rule(view.limit, "limit"),),
    )


def monitor_tables(report: MonitorReport) -> tuple[Table, ...]:
    """All tables of a look."""
    moments = [(view, point) for view in report.views for point in view.points]
    return (
        table_of("monitors", "The monitors of a policy", report.views, _VIEWS),
        table_of("moments", "Their evidence and estimates over time", moments, _MOMENTS),
    )


_VIEWS: Columns[MonitorView] = (
    (Field("monitor", "text", "", "Task, or traffic."), lambda one: one.key),
    (Field("alarm", "flag", "", "Whether it has alarmed."), lambda one: one.alarm),
    (Field("limit", "number", "", "Mean that must not be passed."), lambda one: one.limit),
    (Field("calls", "count", "calls", "Outcomes looked at."), lambda one: one.values),
    (Field("units", "count", "", "Sessions and single calls."), lambda one: one.units),
    (Field("mean", "number", "", "Of all outcomes."), lambda one: one.mean),
    (
        Field("low", "number", "", "Confidence sequence, 95 %."),
        lambda one: None if one.interval is None else one.interval.low,
    ),
    (
        Field("high", "number", "", "Confidence sequence, 95 %."),
        lambda one: None if one.interval is None else one.interval.high,
    ),
    (Field("recent", "number", "", "Mean of the last units."), lambda one: one.recent),
    (Field("evidence", "number", "", "Natural log, now."), lambda one: one.evidence),
    (Field("need", "number", "", "Natural log that makes an alarm."), lambda one: one.need),
    (Field("p", "number", "", "Anytime-valid p of `ever`."), lambda one: one.p),
    (Field("since", "text", "", "When the likeliest change began."), lambda one: day(one.since)),
    (Field("delay_calls", "number", "calls", "Outcomes since then."), lambda one: one.since_values),
    (Field("alarmed_at", "text", "", "Time of the alarm."), lambda one: day(one.alarmed_at)),
    (Field("more", "number", "calls", "Outcomes more for a change to be found."), lambda one: one.more),
)
_MOMENTS: Columns[tuple[MonitorView, MonitorPoint]] = (
    (Field("monitor", "text", "", "Task, or traffic."), lambda one: one[0].key),
    (Field("at", "text", "", "Time, UTC."), lambda one: day(one[1].at)),
    (Field("calls", "count", "calls", "Outcomes looked at."), lambda one: one[1].values),
    (Field("evidence", "number", "", "Natural log."), lambda one: one[1].evidence),
    (Field("mean", "number", "", "Of all outcomes."), lambda one: one[1].mean),
    (Field("low", "number", "", "Confidence sequence, 95 %."), lambda one: one[1].low),
    (Field("high", "number", "", "Confidence sequence, 95 %."), lambda one: one[1].high),
)
