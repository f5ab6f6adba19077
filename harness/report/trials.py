"""What several trials of each sample say: the geometry of the curves of pass@k and pass^k."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.records.summary import PassK
from harness.report.formats import counted, percent, share_text
from harness.report.view import RunView

__all__ = ["Curve", "Point", "TrialPlot", "trial_plots"]

WIDTH, HEIGHT = 250.0, 150.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 30.0, 44.0, 12.0, 24.0


@dataclass(frozen=True, slots=True)
class Point:
    """One estimate, in the plot's units."""

    x: float
    y: float
    low: float | None
    high: float | None
    note: str


@dataclass(frozen=True, slots=True)
class Curve:
    """pass@k or pass^k of one run."""

    key: str
    """`at` or `hat`."""
    points: tuple[Point, ...]
    line: str
    """As SVG polyline points."""
    end: str
    """The last value in words."""
    end_y: float
    """Where that stands: beside its point, clear of the other curve's."""


@dataclass(frozen=True, slots=True)
class TrialPlot:
    """Both curves of one run."""

    run: RunView
    curves: tuple[Curve, ...]
    x_ticks: tuple[tuple[float, int], ...]
    y_ticks: tuple[tuple[float, int], ...]
    text: str
    """The picture in words."""


def trial_plots(runs: Sequence[RunView]) -> list[TrialPlot]:
    """One plot for each run that has several trials of its samples."""
    return [_plot(run) for run in runs if run.summary.pass_hat or run.summary.pass_at]


def _plot(run: RunView) -> TrialPlot:
    series = [("at", "pass@", run.summary.pass_at), ("hat", "pass^", run.summary.pass_hat)]
    most = max(one.k for _, _, values in series for one in values)
    drawn = [_curve(key, name, values, most) for key, name, values in series if values]
    ends = sorted(drawn, key=lambda curve: curve.end_y)
    if len(ends) == 2 and ends[1].end_y - ends[0].end_y < 12:
        middle = (ends[0].end_y + ends[1].end_y) / 2
        moved = {ends[0].key: middle - 6, ends[1].key: middle + 6}
        drawn = [Curve(c.key, c.points, c.line, c.end, moved[c.key]) for c in drawn]
    step = max(1, round(most / 6))
    ks = [k for k in range(1, most + 1) if k == 1 or k % step == 0 or k == most]
    return TrialPlot(
        run=run,
        curves=tuple(drawn),
        x_ticks=tuple((_x(k, most), k) for k in ks if k == most or _x(most, most) - _x(k, most) > 14),
        y_ticks=tuple((_y(share / 100), share) for share in (0, 50, 100)),
        text="; ".join(point.note for curve in drawn for point in curve.points),
    )


def _curve(key: str, name: str, values: Sequence[PassK], most: int) -> Curve:
    points = tuple(_point(name, one, most, aside=-1.5 if key == "at" else 1.5) for one in values)
    line = " ".join(f"{point.x:.1f},{point.y:.1f}" for point in points)
    return Curve(key, points, line, percent(values[-1].value), points[-1].y)


def _point(name: str, one: PassK, most: int, aside: float) -> Point:
    between = f", interval {share_text(one.interval.low, one.interval.high)}" if one.interval else ""
    return Point(
        x=_x(one.k, most) + aside,
        y=_y(one.value),
        low=_y(one.interval.low) if one.interval else None,
        high=_y(one.interval.high) if one.interval else None,
        note=f"{name}{one.k}: {percent(one.value)}{between}, {counted(one.n_samples, 'sample')}",
    )


def _x(k: int, most: int) -> float:
    return _LEFT + (k - 1) / max(1, most - 1) * (WIDTH - _LEFT - _RIGHT) + 6


def _y(share: float) -> float:
    return _TOP + (1 - share) * (HEIGHT - _TOP - _BOTTOM)
