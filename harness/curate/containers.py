"""What lies within files: unpacked archives and streams, tables, databases, and what is packed within a text."""

import base64
import bz2
import gzip
import io
import json
import lzma
import re
import shutil
import sqlite3
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

try:
    import zstandard
except ImportError:
    zstandard = None  # type: ignore[assignment]
try:
    import pyarrow.parquet as pq
    import pyarrow.parquet.encryption as pe
except ImportError:
    pq = None
    pe = None

__all__ = ["BROKEN", "Unopened", "embedded", "is_encrypted", "members", "packed", "seekable", "sniff", "why"]

_ZSTD = b"\x28\xb5\x2f\xfd"
_METHOD_ZSTD = 93
_STARTS = {
    b"\x1f\x8b\x08": "gzip",
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bzip2",
    _ZSTD: "zstd",
    b"PK\x03\x04": "zip",
    b"PAR1": "parquet",
    b"PARE": "parquet",
    b"SQLite format 3\x00": "sqlite",
}
_STREAMS = frozenset({"gzip", "xz", "bzip2", "zstd"})
BROKEN: tuple[type[Exception], ...] = (
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
    sqlite3.Error,
    RuntimeError,
    ValueError,
    KeyError,
)
"""What damaged containers raise; a zip with a password raises RuntimeError, Arrow ValueError and OSError."""
if zstandard is not None:
    BROKEN += (zstandard.ZstdError,)
_LARGE = 64 << 20
_ROWS = 1000


class Unopened(Exception):
    """A container that could not be looked into; the message says why, and holds nothing of what is in it."""


def sniff(head: bytes) -> str | None:
    """What a file is packed as, by its first bytes (512); None: nothing that can be unpacked."""
    for start, name in _STARTS.items():
        if head.startswith(start):
            return name
    if head[8:12] == b"DUCK":
        return "duckdb"
    return "tar" if head[257:262] == b"ustar" else None


def packed(kind: str) -> bool:
    """Whether a kind is one stream, and not several members."""
    return kind in _STREAMS


def members(file: BinaryIO, kind: str, key: bytes | None) -> Iterator[tuple[str, BinaryIO]]:
    """What a container holds: names and streams, each to be read before the next. Raises Unopened.

    key: of encrypted Parquet files.
    """
    try:
        yield from _OPENERS[kind](file, key)
    except BROKEN as error:
        raise Unopened(f"{kind}: {why(error)}") from None


def why(error: Exception) -> str:
    """An error of a reader in one line."""
    return f"{type(error).__name__}: {str(error).splitlines()[0][:100] if str(error) else 'damaged'}"


def _stream(kind: str) -> Callable[[BinaryIO, bytes | None], Iterator[tuple[str, BinaryIO]]]:
    def opened(file: BinaryIO, _: bytes | None) -> Iterator[tuple[str, BinaryIO]]:
        if kind == "zstd":
            yield kind, _zstd(file)
            return
        opener: Any = {"gzip": gzip.open, "xz": lzma.open, "bzip2": bz2.open}[kind]
        with opener(file, "rb") as stream:
            yield kind, stream

    return opened


def _zstd(file: BinaryIO) -> BinaryIO:
    if zstandard is None:
        raise Unopened("zstd, which this Python cannot read: pip install zstandard")
    return cast(BinaryIO, io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)))


def _zip(file: BinaryIO, _: bytes | None) -> Iterator[tuple[str, BinaryIO]]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            yield f"{info.filename}:name", io.BytesIO(info.filename.encode("utf-8", "surrogatepass") + info.comment)
            if info.compress_type == _METHOD_ZSTD:
                yield info.filename, _zstd(io.BytesIO(_raw_member(file, info)))
                continue
            try:
                with archive.open(info) as stream:
                    yield info.filename, cast(BinaryIO, stream)
            except NotImplementedError as error:
                raise Unopened(f"zip: {info.filename}: {error}") from None


def _raw_member(file: BinaryIO, info: zipfile.ZipInfo) -> bytes:
    """The packed bytes of a member: behind its local header of 30 bytes, its name and its extra field."""
    file.seek(info.header_offset)
    header = file.read(30)
    file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), io.SEEK_CUR)
    return file.read(info.compress_size)


def _tar(file: BinaryIO, _: bytes | None) -> Iterator[tuple[str, BinaryIO]]:
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for info in archive:
            stream = archive.extractfile(info) if info.isfile() else None
            if stream is not None:
                yield info.name, cast(BinaryIO, stream)


def _parquet(file: BinaryIO, key: bytes | None) -> Iterator[tuple[str, BinaryIO]]:
    if pq is None:
        raise Unopened("parquet, which this Python cannot read: pip install pyarrow")
    decryption = None if key is None or not is_encrypted(file) else pe.create_decryption_properties(key)
    with pq.ParquetFile(file, decryption_properties=decryption) as table:
        for batch in table.iter_batches(batch_size=_ROWS):
            for name in batch.schema.names:
                yield name, _cells(batch.column(name).to_pylist())


