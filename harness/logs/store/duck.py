"""DuckDB over a store: views that put the messages back."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from harness.errors import DataError
from harness.logs.store.audit import Audit
from harness.logs.store.folder import check_key, list_files, read_about
from harness.logs.store.key import StoreKey
from harness.logs.store.parquet import CALLS, CONTENTS, row_groups

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["SETTINGS", "VIEWS", "duckdb_views", "load"]

_CALLS: Final = "SELECT * FROM read_parquet('{folder}/calls/*/*.parquet', hive_partitioning = true)"
_CONTENTS: Final = "SELECT * FROM read_parquet('{folder}/contents/*.parquet')"
_MESSAGES: Final = """
SELECT c.id, c.session, c.step, c.agent, c.place, k.role, k.json
FROM (SELECT *, unnest(string_split(messages, ' ')) AS hash,
             generate_subscripts(string_split(messages, ' '), 1) - 1 AS place FROM calls) c
JOIN contents k ON k.hash = c.hash"""
_CHATS: Final = """
SELECT c.* REPLACE (coalesce(m.json, '[]') AS messages, t.json AS tools, r.json AS reply)
FROM calls c
LEFT JOIN (SELECT id, '[' || string_agg(json, ',' ORDER BY place) || ']' AS json FROM messages GROUP BY id) m
     ON m.id = c.id
LEFT JOIN contents t ON t.hash = c.tools
LEFT JOIN contents r ON r.hash = c.reply"""
SETTINGS: Final[dict[str, str | bool | int | float | list[str]]] = {
    "temp_directory": "",
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
VIEWS: Final = {"calls": _CALLS, "contents": _CONTENTS, "messages": _MESSAGES, "chats": _CHATS}
"""`calls`: a row a call, with hashes. `contents`: each message and tool list once. `messages`: a row for each message
of each call, `place` from 0. `chats`: calls with messages, tools and reply as JSON."""


@contextmanager
def duckdb_views(folder: Path, key: StoreKey | None, *, reader: str = "duckdb") -> Iterator["DuckDBPyConnection"]:
    """A DuckDB connection, in memory, with the views of `VIEWS` over a store that holds calls.

    Of an encrypted store `calls` and `contents` are tables in memory, which take about what the files do unpacked:
    DuckDB 2.0.0 reads files that Arrow encrypted only as long as it pushes no filter into them. Nothing is spilled to
    disk, so what is encrypted stays so. Raises DataError for a wrong key, an empty store, or a query that fails.
    """
    import duckdb  # 30 ms to load

    check_key(folder, read_about(folder), key)
    files = list_files(folder)
    if not files.calls:
        raise DataError(f"{folder} holds no calls; fill it with do=collect logs.path=…")
    Audit(folder, reader, key).note("query")
    try:
        with duckdb.connect(config=SETTINGS) as connection:
            if key is not None:
                load(connection, "calls", [folder / name for name in files.calls], key, CALLS)
                load(connection, "contents", [folder / name for name in files.contents], key, CONTENTS)
            quoted = str(folder).replace("'", "''")
            for name, query in VIEWS.items():
                if key is None or name not in ("calls", "contents"):
                    connection.execute(f"CREATE VIEW {name} AS {query.replace('{folder}', quoted)}")
            yield connection
    except duckdb.Error as error:
        raise DataError(f"DuckDB cannot read {folder}: {str(error).splitlines()[0][:200]}") from None


def load(
    connection: "DuckDBPyConnection", name: str, files: Sequence[Path], key: StoreKey | None, schema: pa.Schema
) -> None:
    """Makes a table in DuckDB's memory of some columns of files, read by Arrow."""
    empty = schema.empty_table()
    connection.register("rows", empty)
    connection.execute(f"CREATE TABLE {name} AS SELECT * FROM rows")
    for file in files:
        for table in row_groups(file, key, schema.names):
            connection.register("rows", table)
            connection.execute(f"INSERT INTO {name} SELECT * FROM rows")
    connection.unregister("rows")
