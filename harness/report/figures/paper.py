"""Pictures for print: the same figures drawn by matplotlib, as SVG with text as paths and as PNG at 300 dpi.

The bytes of the SVG are a function of the figure and of matplotlib's version: no date, and ids from a fixed salt.
Colours are dark enough on white for thin lines, and tell apart for all common kinds of colour blindness together with
marks, dashes and hatches.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from harness.errors import ConfigError, extra
from harness.report.figures.figure import Figure, Grid, Plot, Series, Stacks
from harness.report.figures.layout import Layout, layout
from harness.report.text import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

__all__ = ["paper_canvas", "paper_png", "paper_svg"]

_COLORS: Final = ("#0a63a8", "#b04a00", "#00705a", "#4b0f63", "#473c10", "#e8478b", "#3a2fe0", "#26262a")
_PROTOCOLS: Final = {"prompted": ("#b04a00", "o"), "constrained": ("#0a63a8", "s"), "native": ("#00705a", "D")}
_MARKERS: Final = ("o", "s", "D", "^", "v", "P")
_DASHES: Final[tuple[Any, ...]] = ("-", (0, (5, 2)), (0, (1.2, 1.6)), (0, (6, 1.6, 1.2, 1.6)))
_STAGES: Final = {
    "exact": ("#6fb98f", ""), "transport": ("#b9bcc2", ""), "decode": ("#f0a660", ""), "schema": ("#f0a660", "////"),
    "wrong_tool": ("#e58c9c", ""), "missing_argument": ("#7cb7e6", ""), "should_have_called": ("#c7a6e0", ""),
}  # fmt: skip
_GREY, _SOFT, _INK, _RULE = "#9a9ea6", "#565c66", "#191b20", "#dcdbd5"
_CLEAR: Final = {"facecolor": "white", "alpha": 0.7, "pad": 0.3, "linewidth": 0}
"""Behind a text: what lies under it shows faintly."""
_WIDTH, _HEIGHT = 620.0, 400.0
_INCH: Final = 100.0
"""Units of the layout to an inch: 620 units are 6.2 inches, and 11 units of text 8 points."""
_SETTINGS: Final[Any] = {
    "svg.hashsalt": "harness", "svg.fonttype": "path", "font.family": ["DejaVu Sans"], "font.size": 8.0,
    "axes.linewidth": 0.6, "axes.edgecolor": _GREY, "hatch.linewidth": 0.6, "text.parse_math": False,
    "path.simplify": False,
}  # fmt: skip


def paper_svg(figure: Figure) -> bytes:
    """The figure as SVG. Raises ConfigError where matplotlib is not installed."""
    return _saved(figure, format="svg", metadata={"Date": None, "Creator": None, "Title": visible(figure.title)})


def paper_png(figure: Figure) -> bytes:
    """The figure as PNG at 300 dpi. Raises ConfigError where matplotlib is not installed."""
    return _saved(figure, format="png", dpi=300, metadata={"Software": None, "Title": visible(figure.title)})


def paper_canvas(figure: Figure) -> "Canvas":
    """The figure as one of matplotlib, to be changed further. Raises ConfigError where matplotlib is not installed."""
    with _style():
        return _drawn(figure)


def _drawn(figure: Figure) -> "Canvas":
    if isinstance(figure, Plot):
        return _plot(figure)
    return _cells(figure) if isinstance(figure, Grid) else _bars(figure)


def _saved(figure: Figure, **how: Any) -> bytes:
    with _style():
        canvas = _drawn(figure)
        out = BytesIO()
        canvas.savefig(out, facecolor="white", **how)
    return out.getvalue()


@contextmanager
def _style() -> Iterator[None]:
    """Our settings on top of matplotlib's own, whatever the user's are, put back afterwards."""
    try:
        import matplotlib as mpl
    except ModuleNotFoundError:
        raise ConfigError(
            f"pictures for a paper need matplotlib: {extra('figures')}; or leave report.figures=true out"
        ) from None
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        yield


def _canvas(width: float, height: float) -> "Canvas":
    """An empty figure of so many units, outside of pyplot's global list."""
    from matplotlib.figure import Figure as Canvas

    return Canvas(figsize=(width / _INCH, height / _INCH))


