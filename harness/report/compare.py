"""The page of a comparison: one pair in full, or a matrix of many; one file without a network."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import orjson
from jinja2 import Environment
from markupsafe import Markup
from pydantic import JsonValue

from harness.records.compare import CompareMatrix, Comparison, Flip, MatrixCell, PairFinding
from harness.report.compare_words import (
    FIGURES,
    findings,
    headline,
    matrix_findings,
    matrix_headline,
    miss_text,
    names_of,
    pair_file,
    signed,
    size_text,
    span_text,
    verdict_text,
)
from harness.report.formats import percent
from harness.report.links import explorer_query, page_link
from harness.report.page import environment, static_text, write_html
from harness.report.tables import Kept, export_links

__all__ = ["Around", "build_page", "write_page"]

_CSS: Final = ("base.css", "table.css", "figures.css", "quantize.css", "compare.css", "print.css")
MOST_FLIPS: Final = 100


@dataclass(frozen=True, slots=True)
class Around:
    """What lies about the page, so that it links to nothing that is not there."""

    root: str = ""
    """From the page to `reports/`: empty, or `../`."""
    explorer: frozenset[str] = frozenset()
    """Runs whose samples the leaderboard's explorer shows."""
    pages: frozenset[str] = frozenset()
    """Pages under `reports/` that are there, by their path."""
    tables: Kept | None = None


@dataclass(frozen=True, slots=True)
class _Bar:
    """A difference with its interval, in per cent of the picture's width."""

    zero: float
    bound: float
    low: float
    high: float
    at: float


@dataclass(frozen=True, slots=True)
class _Pair:
    """Everything that the template of a pair reads."""

    found: Comparison
    around: Around
    a: str
    b: str
    reach: float

    def bar(self, finding: PairFinding) -> _Bar:
        """The picture of a finding: all share one scale."""
        pair = finding.pair

        def place(value: float) -> float:
            return 50 + 50 * max(-1.0, min(1.0, value / self.reach))

        return _Bar(
            50.0, place(-self.found.margin), place(pair.interval.low), place(pair.interval.high), place(pair.difference)
        )

    def deep(self, flip: Flip) -> str | None:
        """The sample in the explorer, both runs beside each other; None where the explorer does not have them."""
        a, b = self.found.a.run, self.found.b.run
        if not {a, b} <= self.around.explorer:
            return None
        state = {"run": b, "beside": a, "sample": flip.sample} | ({"trial": str(flip.trial)} if flip.trial else {})
        return f"{self.around.root}leaderboard.html#{explorer_query(state)}"

    def page_of(self, run: str) -> str | None:
        """The page of a run, where the site has one."""
        path = f"runs/{run}.html"
        return f"{self.around.root}{page_link(path)}" if path in self.around.pages else None

    @property
    def grid(self) -> tuple[list[str], list[str], dict[tuple[str, str], int]]:
        """How attempts ended with A (down) and with B (across), and how many did."""
        counts = {(one.a, one.b): one.n for one in self.found.flows}
        order = ["right", *(one.miss for one in self.found.misses)]
        down, across = {one for one, _ in counts}, {two for _, two in counts}
        rows = [str(one) for one in order if one in down]
        columns = [str(one) for one in order if one in across]
        return rows, columns, {(str(a), str(b)): n for (a, b), n in counts.items()}


def write_page(found: Comparison | CompareMatrix, path: Path, around: Around) -> None:
    """Writes the page to `path`, whole or not at all. Raises DataError if it cannot be written."""
    write_html(path, build_page(found, around))


def build_page(found: Comparison | CompareMatrix, around: Around | None = None) -> str:
    """The page as HTML, a function of the record and of what lies about it."""
    around = around or Around()
    css = Markup(static_text(_CSS))
    if isinstance(found, CompareMatrix):
        return _matrix(found, around, css)
    a, b = names_of(found.a, found.b)
    every = [found.whole, *([found.by_calls] if found.by_calls else []), *found.categories]
    ends = [abs(value) for one in every for value in (one.pair.interval.low, one.pair.interval.high)]
    page = _Pair(found, around, a, b, min(1.0, max(2 * found.margin, *ends) * 1.04))
    return (
        _environment()
        .get_template("compare.html.j2")
        .render(
            page=page,
            found=found,
            rows=every,
            title=headline(found),
            notes=findings(found),
            flips=found.flips[:MOST_FLIPS],
            exports=export_links(around.tables, around.root),
            css=css,
        )
    )


def _matrix(found: CompareMatrix, around: Around, css: Markup) -> str:
    cells = {(cell.a, cell.b): cell for cell in found.cells}
    links = {
        key: f"{around.root}{page_link(path)}"
        for key in cells
        if (path := f"compare/{pair_file(*key)}.html") in around.pages
    }
    return (
        _environment()
        .get_template("compare_matrix.html.j2")
        .render(
            found=found,
            around=around,
            runs=list(zip(found.runs, found.labels, found.means, strict=True)),
            cells=cells,
            links=links,
            title=matrix_headline(found),
            notes=matrix_findings(found),
            exports=export_links(around.tables, around.root),
            css=css,
        )
    )


def _setting(value: JsonValue) -> str:
    if value is None:
        return "not set"
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _cell_tip(cell: MatrixCell, labels: Sequence[str]) -> str:
    a, b = labels
    return (
        f"{b} against {a}: {verdict_text(cell)}; {signed(cell.difference)} points ({span_text(cell)}), "
        f"{cell.gained} gained, {cell.lost} lost of {cell.n}"
    )


@cache
def _environment() -> Environment:
    made = environment()
    made.filters |= {
        "percent": percent, "signed": signed, "span": span_text, "verdict": verdict_text, "miss": miss_text,
        "setting": _setting, "tip": _cell_tip,
    }  # fmt: skip
    made.globals |= {"FIGURES": FIGURES, "size_text": size_text}
    return made
