"""A plot as SVG that needs no script: the same geometry, marks and classes for every picture of every page."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from markupsafe import Markup, escape

from harness.report.figures.axes import Scale, tick_text
from harness.report.figures.figure import Axis, Plot, Point, Series
from harness.report.figures.layout import Frame, Note, layout
from harness.report.labels import Label
from harness.report.text import visible

__all__ = ["SIZES", "draw_plot", "look_class", "swatch", "unlabelled"]

SIZES: Final = (("wide", 620.0, 400.0), ("narrow", 336.0, 340.0))
"""Each plot is drawn for wide screens and for phones; the style sheet shows one of them."""

_COLORS: Final = 8
_SHAPES: Final = 6
_DASHES: Final = ("", "7 3", "2 3", "9 3 2 3")


def draw_plot(plot: Plot, size: str = "wide", width: float = 620.0, height: float = 400.0) -> Markup:
    """The plot as an `svg` element with the class `plot` and that of its size.

    Every mark has its text as `data-tip` and can be reached by keyboard; colours come from the style sheet.
    """
    placed = layout(plot, width, height)
    frame, labels = placed.frame, placed.labels
    parts = [
        *_axes(frame),
        '<g class="back">',
        *(line for note in placed.notes for line in _rule(note, frame)),
        f'<polyline class="front" points="{_joined(placed.front)}"/>' if placed.front else "",
        *_links(frame),
        "</g>",
        *(line for one in sorted(plot.series, key=lambda one: not one.quiet) for line in _series(one, frame, labels)),
    ]
    name = escape(visible(f"{plot.title}: {plot.message}"))
    return Markup(  # every text in it went through escape()
        f'<svg class="plot {size}" viewBox="0 0 {width:g} {height:g}" role="group" aria-label="{name}" '
        f'data-x="{_told(plot.x, frame.x)}" data-y="{_told(plot.y, frame.y)}">\n'
        + "\n".join(filter(None, parts))
        + "\n</svg>"
    )


def unlabelled(plot: Plot, width: float, height: float) -> int:
    """How many names found no room in the plot at this size."""
    labels = layout(plot, width, height).labels
    wanted = sum(bool(point.label) for one in plot.series if one.draw != "front" for point in one.points)
    return wanted - sum(label is not None for label in labels.values())


def look_class(look: int | str) -> str:
    """Class of a colour: `p-…` of a protocol, `q0` to `q7` of a number."""
    return f"p-{look}" if isinstance(look, str) else f"q{look % _COLORS}"


def swatch(one: Series) -> Markup:
    """A small picture of a series for the legend."""
    dash = f' stroke-dasharray="{_dash(one)}"' if _dash(one) else ""
    line = f'<line class="line" x1="0" x2="26" y1="6" y2="6"{dash}/>' if one.draw in {"line", "band", "steps"} else ""
    mark = "" if one.draw in {"band", "steps"} else _shape(one, 13, 6, 4)
    if one.draw in {"cloud", "squares"}:
        mark = f'<path class="cloud {one.draw}" d="M8 4h0M13 8h0M18 5h0"/>'
    return Markup(
        f'<svg class="swatch-mark {look_class(one.look)}" width="26" height="12" viewBox="0 0 26 12" '
        f'aria-hidden="true">{line}{mark}</svg>'
    )


def _told(axis: Axis, scale: Scale) -> str:
    """An axis for the script: unit, kind, both ends as values and as places."""
    kind = "log" if scale.log else "linear"
    return f"{axis.unit} {kind} {scale.low:.8g} {scale.high:.8g} {scale.start:g} {scale.end:g}"


def _axes(frame: Frame) -> Iterator[str]:
    box, plot = frame.box, frame.plot
    yield '<g class="ticks-y" aria-hidden="true">'
    for y, text in frame.y_ticks:
        yield f'<line class="grid" x1="{box.left:g}" x2="{box.right:g}" y1="{y:.1f}" y2="{y:.1f}"/>'
        words = escape(visible(text))
        yield f'<text class="tick" x="{box.left - 7:g}" y="{y + 4:.1f}" text-anchor="end">{words}</text>'
    yield '</g><g class="ticks-x" aria-hidden="true">'
    for x, text in frame.x_ticks:
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{box.bottom:g}" y2="{box.bottom + 4:g}"/>'
        words = escape(visible(text))
        yield f'<text class="tick" x="{x:.1f}" y="{box.bottom + 17:g}" text-anchor="middle">{words}</text>'
    yield "</g>"
    if plot.x.unit != "none":
        middle, more = (box.left + box.right) / 2, " (log scale)" if plot.x.log else ""
        yield (
            f'<text class="axis" x="{middle:g}" y="{frame.height - 5:g}" text-anchor="middle" aria-hidden="true">'
            f"{escape(visible(plot.x.title))}{more} →</text>"
        )
    if plot.y.unit != "none":
        middle, more = (box.top + box.bottom) / 2, " (log scale)" if plot.y.log else ""
        yield (
            f'<text class="axis" transform="translate(12 {middle:g}) rotate(-90)" text-anchor="middle" '
            f'aria-hidden="true">{escape(visible(plot.y.title))}{more} →</text>'
        )


def _rule(note: Note, frame: Frame) -> Iterator[str]:
    y, box, words = frame.y(note.rule.at), frame.box, escape(visible(note.rule.text))
    yield f'<line class="floor-line" x1="{box.left:g}" x2="{box.right:g}" y1="{y:.1f}" y2="{y:.1f}"/>'
    yield f'<text class="floor-text" x="{note.x:.1f}" y="{note.y:.1f}">{words}</text>'


def _links(frame: Frame) -> Iterator[str]:
    for one, two in frame.plot.links:
        (ax, ay), (bx, by) = frame.at(one), frame.at(two)
        yield f'<line class="link" x1="{ax:.1f}" y1="{ay:.1f}" x2="{bx:.1f}" y2="{by:.1f}"/>'


def _series(one: Series, frame: Frame, labels: dict[tuple[int, int], Label | None]) -> Iterator[str]:
    if one.draw == "front":
        return
    row = frame.plot.series.index(one)
    places = [frame.at(point) for point in one.points]
    name, key = escape(visible(one.name)), escape(visible(one.key))
    quiet = " quiet-series" if one.quiet else ""
    yield f'<g class="series {look_class(one.look)}{quiet}" data-series="{key}" data-name="{name}">'
    if one.draw == "band":
        yield from _band(one, frame)
    if one.draw in {"line", "band", "steps"} and len(places) > 1:
        dash = f' stroke-dasharray="{_dash(one)}"' if _dash(one) else ""
        drawn = _stairs(places) if one.draw == "steps" else places
        yield f'<polyline class="line {one.draw}"{dash} points="{_joined(drawn)}"/>'
    if one.draw in {"cloud", "squares"}:
        yield f'<path class="cloud {one.draw}" d="{"".join(f"M{x:.1f} {y:.1f}h0" for x, y in places)}"/>'
    for column, (point, place) in enumerate(zip(one.points, places, strict=True)):
        if one.draw in {"points", "line"} or (one.draw == "band" and point.strong):
            yield _mark(one, point, place, frame, labels.get((row, column)))
    yield "</g>"


def _band(one: Series, frame: Frame) -> Iterator[str]:
    known = [(frame.x(p.x), frame.y(p.low), frame.y(p.high)) for p in one.points
             if p.low is not None and p.high is not None]  # fmt: skip
    if len(known) > 1:
        around = [(x, low) for x, low, _ in known] + [(x, high) for x, _, high in reversed(known)]
        yield f'<polygon class="area" points="{_joined(around)}"/>'


def _mark(one: Series, point: Point, place: tuple[float, float], frame: Frame, label: Label | None) -> str:
    x, y = place
    text = escape(visible(point.text or f"{one.name}: {tick_text(point.y, frame.plot.y.unit)}"))
    look = f"mark {look_class(one.look)}" + (" on-front" if point.strong else "")
    at = f'data-at="{x:.1f},{y:.1f}" data-tip="{text}" aria-label="{text}"'
    head, tail = (
        (f'<a class="{look}" href="{escape(visible(point.href))}" {at}>', "</a>")
        if point.href
        else (f'<g class="{look}" tabindex="0" role="img" {at}>', "</g>")
    )
    parts = [head]
    if point.low is not None and point.high is not None:
        low, high = frame.y(point.low), frame.y(point.high)
        parts.append(
            f'<path class="error" d="M{x:.1f} {low:.1f}V{high:.1f}M{x - 4:.1f} {low:.1f}h8M{x - 4:.1f} {high:.1f}h8"/>'
        )
    parts.append(_shape(one, x, y, 5 if one.draw == "points" else 4))
    if label is not None:
        if label.leader:
            ax, ay, bx, by = label.leader
            parts.append(f'<line class="leader" x1="{ax:.1f}" y1="{ay:.1f}" x2="{bx:.1f}" y2="{by:.1f}"/>')
        words = escape(visible(label.text))
        parts.append(
            f'<text class="name" x="{label.x:.1f}" y="{label.y:.1f}" text-anchor="{label.anchor}">{words}</text>'
        )
    return "".join([*parts, tail])


def _shape(one: Series, x: float, y: float, size: float) -> str:
    """A mark that differs from others by its form, too."""
    protocols = {"prompted": 0, "constrained": 1, "native": 2}
    form = protocols[one.look] if isinstance(one.look, str) else one.look % _SHAPES
    if form == 0:
        return f'<circle class="shape" cx="{x:.1f}" cy="{y:.1f}" r="{size:g}"/>'
    if form == 1:
        edge = 1.8 * size
        return (
            f'<rect class="shape" x="{x - edge / 2:.1f}" y="{y - edge / 2:.1f}" width="{edge:g}" height="{edge:g}" '
            'rx="1"/>'
        )
    s = 1.3 * size
    paths = {
        2: f"M{x:.1f} {y - s:.1f}l{s:g} {s:g}l-{s:g} {s:g}l-{s:g} -{s:g}z",
        3: f"M{x:.1f} {y - s:.1f}l{s:g} {1.8 * s:g}h-{2 * s:g}z",
        4: f"M{x:.1f} {y + s:.1f}l{s:g} -{1.8 * s:g}h-{2 * s:g}z",
        5: f"M{x - s:.1f} {y - s / 3:.1f}h{2 * s:g}v{2 * s / 3:.2g}h-{2 * s:g}z",
    }
    return f'<path class="shape" d="{paths[form]}"/>'


def _dash(one: Series) -> str:
    return "" if isinstance(one.look, str) else _DASHES[one.look % len(_DASHES)]


def _stairs(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Right, then up: the value stays until the next point."""
    found = [places[0]]
    for x, y in places[1:]:
        found += [(x, found[-1][1]), (x, y)]
    return found


def _joined(places: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
