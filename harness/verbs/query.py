"""`do=query`: SQL over all results, and what there is to ask."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.config import QueryConfig
from harness.errors import ConfigError, DataError
from harness.query.answer import draft, print_table, write_parquet, write_text
from harness.query.engine import asked
from harness.query.making import columns_of
from harness.query.source import Source
from harness.query.views import EXAMPLES, VIEWS
from harness.report.export import Field
from harness.report.formats import counted

__all__ = ["main"]

_WIDTH = 160


def main(configs: Sequence[QueryConfig]) -> None:
    """Answers one SELECT, or lists the views. Raises ConfigError or DataError for what cannot be asked."""
    if len(configs) > 1:
        raise ConfigError("do=query takes one statement at a time and no list of models: sql='SELECT … FROM runs'")
    (config,) = configs
    source = Source(Path(config.paths.results), Path(config.query.clusters), texts=config.report.samples)
    sql = _sql(config)
    if sql is None:
        _list(source)
    else:
        _answer(sql, source, config)
    for said in dict.fromkeys(source.left_out):
        Console(stderr=True).print(f"left out: {said}", highlight=False, soft_wrap=True, markup=False)


def _sql(config: QueryConfig) -> str | None:
    """The statement that is asked; None: none is."""
    name = config.query.file
    if name is None:
        return config.sql if config.sql is None or config.sql.strip() else None
    if config.sql is not None:
        raise ConfigError("sql and query.file both hold a statement; give either")
    try:
        return Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or "it is no text"
        raise DataError(f"query.file={name} cannot be read ({said}); name a file with one SELECT") from None


def _answer(sql: str, source: Source, config: QueryConfig) -> None:
    query = config.query
    with asked(sql, source, memory_mb=query.memory_mb) as answer:
        if query.out is None:
            if query.form == "table":
                print_table(answer, query.rows)
            else:
                write_text(answer, query.form, sys.stdout)
            return
        out = Path(query.out)
        if query.form == "parquet":
            rows = write_parquet(answer, out)
        else:
            with draft(out) as part, part.open("w", encoding="utf-8") as file:
                rows = write_text(answer, query.form, file)
    said = f"answer  {out} ({counted(rows, 'row')})"
    Console(stderr=True).print(said, highlight=False, soft_wrap=True, markup=False)


def _list(source: Source) -> None:
    """The views with their columns, those that have no results yet, and examples."""
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH)
    table = Table(box=None, pad_edge=False, header_style="bold", highlight=False)
    for head in ("view", "holds", "columns"):
        table.add_column(head, overflow="fold", no_wrap=head == "view")
    empty = []
    for view in VIEWS.values():
        columns = columns_of(view.name, source)
        if columns:
            table.add_row(view.name, view.says, Text(", ".join(map(_column, columns))))
            table.add_row("", "", "")
        else:
            empty.append(f"  {view.name:<16} {view.says}; {view.make}")
    console.print(table)
    lines = [*(["nothing for these yet, and what makes some:", *empty, ""] if empty else []), "examples"]
    for question, sql in EXAMPLES:
        lines += [f"  {question}:", f'    python -m harness do=query sql="{sql}"']
    lines.append("what a column means: docs/query.md; one view: python -m harness do=query sql='DESCRIBE attempts'")
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def _column(one: Field) -> str:
    return f"{one.key} [{one.unit}]" if one.unit else one.key
