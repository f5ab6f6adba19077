"""Accuracy against a price that is paid for it: the geometry of a scatter plot with intervals and a Pareto front."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, floor, log10

from harness.records import Protocol
from harness.report.family import Floor, floor_of
from harness.report.labels import Box, Label, place_labels
from harness.report.view import RunView

__all__ = ["Mark", "Scatter", "log_ticks", "pareto", "scatter", "short_tick", "spaced_ticks"]

_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 14.0, 14.0, 40.0
_REACH = 6.0
_FLOOR_TEXT = 118.0


@dataclass(frozen=True, slots=True)
class Mark:
    """One run in the plot, in the plot's units."""

    run: str
    name: str
    protocol: Protocol
    x: float
    y: float
    low: float | None
    """y of the interval's lower end; None without an interval."""
    high: float | None
    front: bool
    text: str
    label: Label | None


@dataclass(frozen=True, slots=True)
class _Scale:
    """From values to the plot's units: a log axis across, shares of `top` upwards."""

    frame: Box
    low: float
    high: float
    top: float

    def x(self, price: float) -> float:
        share = (log10(price) - log10(self.low)) / (log10(self.high) - log10(self.low))
        return self.frame.left + share * (self.frame.right - self.frame.left)

    def y(self, accuracy: float) -> float:
        share = min(max(accuracy, 0.0), self.top) / self.top
        return self.frame.bottom - share * (self.frame.bottom - self.frame.top)


