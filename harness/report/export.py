"""Every table of a page for other programs: CSV, Parquet, JSON and Markdown, with what each column means."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from typing import Final, Literal, TypeVar

import orjson

from harness.errors import DataError
from harness.report.text import visible

__all__ = [
    "COLUMNS",
    "FORMATS",
    "Columns",
    "Field",
    "Kind",
    "Table",
    "Value",
    "csv_cell",
    "csv_text",
    "formats",
    "markdown_cell",
    "markdown_table",
    "table_of",
    "write_tables",
]

T = TypeVar("T")
Value = str | int | float | bool | None
Kind = Literal["text", "number", "count", "flag"]
"""`number`: measured, in the unit of its column. `count`: whole. `flag`: yes or no."""

FORMATS: Final = ("csv", "parquet", "json", "md")
COLUMNS: Final = "_columns.json"
_MARKDOWN_ROWS: Final = 200
_FORMULA: Final = re.compile(r"(^|[;\t\n\r])(\s*)(?=[=+\-@＝＋－＠])")
"""Where a spreadsheet may see the start of a cell, followed by what makes it a formula."""


@dataclass(frozen=True, slots=True)
class Field:
    """One column: its name, its unit ("" for none) and what it says."""

    key: str
    kind: Kind
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table as data. A value that was not measured is None: never 0, never NaN."""

    name: str
    title: str
    fields: tuple[Field, ...]
    rows: tuple[tuple[Value, ...], ...]

    def plain(self) -> list[tuple[Value, ...]]:
        """The rows with invisible characters of texts spelled out, and no number that is none."""
        return [tuple(_plain(value) for value in row) for row in self.rows]


Columns = Sequence[tuple[Field, Callable[[T], Value]]]
"""Columns, each with what it reads out of what a row is made of."""


def table_of(name: str, title: str, rows: Iterable[T], columns: Columns[T]) -> Table:
    """A table from what its rows are made of."""
    read = tuple(each for _, each in columns)
    found = tuple(tuple(each(row) for each in read) for row in rows)
    return Table(name, title, tuple(one for one, _ in columns), found)


def _plain(value: Value) -> Value:
    if isinstance(value, str):
        return visible(value)
    return None if isinstance(value, float) and not isfinite(value) else value


def formats() -> tuple[str, ...]:
    """The formats that tables are written in here: Parquet only where pyarrow is installed."""
    return FORMATS if find_spec("pyarrow") else tuple(one for one in FORMATS if one != "parquet")


def write_tables(folder: Path, tables: Sequence[Table]) -> list[Path]:
    """Writes each table in every one of `formats()` into `folder` with `_columns.json`, and returns the files.

    Files of tables that are no more are removed, so that a folder never mixes two states. Raises DataError if it cannot
    be written.
    """
    found = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for table in tables:
            rows = table.plain()
            found += [_write(folder / f"{table.name}.{kind}", _WRITERS[kind](table, rows)) for kind in formats()]
        found.append(_write(folder / COLUMNS, _dictionary(tables)))
        kept = {one.name for one in found}
        for old in folder.iterdir():
            if old.is_file() and old.name not in kept:
                old.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(
            f"{folder} cannot be written ({error.strerror}); choose another folder: paths.reports=…, or leave the "
            "tables out: report.tables=false"
        ) from error
    return found


def _write(path: Path, data: bytes) -> Path:
    """Whole or not at all; a file that would not change is left alone."""
    if not (path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data):
        draft = path.with_name(f".{path.name}.part")
        draft.write_bytes(data)
        draft.replace(path)
    return path