def _plot(figure: Plot) -> "Canvas":
    placed = layout(figure, _WIDTH, _HEIGHT)
    named = [one for one in figure.series if not one.quiet]
    rows = _legend_rows(named, figure)
    height = _HEIGHT + 15.0 * len(rows) + (6.0 if rows else 0.0)
    canvas = _canvas(_WIDTH, height)
    box = placed.frame.box
    across, up = (box.right - box.left) / _WIDTH, (box.bottom - box.top) / height
    axes = canvas.add_axes((box.left / _WIDTH, 1 - box.bottom / height, across, up))
    _ticks(axes, figure, placed)
    for note in placed.notes:
        axes.axhline(note.rule.at, color=_SOFT, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
        axes.text(*_share(placed, note.x, note.y), visible(note.rule.text), transform=axes.transAxes, color=_SOFT,
                  fontstyle="italic", fontsize=7.5, zorder=5,
                  bbox=_CLEAR)  # fmt: skip
    for first, second in figure.links:
        axes.plot([first.x, second.x], [first.y, second.y], color=_GREY, linewidth=0.6, linestyle=(0, (1, 2)), zorder=1)
    for one in sorted(figure.series, key=lambda one: not one.quiet):
        _series(axes, one, placed)
    _labels(axes, figure, placed)
    _legend(canvas, rows, height)
    return canvas


def _ticks(axes: "Axes", figure: Plot, placed: Layout) -> None:
    """Both axes with the very numbers of the page; what matplotlib would add of its own is left out."""
    from matplotlib.ticker import FixedLocator, NullLocator

    frame = placed.frame
    for axis, scale, ticks, own in (
        (axes.xaxis, frame.x, frame.x_ticks, figure.x),
        (axes.yaxis, frame.y, frame.y_ticks, figure.y),
    ):
        set_scale, set_limits = (axes.set_xscale, axes.set_xlim) if axis is axes.xaxis else (
            axes.set_yscale, axes.set_ylim)  # fmt: skip
        set_scale("log" if own.log else "linear")
        set_limits(scale.low, scale.high)
        axis.set_minor_locator(NullLocator())
        axis.set_major_locator(FixedLocator([scale.back(place) for place, _ in ticks]))
        axis.set_ticklabels([text for _, text in ticks])
        axis.set_tick_params(length=0 if axis is axes.yaxis else 3, width=0.6, color=_GREY, labelcolor=_SOFT)
        more = ", log scale" if own.log else ""
        if own.unit != "none":
            axis.set_label_text(visible(own.title) + more, color=_INK)
    axes.grid(visible=True, axis="y", color=_RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    if figure.x.unit == "none":
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)


def _look(one: Series) -> tuple[str, str, Any]:
    """Colour, marker and dash."""
    if isinstance(one.look, str):
        return (*_PROTOCOLS[one.look], "-")
    color = _GREY if one.quiet else _COLORS[one.look % len(_COLORS)]
    return color, _MARKERS[one.look % len(_MARKERS)], _DASHES[one.look % len(_DASHES)]


def _series(axes: "Axes", one: Series, placed: Layout) -> None:
    color, marker, dash = _look(one)
    xs, ys = [point.x for point in one.points], [point.y for point in one.points]
    order = 2 if one.quiet else 3
    if one.draw == "front":
        frame = placed.frame
        corners = [(frame.x.back(x), frame.y.back(y)) for x, y in placed.front]
        axes.plot(*zip(*corners, strict=True), color=_INK, linewidth=1.0, linestyle=(0, (4, 3)), zorder=2)
        return
    if one.draw in {"cloud", "squares"}:
        form, face = ("s", "white") if one.draw == "squares" else ("o", color)
        axes.plot(xs, ys, linestyle="none", marker=form, markersize=2.6, color=color, markerfacecolor=face,
                  markeredgewidth=0.6, zorder=order)  # fmt: skip
        return
    bounded = [(p.x, p.y, p.low, p.high) for p in one.points if p.low is not None and p.high is not None]
    if one.draw == "band" and bounded:
        axes.fill_between([b[0] for b in bounded], [b[2] for b in bounded], [b[3] for b in bounded], color=color,
                          alpha=0.16, linewidth=0)  # fmt: skip
    if one.draw in {"line", "band", "steps"}:
        how = "steps-post" if one.draw == "steps" else "default"
        axes.plot(xs, ys, color=color, linewidth=0.6 if one.quiet else 1.3, linestyle=dash, drawstyle=how, zorder=order)
    if one.draw in {"points", "line"}:
        for x, y, low, high in bounded:
            axes.errorbar([x], [y], yerr=[[max(0.0, y - low)], [max(0.0, high - y)]], fmt="none", ecolor=color,
                          elinewidth=0.9, capsize=2.2, capthick=0.9, zorder=order)  # fmt: skip
    for point in one.points:
        if one.draw in {"points", "line"} or (one.draw == "band" and point.strong):
            face = color if point.strong or one.draw == "line" else "white"
            axes.plot([point.x], [point.y], marker=marker, markersize=5.2, markerfacecolor=face, markeredgecolor=color,
                      markeredgewidth=1.3, linestyle="none", zorder=order + 1, clip_on=False)  # fmt: skip


def _share(placed: Layout, x: float, y: float) -> tuple[float, float]:
    """A place of the layout as a share of the axes, upwards."""
    box = placed.frame.box
    return (x - box.left) / (box.right - box.left), (box.bottom - y) / (box.bottom - box.top)


def _labels(axes: "Axes", figure: Plot, placed: Layout) -> None:
    """Names where the layout has put them, in the axes' own share of the picture."""
    for (row, column), label in placed.labels.items():
        if label is None:
            continue
        if label.leader:
            ax, ay, bx, by = label.leader
            (x1, y1), (x2, y2) = _share(placed, ax, ay), _share(placed, bx, by)
            axes.plot([x1, x2], [y1, y2], transform=axes.transAxes, color=_GREY, linewidth=0.5, zorder=2)
        strong = figure.series[row].points[column].strong
        side = {"start": "left", "end": "right", "middle": "center"}[label.anchor]
        axes.text(
            *_share(placed, label.x, label.y), visible(label.text), transform=axes.transAxes, ha=side, color=_INK,
            bbox=_CLEAR, va="baseline", fontsize=7.8, fontweight="bold" if strong else "normal", zorder=6,
        )  # fmt: skip


Entry = tuple[str, Callable[[], Any]]


def _legend_rows(named: Sequence[Series], figure: Plot) -> list[list[Entry]]:
    """Entries of the legend, in rows that fit across; none where one series would say what the labels say."""
    from matplotlib.lines import Line2D

    def entry(one: Series) -> Entry:
        color, marker, dash = _look(one)
        if one.draw == "front":
            color, marker, dash = _INK, "none", (0, (4, 3))
        dots = one.draw in {"cloud", "squares"}
        marker = ("s" if one.draw == "squares" else "o") if dots else marker
        return visible(one.name), lambda: Line2D(
            [], [], color=color, linestyle="none" if one.draw == "points" or dots else dash, linewidth=1.3,
            marker="none" if one.draw in {"steps", "band", "front"} else marker, markersize=4 if dots else 5,
            markerfacecolor="white" if one.draw in {"points", "squares"} else color, markeredgewidth=1.0,
        )  # fmt: skip

    entries = [entry(one) for one in named]
    if figure.links:
        entries.append((figure.link_text, lambda: Line2D([], [], color=_GREY, linewidth=0.8, linestyle=(0, (1, 2)))))
    rows: list[list[Entry]] = []
    taken = _WIDTH
    for one in entries:
        wide = 5.6 * len(one[0]) + 46
        if taken + wide > _WIDTH - 20:
            rows.append([])
            taken = 0.0
        rows[-1].append(one)
        taken += wide
    return rows


def _legend(canvas: "Canvas", rows: Sequence[Sequence[Entry]], height: float) -> None:
    for place, row in enumerate(rows):
        bottom = (15.0 * (len(rows) - place - 1) + 3.0) / height
        canvas.legend(
            [make() for _, make in row], [name for name, _ in row], loc="lower left", bbox_to_anchor=(0.02, bottom),
            ncols=len(row), frameon=False, fontsize=7.5, borderpad=0, borderaxespad=0, handlelength=2.4,
            columnspacing=1.6, handletextpad=0.6,
        )  # fmt: skip


def _cells(figure: Grid) -> "Canvas":
    """Cells with their numbers; the shorter side runs across."""
    across, down = list(figure.columns), [name for name, _ in figure.rows]
    cells = [list(row) for _, row in figure.rows]
    if len(across) > len(down):
        across, down, cells = down, across, [list(column) for column in zip(*cells, strict=True)]
    left = 24 + 5.4 * min(46, max(len(name) for name in down))
    wide, tall = 76.0, 27.0
    lines = [_wrapped(name, 12) for name in across]
    top = 14 + 11.0 * max(text.count("\n") + 1 for text in lines)
    width, height = max(320.0, left + wide * len(across) + 24), top + tall * len(down) + 22
    canvas = _canvas(width, height)
    axes = canvas.add_axes((left / width, 22 / height, wide * len(across) / width, tall * len(down) / height))
    axes.set_xlim(0, len(across))
    axes.set_ylim(len(down), 0)
    axes.set_axis_off()
    for row, name in enumerate(down):
        axes.text(-0.08, row + 0.5, _clipped(name, 46), ha="right", va="center", color=_INK)
        for column, cell in enumerate(cells[row]):
            _cell(axes, column, row, cell.value, f"n {cell.n}", tied=cell.undecided, best=cell.best)
    for column, text in enumerate(lines):
        axes.text(column + 0.5, -0.12, text, ha="center", va="bottom", color=_INK, fontsize=7.5)
    note = "≈ not told apart from the best of its " + figure.row_title
    if any(cell.undecided for row in cells for cell in row):
        canvas.text(12 / width, 7 / height, note, color=_SOFT, fontsize=7.5)
    return canvas


def _cell(axes: "Axes", x: int, y: int, value: float | None, n: str, *, tied: bool, best: bool) -> None:
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    place = (x + 0.02, y + 0.04)
    if value is None:
        axes.add_patch(Rectangle(place, 0.96, 0.92, facecolor="white", edgecolor=_RULE, hatch="///", linewidth=0.5))
        axes.text(x + 0.5, y + 0.5, "–", ha="center", va="center", color=_INK)
        return
    color = colormaps["Blues"](0.04 + 0.86 * value)
    ink = "white" if value > 0.62 else _INK
    axes.add_patch(Rectangle(place, 0.96, 0.92, facecolor=color, linewidth=0))
    text = f"{'≈ ' if tied else ''}{value * 100:.0f} %"
    axes.text(x + 0.5, y + 0.36, text, ha="center", va="center", color=ink, fontsize=8,
              fontweight="bold" if best and not tied else "normal")  # fmt: skip
    axes.text(x + 0.5, y + 0.74, n, ha="center", va="center", color=ink, fontsize=6)


def _bars(figure: Stacks) -> "Canvas":
    names = {part.key: part.name for bar in figure.bars for part in bar.parts}
    titles = [visible(f"{bar.group}, {bar.name}") for bar in figure.bars]
    left, tall = 20 + 5.9 * min(48, max(len(title) for title in titles)), 24.0
    rows = [list(names.items())[place : place + 4] for place in range(0, len(names), 4)]
    width, height = max(_WIDTH, left + 400), 26 + tall * len(titles) + 16 + 16 * len(rows)
    canvas = _canvas(width, height)
    bottom = (16 * len(rows) + 26) / height
    axes = canvas.add_axes((left / width, bottom, (width - left - 50) / width, tall * len(titles) / height))
    for row, bar in enumerate(figure.bars):
        start = 0.0
        for part in bar.parts:
            color, hatch = _STAGES.get(part.key, (_GREY, ""))
            share = part.count / bar.total
            axes.barh(row, share, left=start, height=0.74, color=color, hatch=hatch, edgecolor="white", linewidth=0.6)
            if share >= 0.05:
                axes.text(start + share / 2, row, f"{part.count:g}", ha="center", va="center", fontsize=7, color=_INK)
            start += share
        axes.text(1.01, row, f"n {bar.total:g}", ha="left", va="center", fontsize=7, color=_SOFT)
        axes.text(-0.01, row, _clipped(titles[row], 48), ha="right", va="center", fontsize=7.5, color=_INK)
    axes.set_xlim(0, 1)
    axes.set_ylim(len(titles) - 0.5, -0.5)
    axes.set_yticks([])
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100 %"], color=_SOFT, fontsize=7)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    _stage_legend(canvas, rows, height)
    return canvas


def _stage_legend(canvas: "Canvas", rows: Sequence[Sequence[tuple[str, str]]], height: float) -> None:
    from matplotlib.patches import Patch

    for place, row in enumerate(rows):
        looks = [_STAGES.get(key, (_GREY, "")) for key, _ in row]
        canvas.legend(
            [Patch(facecolor=color, hatch=hatch, edgecolor="white") for color, hatch in looks],
            [name for _, name in row], loc="lower left", ncols=len(row), frameon=False, fontsize=7.5, borderpad=0,
            bbox_to_anchor=(0.02, (16.0 * (len(rows) - place - 1) + 3) / height), borderaxespad=0, columnspacing=1.4,
        )  # fmt: skip


def _clipped(text: str, most: int) -> str:
    text = visible(text)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _wrapped(text: str, most: int) -> str:
    """A name in lines of about so many letters, broken at blanks and underscores; at most four lines."""
    lines = [""]
    for word in visible(text).replace("_", "_ ").replace("-", "- ").split(" "):
        glue = "" if not lines[-1] or lines[-1][-1] in "_-" else " "
        if lines[-1] and len(lines[-1]) + len(glue) + len(word) > most:
            lines.append(word)
        else:
            lines[-1] += glue + word
    if len(lines) > 4:
        lines[3:] = [" ".join(lines[3:])]
    return "\n".join(_clipped(line, most + 2) for line in lines)
