"""How long replies take: every measured time of each run as a distribution, not a summary of it."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from harness.measure import e2e_s, ttft_s
from harness.records import Attempt, Step
from harness.report.figures.figure import Axis, Plot, Point, Series, Table, Value
from harness.report.figures.words import listed, measured_under
from harness.report.formats import seconds
from harness.report.group import Group
from harness.report.view import RunView

__all__ = ["MOST_SERIES", "asked", "e2e_distribution", "ttft_distribution"]

MOST_SERIES: Final = 8
"""Runs with a colour of their own; further ones stay grey in the background."""
_MOST_POINTS: Final = 200
_LOG_FROM: Final = 20.0
_LEAST_S: Final = 1e-4
_QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


def asked(run: RunView) -> list[Attempt | Step]:
    """Every request of a run that was really sent and answered: steps of agents one by one, nothing from a cache."""
    calls: list[Attempt | Step] = []
    for attempt in run.attempts:
        calls += attempt.steps or ((attempt,) if attempt.failure is None and attempt.reply is not None else ())
    return [call for call in calls if call.origin == "measured"]


def ttft_distribution(group: Group) -> Plot | None:
    """The share of replies whose first token came within a time; None where no run has measured any."""
    axis = Axis("ttft_s", "Time to the first token", "seconds")
    return _distribution(group, "ttft-ecdf", "Time to the first token", axis, lambda call: ttft_s(call.timing))


def e2e_distribution(group: Group) -> Plot | None:
    """The share of replies that were whole within a time; None where no run has measured any."""
    axis = Axis("e2e_s", "End-to-end time of a reply", "seconds")
    return _distribution(group, "e2e-ecdf", "End-to-end time", axis, lambda call: e2e_s(call.timing))


def _distribution(
    group: Group, key: str, title: str, axis: Axis, time: Callable[[Attempt | Step], float | None]
) -> Plot | None:  # fmt: skip
    found = [(run, np.sort(np.array(_times(run, time)))) for run in group.ranked]
    known = [(run, values) for run, values in found if len(values) > 1]
    if not known:
        return None
    values = np.concatenate([one for _, one in known])
    log = float(np.quantile(values, 0.99)) / max(_LEAST_S, float(np.quantile(values, 0.01))) >= _LOG_FROM
    series = [_series(group, run, one, place) for place, (run, one) in enumerate(known)]
    runs = [run for run, _ in known]
    return Plot(
        key=key,
        title=title,
        message=_message(group, known),
        caption=f"{title} as an empirical distribution: the share of replies that took no longer, from the intended "
        f"send; nothing from a cache of replies. {measured_under(group, runs)}",
        x=Axis(axis.name, axis.title, axis.unit, log=log),
        y=Axis("share", "Share of replies", "share", low=0.0, high=1.0),
        series=tuple(series),
        notes=(f"The {MOST_SERIES} best runs have colours; {len(known) - MOST_SERIES} more are grey.",)
        if len(known) > MOST_SERIES
        else (),
        left_out=tuple(group.names[run.id] for run, one in found if len(one) < 2),
        digest=_digest(group, known),
    )


def _times(run: RunView, time: Callable[[Attempt | Step], float | None]) -> list[float]:
    return [max(_LEAST_S, value) for call in asked(run) if (value := time(call)) is not None]


def _series(group: Group, run: RunView, values: "np.ndarray[tuple[int], np.dtype[np.float64]]", place: int) -> Series:
    """The staircase of one run: every value, or of many the order statistics at equal steps."""
    n = len(values)
    ranks = np.arange(n) if n <= _MOST_POINTS else np.unique(np.linspace(0, n - 1, _MOST_POINTS).round().astype(int))
    points = [Point(float(values[0]), 0.0)]
    points += [Point(float(values[rank]), (int(rank) + 1) / n) for rank in ranks]
    return Series(run.id, group.names[run.id], tuple(points), "steps", place, quiet=place >= MOST_SERIES)


def _message(group: Group, known: Sequence[tuple[RunView, "np.ndarray[tuple[int], np.dtype[np.float64]]"]]) -> str:
    fast = sorted(known, key=lambda entry: float(np.median(entry[1])))
    told = [
        f"{group.names[run.id]} {seconds(float(np.median(values)))} (95 % within "
        f"{seconds(float(np.quantile(values, 0.95)))})"
        for run, values in fast
    ]
    return f"medians, fastest first: {listed(told, 4)}."


def _digest(group: Group, known: Sequence[tuple[RunView, "np.ndarray[tuple[int], np.dtype[np.float64]]"]]) -> Table:
    head = ("run", "replies", *(f"p{share * 100:g} (s)" for share in _QUANTILES))
    rows: list[tuple[Value, ...]] = [
        (group.names[run.id], len(values), *(round(float(one), 4) for one in np.quantile(values, _QUANTILES)))
        for run, values in known
    ]
    return Table(head, tuple(rows))
