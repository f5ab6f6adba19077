"""What each precision of a model loses, against its size in memory and its time."""

from collections.abc import Callable

from harness.records.frontier import Frontier, FrontierPoint
from harness.report.figures.axes import number
from harness.report.figures.figure import Axis, Plot, Point, Rule, Series
from harness.report.figures.words import listed
from harness.report.formats import counted, percent, share_text
from harness.report.scatter import pareto

__all__ = ["frontier_by_size", "frontier_by_time"]


def frontier_by_size(frontier: Frontier) -> Plot | None:
    """Accuracy of each precision by the size of its file; None with fewer than two that were scored."""
    axis = Axis("file_bytes", "Size of the file", "bytes", log=True)
    return _plot(frontier, "size", "Accuracy against size", axis, lambda point: float(point.bytes))


def frontier_by_time(frontier: Frontier) -> Plot | None:
    """Accuracy of each precision by the median time of a reply; None with fewer than two that were timed."""
    axis = Axis("e2e_p50_s", "Median time of a reply", "seconds", log=True)
    return _plot(frontier, "time", "Accuracy against time", axis, lambda point: point.e2e_p50_s)


def _plot(
    frontier: Frontier, kind: str, title: str, axis: Axis, value: Callable[[FrontierPoint], float | None]
) -> Plot | None:
    known = [(one, found) for one in frontier.points if (found := value(one)) and one.accuracy is not None]
    if len(known) < 2:
        return None
    fronts = pareto([(found, one.accuracy or 0.0) for one, found in known])
    points = tuple(_point(one, found, axis, front=front) for (one, found), front in zip(known, fronts, strict=True))
    base = frontier.point(frontier.baseline)
    note = "" if frontier.together or kind != "time" else " Types ran one after the other: times compare with care."
    best = [f"{point.label} ({percent(point.y)} at {number(point.x, axis.unit)})" for point in points if point.strong]
    return Plot(
        key=f"frontier-{kind}-{frontier.name}",
        title=f"{frontier.model_title} at several precisions: {title.lower()}",
        message=f"nothing is better and smaller at once than {listed(best, 4)}.",
        caption=f"{frontier.model_title} on {frontier.suite} (sha256 {frontier.suite_hash[:12]}), {frontier.protocol}, "
        f"{frontier.backend} {frontier.build or ''} on {frontier.machine.cpu}, {frontier.machine.cores} cores; "
        f"{frontier.made_at[:10]}. Error bars: intervals of the accuracy. The line is the baseline "
        f"{frontier.baseline}; whether a type is as good is decided sample by sample, in the table of the page.{note}",
        x=axis,
        y=Axis("accuracy", "Accuracy", "share"),
        series=(
            Series("front", "Pareto front", tuple(point for point in points if point.strong), "front"),
            Series(frontier.name, frontier.model_title, points),
        ),
        rules=(Rule(base.accuracy, f"baseline {frontier.baseline}"),) if base and base.accuracy is not None else (),
        left_out=tuple(one.type for one in frontier.points if one not in [two for two, _ in known]),
    )


def _point(one: FrontierPoint, value: float, axis: Axis, *, front: bool) -> Point:
    interval = one.accuracy_interval
    words = [f"{one.type}: {percent(one.accuracy or 0.0)} at {number(value, axis.unit)}"]
    words += [f"{interval.level * 100:g} % interval {share_text(interval.low, interval.high)}"] if interval else []
    verdict = one.comparison.verdict if one.comparison else None
    words += [f"against the baseline: {verdict.verdict}"] if verdict else []
    words.append(counted(one.n_scored, "scored attempt"))
    low, high = (interval.low, interval.high) if interval else (None, None)
    return Point(value, one.accuracy or 0.0, ", ".join(words), low, high, one.type, strong=front)
