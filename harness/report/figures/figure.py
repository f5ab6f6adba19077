"""What a picture is, before anybody draws it: axes, points with intervals, cells, bars, and the words beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.records import Protocol

__all__ = [
    "Axis",
    "Cell",
    "Draw",
    "Figure",
    "Grid",
    "Plot",
    "Point",
    "Rule",
    "Series",
    "Stack",
    "StackPart",
    "Stacks",
    "Table",
    "Unit",
    "Value",
    "table_of",
]

Unit = Literal["share", "usd", "seconds", "tokens", "bytes", "per_second", "count", "speed", "date", "none"]
"""`date`: seconds since the epoch, UTC. `speed`: times the traffic of today. `none`: an axis without numbers."""

Draw = Literal["points", "line", "band", "steps", "cloud", "squares", "front"]
"""`points`: a mark each. `line`: marks and a line through them. `band`: a line, its intervals an area. `steps`: a
staircase without marks. `cloud`: small dots, too many to be read one by one; `squares`: the same, square. `front`: a
staircase of the best."""

Value = str | float | int | None
"""Of a table; None where there is none."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One direction of a plot."""

    name: str
    """Of the column in the table of data, with its unit."""
    title: str
    unit: Unit
    log: bool = False
    low: float | None = None
    """Where it begins; None: where the data does."""
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """One measured value with its interval."""

    x: float
    y: float
    text: str = ""
    """Everything that a reader may want to know of it, conditions included."""
    low: float | None = None
    """y of the interval's lower end; None without an interval."""
    high: float | None = None
    label: str = ""
    """What is written beside it; empty: nothing."""
    href: str = ""
    strong: bool = False
    """Whether it is one of those that the picture is about: on the front, or chosen."""


@dataclass(frozen=True, slots=True)
class Series:
    """Points that belong together, with one look."""

    key: str
    name: str
    points: tuple[Point, ...]
    draw: Draw = "points"
    look: int | Protocol = 0
    """Number of a colour with its mark and dash, or the protocol whose colour and mark are meant."""
    quiet: bool = False
    """Whether it stays in the background: drawn in grey, and not in the legend."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across the plot at a height."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Points over two axes."""

    key: str
    title: str
    message: str
    """What it shows, in a sentence or a few: read aloud where it cannot be seen."""
    caption: str
    """What is drawn and how it was measured, as a paper has it below the picture."""
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    rules: tuple[Rule, ...] = ()
    links: tuple[tuple[Point, Point], ...] = ()
    """Points joined by a thin line: runs of one model."""
    link_text: str = ""
    left_out: tuple[str, ...] = ()
    """What has no value on one of the axes."""
    notes: tuple[str, ...] = ()
    digest: "Table | None" = None
    """What a reader is shown of the data where the whole of it is too long; None: the whole."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Accuracy of one column in one row; None where nothing was scored."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    undecided: bool = False
    """Whether it cannot be told apart from the best of its row."""
    best: bool = False
    text: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """Shares by row and column."""

    key: str
    title: str
    message: str
    caption: str
    row_title: str
    column_title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    row_notes: tuple[str, ...] = ()
    """What is said beside each row's name; empty: nothing of any."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StackPart:
    """A part of a bar; `key` is that of its colour and pattern."""

    key: str
    name: str
    count: float


@dataclass(frozen=True, slots=True)
class Stack:
    """One bar."""

    group: str
    """What it is a bar of; several with one name stand together."""
    name: str
    parts: tuple[StackPart, ...]
    text: str = ""
    href: str = ""

    @property
    def total(self) -> float:
        """Length of the bar."""
        return sum(part.count for part in self.parts)


@dataclass(frozen=True, slots=True)
class Stacks:
    """Stacked bars, each from 0 to all of its own."""

    key: str
    title: str
    message: str
    caption: str
    bars: tuple[Stack, ...]
    unit: str
    """What is counted, in the plural."""
    notes: tuple[str, ...] = ()


Figure = Plot | Grid | Stacks


@dataclass(frozen=True, slots=True)
class Table:
    """Data as rows, for people and for CSV."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


def table_of(figure: Figure) -> Table:
    """All data of a picture as rows: what is drawn, no more and no less. None is a value that there is none of."""
    if isinstance(figure, Plot):
        return _plot_table(figure)
    if isinstance(figure, Grid):
        head = (figure.row_title, figure.column_title, "value", "low", "high", "n", "not_told_apart_from_best")
        return Table(
            head,
            tuple(
                (row, column, cell.value, cell.low, cell.high, cell.n, "yes" if cell.undecided else "no")
                for row, cells in figure.rows
                for column, cell in zip(figure.columns, cells, strict=True)
            ),
        )
    return Table(
        ("bar", "kind", "part", figure.unit, "of"),
        tuple((bar.group, bar.name, part.name, part.count, bar.total) for bar in figure.bars for part in bar.parts),
    )


def _plot_table(figure: Plot) -> Table:
    shown = [one for one in figure.series if one.draw != "front"]
    named = any(point.label for one in shown for point in one.points)
    bounds = any(point.low is not None for one in shown for point in one.points)
    columns = ["series", *(["name"] if named else []), figure.x.name, figure.y.name]
    columns += [f"{figure.y.name}_low", f"{figure.y.name}_high"] if bounds else []
    rows = tuple(_row(one.name, point, named=named, bounds=bounds) for one in shown for point in one.points)
    return Table(tuple(columns), rows)


def _row(series: str, point: Point, *, named: bool, bounds: bool) -> tuple[Value, ...]:
    head: Sequence[Value] = (series, point.label) if named else (series,)
    return (*head, point.x, point.y, *((point.low, point.high) if bounds else ()))
