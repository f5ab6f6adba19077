"""From values to places on a picture, and the numbers that stand at an axis."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil, floor, log10

from harness.report.figures.figure import Axis, Plot, Unit
from harness.report.formats import memory, percent, seconds, usd
from harness.report.scatter import log_ticks, short_tick

__all__ = ["Scale", "domain", "number", "scales", "tick_text", "ticks"]

_DAY = 86_400.0
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """A stretch of values laid over a stretch of the picture; `log` by their logarithm."""

    low: float
    high: float
    start: float
    end: float
    log: bool

    def __call__(self, value: float) -> float:
        """Where a value stands; one beyond an end stands at it."""
        value = min(max(value, self.low), self.high)
        if self.log:
            share = (log10(value) - log10(self.low)) / (log10(self.high) - log10(self.low))
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def back(self, place: float) -> float:
        """The value that stands at a place."""
        share = (place - self.start) / (self.end - self.start)
        if self.log:
            return float(self.low * (self.high / self.low) ** share)
        return self.low + share * (self.high - self.low)


def scales(plot: Plot, across: tuple[float, float], up: tuple[float, float]) -> tuple[Scale, Scale]:
    """The scales of both axes. across: from left to right. up: from bottom to top, in the picture's units."""
    points = [point for one in plot.series for point in one.points]
    ends = [end for point in points for end in (point.low, point.high) if end is not None]
    x_low, x_high = domain(plot.x, [point.x for point in points])
    y_low, y_high = domain(plot.y, [*(point.y for point in points), *ends, *(rule.at for rule in plot.rules)])
    return Scale(x_low, x_high, *across, plot.x.log), Scale(y_low, y_high, *up, plot.y.log)


def domain(axis: Axis, values: Sequence[float]) -> tuple[float, float]:
    """Both ends of an axis that all values fit on, never the same; a share begins at 0 and ends at a round one."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    if axis.log:
        low, high = max(low, 1e-12) / 1.25, max(high, 1e-12) * 1.25
        widen = max(1.0, (4 * low / high) ** 0.5)
        low, high = low / widen, high * widen
    elif axis.unit == "share":
        low, high = 0.0, min(1.0, max(0.4, ceil(high * 5 - 1e-9) / 5))
    elif axis.unit == "date":
        room = max(0.04 * (high - low), _DAY / 4)
        low, high = low - room, high + room
    elif axis.unit == "tokens" and low > 0.3 * high:
        room = max(0.06 * (high - low), 0.03 * high)
        low, high = max(0.0, low - room), high + room
    elif axis.unit != "none":
        top = high * 1.06 if high > 0 else 1.0
        low, high = (-0.03 * top if axis.unit == "count" and low == 0 else 0.0), top
    return (low if axis.low is None else axis.low), (high if axis.high is None else axis.high)


def ticks(axis: Axis, low: float, high: float, most: int = 6) -> list[tuple[float, str]]:
    """Round values of an axis with their texts."""
    if axis.unit == "none":
        return []
    if axis.unit == "date":
        return _dates(low, high, most)
    if axis.log:
        return [(value, tick_text(value, axis.unit)) for value in log_ticks(low, high)]
    step = _step(high - low, most, whole=axis.unit in {"count", "tokens"})
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [(place * step, tick_text(place * step, axis.unit)) for place in range(first, last + 1)]


def _step(width: float, most: int, *, whole: bool) -> float:
    """The smallest round step with which at most `most` of them lie within a width."""
    power = 10.0 ** floor(log10(width / most))
    found = next(step * power for step in _STEPS if width / (step * power) <= most + 1e-9)
    return max(1.0, float(ceil(found))) if whole else found


def _dates(low: float, high: float, most: int) -> list[tuple[float, str]]:
    first, last = ceil(low / _DAY), floor(high / _DAY)
    step = max(1, ceil((last - first + 1) / most))
    days = [day * _DAY for day in range(first, last + 1, step)]
    return [(day, datetime.fromtimestamp(day, UTC).strftime("%Y-%m-%d")) for day in days]


def tick_text(value: float, unit: Unit) -> str:
    """A value at an axis, without digits that say nothing.

    >>> tick_text(0.2, "share"), tick_text(1500, "tokens"), tick_text(0.01, "usd")
    ('20', '1,500', '$0.01')
    """
    if unit == "share":
        return f"{value * 100:g}"
    if unit in {"tokens", "count"}:
        return f"{value:,.0f}"
    return short_tick(number(value, unit))


def number(value: float, unit: Unit) -> str:
    r"""A value as people read it, with its unit.

    >>> number(0.314, "share"), number(0.0123, "seconds"), number(2, "speed")
    ('31\u202f%', '12.3\u202fms', '2 ×')
    """
    if unit == "share":
        return percent(value)
    if unit == "usd":
        return usd(value)
    if unit == "seconds":
        return seconds(value) if value else "0"
    if unit == "bytes":
        return memory(round(value))
    if unit == "date":
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M")
    if unit == "speed":
        return f"{value:g} ×"
    return f"{value:,.0f}" if unit in {"tokens", "count"} or value >= 100 else f"{value:.3g}"
