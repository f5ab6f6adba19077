"""An answer written: a table for people, CSV, JSON, Markdown or Parquet; row by row, whatever its length."""

import csv
import datetime
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Any, Final, TextIO
from uuid import UUID

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from harness.errors import DataError
from harness.query.engine import Answer
from harness.report.export import csv_cell, markdown_cell
from harness.report.formats import counted
from harness.report.text import clip, visible

__all__ = ["draft", "plain", "print_table", "write_parquet", "write_text"]

_WIDTH: Final = 160
_FOLDED: Final = 32
"""Width that a cell may be folded to before rows are printed one below the other."""
_CELL: Final = 300
"""Characters of a text in a table for people."""


def plain(value: Any) -> Any:
    """A value of DuckDB as JSON knows it: no number that is none, dates as text."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, str):
        return visible(value)
    return str(value) if isinstance(value, UUID) else value


def _flat(value: Any) -> Any:
    """The same for a cell: lists and structures as JSON."""
    made = plain(value)
    return json.dumps(made, ensure_ascii=False) if isinstance(made, list | dict) else made


def print_table(answer: Answer, most: int) -> None:
    """Prints the first rows to standard output, and says of more that there are some.

    Rows that are too wide for it are printed one below the other, a line for each value.
    """
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH)
    heads, rows = [visible(one) for one in answer.columns], list(islice(answer.rows(), most + 1))
    cells = [[_shown(_flat(value)) for value in row] for row in rows[:most]]
    widths = [
        max([len(head), *(min(_FOLDED, len(row[place])) for row in cells)]) + 3 for place, head in enumerate(heads)
    ]
    if cells and sum(widths) > console.width:
        _print_long(console, heads, cells)
    else:
        table = RichTable(highlight=False)
        for place, head in enumerate(heads):
            right = any(isinstance(row[place], int | float) for row in rows)
            table.add_column(Text(head), justify="right" if right else "left", overflow="fold")
        for row in cells:
            table.add_row(*row)
        console.print(table)
    said = f"the first {most:,} rows; all of them: query.out=answer.csv, or query.rows=…"
    console.print(said if len(rows) > most else counted(len(rows), "row"), highlight=False, soft_wrap=True)


def _print_long(console: Console, heads: Sequence[str], rows: Sequence[Sequence[Text]]) -> None:
    for number, row in enumerate(rows, 1):
        console.rule(f"row {number}", align="left")
        table = RichTable(box=None, pad_edge=False, show_header=False, highlight=False)
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for head, cell in zip(heads, row, strict=True):
            table.add_row(Text(head), cell)
        console.print(table)


def _shown(value: Any) -> Text:
    if value is None:
        return Text("–", style="dim")
    if isinstance(value, float):
        return Text(f"{value:.6g}")
    return Text(clip(str(value), _CELL))


def write_text(answer: Answer, form: str, out: TextIO) -> int:
    """Writes CSV, JSON or Markdown; returns the number of rows."""
    return {"csv": _csv, "json": _json, "markdown": _markdown, "table": _markdown}[form](
        answer.columns, answer.rows(), out
    )


def _csv(heads: Sequence[str], rows: Iterator[tuple[Any, ...]], out: TextIO) -> int:
    writer, count = csv.writer(out, lineterminator="\n"), 0
    writer.writerow([csv_cell(one) for one in heads])
    for row in rows:
        writer.writerow([csv_cell(_flat(value)) for value in row])
        count += 1
    return count


def _json(heads: Sequence[str], rows: Iterator[tuple[Any, ...]], out: TextIO) -> int:
    count = 0
    out.write("[")
    for row in rows:
        line = json.dumps(dict(zip(heads, map(plain, row), strict=True)), ensure_ascii=False, allow_nan=False)
        out.write(f"{',' if count else ''}\n{line}")
        count += 1
    out.write("\n]\n")
    return count


def _markdown(heads: Sequence[str], rows: Iterator[tuple[Any, ...]], out: TextIO) -> int:
    count = 0
    out.write(f"| {' | '.join(map(markdown_cell, heads))} |\n| {' | '.join('---' for _ in heads)} |\n")
    for row in rows:
        cells = [_flat(value) for value in row]
        texts = ["–" if one is None else f"{one:.6g}" if isinstance(one, float) else str(one) for one in cells]
        out.write(f"| {' | '.join(map(markdown_cell, texts))} |\n")
        count += 1
    return count


def write_parquet(answer: Answer, path: Path) -> int:
    """Writes a Parquet file in one go, group by group; returns the number of rows."""
    import pyarrow.parquet as pq

    batches, count = answer.batches(), 0
    with draft(path) as part, pq.ParquetWriter(part, batches.schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            count += batch.num_rows
    return count


@contextmanager
def draft(path: Path) -> Iterator[Path]:
    """A file beside the one that is to be written, which takes its place at the end. Raises DataError if it cannot."""
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror}); choose another: query.out=…") from None
    finally:
        part.unlink(missing_ok=True)
