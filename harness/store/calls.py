"""Curated folders: calls as Parquet, each message and tool list once, written in one go and read back one by one."""

import hashlib
import os
import sys
from collections import OrderedDict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from harness.errors import DataError
from harness.records import Usage
from harness.records.call import Call, Reference, Split
from harness.records.curated import CuratedManifest
from harness.records.logs import Payload, canonical

__all__ = [
    "CALLS",
    "CONTENTS",
    "CURATED_MANIFEST",
    "CallRange",
    "CallWriter",
    "call_ranges",
    "picked",
    "read_calls",
    "read_curated",
    "read_range",
    "read_splits",
    "sha256_of",
]

CALLS: Final = "calls.parquet"
CONTENTS: Final = "contents.parquet"
CURATED_MANIFEST: Final = "manifest.json"
_GROUP: Final = 4096
"""Rows of a row group; of contents exactly, so that a place tells its group."""
_MOST_GROUPS: Final = 16
_BATCH: Final = 256
_TEXT: Final = pa.string()
_CALL_SCHEMA: Final = pa.schema(
    [
        pa.field("id", _TEXT, nullable=False),
        pa.field("record", _TEXT, nullable=False),
        ("messages", pa.list_(pa.int32())),
        ("tools", pa.int32()),
        ("params", _TEXT),
        ("reply", pa.int32()),
        ("finish_reason", _TEXT),
        ("label", _TEXT),
        ("count", pa.int64()),
        ("also", _TEXT),
        ("split", _TEXT),
        ("duplicate_group", _TEXT),
        ("family", _TEXT),
        ("weight", pa.int64()),
        ("session", _TEXT),
        ("step", pa.int64()),
        ("agent", _TEXT),
        ("user_group", _TEXT),
        ("sent_at", pa.float64()),
        ("model", _TEXT),
        ("usage", _TEXT),
        ("latency_s", pa.float64()),
        ("latency_kind", _TEXT),
        ("ttft_s", pa.float64()),
        ("cost_usd", pa.float64()),
        ("outcome", pa.float64()),
        ("outcome_by", _TEXT),
        ("notes", _TEXT),
    ]
)
"""A row a call. `messages`, `tools`, `reply`: places in contents; `params`, `also`, `usage`, `notes`: JSON."""
_CONTENT_SCHEMA: Final = pa.schema([("place", pa.int32()), ("kind", _TEXT), ("json", _TEXT)])
_SAME: Final = (
    "id", "record", "split", "duplicate_group", "family", "weight", "session", "step", "agent", "user_group",
    "model", "latency_s", "latency_kind", "ttft_s", "cost_usd", "outcome", "outcome_by",
)  # fmt: skip


