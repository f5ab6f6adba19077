"""A store read in portions: rows by their number, in any process that has the folder and the key."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.compute as pc

from harness.errors import DataError
from harness.logs.store.contents import Contents
from harness.logs.store.folder import list_files, partition_of
from harness.logs.store.key import StoreKey, store_key
from harness.logs.store.parquet import as_rows, open_parquet
from harness.logs.store.rows import record_of
from harness.logs.store.store import LogStore
from harness.records.logs import LogRecord

__all__ = ["RowFacts", "StoreLog", "StoreReader"]

_FACTS: Final = ["id", "session", "end_user", "human_chat", "cached", "agent", "model", "sent_at", "outcome"]
_NAMES: Final = ("session", "span", "parent")
_BATCH: Final = 4096
_HASH_CHARS: Final = 33


@dataclass(frozen=True, slots=True)
class RowFacts:
    """What a call's row tells without a look at what was said."""

    id: str
    session: str | None
    user: str | None
    human_chat: bool | None
    cached: bool | None
    agent: str | None
    model: str | None
    at: float | None
    outcome: float | None
    extra: str | None
    """JSON of what else was logged, where the text asked for stands in it."""
    messages: int
    """How many the request has."""


@dataclass(frozen=True, slots=True)
class StoreReader:
    """Reads rows of a store by their number, in the order of `LogStore.records`. It is pickled without the key.

    key_env, key_file: where the key is read, in the process that reads the rows.
    """

    folder: str
    calls: tuple[str, ...]
    contents: tuple[str, ...]
    key_env: str | None
    key_file: str | None
    held: StoreKey | None = field(default=None, repr=False)
    """A key that is in no file; with it the reader stays in its process."""

    def __reduce__(self) -> tuple[Any, ...]:
        if self.held is not None:
            raise DataError("this store's key is in no file, so one process has to read it: executor.cores=1")
        return StoreReader, (self.folder, self.calls, self.contents, self.key_env, self.key_file)

    def open(self) -> Callable[[int, int], Iterator[LogRecord]]:
        """The function that gives the records of rows, from the first to before the last.

        It raises DataError where the store was rewritten meanwhile, or a file is damaged.
        """
        key = self.held or store_key(self.key_env, self.key_file)
        folder = Path(self.folder)
        contents = Contents([folder / name for name in self.contents], key)
        rows = _Rows([folder / name for name in self.calls], key)

        def read(first: int, end: int) -> Iterator[LogRecord]:
            for table in rows.tables(first, end):
                for row in as_rows(table):
                    yield record_of(row, contents.value)

        return read


class _Rows:
    """The rows of some files as if they were one, a row group held at a time."""

    def __init__(self, files: Sequence[Path], key: StoreKey | None, columns: Sequence[str] | None = None) -> None:
        self._key = key
        self._columns = None if columns is None else list(columns)
        self._groups: list[tuple[Path, int]] = []
        self._starts = [0]
        self._held: tuple[int, pa.Table] | None = None
        for path in files:
            with open_parquet(path, key) as file:
                for place in range(file.num_row_groups):
                    self._groups.append((path, place))
                    self._starts.append(self._starts[-1] + file.metadata.row_group(place).num_rows)

    def tables(self, first: int, end: int) -> Iterator[pa.Table]:
        """The rows as tables."""
        place = bisect_right(self._starts, first) - 1
        while first < end and place < len(self._groups):
            start, stop = self._starts[place], min(end, self._starts[place + 1])
            if stop > first:
                yield self._group(place).slice(first - start, stop - first)
            first, place = stop, place + 1

    def _group(self, place: int) -> pa.Table:
        if self._held is None or self._held[0] != place:
            path, number = self._groups[place]
            with open_parquet(path, self._key) as file:
                self._held = place, file.read_row_group(number, columns=self._columns)
        return self._held[1]


@dataclass(slots=True)
class StoreLog:
    """The calls of a store as they were when this was made."""

    store: LogStore
    reader: StoreReader
    _named: _Rows | None = None

    @classmethod
    def of(cls, store: LogStore, key_env: str | None, key_file: str | None) -> Self:
        """key_env, key_file: where other processes find the key; a key of neither stays in this one."""
        files = list_files(store.folder)
        named = store_key(key_env, key_file)
        where = None if key_file is None else str(Path(key_file).expanduser().resolve())
        held = store.key if named is None or store.key is None or named.id != store.key.id else None
        reader = StoreReader(str(store.folder.resolve()), files.calls, files.contents, key_env, where, held)
        return cls(store, reader)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """The time in which the calls are read, as the audit file has it. Raises DataError where it cannot be noted."""
        days = sorted({partition_of(name) for name in self.reader.calls})
        self.store.audit.note("read", partitions=days)
        try:
            yield
        finally:
            self.store.audit.note("read_end", calls=self._count())

    def _count(self) -> int:
        count = 0
        for name in self.reader.calls:
            path = self.store.folder / name
            if path.exists():
                with open_parquet(path, self.store.key) as file:
                    count += file.metadata.num_rows
        return count

    def facts(self, text: str) -> Iterator[RowFacts]:
        """What the rows tell, in their order. text: the rows that have it in `extra` are given with that."""
        for table in self._tables([*_FACTS, "extra", "messages"]):
            marked = pc.if_else(pc.match_substring(table["extra"], text), table["extra"], None)
            chars = pc.fill_null(pc.binary_length(table["messages"]), 0)
            told = table.select(_FACTS).append_column("marked", marked).append_column("chars", chars)
            for batch in told.to_batches(max_chunksize=_BATCH):
                columns: list[list[Any]] = [column.to_pylist() for column in batch.columns]
                columns[-1] = [(chars + 1) // _HASH_CHARS for chars in columns[-1]]
                yield from map(RowFacts, *columns)

    def names(self, first: int, end: int) -> Iterator[str]:
        """The names that rows give their session, span and parent."""
        if self._named is None:
            self._named = _Rows([self.store.folder / name for name in self.reader.calls], self.store.key, _NAMES)
        for table in self._named.tables(first, end):
            for name in _NAMES:
                yield from (one for one in table[name].unique().to_pylist() if one)

    def _tables(self, columns: list[str]) -> Iterator[pa.Table]:
        for name in self.reader.calls:
            with open_parquet(self.store.folder / name, self.store.key) as file:
                for place in range(file.num_row_groups):
                    yield file.read_row_group(place, columns=columns)
