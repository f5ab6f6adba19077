"""Accuracy against what is paid for it, in money or in time, with the Pareto front."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from harness.records import PROTOCOLS
from harness.report.family import floor_of
from harness.report.figures.axes import number
from harness.report.figures.figure import Axis, Plot, Point, Rule, Series, Unit
from harness.report.figures.words import conditions, interval_text, listed, measured_under, sample_link
from harness.report.formats import percent
from harness.report.group import Group
from harness.report.scatter import pareto
from harness.report.view import RunView

__all__ = ["cost_of", "tradeoff", "tradeoff_by_cost", "tradeoff_by_time"]

_PER = 1000
_MOST_NAMED = 20
_NAMED = 6
"""Beyond so many runs only the front and the best of the others have their names beside them."""


def cost_of(run: RunView) -> float | None:
    """US dollars of 1,000 successes; None without a success or a price."""
    cost = run.summary.cost_usd_per_success
    return None if cost is None else cost * _PER


def _time_of(run: RunView) -> float | None:
    """Median time of a reply, or of an agent's whole task; None where it is a log's own."""
    summary = run.summary
    if summary.recorded is not None:  # a log's times are no measurement beside ours
        return None
    found = summary.task_s or summary.e2e_s
    return found.p50 if found else None


def tradeoff_by_cost(group: Group) -> Plot | None:
    """Accuracy against the cost of 1,000 successes; None with fewer than two runs that have one."""
    title = f"US dollars per 1,000 {group.family.units} that count"
    axis = Axis("cost_usd_per_1000_successes", title, "usd", log=True)
    return tradeoff(group, "cost", "Accuracy against cost", axis, cost_of)


def tradeoff_by_time(group: Group) -> Plot | None:
    """Accuracy against the median time of a reply or a task; None with fewer than two runs that have one."""
    if group.family.key in {"agents", "sessions"}:
        more = "its tools included" if group.family.key == "agents" else "as far as it went"
        axis = Axis("task_p50_s", f"Median time of a {group.family.unit}, {more}", "seconds", log=True)
        return tradeoff(group, "latency", "Accuracy against time", axis, _time_of)
    unit = "call" if group.family.key == "calls" else "reply"
    axis = Axis("e2e_p50_s", f"Median end-to-end time of a {unit}", "seconds", log=True)
    return tradeoff(group, "latency", "Accuracy against latency", axis, _time_of)


def tradeoff(group: Group, key: str, title: str, axis: Axis, price: Callable[[RunView], float | None]) -> Plot | None:
    """Ranked runs by price and accuracy; None with fewer than two that have both.

    price: in the axis's unit; runs without it, or with 0, are named in `left_out`.
    """
    known = [(run, value) for run in group.ranked if (value := price(run)) and run.summary.accuracy is not None]
    if len(known) < 2:
        return None
    runs = [run for run, _ in known]
    fronts = pareto([(value, run.summary.accuracy or 0.0) for run, value in known])
    named = _named(runs, fronts)
    points = {
        run.id: _point(group, run, value, axis.unit, front=front, named=run.id in named)
        for (run, value), front in zip(known, fronts, strict=True)
    }
    protocols = [name for name in PROTOCOLS if any(run.summary.protocol == name for run in runs)]
    series = [
        Series(name, name, tuple(points[run.id] for run in runs if run.summary.protocol == name), look=name)
        for name in protocols
    ]
    best = tuple(point for point in points.values() if point.strong)
    front = Series("front", "Pareto front", best, "front")
    shown = set(points)
    return Plot(
        key=key,
        title=title,
        message=_message(group, runs, points, axis.unit),
        caption=f"{title}. Towards the upper left is better; the dashed line is the Pareto front through the measured "
        f"values. {measured_under(group, runs)}",
        x=axis,
        y=Axis("accuracy", "Accuracy", "share"),
        series=(front, *series),
        rules=_floor(runs),
        links=_links(runs, points),
        link_text="same model",
        notes=("Names: the front and the best of the others; point at a mark for its own.",)
        if len(runs) > _MOST_NAMED
        else (),
        left_out=tuple(group.names[run.id] for run in group.ranked if run.id not in shown),
    )


def _named(runs: Sequence[RunView], fronts: Sequence[bool]) -> set[str]:
    """Which runs have their names beside them: all of few, else the front and the best of the others."""
    if len(runs) <= _MOST_NAMED:
        return {run.id for run in runs}
    others = [run.id for run, front in zip(runs, fronts, strict=True) if not front]
    return {run.id for run, front in zip(runs, fronts, strict=True) if front} | set(others[:_NAMED])


def _point(group: Group, run: RunView, value: float, unit: Unit, *, front: bool, named: bool) -> Point:
    interval, accuracy = run.summary.accuracy_interval, run.summary.accuracy or 0.0
    head = f"{group.names[run.id]}: {percent(accuracy)} at {number(value, unit)}"
    words = ", ".join(filter(None, [head, interval_text(run), "on the Pareto front" if front else ""]))
    return Point(
        x=value,
        y=accuracy,
        text=f"{words}\n{conditions(run)}",
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        label=run.title if named else "",
        href=sample_link(run=run.id),
        strong=front,
    )


def _message(group: Group, runs: Sequence[RunView], points: dict[str, Point], unit: Unit) -> str:
    """Who is on the front, cheapest first, with what each has."""
    front = sorted((run for run in runs if points[run.id].strong), key=lambda run: points[run.id].x)
    told = [f"{group.names[run.id]} ({percent(points[run.id].y)} at {number(points[run.id].x, unit)})" for run in front]
    beaten = len(runs) - len(front)
    rest = f"; {beaten} of {len(runs)} runs are beaten in both" if beaten else ""
    return f"on the Pareto front: {listed(told, 4)}{rest}."


def _floor(runs: Sequence[RunView]) -> tuple[Rule, ...]:
    """What a model reaches that understands nothing, where the runs agree on it."""
    floors = {floor_of(run) for run in runs}
    floor = floors.pop() if len(floors) == 1 else None
    return (Rule(floor.share, floor.name),) if floor and floor.share else ()


def _links(runs: Sequence[RunView], points: dict[str, Point]) -> tuple[tuple[Point, Point], ...]:
    by_model: dict[object, list[RunView]] = {}
    for run in runs:
        by_model.setdefault(run.model_key, []).append(run)
    chains = [sorted(chain, key=lambda run: PROTOCOLS.index(run.summary.protocol)) for chain in by_model.values()]
    return tuple((points[one.id], points[two.id]) for chain in chains for one, two in pairwise(chain))
