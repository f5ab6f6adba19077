"""Where everything of a plot stands, for whoever draws it: axes, steps of the front, and labels that cover nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import dist

from harness.report.figures.axes import Scale, scales, ticks
from harness.report.figures.figure import Plot, Point, Rule, Series
from harness.report.labels import Box, Label, place_labels
from harness.report.scatter import spaced_ticks

__all__ = ["Frame", "Layout", "Note", "layout"]

_RIGHT, _TOP, _BOTTOM = 22.0, 14.0, 40.0
_REACH = 6.0
_CHARACTER = 6.1
_STEP = 12.0
_MOST_OVER = 12
"""Names up to which one may lie over an error bar: with more of them nothing could be told apart."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A plot of one size with its scales."""

    plot: Plot
    width: float
    height: float
    box: Box
    x: Scale
    y: Scale
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]

    def at(self, point: Point) -> tuple[float, float]:
        """Where a point stands."""
        return self.x(point.x), self.y(point.y)


@dataclass(frozen=True, slots=True)
class Note:
    """A line across with where its text begins."""

    rule: Rule
    x: float
    y: float
    """Of the text's baseline."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A frame with what is placed in it."""

    frame: Frame
    front: tuple[tuple[float, float], ...]
    """Corners of the staircase; empty without a front."""
    notes: tuple[Note, ...]
    labels: dict[tuple[int, int], Label | None]
    """By places of series and point; None where there was no room."""


def layout(plot: Plot, width: float, height: float) -> Layout:
    """Everything of a plot in its place. width, height: in units that the picture is drawn in."""
    frame = _frame(plot, width, height)
    front = [place for one in plot.series if one.draw == "front" for place in _front(one, frame)]
    labels = _labels(frame, front)
    taken = [*_marked(frame), *_walls(front), *(label.box for label in labels.values() if label is not None)]
    return Layout(frame, tuple(front), tuple(_note(rule, frame, taken) for rule in plot.rules), labels)


def _frame(plot: Plot, width: float, height: float) -> Frame:
    _, upright = scales(plot, (0, 1), (height - _BOTTOM, _TOP))
    up = ticks(plot.y, upright.low, upright.high, 5)
    texts = [f"{text} %" if plot.y.unit == "share" and place == len(up) - 1 else text
             for place, (_, text) in enumerate(up)]  # fmt: skip
    left = 14 + _CHARACTER * max((len(text) for text in texts), default=0) + 16
    if plot.y.unit == "none":
        left = _RIGHT
    box = Box(left, _TOP, width - _RIGHT, height - (_BOTTOM if plot.x.unit != "none" else _RIGHT))
    x, y = scales(plot, (box.left, box.right), (box.bottom, box.top))
    across = [
        (x(value), f"{text} %" if plot.x.unit == "share" else text)
        for value, text in ticks(plot.x, x.low, x.high, 6 if width > 400 else 3)
    ]
    fitting = [(place, text) for place, text in across if place + _CHARACTER * len(text) / 2 <= width]
    return Frame(
        plot, width, height, box, x, y,
        spaced_ticks(fitting),
        tuple((y(value), text) for (value, _), text in zip(up, texts, strict=True)),
    )  # fmt: skip


def _note(rule: Rule, frame: Frame, taken: Sequence[Box]) -> Note:
    """Where the text of a line across stands: above it or below, as far right as nothing is in its way."""
    y, wide, box = frame.y(rule.at), _CHARACTER * len(rule.text), frame.box
    lefts = [box.right - wide - 3 - step * _STEP for step in range(int((box.right - box.left - wide) / _STEP) + 1)]
    for baseline in (y - 4, y + 12):
        for left in lefts:
            own = Box(left, baseline - 10, left + wide, baseline + 2)
            if own.inside(box) and not any(own.hits(one) for one in taken):
                return Note(rule, left, baseline)
    return Note(rule, box.right - wide - 3, y - 4)


def _front(one: Series, frame: Frame) -> list[tuple[float, float]]:
    """The staircase under which every other point lies: from the axis up, then right to the frame."""
    places: list[tuple[float, float]] = []
    for x, y in sorted(frame.at(point) for point in one.points):
        places += [(x, places[-1][1] if places else frame.box.bottom), (x, y)]
    return [*places, (frame.box.right, places[-1][1])] if places else []


def _marked(frame: Frame) -> list[Box]:
    """What marks, their error bars and lines through them cover."""
    found = []
    for one in frame.plot.series:
        if one.draw in {"points", "line"}:
            for point in one.points:
                x, y = frame.at(point)
                found.append(Box(x - _REACH, y - _REACH, x + _REACH, y + _REACH))
                if point.low is not None and point.high is not None:
                    found.append(Box(x - 5, frame.y(point.high), x + 5, frame.y(point.low)))
        if one.draw == "line":
            for start, end in pairwise([frame.at(point) for point in one.points]):
                found += _along(start, end)
    return found


def _along(start: tuple[float, float], end: tuple[float, float]) -> list[Box]:
    """Small boxes along a straight line."""
    steps = max(1, int(dist(start, end) / _STEP))
    places = [(start[0] + (end[0] - start[0]) * at / steps, start[1] + (end[1] - start[1]) * at / steps)
              for at in range(steps + 1)]  # fmt: skip
    return [Box(x - 3, y - 3, x + 3, y + 3) for x, y in places]


def _walls(front: Sequence[tuple[float, float]]) -> list[Box]:
    """What the front's staircase covers."""
    return [
        Box(min(ax, bx) - 1, min(ay, by) - 1, max(ax, bx) + 1, max(ay, by) + 1)
        for (ax, ay), (bx, by) in pairwise(front)
    ]


def _labels(frame: Frame, front: Sequence[tuple[float, float]]) -> dict[tuple[int, int], Label | None]:
    """A label for each named point, by places of series and point; the strong ones choose first."""
    named = [
        (point.strong, (row, column), (*frame.at(point), point.label))
        for row, one in enumerate(frame.plot.series)
        for column, point in enumerate(one.points)
        if point.label and one.draw != "front"
    ]
    named.sort(key=lambda entry: not entry[0])
    points = [point for _, _, point in named]
    placed = place_labels(points, _marked(frame) + _walls(front), frame.box)
    # What found no clear place may lie over an error bar or a line, never over a mark or another name.
    taken = _shapes(frame) + [label.box for label in placed if label is not None]
    left = [place for place, label in enumerate(placed) if label is None]
    again = place_labels([points[place] for place in left], taken, frame.box) if len(points) <= _MOST_OVER else []
    for place, label in zip(left, again, strict=False):
        placed[place] = label
    return dict(zip((key for _, key, _ in named), placed, strict=True))


def _shapes(frame: Frame) -> list[Box]:
    """What the marks alone cover."""
    places = [frame.at(point) for one in frame.plot.series if one.draw in {"points", "line"} for point in one.points]
    return [Box(x - _REACH, y - _REACH, x + _REACH, y + _REACH) for x, y in places]
