"""How the runs of one suite changed over time: accuracy, cost and speed of each set-up by date."""

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

from harness.report.figures.axes import number
from harness.report.figures.figure import Axis, Plot, Point, Series
from harness.report.figures.words import conditions, interval_text, listed, measured_under, sample_link
from harness.report.formats import percent
from harness.report.group import Group
from harness.report.view import RunView

__all__ = ["history_plots"]

_MOST: Final = 8
_COST: Final = Axis("cost_usd_per_1000_successes", "US dollars per 1,000 successes", "usd")
_TIME: Final = Axis("e2e_p50_s", "Median end-to-end time of a reply", "seconds")
_ACCURACY: Final = Axis("accuracy", "Accuracy", "share")


def history_plots(group: Group) -> tuple[Plot, ...]:
    """Accuracy, time and cost by date, a line for each set-up; nothing where no set-up was run twice.

    Set-ups are a model with its protocol, precision and settings. Complete runs only; those of another set-up stand as
    single marks, so that a new model shows beside the old ones.
    """
    runs = [run for run in (*group.ranked, *group.older) if run.summary.complete and run.summary.of_run is None]
    runs.sort(key=lambda run: (_setup(run), run.summary.started_at))
    lines = [(name, list(own)) for name, own in groupby(runs, key=_setup)]
    lines.sort(key=lambda line: (-len(line[1]), line[0]))
    if not lines or len(lines[0][1]) < 2:
        return ()
    wanted: list[tuple[str, str, Axis, Callable[[RunView], float | None]]] = [
        ("history", "Accuracy over time", _ACCURACY, lambda run: run.summary.accuracy),
        ("history-time", "Speed over time", _TIME, _time),
        ("history-cost", "Cost over time", _COST, _cost),
    ]
    found = (_plot(group, lines, key, title, axis, value) for key, title, axis, value in wanted)
    return tuple(plot for plot in found if plot is not None)


def _setup(run: RunView) -> str:
    settings = (f"{key.rpartition('.')[2]}={value}" for key, value in sorted(run.settings.items()))
    return ", ".join(filter(None, [run.title, run.summary.protocol, run.summary.quantization, *settings]))


def _time(run: RunView) -> float | None:
    found = run.summary.e2e_s
    return found.p50 if found and run.summary.recorded is None else None


def _cost(run: RunView) -> float | None:
    cost = run.summary.cost_usd_per_success
    return None if cost is None else 1000 * cost


def _plot(
    group: Group, lines: Sequence[tuple[str, list[RunView]]], key: str, title: str, axis: Axis,
    value: Callable[[RunView], float | None],
) -> Plot | None:  # fmt: skip
    series: list[Series] = []
    drawn: list[RunView] = []
    told: list[str] = []
    for place, (name, runs) in enumerate(lines):
        known = [(run, found) for run in runs if (found := value(run)) is not None]
        if not known:
            continue
        points = tuple(_point(name, run, found, axis) for run, found in known)
        series.append(Series(f"setup-{place}", name, points, "line", len(series), quiet=len(series) >= _MOST))
        drawn += [run for run, _ in known]
        if len(known) > 1:
            first, last = known[0][1], known[-1][1]
            told.append(f"{name} from {number(first, axis.unit)} to {number(last, axis.unit)}")
    if not told:
        return None
    return Plot(
        key=key,
        title=title,
        message=f"{listed(told, 4)}.",
        caption=f"{title}, one mark a complete run. {measured_under(group, drawn)}",
        x=Axis("started_at", "Date (UTC)", "date"),
        y=axis,
        series=tuple(series),
        notes=(f"The {_MOST} set-ups with most runs have colours, the others are grey.",)
        if len(series) > _MOST
        else (),
    )


def _point(name: str, run: RunView, value: float, axis: Axis) -> Point:
    at = datetime.fromisoformat(run.summary.started_at.replace("Z", "+00:00")).timestamp()
    interval = run.summary.accuracy_interval if axis is _ACCURACY else None
    accuracy = "" if run.summary.accuracy is None or axis is _ACCURACY else f"accuracy {percent(run.summary.accuracy)}"
    words = [f"{name}: {number(value, axis.unit)}", interval_text(run) if interval else "", accuracy]
    return Point(
        at, value, ", ".join(filter(None, words)) + f"\n{conditions(run)}",
        interval.low if interval else None, interval.high if interval else None,
        href=sample_link(run=run.id) if run.attempts else "",
    )  # fmt: skip
