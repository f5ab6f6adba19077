"""The pictures of a selection: what can move, and accuracy against cost and time with the Pareto front."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, log10
from typing import Final

from harness.records import Protocol
from harness.records.decision import Selection, Share, Variant
from harness.report.formats import seconds, usd
from harness.report.labels import Box, Label, place_labels
from harness.report.scatter import log_ticks, short_tick, spaced_ticks

__all__ = ["Bar", "Dot", "Front", "Part", "bars_of", "fronts_of"]

_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 14.0, 14.0, 40.0
_REACH = 6.0
_LONG = 40
_SIZES: Final = (("wide", 620.0, 400.0), ("narrow", 336.0, 340.0))
_UNITS: Final = {"calls": "Calls", "tokens": "Tokens", "usd": "USD", "seconds": "Seconds"}


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a bar, in per cent of its width."""

    key: str
    name: str
    start: float
    width: float

    @property
    def text(self) -> str:
        """Share in per cent, where there is room for it."""
        return f"{self.width:.0f} %" if self.width >= 7 else ""


@dataclass(frozen=True, slots=True)
class Bar:
    """The traffic in one currency by verdict, with the interval of what can move."""

    unit: str
    parts: tuple[Part, ...]
    low: float
    high: float
    words: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A variant in a plot, in the plot's units."""

    variant: str
    protocol: Protocol
    x: float
    y: float
    low: float | None
    high: float | None
    front: bool
    text: str
    label: Label | None


@dataclass(frozen=True, slots=True)
class Front:
    """A plot ready to be drawn."""

    title: str
    axis: str
    size: str
    width: float
    height: float
    frame: Box
    dots: tuple[Dot, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    left_out: tuple[str, ...]


def bars_of(selection: Selection) -> tuple[Bar, ...]:
    """A bar for each currency that was measured: replace, what hybrids answer, undecided, kept."""
    return tuple(_bar(one) for one in selection.shares if one.replace is not None and one.interval is not None)


def _bar(one: Share) -> Bar:
    assert one.interval is not None
    shown, with_hybrid = one.replace or 0.0, one.with_hybrid or 0.0
    ends = (shown, with_hybrid, max(with_hybrid, one.not_refuted or 0.0), 1.0)
    names = (("replace", "replace"), ("hybrid", "hybrid"), ("undecided", "not decided"), ("keep", "keep"))
    parts, start = [], 0.0
    for (key, name), end in zip(names, ends, strict=True):
        if end - start > 1e-9:
            parts.append(Part(key, name, 100 * start, 100 * (end - start)))
        start = max(start, end)
    words = ", ".join(f"{part.name} {part.width:.1f} %" for part in parts)
    return Bar(_UNITS[one.unit], tuple(parts), 100 * one.interval.low, 100 * one.interval.high, words)


def fronts_of(selection: Selection) -> list[tuple[str, tuple[Front, ...]]]:
    """Accuracy against cost and against time, at each width; a picture needs two variants that have both."""
    wanted: tuple[tuple[str, str, Callable[[Variant], float | None], Callable[[float], str]], ...] = (
        ("Accuracy against cost", "US dollars per 1,000 calls", _cost, usd),
        ("Accuracy against time", "Median time of a whole reply", lambda one: one.e2e_p50_s, seconds),
    )
    found = []
    for title, axis, price, text in wanted:
        plots = [
            plot
            for size, width, height in _SIZES
            if (plot := _front(selection, title, axis, price, text, (size, width, height))) is not None
        ]
        if plots:
            found.append((title, tuple(plots)))
    return found


def _cost(one: Variant) -> float | None:
    return None if one.cost_usd_per_call is None else 1000 * one.cost_usd_per_call


def _front(
    selection: Selection, title: str, axis: str, price: Callable[[Variant], float | None],
    text: Callable[[float], str], size: tuple[str, float, float],
) -> Front | None:  # fmt: skip
    name, width, height = size
    known = [(one, value) for one in selection.variants if (value := price(one)) and one.accuracy is not None]
    if len(known) < 2:
        return None
    frame = Box(_LEFT, _TOP, width - _RIGHT, height - _BOTTOM)
    values = [value for _, value in known]
    low, high = min(values) / 1.35, max(values) * 1.35
    widen = max(1.0, (4 * low / high) ** 0.5)
    low, high = low / widen, high * widen

    def x(value: float) -> float:
        return frame.left + (log10(value) - log10(low)) / (log10(high) - log10(low)) * (frame.right - frame.left)

    ends = [one.accuracy_interval.high if one.accuracy_interval else 1.0 for one, _ in known]
    top = min(1.0, max(0.4, ceil(max(ends) * 5 - 1e-9) / 5))

    def y(share: float) -> float:
        return frame.bottom - min(top, max(0.0, share)) / top * (frame.bottom - frame.top)

    on_front = {one.variant for one in selection.pareto if one.front}
    dots = [_dot(one, (x(value), y), one.id in on_front, text(value)) for one, value in known]
    ticks = [(x(value), short_tick(text(value))) for value in log_ticks(low, high)]
    return Front(
        title=title,
        axis=axis,
        size=name,
        width=width,
        height=height,
        frame=frame,
        dots=_labelled(dots, [_short_name(one, selection.baseline) for one, _ in known], frame),
        x_ticks=spaced_ticks(ticks),
        y_ticks=tuple((y(share / 100), str(share)) for share in range(0, round(100 * top) + 1, 20)),
        left_out=tuple(one.label for one in selection.variants if one.id not in {each.id for each, _ in known}),
    )


def _dot(
    one: Variant, place: tuple[float, Callable[[float], float]], front: bool, at: str
) -> Dot:  # fmt: skip
    x, y = place
    assert one.accuracy is not None
    span = one.accuracy_interval
    words = f"{one.label}: {100 * one.accuracy:.1f} % at {at}"
    if span is not None:
        words += f", {100 * span.level:g} % interval {100 * span.low:.1f} to {100 * span.high:.1f} %"
    words += ", on the Pareto front" if front else ""
    return Dot(
        variant=one.id,
        protocol=one.protocol,
        x=x,
        y=y(one.accuracy),
        low=None if span is None else y(span.low),
        high=None if span is None else y(span.high),
        front=front,
        text=words,
        label=None,
    )


def _labelled(dots: Sequence[Dot], names: Sequence[str], frame: Box) -> tuple[Dot, ...]:
    """The dots with labels that keep clear of each other, those on the front first."""
    taken = [Box(one.x - _REACH, one.y - _REACH, one.x + _REACH, one.y + _REACH) for one in dots]
    taken += [
        Box(one.x - 3, one.high, one.x + 3, one.low) for one in dots if one.low is not None and one.high is not None
    ]
    order = sorted(range(len(dots)), key=lambda place: not dots[place].front)
    placed = place_labels([(dots[i].x, dots[i].y, names[i]) for i in order], taken, frame)
    labels = dict(zip(order, placed, strict=True))
    return tuple(
        Dot(one.variant, one.protocol, one.x, one.y, one.low, one.high, one.front, one.text, labels[place])
        for place, one in enumerate(dots)
    )


def _short_name(one: Variant, baseline: str) -> str:
    name = one.title if len(one.title) <= _LONG else one.title.partition(" (")[0]
    if one.samples > 1:
        return f"{name}, {one.compute.removesuffix(' at once')}"
    return f"{name} (baseline)" if one.id == baseline else name
