"""Summaries as a table: for the terminal and as Markdown."""

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table

from harness.records.summary import Interval, Quantiles, Summary

__all__ = ["markdown_page", "markdown_table", "print_table", "terminal_table"]

_NONE = "–"
_WIDTH = 170


def _percent(value: float | None) -> str:
    return _NONE if value is None else f"{value:.1%}"


def _interval(interval: Interval | None) -> str:
    return _NONE if interval is None else f"{interval.low:.1%} … {interval.high:.1%}"


def _seconds(found: Quantiles | None, name: str = "p50") -> str:
    if found is None:
        return _NONE
    value: float = getattr(found, name)
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def _number(value: float | None, form: str) -> str:
    return _NONE if value is None else format(value, form)


def _top_miss(summary: Summary) -> str:
    return ", ".join(f"{name} {count}" for name, count in list(summary.misses.items())[:2]) or _NONE


_COLUMNS: tuple[tuple[str, Callable[[Summary], str]], ...] = (
    ("model", lambda s: s.model),
    ("protocol", lambda s: s.protocol),
    ("accuracy", lambda s: _percent(s.accuracy)),
    ("95 % interval", lambda s: _interval(s.accuracy_interval)),
    ("scored", lambda s: str(s.n_scored)),
    ("lost", lambda s: str(s.n_failed)),
    ("TTFT p50", lambda s: _seconds(s.ttft_s)),
    ("e2e p50", lambda s: _seconds(s.e2e_s)),
    ("e2e p95", lambda s: _seconds(s.e2e_s, "p95")),
    ("tokens/s", lambda s: _number(s.output_tokens_per_s, ".0f")),
    ("USD/success", lambda s: _number(s.cost_usd_per_success, ".2g")),
    ("most misses", _top_miss),
)


def terminal_table(summaries: Sequence[Summary], title: str | None = None) -> Table:
    """A table for the terminal, one row a run."""
    table = Table(title=title, title_justify="left")
    for name, _ in _COLUMNS:
        table.add_column(name, justify="left" if name in {"model", "protocol", "most misses"} else "right")
    for summary in summaries:
        table.add_row(*(cell(summary) for _, cell in _COLUMNS))
    return table


def print_table(summaries: Sequence[Summary]) -> None:
    """Prints the table, at the terminal's width or, where there is none, wide enough for every column."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    console.print(terminal_table(summaries))


def markdown_table(summaries: Sequence[Summary]) -> str:
    """The same table as Markdown."""
    head = "| " + " | ".join(name for name, _ in _COLUMNS) + " |"
    rule = "|" + " --- |" * len(_COLUMNS)
    rows = ["| " + " | ".join(cell(summary) for _, cell in _COLUMNS) + " |" for summary in summaries]
    return "\n".join([head, rule, *rows]) + "\n"


def markdown_page(summary: Summary) -> str:
    """One run as a Markdown page: table, misses, warnings."""
    lines = [f"# {summary.suite} · {summary.model} · {summary.protocol}", "", markdown_table([summary])]
    if summary.by_category:
        lines += ["## By category", "", "| category | accuracy | 95 % interval | scored |", "| --- | --- | --- | --- |"]
        lines += [
            f"| {name} | {_percent(c.accuracy)} | {_interval(c.interval)} | {c.n_scored} |"
            for name, c in summary.by_category.items()
        ]
        lines.append("")
    if summary.misses:
        lines += ["## Where samples were lost", "", *(f"- {name}: {n}" for name, n in summary.misses.items()), ""]
    if summary.warnings:
        lines += ["## Read before believing", "", *(f"- {warning}" for warning in summary.warnings), ""]
    return "\n".join(lines)
