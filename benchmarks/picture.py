"""engine.svg and engine.png from engine.json: calls per CPU second as bars on a log axis. Needs matplotlib."""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, NullFormatter

OURS = "harness_run"
INK, FAINT, GRID = "#1c2430", "#6b7684", "#e6e9ee"
COLOURS = {"ours": "#0f766e", "harness": "#7c8ca3", "loop": "#c3ccd8"}


def kind(row: dict[str, Any]) -> str:
    """Whether a contestant is a whole harness or only a client in a loop."""
    if row["module"] == OURS:
        return "ours"
    return "harness" if row["module"].endswith("_run") else "loop"


def draw(engine: dict[str, Any], folder: Path) -> None:
    rows = sorted((row for row in engine["rows"] if "calls_per_cpu_s" in row), key=lambda row: row["calls_per_cpu_s"])
    plt.rcParams.update({"font.family": "DejaVu Sans", "text.color": INK, "svg.hashsalt": "engine"})
    figure, axes = plt.subplots(figsize=(9.6, 1.75 + 0.56 * len(rows)), dpi=150)
    figure.subplots_adjust(
        left=0.235, right=0.965, top=1 - 0.86 / figure.get_figheight(), bottom=0.82 / figure.get_figheight()
    )
    low = 10 ** (len(str(int(rows[0]["calls_per_cpu_s"]))) - 1)
    for at, row in enumerate(rows):
        bar(axes, at, row, low)
    style(axes, rows, low)
    words(figure, engine)
    for ending in ("svg", "png"):
        figure.savefig(folder / f"engine.{ending}", metadata={"Date": None} if ending == "svg" else None)


def bar(axes: Any, at: int, row: dict[str, Any], low: float) -> None:
    rate, ours = row["calls_per_cpu_s"], row["module"] == OURS
    axes.barh(at, rate - low, left=low, height=0.62, color=COLOURS[kind(row)], zorder=2)
    seen = [run["calls_per_cpu_s"] for run in row["runs"] if "failed" not in run]
    axes.plot([min(seen), max(seen)], [at, at], color=INK, linewidth=1.1, solid_capstyle="butt", zorder=3)
    ratio = row.get("ours_over_calls_per_cpu_s")
    said = f"{rate:,.0f}" if ours or not ratio else f"{rate:,.0f}   ours {times(ratio['median'])}"
    axes.annotate(
        said, (max(rate, *seen), at), xytext=(7, 0), textcoords="offset points", va="center",
        fontsize=9.5, fontweight="bold" if ours else "normal", color=COLOURS["ours"] if ours else INK,
    )  # fmt: skip


def times(ratio: float) -> str:
    return f"{ratio:.0f}×" if ratio >= 10 else f"{ratio:.1f}×" if ratio >= 1 else f"{ratio:.2f}×"


def style(axes: Any, rows: list[dict[str, Any]], low: float) -> None:
    axes.set_xscale("log")
    axes.set_xlim(low, rows[-1]["calls_per_cpu_s"] * 7)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="x", color=GRID, linewidth=0.8, zorder=0)
    axes.tick_params(axis="x", colors=FAINT, labelsize=8.5, length=0)
    axes.tick_params(axis="x", which="minor", length=0)
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)
    for at, row in enumerate(rows):
        ours = row["module"] == OURS
        name = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "ha": "right", "va": "center"}
        axes.annotate(
            row["title"], (0, at), xytext=(-9, 6), fontsize=10.5, fontweight="bold" if ours else "normal",
            color=COLOURS["ours"] if ours else INK, **name,
        )  # fmt: skip
        axes.annotate(row["does"], (0, at), xytext=(-9, -6.5), fontsize=7.5, color=FAINT, **name)


def words(figure: Any, engine: dict[str, Any]) -> None:
    said, height = engine["conditions"], figure.get_figheight()
    missing = [row["title"] for row in engine["rows"] if "calls_per_cpu_s" not in row]
    figure.text(0.028, 1 - 0.36 / height, "Calls per CPU second of the client", fontsize=14, fontweight="bold")
    figure.text(
        0.028, 1 - 0.62 / height, fontsize=9, color=FAINT,
        s=f"{said['chunks']} streamed chunks a reply, {said['concurrency']} calls at once, one loopback server, "
        "log scale. Dark: whole harnesses, pale: a client in a loop.",
    )  # fmt: skip
    note = (
        f"Bars: median of {said['rounds']} interleaved rounds, line: lowest to highest. {said['cores']} cores, "
        f"{said['cpu']}, Python {said['python']}, {said['at'][:10]}."
    )
    figure.text(0.028, 0.2 / height, note, fontsize=7.5, color=FAINT)
    if missing:
        figure.text(0.028, 0.06 / height, f"Not measured: {', '.join(missing)}.", fontsize=7.5, color=FAINT)


if __name__ == "__main__":
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "reports/bench")
    draw(json.loads((out / "engine.json").read_text()), out)
