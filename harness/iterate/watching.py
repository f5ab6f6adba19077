"""A monitor at work on units of verified pairs, and what it says of itself."""

from collections import Counter
from dataclasses import dataclass, replace
from math import ceil, isfinite, log
from typing import Final

from harness.records.interval import Interval
from harness.records.monitor import MonitorDesign, MonitorPoint, MonitorView, WatchState
from harness.stats.bounded import units_interval, units_of
from harness.stats.monitor import Monitor
from harness.stats.sequential import certain, mean_sequence

__all__ = ["TRAFFIC", "Watch", "enough", "limit_of", "said_of", "view_of", "watch_of"]

TRAFFIC: Final = "traffic"
"""Name of the monitor over all tasks."""
_DAY: Final = 86_400.0
_RECENT: Final = 200
_POINTS: Final = 240


@dataclass(slots=True)
class Watch:
    """One monitor at work."""

    kept: WatchState
    monitor: Monitor
    blocks: Counter[tuple[float, int]]

    def look(self, values: list[float], at: float) -> None:
        """Takes one unit, whose last call was at this time."""
        total, size = sum(values), len(values)
        was = self.monitor.state
        self.monitor.look(total, size)
        now, design = self.monitor.state, self.monitor.design
        if size > design.largest:
            total, size = total * design.largest / size, design.largest
        self.blocks[round(total, 6), size] += 1
        old = self.kept
        begun = at if was.rise == 0 and now.rise > 0 else old.since if now.rise > 0 else None
        self.kept = old.model_copy(update={
            "first": at if old.first is None else old.first, "last": at, "since": begun,
            "recent": (*old.recent, (total, size))[-_RECENT:],
        })  # fmt: skip

    def point(self) -> None:
        """Notes where it stands, every other one of many forgotten."""
        old = self.kept
        span = self.span
        if span is None or old.last is None:
            return
        state = self.monitor.state
        new = MonitorPoint(
            at=old.last, values=state.values, evidence=round(state.now, 4), mean=round(self.mean or 0.0, 6),
            low=round(span.low, 6), high=round(span.high, 6),
        )  # fmt: skip
        points = (*old.points, new) if not old.points or old.points[-1].values < new.values else old.points
        if len(points) > _POINTS:
            points = (*points[:-1:2], points[-1])
        self.kept = old.model_copy(update={"points": points})

    @property
    def mean(self) -> float | None:
        """Of all values."""
        state = self.monitor.state
        return state.total / state.values if state.values else None

    @property
    def span(self) -> Interval | None:
        """Confidence sequence of the mean."""
        design = self.monitor.design
        return mean_sequence(self.blocks, low=design.low, high=design.high, largest=design.largest)

    def state(self) -> WatchState:
        """All of it, to be written."""
        blocks = tuple((total, size, times) for (total, size), times in sorted(self.blocks.items()))
        return self.kept.model_copy(update={"state": self.monitor.state, "blocks": blocks})


def watch_of(kept: WatchState, design: MonitorDesign) -> Watch:
    """The monitor as it was kept."""
    blocks = Counter({(total, size): times for total, size, times in kept.blocks})
    return Watch(kept, Monitor(design, kept.state), blocks)


def enough(watches: list[Watch]) -> list[bool]:
    """Which monitors alarm, all of them together keeping the promise: Holm's procedure, or the rate in equal parts."""
    design = watches[0].monitor.design
    ahead = [one.monitor.state.best - one.monitor.need for one in watches]
    if design.promise == "rate":
        return [one >= log(len(watches)) for one in ahead]
    return certain([one + log(1 / design.alpha) for one in ahead], design.alpha)


def view_of(watch: Watch, monitors: int) -> MonitorView:
    """What it says; monitors: how many share the promise."""
    state, monitor, kept = watch.monitor.state, watch.monitor, watch.kept
    alarm = kept.alarmed_at is not None
    need = monitor.need + log(monitors)
    to_go = 0.0 if alarm else max(0.0, monitor.to_go(need))
    span = None if kept.first is None or kept.last is None else kept.last - kept.first
    pace = state.values / (span / _DAY) if span else None
    recent = units_of([total / size for total, size in kept.recent], weights=[size for _, size in kept.recent]) if (
        kept.recent
    ) else None  # fmt: skip
    in_sight = state.rise > 0
    until = kept.alarmed_values if kept.alarmed_values is not None else state.values
    return MonitorView(
        key=kept.key,
        alarm=alarm,
        limit=limit_of(monitor.design),
        units=state.units,
        values=state.values,
        mean=watch.mean,
        interval=watch.span,
        recent=None if recent is None else recent.mean,
        recent_interval=None if recent is None else units_interval(
            replace(recent, samples=max(1, sum(size for _, size in kept.recent))), low=monitor.design.low,
            high=monitor.design.high,
        ),
        recent_values=sum(size for _, size in kept.recent),
        evidence=state.now,
        strongest=state.best,
        need=need,
        p=monitor.p,
        since=kept.since if in_sight else None,
        since_values=max(0, until - state.since_values) if in_sight else None,
        alarmed_at=kept.alarmed_at,
        alarmed_values=kept.alarmed_values,
        more=ceil(to_go) if isfinite(to_go) else None,
        days=None if pace is None or alarm else to_go / pace,
        points=kept.points,
    )  # fmt: skip


def limit_of(design: MonitorDesign) -> float:
    """The limit as a number: with a baseline that far above its mean."""
    if design.baseline is None:
        return design.limit
    values = sum(size * times for _, size, times in design.baseline)
    return design.limit + sum(total * times for total, _, times in design.baseline) / values


def said_of(watch: Watch, monitors: int) -> str:
    """Where it stands, in one line; monitors: how many share the promise."""
    state, design = watch.monitor.state, watch.monitor.design
    mean = 0.0 if watch.mean is None else watch.mean
    return (
        f"after {state.values} verified calls: mean {mean:.3f}, limit {limit_of(design):.3f}, evidence "
        f"{state.now:.2f} of {watch.monitor.need + log(monitors):.2f}"
    )
