"""Rows of a data file, whichever of the usual forms it has."""

import gzip
from pathlib import Path

import orjson
from pydantic import JsonValue

from harness.errors import DataError

__all__ = ["Row", "read_rows"]

Row = dict[str, JsonValue]


def read_rows(path: Path) -> list[Row]:
    """The rows of a file: Parquet, a JSON list, or JSON lines, these two also gzipped. Raises DataError otherwise."""
    try:
        with path.open("rb") as file:
            head = file.read(4)
        if head == b"PAR1":
            return _parquet(path)
        raw = gzip.decompress(path.read_bytes()) if head[:2] == b"\x1f\x8b" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise DataError(f"{path.name} cannot be read: {error}") from error
    try:
        whole = raw.lstrip().startswith(b"[")
        rows = orjson.loads(raw) if whole else [orjson.loads(line) for line in raw.splitlines() if line.strip()]
    except orjson.JSONDecodeError as error:
        raise DataError(f"{path.name} is neither Parquet nor JSON nor JSON lines: {error}") from error
    if not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{path.name} holds a row that is no JSON object")
    return rows


def _parquet(path: Path) -> list[Row]:
    import duckdb  # 0.1 s, and wanted for this form alone

    try:
        with duckdb.connect() as connection:
            found = connection.read_parquet(str(path))
            return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]
    except duckdb.Error as error:
        raise DataError(f"{path.name} is no Parquet file that can be read: {str(error).splitlines()[0]}") from error