class CallWriter:
    """Writes the two Parquet files of a curated folder. Same calls in the same order: same bytes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: list[BinaryIO] = []
        self._calls = self._open(CALLS, _CALL_SCHEMA)
        self._contents = self._open(CONTENTS, _CONTENT_SCHEMA)
        self._places: dict[bytes, int] = {}
        self._content_rows: list[tuple[int, str, str]] = []
        self._call_rows: list[dict[str, Any]] = []

    def _open(self, name: str, schema: pa.Schema) -> pq.ParquetWriter:
        file = os.fdopen(os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        self._files.append(file)
        return pq.ParquetWriter(file, schema, compression="zstd", compression_level=3)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._flush_contents()
                self._flush_calls()
            self._calls.close()
            self._contents.close()
        finally:
            for file in self._files:
                file.close()

    def add(self, call: Call) -> None:
        """Writes a call behind the others."""
        reply, finish = self._reply(call.reference.reply)
        also = []
        for one in call.also:
            place, why = self._reply(one.reply)
            also.append({"reply": place, "finish_reason": why, "label": one.label, "count": one.count})
        usage = call.usage.model_dump(exclude_none=True)
        self._call_rows.append(
            {
                **{name: getattr(call, name) for name in _SAME},
                "sent_at": call.at,
                "messages": [self._place("message", message) for message in call.messages],
                "tools": self._place("tools", call.tools) if call.tools else None,
                "params": _json(call.params),
                "reply": reply,
                "finish_reason": finish,
                "label": call.reference.label,
                "count": call.reference.count,
                "also": _json(also),
                "usage": _json(usage),
                "notes": _json(call.notes),
            }
        )
        if len(self._call_rows) >= _GROUP:
            self._flush_calls()

    def _reply(self, reply: Payload) -> tuple[int, str | None]:
        said = {name: value for name, value in reply.items() if name != "finish_reason"}
        return self._place("message", said), reply.get("finish_reason")

    def _place(self, kind: str, value: object) -> int:
        data = canonical(value)
        hashed = hashlib.blake2b(data, digest_size=16).digest()
        place = self._places.get(hashed)
        if place is None:
            place = self._places[hashed] = len(self._places)
            self._content_rows.append((place, kind, data.decode()))
            if len(self._content_rows) == _GROUP:
                self._flush_contents()
        return place

    def _flush_contents(self) -> None:
        if self._content_rows:
            columns = list(zip(*self._content_rows, strict=True))
            arrays = [pa.array(column, kind.type) for column, kind in zip(columns, _CONTENT_SCHEMA, strict=True)]
            self._contents.write_table(pa.Table.from_arrays(arrays, schema=_CONTENT_SCHEMA), row_group_size=_GROUP)
            self._content_rows = []

    def _flush_calls(self) -> None:
        if self._call_rows:
            self._calls.write_table(pa.Table.from_pylist(self._call_rows, schema=_CALL_SCHEMA), row_group_size=_GROUP)
            self._call_rows = []


def _json(value: object) -> str | None:
    return canonical(value).decode() if value else None


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_curated(folder: Path) -> CuratedManifest:
    """What a curated folder says of itself. Raises DataError where there is none that this version can read."""
    file = folder / CURATED_MANIFEST
    if not file.is_file():
        raise DataError(f"{folder} is no folder of curated calls; make one with do=curate curate.name={folder.name}")
    try:
        return CuratedManifest.model_validate_json(file.read_bytes())
    except ValidationError:
        raise DataError(f"{file} cannot be read; was it written by another version? Make it again: do=curate") from None


@dataclass(frozen=True, slots=True)
class CallRange:
    """Rows of a curated folder from `start` to before `stop`: a part that one process reads."""

    folder: str
    start: int
    stop: int
    rows: tuple[int, ...] | None = None
    """Of these the rows that are wanted, in order; None: all."""


def call_ranges(folder: Path, rows: int) -> list[CallRange]:
    """A curated folder in parts of so many rows; none of an empty one. Raises DataError as `read_calls` does."""
    read_curated(folder)
    with _opened(folder / CALLS) as calls:
        count = calls.metadata.num_rows
    where = str(folder.absolute())  # a node of a cluster stands elsewhere
    return [CallRange(where, start, min(count, start + rows)) for start in range(0, count, rows)]


def picked(folder: Path, ids: Collection[str], rows: int) -> Iterator[tuple[CallRange, list[str]]]:
    """The rows of the calls with these ids, in parts of so many, with the ids of each part.

    Raises DataError as `read_calls` does.
    """
    read_curated(folder)
    with _opened(folder / CALLS) as calls, _told(folder / CALLS):
        names = calls.read(columns=["id"])["id"].to_pylist()
    found = [row for row, name in enumerate(names) if name in ids]
    for start in range(0, len(found), rows):
        part = tuple(found[start : start + rows])
        yield CallRange(str(folder.absolute()), part[0], part[-1] + 1, part), [names[row] for row in part]


def read_calls(folder: Path) -> Iterator[Call]:
    """The calls of a curated folder, in the order of time, one by one.

    Messages and tools are shared between calls: never change them in place. Memory does not grow with the folder.
    Raises DataError where there is no such folder, or a file is damaged.
    """
    read_curated(folder)
    yield from read_range(CallRange(str(folder), 0, sys.maxsize))


def read_range(part: CallRange) -> Iterator[Call]:
    """The calls of a part, as `read_calls` gives them."""
    folder = Path(part.folder)
    with _opened(folder / CONTENTS) as contents, _opened(folder / CALLS) as calls:
        content = _Contents(contents).value
        for table in _tables(calls, part):
            for batch in table.to_batches(max_chunksize=_BATCH):
                for row in batch.to_pylist():
                    yield _call_of(row, content)


def _tables(calls: pq.ParquetFile, part: CallRange) -> Iterator[pa.Table]:
    """The wanted rows of each row group that has some."""
    first = 0
    for group in range(calls.num_row_groups):
        end = first + calls.metadata.row_group(group).num_rows
        start, stop = max(part.start, first), min(part.stop, end)
        wanted = None if part.rows is None else [row - first for row in part.rows if first <= row < end]
        if start < stop and wanted != []:
            with _told(Path(part.folder) / CALLS):
                table = calls.read_row_group(group)
            yield table.slice(start - first, stop - start) if wanted is None else table.take(wanted)
        first = end


def read_splits(folder: Path) -> dict[str, Split]:
    """The split of each call of a curated folder, by its id and by its record's.

    Raises DataError where there is no such folder, or a file is damaged.
    """
    read_curated(folder)
    with _opened(folder / CALLS) as calls, _told(folder / CALLS):
        columns = calls.read(columns=["id", "record", "split"]).to_pydict()
    pairs = zip(columns["id"], columns["record"], columns["split"], strict=True)
    return {name: split for one, record, split in pairs for name in (one, record)}


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        said = str(error).splitlines()[0][:160]
        raise DataError(f"{path} cannot be read ({said}); make the folder again: do=curate") from None


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    with _told(path):
        file = pq.ParquetFile(path)
    with file:
        yield file


class _Contents:
    def __init__(self, file: pq.ParquetFile) -> None:
        self._file = file
        self._groups: OrderedDict[int, pa.Array] = OrderedDict()
        self.value = lru_cache(maxsize=1 << 14)(self._value)

    def _value(self, place: int) -> Any:
        group = place // _GROUP
        if group not in self._groups:
            with _told(Path(CONTENTS)):
                self._groups[group] = self._file.read_row_group(group, columns=["json"])["json"].combine_chunks()
            if len(self._groups) > _MOST_GROUPS:
                self._groups.popitem(last=False)
        self._groups.move_to_end(group)
        return orjson.loads(self._groups[group][place % _GROUP].as_py())


def _call_of(row: dict[str, Any], content: Any) -> Call:
    return Call(
        messages=tuple([content(place) for place in row["messages"]]),
        tools=() if row["tools"] is None else tuple(content(row["tools"])),
        params=_loaded(row["params"]) or {},
        reference=Reference(_with_finish(content(row["reply"]), row["finish_reason"]), row["label"], row["count"]),
        also=tuple(
            Reference(_with_finish(content(one["reply"]), one["finish_reason"]), one["label"], one["count"])
            for one in _loaded(row["also"]) or ()
        ),
        usage=Usage(**(_loaded(row["usage"]) or {})),
        notes=tuple(_loaded(row["notes"]) or ()),
        at=row["sent_at"],
        **{name: row[name] for name in _SAME},
    )


def _with_finish(reply: Payload, finish: str | None) -> Payload:
    return reply if finish is None else {**reply, "finish_reason": finish}


def _loaded(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)
