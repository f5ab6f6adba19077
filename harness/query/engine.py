"""SQL over the views, in a DuckDB that sees nothing else: no other file, no network, no change.

The views that a statement names are made first; then access to anything outside of them is shut and cannot be opened
again. Memory is bounded: what does not fit goes to a scratch folder, which ends with the connection.
"""

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from harness.errors import DataError
from harness.query.making import Maker, columns_of
from harness.query.source import Source
from harness.query.views import VIEWS

if TYPE_CHECKING:
    import duckdb
    import pandas

__all__ = ["Answer", "asked"]

_NO_TABLE: Final = re.compile(r"Table with name (.+?) does not exist")
_NO_COLUMN: Final = re.compile(r'column "([^"]+)" not found|does not have a column named "([^"]+)"', re.IGNORECASE)
_SHUT: Final = (
    "file system operations are disabled",
    "external extensions is disabled",
    "configuration has been locked",
)
_BY_TEXT: Final = frozenset({"query", "query_table"})
"""Functions that name their tables in a text."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a statement gives, computed when it is fetched."""

    sql: str
    connection: "duckdb.DuckDBPyConnection"
    columns: tuple[str, ...]
    """Names in order."""

    def rows(self, batch: int = 1000) -> Iterator[tuple[Any, ...]]:
        """The rows, one by one."""
        found = self.connection.execute(self.sql)
        while rows := found.fetchmany(batch):
            yield from rows

    def frame(self) -> "pandas.DataFrame":
        """The rows as a frame of pandas."""
        found: pandas.DataFrame = self.connection.sql(self.sql).df()
        return found

    def batches(self, size: int = 8192) -> Any:
        """The rows as a reader of Arrow's record batches."""
        return self.connection.sql(self.sql).to_arrow_reader(size)


@contextmanager
def asked(sql: str, source: Source, *, memory_mb: int = 512) -> Iterator[Answer]:
    """The answer to one SELECT, to be fetched within the context.

    Raises DataError, in a line, for SQL that is wrong, that names no view, or that reaches for anything else.
    """
    import duckdb

    names: list[str] = []
    with tempfile.TemporaryDirectory(prefix="harness-query-") as scratch:
        try:
            with duckdb.connect(config=_settings(Path(scratch), memory_mb)) as connection:
                names = _named(sql, connection)
                maker = Maker(source, Path(scratch), connection)
                for name in names:
                    maker.make(VIEWS[name])
                _shut(connection, maker.files)
                yield Answer(sql, connection, tuple(connection.sql(sql).columns))
        except duckdb.OutOfMemoryException:
            raise DataError(f"the query takes more than query.memory_mb={memory_mb}; allow more, or ask less") from None
        except duckdb.Error as error:
            raise _explained(error, names, source) from None


def _settings(scratch: Path, memory_mb: int) -> dict[str, str | bool | int | float | list[str]]:
    return {
        "memory_limit": f"{memory_mb}MB",
        "temp_directory": str(scratch / "spilled"),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "python_enable_replacements": False,
    }


def _shut(connection: "duckdb.DuckDBPyConnection", files: Sequence[Path]) -> None:
    """Leaves nothing but these files to be read, for good."""
    connection.execute("SET allowed_paths = ?", [[str(one) for one in files]])
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _named(sql: str, connection: "duckdb.DuckDBPyConnection") -> list[str]:
    """The views that a statement names; all where that cannot be told. Raises DataError for anything but one SELECT."""
    import duckdb

    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise DataError(f"sql holds {len(statements)} statements; one is asked at a time: sql='SELECT … FROM runs'")
    (one,) = statements
    if one.type != duckdb.StatementType.SELECT:
        raise DataError(
            f"sql is a statement of type {one.type.name}, and results are only read; begin with SELECT, WITH, FROM, "
            "DESCRIBE or SUMMARIZE"
        )
    row = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
    tree = orjson.loads(row[0]) if row else {"error": True}
    found = set(_walk(tree))
    if tree.get("error") or found & _BY_TEXT:
        return list(VIEWS)
    return [name for name in VIEWS if name in found]


def _walk(node: object) -> Iterator[str]:
    """Names of tables, and of functions that stand for some, within a parsed statement."""
    if isinstance(node, dict):
        if node.get("type") == "BASE_TABLE":
            yield str(node.get("table_name", "")).lower()
        if node.get("type") == "SHOW_REF" and "tables" in str(node.get("table_name")):
            yield "query_table"
        if node.get("function_name") in _BY_TEXT:
            yield str(node["function_name"])
        for value in node.values():
            yield from _walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from _walk(value)


def _explained(error: "duckdb.Error", names: Sequence[str], source: Source) -> DataError:
    """DuckDB's complaint in one line, with what is nearest to what was typed."""
    said = str(error)
    if any(one in said for one in _SHUT):
        return DataError("sql can read the views alone, no file, address, setting or extension; do=query lists them")
    if table := _NO_TABLE.search(said):
        return DataError(_no_view(table[1].strip('"'), source))
    if column := _NO_COLUMN.search(said):
        name = column[1] or column[2]
        known = {one.key: view for view in names for one in columns_of(view, source)}
        near = get_close_matches(name, known, n=1, cutoff=0.5)
        hint = (
            f"did you mean {near[0]} of {known[near[0]]}?"
            if near
            else f"do=query sql='DESCRIBE {names[0]}'"
            if names
            else ""
        )
        hidden = "; texts are left out (report.samples=false)" if not source.texts else ""
        return DataError(f"sql: no column {name} in {', '.join(names) or 'what is asked'}{hidden}; {hint}")
    first, *rest = [line.strip() for line in said.splitlines() if line.strip()]
    hint = next((line for line in rest if line.startswith("Candidate")), "")
    return DataError(f"sql: {first}{f' ({hint})' if hint else ''}")


def _no_view(name: str, source: Source) -> str:
    if name.lower() in VIEWS:
        view = VIEWS[name.lower()]
        return f"view {view.name} is empty: {source.results} has nothing for it; make some: {view.make}"
    near = get_close_matches(name.lower(), VIEWS, n=1, cutoff=0.5)
    guess = f"; did you mean {near[0]}?" if near else ""
    return f"sql: no view {name}{guess}; there are: {', '.join(VIEWS)}"
