"""The Parquet files of a store: their columns, and how they are written and read, encrypted or in the clear.

Encryption is Parquet's own (Modular Encryption, AES_GCM_V1) as Arrow implements it, with the store's key for the footer
and all columns. DuckDB reads such files as long as no column is nested and a column chunk is one data page (seen in
DuckDB 2.0.0: "Computed AES tag differs" otherwise), so lists are texts with blanks here and row groups are small.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

from harness.errors import DataError
from harness.logs.store.key import StoreKey

__all__ = ["CALLS", "CONTENTS", "QUARANTINE", "open_parquet", "row_groups", "table_of", "write_parquet"]

_TEXT: Final = pa.string()
CALLS: Final = pa.schema(
    [
        pa.field("id", _TEXT, nullable=False),
        ("source", _TEXT),
        ("messages", _TEXT),
        ("tools", _TEXT),
        ("reply", _TEXT),
        ("finish_reason", _TEXT),
        ("more_replies", _TEXT),
        ("params", _TEXT),
        ("failure", _TEXT),
        ("failure_message", _TEXT),
        ("failure_status", pa.int64()),
        ("sent_at", pa.float64()),
        ("session", _TEXT),
        ("step", pa.int64()),
        ("span", _TEXT),
        ("parent", _TEXT),
        ("agent", _TEXT),
        ("end_user", _TEXT),
        ("model", _TEXT),
        ("answered_by", _TEXT),
        ("provider", _TEXT),
        ("prompt_tokens", pa.int64()),
        ("cached_tokens", pa.int64()),
        ("cache_write_tokens", pa.int64()),
        ("output_tokens", pa.int64()),
        ("reasoning_tokens", pa.int64()),
        ("tokens_counted_by", _TEXT),
        ("latency_s", pa.float64()),
        ("latency_kind", _TEXT),
        ("ttft_s", pa.float64()),
        ("cost_usd", pa.float64()),
        ("cached", pa.bool_()),
        ("streamed", pa.bool_()),
        ("outcome", pa.float64()),
        ("outcome_by", _TEXT),
        ("human_chat", pa.bool_()),
        ("extra", _TEXT),
        pa.field("collected", pa.float64(), nullable=False),
    ]
)
"""A row a call. `messages`: hashes with blanks between; `tools`, `reply`: a hash each; `more_replies`, `params`,
`extra`: JSON, null where empty; `collected`: when it came into the store, seconds since the epoch."""

CONTENTS: Final = pa.schema(
    [pa.field("hash", _TEXT, nullable=False), ("kind", _TEXT), ("role", _TEXT), pa.field("json", _TEXT, nullable=False)]
)
"""A row for each distinct message and tool list. `hash`: BLAKE2b-128 of `json`, in hex; `kind`: message or tools."""

QUARANTINE: Final = pa.schema(
    [
        pa.field("file", _TEXT, nullable=False),
        ("number", pa.int64()),
        ("first_byte", pa.int64()),
        ("end_byte", pa.int64()),
        ("reason", _TEXT),
        ("bytes", pa.binary()),
        pa.field("collected", pa.float64(), nullable=False),
    ]
)
"""A row for each entry that could not be read, with its bytes as they are."""

_WIDE: Final = frozenset({"json", "bytes"})
_UNSORTED: Final = ["json", "bytes", "messages", "params", "extra", "more_replies"]
_ONE_PAGE: Final = 1 << 30
_MOST_ROWS: Final = 1 << 14
_MOST_BYTES: Final = 16 << 20


def table_of(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    """Rows as a table."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    arrays = [pa.array(column, kind.type) for column, kind in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def write_parquet(file: BinaryIO, tables: Iterable[pa.Table], schema: pa.Schema, key: StoreKey | None) -> int:
    """Writes tables into a file, one data page a column chunk; returns the rows."""
    names = [name for name in schema.names if name not in _WIDE]
    writer = pq.ParquetWriter(
        file,
        schema,
        compression="zstd",
        compression_level=3,
        use_dictionary=[name for name in names if name not in ("id", "hash", "messages")],
        write_statistics=[name for name in schema.names if name not in _UNSORTED],
        data_page_size=_ONE_PAGE,
        dictionary_pagesize_limit=_ONE_PAGE,
        max_rows_per_page=_ONE_PAGE,
        encryption_properties=None if key is None else pe.create_encryption_properties(key.secret),
    )
    rows = 0
    with writer:
        for table in tables:
            for part in _parts(table):
                writer.write_table(part, row_group_size=_MOST_ROWS)
                rows += part.num_rows
    return rows


def _parts(table: pa.Table) -> Iterator[pa.Table]:
    """A table in pieces that make row groups of at most 16,384 rows and, but for a longer row, about 16 MB."""
    start = 0
    while start < table.num_rows:
        size = min(_MOST_ROWS, table.num_rows - start)
        while size > 1 and table.slice(start, size).nbytes > _MOST_BYTES:
            size //= 2
        yield table.slice(start, size)
        start += size


@contextmanager
def open_parquet(path: Path, key: StoreKey | None) -> Iterator[pq.ParquetFile]:
    """A file of the store, open for reading. Raises DataError where it is gone, damaged, or of another key."""
    decryption = None if key is None else pe.create_decryption_properties(key.secret)
    try:
        with pq.ParquetFile(path, decryption_properties=decryption) as file:
            yield file
    except FileNotFoundError:
        raise DataError(
            f"{path.name} is gone: the store was rewritten meanwhile; type the same command again"
        ) from None
    except (pa.ArrowException, OSError) as error:
        said = str(error).splitlines()[0][:160]
        raise DataError(f"{path} cannot be read ({said}); the file is damaged, or not of this store's key") from None


def row_groups(path: Path, key: StoreKey | None, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The row groups of a file one after the other, with these columns or all."""
    with open_parquet(path, key) as file:
        for place in range(file.num_row_groups):
            yield file.read_row_group(place, columns=None if columns is None else list(columns))


def as_rows(table: pa.Table) -> Iterator[Mapping[str, Any]]:
    """The rows of a table as plain values, by column name."""
    for batch in table.to_batches(max_chunksize=256):
        yield from batch.to_pylist()