@dataclass(frozen=True, slots=True)
class Scatter:
    """A plot ready to be drawn: coordinates in units of its view box."""

    width: float
    height: float
    frame: Box
    marks: tuple[Mark, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    x_title: str
    floor: float | None
    """y of what a model would score that understands nothing; None where the runs do not agree on it."""
    floor_name: str
    """What such a model does."""
    floor_left: bool
    """Whether its name stands at the left end, because the right one is taken."""
    front: str
    """Points of the front's steps, as SVG polyline points."""
    links: tuple[tuple[float, float, float, float], ...]
    """Lines between runs of one model."""
    unlabelled: int
    left_out: tuple[str, ...]
    """Runs without a value on one of the axes."""
    summary: str


def pareto(points: Sequence[tuple[float, float]]) -> list[bool]:
    """For each (price, gain) whether no other point is at least as good in both and better in one.

    >>> pareto([(1.0, 0.2), (2.0, 0.5), (3.0, 0.4)])
    [True, True, False]
    """
    return [
        not any((px <= x and py >= y) and (px, py) != (x, y) for place, (px, py) in enumerate(points) if place != own)
        for own, (x, y) in enumerate(points)
    ]


def scatter(
    runs: Sequence[RunView], price: Callable[[RunView], float | None], text: Callable[[float], str], x_title: str,
    width: float, height: float,
) -> Scatter | None:  # fmt: skip
    """The plot of accuracy against a price on a log axis; None where no run has both.

    price: what a run costs in the axis's unit; runs without it, or with 0, are named in `left_out`.
    """
    known = [(run, value) for run in runs if (value := price(run)) and run.summary.accuracy is not None]
    if not known:
        return None
    scale = _scale(known, Box(_LEFT, _TOP, width - _RIGHT, height - _BOTTOM))
    floor = _floor([run for run, _ in known])
    never = scale.y(floor.share) if floor else None
    bare = _marks(known, scale, text)
    steps = _steps([mark for mark in bare if mark.front], scale.frame)
    note = _note(bare, scale.frame, never)
    marks = _labelled(bare, scale.frame, steps, note)
    shown = {run.id for run, _ in known}
    return Scatter(
        width=width,
        height=height,
        frame=scale.frame,
        marks=marks,
        x_ticks=spaced_ticks([(scale.x(value), short_tick(text(value))) for value in log_ticks(scale.low, scale.high)]),
        y_ticks=tuple((scale.y(share / 100), str(share)) for share in range(0, round(scale.top * 100) + 1, 20)),
        x_title=x_title,
        floor=never,
        floor_name=floor.name if floor else "",
        floor_left=note is not None and note.left == scale.frame.left,
        front=" ".join(f"{x:.1f},{y:.1f}" for x, y in steps),
        links=_links([run for run, _ in known], marks),
        unlabelled=sum(mark.label is None for mark in marks),
        left_out=tuple(f"{run.title}, {run.summary.protocol}" for run in runs if run.id not in shown),
        summary="; ".join(mark.text for mark in marks),
    )


def _scale(known: Sequence[tuple[RunView, float]], frame: Box) -> _Scale:
    """At least a factor of four across; upwards to the next 20 % above the highest interval."""
    values = [value for _, value in known]
    low, high = min(values) / 1.35, max(values) * 1.35
    widen = max(1.0, (4 * low / high) ** 0.5)
    tops = [run.summary.accuracy_interval.high if run.summary.accuracy_interval else 1.0 for run, _ in known]
    return _Scale(frame, low / widen, high * widen, min(1.0, max(0.4, ceil(max(tops) * 5 - 1e-9) / 5)))


def _floor(runs: Sequence[RunView]) -> Floor | None:
    floors = {floor_of(run) for run in runs}
    floor = floors.pop() if len(floors) == 1 else None
    return floor if floor and floor.share else None


def log_ticks(low: float, high: float) -> list[float]:
    """Round values between two ends of a log axis, few enough to be read."""
    ratio = high / low
    steps: tuple[float, ...] = (1, 1.5, 2, 3, 5, 7) if ratio < 8 else (1, 2, 5) if ratio < 300 else (1,)
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    return [value for power in powers for step in steps if low <= (value := step * 10.0**power) <= high]


def short_tick(text: str) -> str:
    """A tick's text without the zeros that carry nothing.

    >>> short_tick("1.00 s"), short_tick("$0.0150"), short_tick("100 ms")
    ('1 s', '$0.015', '100 ms')
    """
    return re.sub(r"(\.\d*?)0+(?!\d)", lambda found: found.group(1).rstrip("."), text)


def spaced_ticks(ticks: Sequence[tuple[float, str]]) -> tuple[tuple[float, str], ...]:
    """The ticks without those whose text would touch the one before."""
    found: list[tuple[float, str]] = []
    for x, text in ticks:
        if not found or x - found[-1][0] > 6.5 * (len(text) + len(found[-1][1])) / 2 + 8:
            found.append((x, text))
    return tuple(found)


def _marks(known: Sequence[tuple[RunView, float]], scale: _Scale, text: Callable[[float], str]) -> list[Mark]:
    accuracies = [run.summary.accuracy or 0.0 for run, _ in known]
    fronts = pareto([(value, accuracy) for (_, value), accuracy in zip(known, accuracies, strict=True)])
    found = []
    for (run, value), accuracy, front in zip(known, accuracies, fronts, strict=True):
        interval = run.summary.accuracy_interval
        words = f"{run.title}, {run.summary.protocol}: {accuracy * 100:.0f} % at {text(value)}"
        if interval:
            words += f", {interval.level * 100:g} % interval {interval.low * 100:.0f}–{interval.high * 100:.0f} %"
        found.append(
            Mark(
                run=run.id,
                name=run.title,
                protocol=run.summary.protocol,
                x=scale.x(value),
                y=scale.y(accuracy),
                low=scale.y(interval.low) if interval else None,
                high=scale.y(interval.high) if interval else None,
                front=front,
                text=words + (", on the Pareto front" if front else ""),
                label=None,
            )
        )
    return found


def _note(marks: Sequence[Mark], frame: Box, never: float | None) -> Box | None:
    """Where the floor's name stands: at the right end of its line unless an error bar or a mark is there."""
    if never is None:
        return None
    right = Box(frame.right - _FLOOR_TEXT, never - 15, frame.right, never + 1)
    bars = [Box(m.x - 5, (m.high or m.y) - _REACH, m.x + 5, (m.low or m.y) + _REACH) for m in marks]
    crowded = any(right.hits(bar) for bar in bars)
    return Box(frame.left, never - 15, frame.left + _FLOOR_TEXT, never + 1) if crowded else right


def _labelled(
    marks: Sequence[Mark], frame: Box, steps: Sequence[tuple[float, float]], note: Box | None
) -> tuple[Mark, ...]:
    """The marks with labels that keep clear of marks, error bars, the front and the note on the floor."""
    taken = [Box(m.x - _REACH, m.y - _REACH, m.x + _REACH, m.y + _REACH) for m in marks]
    taken += [Box(m.x - 3, m.high, m.x + 3, m.low) for m in marks if m.low is not None and m.high is not None]
    taken += [
        Box(min(ax, bx) - 1, min(ay, by) - 1, max(ax, bx) + 1, max(ay, by) + 1)
        for (ax, ay), (bx, by) in pairwise(steps)
    ]
    taken += [note] if note is not None else []
    order = sorted(range(len(marks)), key=lambda place: not marks[place].front)
    placed = place_labels([(marks[i].x, marks[i].y, marks[i].name) for i in order], taken, frame)
    labels = dict(zip(order, placed, strict=True))
    return tuple(replace(mark, label=labels[place]) for place, mark in enumerate(marks))


def _steps(front: Sequence[Mark], frame: Box) -> list[tuple[float, float]]:
    """The staircase under which every other point lies: from the axis up, then right to the frame."""
    points: list[tuple[float, float]] = []
    for mark in sorted(front, key=lambda mark: mark.x):
        points += [(mark.x, points[-1][1] if points else frame.bottom), (mark.x, mark.y)]
    return [*points, (frame.right, points[-1][1])] if points else []


def _links(runs: Sequence[RunView], marks: Sequence[Mark]) -> tuple[tuple[float, float, float, float], ...]:
    by_model: dict[object, list[Mark]] = {}
    for run, mark in zip(runs, marks, strict=True):
        by_model.setdefault(run.model_key, []).append(mark)
    order: tuple[Protocol, ...] = ("prompted", "native", "constrained")
    chains = [sorted(chain, key=lambda mark: order.index(mark.protocol)) for chain in by_model.values()]
    return tuple((a.x, a.y, b.x, b.y) for chain in chains for a, b in pairwise(chain))
