"""The leaderboard: one page without a network, from runs to HTML."""

import os
import tempfile
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.errors import DataError
from harness.records import PROTOCOLS
from harness.report.breakdown import MISSES, Bar, HeatMap, Segment, heat_map, miss_bars, pair_segments
from harness.report.columns import COLUMNS
from harness.report.embed import Embedded, embed
from harness.report.formats import counted, percent, seconds, usd
from harness.report.headline import Headline, headline
from harness.report.pairs import Pair, pair_up
from harness.report.rows import Row, suite_label, table_rows
from harness.report.scatter import Scatter, scatter
from harness.report.text import visible
from harness.report.view import RunView, latest, suites

__all__ = ["build_leaderboard", "write_leaderboard"]

_CSS: Final = ("base.css", "table.css", "figures.css", "explorer.css", "print.css")
_JS: Final = (
    "dom.js",
    "state.js",
    "tip.js",
    "table.js",
    "explorer_list.js",
    "explorer_detail.js",
    "explorer.js",
    "main.js",
)
_SIZES: Final = (("wide", 620.0, 400.0), ("narrow", 336.0, 340.0))


@dataclass(frozen=True, slots=True)
class _Figure:
    """One scatter plot at each width, with what its text needs."""

    key: str
    title: str
    lead: str
    plots: tuple[tuple[str, Scatter], ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Section:
    """What the page says about one suite."""

    title: str
    pairs: tuple[tuple[Pair, tuple[Segment, ...]], ...]
    figures: tuple[_Figure, ...]
    bars: tuple[Bar, ...]
    heat: HeatMap


@dataclass(frozen=True, slots=True)
class _Page:
    """Everything that the template reads."""

    head: Headline
    strap: str
    rows: tuple[Row, ...]
    sections: tuple[_Section, ...]
    data: Embedded
    protocols: tuple[str, ...]
    n_older: int


def build_leaderboard(runs: Sequence[RunView]) -> str:
    """The page as HTML, a function of the runs alone; without runs, a page that says so.

    Of each model × protocol × suite the latest run counts; older ones are rows that the reader can unfold.
    """
    current, older = latest(runs)
    groups = suites(current)
    sections = [_section(group) for group in groups]
    page = _Page(
        head=headline(groups[0], [pair for pair, _ in sections[0].pairs]) if groups else _nothing(),
        strap=_strap(groups),
        rows=tuple(table_rows(groups, older)),
        sections=tuple(sections),
        data=embed([run for group in groups for run in group]),
        protocols=tuple(name for name in PROTOCOLS if any(run.summary.protocol == name for run in runs)),
        n_older=len(older),
    )
    return _render(page)


def write_leaderboard(runs: Sequence[RunView], path: Path) -> None:
    """Writes the page to `path`, whole or not at all; its folder is made where it is missing.

    Raises DataError if it cannot be written.
    """
    page = build_leaderboard(runs)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        draft = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(page)
            draft.chmod(0o644)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror or error}); choose another folder: paths.reports=…"
        ) from error


def _nothing() -> Headline:
    return Headline(
        "No finished run yet.",
        ("Make one with: python -m harness suite=toolcall model=smollm2", "Then this page fills itself."),
    )


def _strap(groups: Sequence[Sequence[RunView]]) -> str:
    if not groups:
        return ""
    first = groups[0]
    runs = [run for group in groups for run in group]
    newest = max(run.summary.started_at for run in runs)[:10]
    models = len({run.summary.model for run in runs})
    apart = f" · {len(groups) - 1} more suites or subsets ranked apart" if len(groups) > 1 else ""
    return f"{suite_label(first[0])} · {counted(models, 'model')} · {counted(len(runs), 'run')} · {newest}{apart}"


def _e2e(run: RunView) -> float | None:
    return run.summary.e2e_s.p50 if run.summary.e2e_s else None


def _cost(run: RunView) -> float | None:
    cost = run.summary.cost_usd_per_sample
    return None if cost is None else cost * 1000


def _section(group: Sequence[RunView]) -> _Section:
    drawn = [
        ("latency", "Accuracy against latency", "Median end-to-end time of a call", _e2e, seconds),
        ("cost", "Accuracy against cost", "US dollars per 1,000 calls", _cost, usd),
    ]
    figures = []
    for key, title, axis, price, text in drawn:
        plots = [(size, scatter(group, price, text, axis, width, height)) for size, width, height in _SIZES]
        found = tuple((size, plot) for size, plot in plots if plot is not None)
        figures.append(_Figure(key, title, axis, found, found[0][1].left_out if found else ()))
    return _Section(
        title=suite_label(group[0]),
        pairs=tuple((pair, pair_segments(pair)) for pair in pair_up(group)),
        figures=tuple(figures),
        bars=tuple(miss_bars(group)),
        heat=heat_map(group),
    )


def _static(names: Sequence[str]) -> str:
    folder = files("harness.report") / "static"
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)


def _shown(value: object) -> object:
    """Text from outside with its invisible characters spelled out; our own markup as it is."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _render(page: _Page) -> str:
    """The page through its template; the script runs by its hash alone, so nothing injected could."""
    environment = Environment(
        loader=PackageLoader("harness.report"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "counted": counted}
    script = f'(() => {{\n"use strict";\n{_static(_JS)}\n}})();'
    return environment.get_template("leaderboard.html.j2").render(
        page=page,
        columns=COLUMNS,
        column_groups=[(name, len(list(group))) for name, group in groupby(COLUMNS, lambda column: column.group)],
        misses=MISSES,
        css=Markup(_static(_CSS)),
        script=Markup(script),
        script_hash=b64encode(sha256(script.encode()).digest()).decode(),
        data=Markup(page.data.json),
    )
