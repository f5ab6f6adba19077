"""A picture as a page has it: drawn at both widths, with its legend, its data as a table, and what can be downloaded.

Why d3 and not a library that draws: every picture is there without a script, with labels placed so that none covers
another, and a library that draws would throw that away and place them anew, worse. So the server draws, and d3 (ISC,
inlined, by its hash) does what takes a library: zoom and drag with axes that follow, and the nearest point among
thousands. Beside Observable Plot (400 kB with its d3, no placement of labels, no keyboard) and uPlot (canvas: nothing
for a screen reader, nothing without a script) it costs 280 kB a page.
"""

import csv
import io
from base64 import b64encode
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from harness.report.figures.figure import Figure, Grid, Plot, Stacks, Table, Value, table_of
from harness.report.figures.svg import SIZES, draw_plot, look_class, swatch, unlabelled
from harness.report.text import visible

__all__ = ["FIGURE_JS", "Key", "Picture", "csv_text", "picture"]

FIGURE_JS: Final = ("vendor/d3-licence.js", "vendor/d3-7.9.2.min.js", "plots.js")
"""Scripts of `static/` that pages with pictures need, after `dom.js` and `tip.js`."""

_MOST_ROWS: Final = 60
_MOST_INLINE: Final = 60_000


@dataclass(frozen=True, slots=True)
class Key:
    """An entry of a legend."""

    series: str
    name: str
    swatch: Markup
    look: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure with all that a template needs of it."""

    figure: Figure
    id: str
    """Unique on its page."""
    drawn: tuple[tuple[str, Markup, int], ...]
    """Size, SVG, and how many names found no room in it; empty for what is drawn as a table or as bars."""
    legend: tuple[Key, ...]
    table: Table
    """What the reader is shown of the data."""
    more_rows: int
    """Rows that are not shown."""
    csv: str
    """The table as a data address; empty where it would be too long."""
    files: tuple[tuple[str, str], ...] = ()
    """Name and address of files beside the page."""

    @property
    def kind(self) -> str:
        """`plot`, `grid` or `stacks`."""
        return {Plot: "plot", Grid: "grid", Stacks: "stacks"}[type(self.figure)]


def picture(figure: Figure, anchor: str, files: tuple[tuple[str, str], ...] = (), name: str = "") -> Picture:
    """The figure ready for a page.

    anchor: what stands before its key in its id. files: drawn ones beside the page. name: its id, where it has one.
    """
    plot = figure if isinstance(figure, Plot) else None
    table = plot.digest if plot and plot.digest else table_of(figure)
    inline = csv_text(table)
    address = f"data:text/csv;charset=utf-8;base64,{b64encode(inline.encode()).decode()}"
    return Picture(
        figure=figure,
        id=name or f"{anchor}-{figure.key}",
        drawn=tuple(_drawn(plot)) if plot else (),
        legend=_legend(plot) if plot else (),
        table=Table(table.columns, tuple(tuple(map(_shown, row)) for row in table.rows[:_MOST_ROWS])),
        more_rows=max(0, len(table.rows) - _MOST_ROWS),
        csv=address if len(inline) <= _MOST_INLINE and not files else "",
        files=files,
    )


def csv_text(table: Table) -> str:
    """The table as CSV; a cell that a spreadsheet would run as a formula gets a quote before it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.columns)
    for row in table.rows:
        writer.writerow("" if value is None else _safe(value) for value in row)
    return out.getvalue()


def _safe(value: str | float) -> str | float:
    if isinstance(value, str):
        text = visible(value)
        return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t"} else text
    return value


def _shown(value: Value) -> str:
    if value is None:
        return "–"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _drawn(plot: Plot) -> list[tuple[str, Markup, int]]:
    return [(size, draw_plot(plot, size, width, height), unlabelled(plot, width, height))
            for size, width, height in SIZES]  # fmt: skip


def _legend(plot: Plot) -> tuple[Key, ...]:
    """Of several series, or of one whose name stands nowhere else."""
    shown = [one for one in plot.series if one.draw != "front" and not one.quiet]
    return tuple(Key(one.key, one.name, swatch(one), look_class(one.look)) for one in shown)
