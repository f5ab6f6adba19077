"""Pictures: what each says, from runs and stored results; drawn for pages as SVG and for papers by matplotlib.

A module a picture makes a `Plot`, `Grid` or `Stacks` from records; `svg` draws a plot for a page and `paper` any of
them for print, from the same data. In pages a small script on d3 adds zoom, a legend that hides and shows, and the
value under the pointer or the arrow keys; without scripts the picture is there all the same.
"""

from harness.report.figures.figure import (
    Axis,
    Cell,
    Figure,
    Grid,
    Plot,
    Point,
    Rule,
    Series,
    Stack,
    StackPart,
    Stacks,
    Table,
    table_of,
)
from harness.report.figures.svg import draw_plot

__all__ = [
    "Axis",
    "Cell",
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
    "draw_plot",
    "table_of",
]