def csv_text(fields: Sequence[Field], rows: Sequence[Sequence[Value]]) -> str:
    r"""The table as CSV for a spreadsheet: no text in it is taken for a formula.

    A text that begins with = + - @, as it is or after what some spreadsheets take for the end of a cell, gets an
    apostrophe before that. Numbers stay numbers; the other formats hold the text as it was.
    >>> print(csv_text((Field("a", "text", "", ""), Field("b", "number", "s", "")), [("=1+1", -0.5), ("x;-y", None)]))
    a,b
    '=1+1,-0.5
    x;'-y,
    <BLANKLINE>
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([one.key for one in fields])
    writer.writerows([[csv_cell(value) for value in row] for row in rows])
    return out.getvalue()


def csv_cell(value: Value) -> str:
    """A value as a spreadsheet takes it: empty for None, and no text that it would take for a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _FORMULA.sub(r"\1\2'", value) if isinstance(value, str) else repr(value)


def _parquet(fields: Sequence[Field], rows: Sequence[Sequence[Value]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"text": pa.string(), "number": pa.float64(), "count": pa.int64(), "flag": pa.bool_()}
    columns: list[pa.Array] = [
        pa.array([_typed(row[place], one.kind) for row in rows], type=kinds[one.kind])
        for place, one in enumerate(fields)
    ]
    schema = pa.schema(
        [pa.field(one.key, kinds[one.kind], metadata={"unit": one.unit, "meaning": one.meaning}) for one in fields]
    )
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_arrays(columns, schema=schema), sink)
    return bytes(sink.getvalue().to_pybytes())


def _typed(value: Value, kind: Kind) -> Value:
    return float(value) if kind == "number" and isinstance(value, int | float) else value


def _json(table: Table, rows: Sequence[Sequence[Value]]) -> bytes:
    keys = [one.key for one in table.fields]
    whole = {
        "table": table.name,
        "title": table.title,
        "columns": [_field(one) for one in table.fields],
        "rows": [dict(zip(keys, row, strict=True)) for row in rows],
    }
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2) + b"\n"


def _field(one: Field) -> dict[str, str]:
    return {"key": one.key, "kind": one.kind, "unit": one.unit, "meaning": one.meaning}


def _dictionary(tables: Sequence[Table]) -> bytes:
    whole: Mapping[str, object] = {
        one.name: {"title": one.title, "columns": {field.key: _field(field) for field in one.fields}} for one in tables
    }
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2) + b"\n"


def markdown_cell(text: str) -> str:
    r"""Text on one line of a Markdown table, where nothing in it is markup.

    >>> print(markdown_cell("a|b\n<img> `x`"))
    a\|b &lt;img&gt; \`x\`
    """
    line = " ".join(visible(text).split())
    safe = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|#!~])", r"\\\1", safe)


def markdown_table(table: Table, most: int = _MARKDOWN_ROWS) -> str:
    """The table alone, its first rows where it is long."""
    heads = [f"{one.key} ({one.unit})" if one.unit else one.key for one in table.fields]
    marks = ["---" if one.kind in {"text", "flag"} else "---:" for one in table.fields]
    lines = [f"| {' | '.join(markdown_cell(head) for head in heads)} |", f"| {' | '.join(marks)} |"]
    lines += [f"| {' | '.join(_markdown_value(value) for value in row)} |" for row in table.plain()[:most]]
    if len(table.rows) > most:
        lines += ["", f"The first {most:,} of {len(table.rows):,} rows; all are in the CSV file."]
    return "\n".join(lines) + "\n"


def _markdown_value(value: Value) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value:,}" if isinstance(value, int) else markdown_cell(value)


def _markdown(table: Table, rows: Sequence[Sequence[Value]]) -> str:
    shown = Table(table.name, table.title, table.fields, tuple(tuple(row) for row in rows))
    said = [f"- `{one.key}`{f' ({one.unit})' if one.unit else ''}: {one.meaning}" for one in table.fields]
    return f"# {markdown_cell(table.title)}\n\n{markdown_table(shown)}\n" + "\n".join(said) + "\n"


_WRITERS: Final[Mapping[str, Callable[[Table, Sequence[Sequence[Value]]], bytes]]] = {
    "csv": lambda table, rows: csv_text(table.fields, rows).encode(),
    "parquet": lambda table, rows: _parquet(table.fields, rows),
    "json": _json,
    "md": lambda table, rows: _markdown(table, rows).encode(),
}
