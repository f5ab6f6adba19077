"""What a router buys: the share of calls that the small model takes, against what they cost and how many are right."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.report.figures.axes import number
from harness.report.figures.figure import Axis, Plot, Point, Rule, Series, Unit
from harness.report.formats import percent

__all__ = ["CoveragePoint", "coverage_plot"]


@dataclass(frozen=True, slots=True)
class CoveragePoint:
    """One threshold of a router."""

    coverage: float
    """Share of the calls that the small model takes, 0..1."""
    value: float
    """Cost of a call or accuracy over all calls, as the axis says."""
    low: float | None = None
    high: float | None = None
    threshold: float | None = None
    chosen: bool = False


def coverage_plot(
    key: str, title: str, axis: Axis, curves: Sequence[tuple[str, Sequence[CoveragePoint]]], caption: str,
    goal: Rule | None = None,
) -> Plot | None:  # fmt: skip
    """One curve a router over the share of calls kept; None where none has two thresholds.

    axis: of the values, such as USD a call or accuracy. goal: what has to be kept.
    """
    known = [(name, sorted(points, key=lambda one: one.coverage)) for name, points in curves if len(points) > 1]
    if not known:
        return None
    series = [
        Series(name, name, tuple(_point(name, one, axis.unit) for one in points), "line" if len(points) <= 25
               else "band", place)
        for place, (name, points) in enumerate(known)
    ]  # fmt: skip
    chosen = [(name, one) for name, points in known for one in points if one.chosen]
    told = [f"{name} keeps {percent(one.coverage)} at {number(one.value, axis.unit)}" for name, one in chosen]
    ends = [
        f"{name}: {number(points[0].value, axis.unit)} at {percent(points[0].coverage)}, "
        f"{number(points[-1].value, axis.unit)} at {percent(points[-1].coverage)}"
        for name, points in known
    ]
    return Plot(
        key=key,
        title=title,
        message=f"{'; '.join(told or ends)}.",
        caption=caption,
        x=Axis("coverage", "Share of calls that the small model takes", "share", low=0.0, high=1.0),
        y=axis,
        series=tuple(series),
        rules=(goal,) if goal else (),
    )


def _point(name: str, one: CoveragePoint, unit: Unit) -> Point:
    words = f"{name}: {number(one.value, unit)} with {percent(one.coverage)} of the calls kept"
    words += f", threshold {one.threshold:g}" if one.threshold is not None else ""
    label = "chosen" if one.chosen else ""
    return Point(one.coverage, one.value, words, one.low, one.high, label, strong=one.chosen)