def is_encrypted(file: BinaryIO) -> bool:
    """Whether a Parquet file is encrypted, footer and all."""
    file.seek(0)
    start = file.read(4)
    file.seek(0)
    return start == b"PARE"


def _cells(values: list[Any]) -> BinaryIO:
    """Cells as bytes, one a line; bytes as they are, nested ones as JSON."""
    parts = [
        value
        if isinstance(value, bytes)
        else value.encode("utf-8", "surrogatepass")
        if isinstance(value, str)
        else _json(value)
        for value in values
        if value is not None
    ]
    return io.BytesIO(b"\n".join(parts))


def _json(value: Any) -> bytes:
    return json.dumps(
        value,
        default=lambda one: one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one),
        ensure_ascii=False,
    ).encode("utf-8", "surrogatepass")


def _sqlite(file: BinaryIO, _: bytes | None) -> Iterator[tuple[str, BinaryIO]]:
    with _on_disk(file) as path:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            connection.text_factory = bytes
            names = [
                row[0].decode("utf-8", "replace")
                for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            ]
            for name in names:
                rows = connection.execute('SELECT * FROM "{}"'.format(name.replace('"', '""')))
                while some := rows.fetchmany(_ROWS):
                    for column in zip(*some, strict=True):
                        yield name, _cells(list(column))
                    blobs = [
                        cell
                        for row in some
                        for cell in row
                        if isinstance(cell, bytes) and sniff(cell[:512]) is not None
                    ]
                    yield from ((name, io.BytesIO(blob)) for blob in blobs)
        finally:
            connection.close()


def _duckdb(file: BinaryIO, _: bytes | None) -> Iterator[tuple[str, BinaryIO]]:
    import duckdb  # 0.1 s, and databases of it are rare

    with _on_disk(file) as path:
        try:
            connection = duckdb.connect(str(path), read_only=True)
            for schema, name in connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall():
                rows = connection.cursor().execute(f'SELECT * FROM "{schema}"."{name}"')
                while some := rows.fetchmany(_ROWS):
                    for column in zip(*some, strict=True):
                        yield name, _cells(list(column))
            connection.close()
        except duckdb.Error as error:
            raise Unopened(f"duckdb: {why(error)}") from None


@contextmanager
def _on_disk(file: BinaryIO) -> Iterator[Path]:
    """A path of a file: its own, or that of a copy which is removed."""
    name = getattr(file, "name", None)
    if isinstance(name, str) and Path(name).is_file():
        yield Path(name)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "member"
        file.seek(0)
        with path.open("wb") as copy:
            shutil.copyfileobj(file, copy)
        yield path


_OPENERS: dict[str, Callable[[BinaryIO, bytes | None], Iterator[tuple[str, BinaryIO]]]] = {
    **{kind: _stream(kind) for kind in _STREAMS},
    "zip": _zip,
    "tar": _tar,
    "parquet": _parquet,
    "sqlite": _sqlite,
    "duckdb": _duckdb,
}


def seekable(stream: BinaryIO) -> BinaryIO:
    """A stream's bytes where they can be read from any place: in memory, or in a file that is gone when closed."""
    spooled = tempfile.SpooledTemporaryFile(max_size=_LARGE)  # noqa: SIM115 - the caller closes it
    shutil.copyfileobj(stream, spooled)
    spooled.seek(0)
    return cast(BinaryIO, spooled)


_STARTS_IN_TEXT = re.compile(rb"H4sI|UEsDB|KLUv/|/Td6WFoA|(?<=[\"',])eJ[wyxzNjrqWV]|UEFSM")
"""How base64 of packed data begins: gzip, zip, zstd, xz, zlib, Parquet."""
_RUN = re.compile(rb"[A-Za-z0-9+/\\n]{32,}={0,2}")


def embedded(data: bytes) -> Iterator[bytes]:
    """What is packed and in base64 within a text, as reports and data URIs have it, decoded; zlib unpacked too."""
    for start in _STARTS_IN_TEXT.finditer(data):
        run = _RUN.match(data, start.start())
        if run is None:
            continue
        text = run[0].replace(b"\\n", b"").rstrip(b"=")
        decoded = base64.b64decode(text[: len(text) // 4 * 4 + (len(text) % 4 if len(text) % 4 != 1 else 0)] + b"==")
        if start[0].startswith(b"eJ"):
            try:
                decoded = zlib.decompressobj().decompress(decoded)
            except zlib.error:
                continue
            yield decoded
        elif sniff(decoded[:512]) is not None:
            yield decoded
