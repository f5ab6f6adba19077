"""Views made in a DuckDB connection: small tables in memory, journals as Parquet files that are read in place."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from harness.errors import DataError
from harness.query.journals import attempt_files, fields_of, sample_rows
from harness.query.records import TEXTS
from harness.query.source import Source
from harness.query.views import VIEWS, View
from harness.report.export import Field, Table

if TYPE_CHECKING:
    import duckdb

__all__ = ["Maker", "columns_of", "quoted"]

_TYPES: Final = {"text": "VARCHAR", "number": "DOUBLE", "count": "BIGINT", "flag": "BOOLEAN"}
_MIB: Final = 1 << 20
_ROWS: Final = 8192


def columns_of(name: str, source: Source) -> tuple[Field, ...]:
    """The columns of a view; empty where it has no results yet."""
    made = VIEWS[name].table
    if made is None:
        return tuple(one for one, _ in fields_of(name, texts=source.texts))
    return _told(made(source), texts=source.texts)


def _told(table: Table, *, texts: bool) -> tuple[Field, ...]:
    return tuple(one for one in table.fields if texts or one.key not in TEXTS) if table.rows else ()


def quoted(path: Path) -> str:
    """A path as SQL has it."""
    return "'" + str(path).replace("'", "''") + "'"


@dataclass(slots=True)
class Maker:
    """Makes views, and keeps which files they read."""

    source: Source
    scratch: Path
    connection: "duckdb.DuckDBPyConnection"
    files: list[Path] = field(default_factory=list)

    def make(self, view: View) -> None:
        """Makes a view; none where it would have neither rows nor known columns."""
        if view.table is not None:
            self._small(view.name, view.table(self.source))
        elif view.name == "samples":
            columns = {one.key: kind for one, kind in fields_of("samples", texts=self.source.texts)}
            file = self._parquet(self.scratch / "samples", sample_rows(self.source), columns)
            self._view("samples", "*", [file])
        else:
            self._attempts(view.name)

    def _small(self, name: str, table: Table) -> None:
        fields = _told(table, texts=self.source.texts)
        if fields:
            keys = [one.key for one in table.fields]
            lines = _lines(self.scratch / name, (dict(zip(keys, row, strict=True)) for row in table.plain()))
            columns = {one.key: _TYPES[one.kind] for one in fields}
            self.connection.execute(f"CREATE TABLE {name} AS {_reading(*lines, columns)}")
            lines[0].unlink()

    def _parquet(self, path: Path, rows: Iterable[dict[str, object]], columns: dict[str, str]) -> Path:
        lines, target = _lines(path, rows), path.with_name(f"{path.name}.parquet")
        self.connection.execute(
            f"COPY ({_reading(*lines, columns)}) TO {quoted(target)} (FORMAT parquet, ROW_GROUP_SIZE {_ROWS})"
        )
        lines[0].unlink()
        return target

    def _view(self, name: str, columns: str, files: list[Path]) -> None:
        self.files += files
        read = f"read_parquet([{', '.join(map(quoted, files))}], union_by_name=true)"
        self.connection.execute(f"CREATE VIEW {name} AS SELECT {columns} FROM {read}")

    def _attempts(self, name: str) -> None:
        """A view over the tables of all runs. Where words are to stay out of it, over a copy without them."""
        wanted = {one.key: kind for one, kind in fields_of(name, texts=self.source.texts)}
        files = self._tables()
        if not files:
            typed = ", ".join(f'"{key}" {kind}' for key, kind in wanted.items())
            self.connection.execute(f"CREATE TABLE {name} ({typed})")
            return
        read = f"read_parquet([{', '.join(map(quoted, files))}], union_by_name=true)"
        there = {row[0] for row in self.connection.execute(f"DESCRIBE SELECT * FROM {read}").fetchall()}
        columns = ", ".join(
            f'"{key}"' if key in there else f'CAST(NULL AS {kind}) AS "{key}"' for key, kind in wanted.items()
        )
        if self.source.texts:
            self._view(name, columns, files)
            return
        bare = self.scratch / f"{name}.bare.parquet"
        self.connection.execute(f"COPY (SELECT {columns} FROM {read}) TO {quoted(bare)} (FORMAT parquet)")
        self._view(name, "*", [bare])

    def _tables(self) -> list[Path]:
        """The tables of the runs' attempts, made where a run has none; of a damaged run none, and it is named."""
        columns = {one.key: kind for one, kind in fields_of("attempts", texts=True)}
        files = []
        for found in attempt_files(self.source, self.scratch):
            if isinstance(found, Path):
                files.append(found.resolve())
                continue
            target, rows = found
            made = target.with_name(f"{target.name}.parquet")
            try:
                files.append(made if made.is_file() else self._parquet(target, rows, columns))
            except DataError as error:
                self.source.left_out.append(f"run {target.stem}: {error}")
        return files


def _lines(path: Path, rows: Iterable[dict[str, object]]) -> tuple[Path, int]:
    """A file of JSON lines, and the bytes of its longest."""
    longest, file = 0, path.with_name(f"{path.name}.jsonl")
    with file.open("wb") as out:
        for row in rows:
            longest = max(longest, out.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)))
    return file, longest


def _reading(file: Path, longest: int, columns: dict[str, str]) -> str:
    typed = ", ".join(f"\"{name}\": '{kind}'" for name, kind in columns.items())
    return (
        f"SELECT * FROM read_json({quoted(file)}, format='newline_delimited', columns={{{typed}}}, "
        f"maximum_object_size={max(_MIB, 2 * longest)})"
    )
