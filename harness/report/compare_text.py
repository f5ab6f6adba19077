"""A comparison for the terminal, and as Markdown."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from harness.records.compare import CompareMatrix, Comparison
from harness.report.compare_tables import comparison_tables, matrix_tables
from harness.report.compare_words import (
    FIGURES,
    findings,
    headline,
    matrix_findings,
    matrix_headline,
    miss_text,
    names_of,
    signed,
    size_text,
    span_text,
    verdict_text,
)
from harness.report.export import Table, markdown_cell, markdown_table
from harness.report.text import visible

__all__ = ["markdown_page", "print_comparison"]

_WIDTH = 140
_NONE = "–"
_COLOURS = {"superior": "green", "non_inferior": "green", "inferior": "bold red", "inconclusive": "yellow"}
_FLIPS = 50


def print_comparison(found: Comparison | CompareMatrix) -> None:
    """Prints the verdicts, what stands behind them, and the notes to standard output."""
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH)
    tables = [_matrix(found)] if isinstance(found, CompareMatrix) else _pair(found)
    for table in tables:
        console.print(table)
    for line in _lines(found):
        console.print(_line(line), highlight=False, markup=False, soft_wrap=True)


def _lines(found: Comparison | CompareMatrix) -> list[str]:
    if isinstance(found, CompareMatrix):
        return [*matrix_findings(found), matrix_headline(found)]
    a, b = names_of(found.a, found.b)
    refused = [f"{FIGURES[one.name]}: {one.why}" for one in found.figures if one.ratio is None]
    changed = ", ".join(one.key for one in found.changed) or "nothing"
    return [
        f"A {a} (run {found.a.run})",
        f"B {b} (run {found.b.run})",
        f"set differently: {changed}",
        *refused,
        *findings(found),
        headline(found),
    ]


def _line(text: str) -> str:
    return " ".join(visible(text).split())


def _pair(found: Comparison) -> list[RichTable]:
    tables = []
    rows = [found.whole, *([found.by_calls] if found.by_calls else []), *found.categories]
    table = RichTable(title=f"{found.suite}: B against A", title_justify="left", highlight=False)
    for name in ("", "verdict", "n", "A", "B", "B − A", "interval", "gained, lost"):
        table.add_column(name, justify="left" if name in {"", "verdict"} else "right", overflow="fold")
    for one in rows:
        pair = one.pair
        count = f"{pair.n:,}" if pair.sessions is None else f"{pair.n:,} in {pair.sessions:,} sessions"
        cells = (
            one.name, verdict_text(one), count, f"{100 * one.a:.1f} %", f"{100 * one.b:.1f} %",
            signed(pair.difference), span_text(one), f"{pair.gained} + {pair.lost} −",
        )  # fmt: skip
        table.add_row(*(escape(_line(cell)) for cell in cells), style=_COLOURS[one.verdict])
    tables.append(table)
    if found.misses:
        table = RichTable(title="lost by class (attempts)", title_justify="left", highlight=False)
        for name in ("class", "A", "right with B", "B", "right with A"):
            table.add_column(name, justify="left" if name == "class" else "right")
        for miss in found.misses:
            table.add_row(miss_text(miss.miss), str(miss.a), str(miss.b_right), str(miss.b), str(miss.a_right))
        tables.append(table)
    compared = [one for one in found.figures if one.a is not None and one.b is not None]
    if compared:
        table = RichTable(title="times, cost, tokens", title_justify="left", highlight=False)
        for name in ("", "A", "B", "B / A", "interval", "n"):
            table.add_column(name, justify="left" if not name else "right")
        for figure in compared:
            assert figure.a is not None
            assert figure.b is not None
            ends = f"{figure.interval.low:.3g} … {figure.interval.high:.3g}" if figure.interval else _NONE
            ratio = _NONE if figure.ratio is None else f"×{figure.ratio:.3g}"
            table.add_row(FIGURES[figure.name], size_text(figure, figure.a), size_text(figure, figure.b), ratio, ends,
                          f"{figure.n:,}")  # fmt: skip
        tables.append(table)
    return tables


def _matrix(found: CompareMatrix) -> RichTable:
    """One line a run: its mean, and what it is against the others."""
    table = RichTable(title=f"{found.suite}: each against each", title_justify="left", highlight=False)
    for name in ("run", "mean", "superior to", "no worse than", "inferior to", "not decided"):
        table.add_column(name, justify="left" if name == "run" else "right", overflow="fold")
    for run, label, mean in zip(found.runs, found.labels, found.means, strict=True):
        own = [cell.verdict for cell in found.cells if cell.b == run.run]
        counts = [own.count(word) for word in ("superior", "non_inferior", "inferior", "inconclusive")]
        table.add_row(escape(_line(label)), _NONE if mean is None else f"{100 * mean:.1f} %", *map(str, counts))
    return table


def markdown_page(found: Comparison | CompareMatrix) -> str:
    """The comparison as a page of Markdown: the sentence, what stands behind it, and every table."""
    tables: tuple[Table, ...]
    if isinstance(found, CompareMatrix):
        title, said, tables = matrix_headline(found), matrix_findings(found), matrix_tables(found)
        who = []
    else:
        title, said, tables = headline(found), findings(found), comparison_tables(found)
        a, b = names_of(found.a, found.b)
        who = [f"A: {a}, run {found.a.run}", f"B: {b}, run {found.b.run}", f"Times: {found.times}"]
    lines = [f"# {markdown_cell(title)}", "", *(f"- {markdown_cell(one)}" for one in (*who, *said)), ""]
    for table in tables:
        if table.rows:
            most = _FLIPS if table.name == "flips" else 200
            lines += [f"## {markdown_cell(table.title)}", "", markdown_table(table, most)]
    return "\n".join(lines)
