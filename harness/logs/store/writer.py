"""New calls on their way into a store: kept once, messages interned, committed whole."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from harness.logs.store.audit import Audit
from harness.logs.store.contents import hashes_of
from harness.logs.store.folder import list_files, new_name
from harness.logs.store.key import StoreKey
from harness.logs.store.known import HASH, Known, merged
from harness.logs.store.layout import Staging
from harness.logs.store.parquet import CALLS, CONTENTS, QUARANTINE, row_groups, table_of, write_parquet
from harness.logs.store.rows import COLUMN, Content, Row, date_of, id_hash, row_of
from harness.records.logs import LogRecord

__all__ = ["Quarantined", "Writer", "known_contents", "known_ids"]

_MOST_BYTES: Final = 48 << 20
"""Of new contents, rows and quarantined bytes held before they are committed."""
_MOST_ROWS: Final = 1 << 16
_ROW_BYTES: Final = 600
_AT: Final = COLUMN["sent_at"]


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An entry of a log that could not be read."""

    file: str
    number: int
    start: int
    end: int
    reason: str
    raw: bytes


def known_ids(folder: Path, key: StoreKey | None) -> Known:
    """The ids of all calls, hashed to 16 bytes each."""
    known = Known()
    for name in list_files(folder).calls:
        for table in row_groups(folder / name, key, ["id"]):
            known.add_many(np.array([id_hash(one) for one in table["id"].to_pylist()], HASH))
    return known


def known_contents(folder: Path, key: StoreKey | None) -> Known:
    """The hashes of all contents."""
    known = Known()
    every = [np.empty(0, HASH)]
    for name in list_files(folder).contents:
        every += [hashes_of(table["hash"]) for table in row_groups(folder / name, key, ["hash"])]
    known.add_many(merged(np.empty(0, HASH), np.concatenate(every)))
    return known


@dataclass(slots=True)
class Writer:
    """The sole writer of a store: what it was given counts from the next `commit`."""

    folder: Path
    key: StoreKey | None
    audit: Audit
    ids: Known
    contents: Known
    _rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    _new: list[Content] = field(default_factory=list)
    _bad: list[Row] = field(default_factory=list)
    _held: int = 0
    _count: int = 0
    _broken: bool = False

    def has(self, record_id: str) -> bool:
        """Whether a call with this id is there, or on its way."""
        return id_hash(record_id) in self.ids

    def add(self, record: LogRecord) -> bool:
        """Takes a call; False where it is there already. Raises Unstorable, and takes nothing then."""
        if self.has(record.id):
            return False
        self.take(*row_of(record, time.time()))
        return True

    def take(self, row: Row, contents: Iterable[Content]) -> None:
        """Takes a call that is not there, by its row and what that refers to."""
        self.ids.add(id_hash(row[0]))
        for content in contents:
            if self.contents.add(content.hash):
                self._new.append(content)
                self._held += len(content.json) + _ROW_BYTES
        self._rows[date_of(row[_AT])].append(row)
        self._held += _ROW_BYTES + len(row[2]) + len(row[-2] or "")
        self._count += 1

    def quarantine(self, bad: Quarantined) -> None:
        """Takes an entry that could not be read."""
        reason, file = (text.encode("utf-8", "replace").decode() for text in (bad.reason, bad.file))
        self._bad.append((file, bad.number, bad.start, bad.end, reason, bad.raw, time.time()))
        self._held += len(bad.raw) + _ROW_BYTES

    @property
    def full(self) -> bool:
        """Whether so much is held that it is time for a commit."""
        return self._held >= _MOST_BYTES or self._count >= _MOST_ROWS

    def commit(self, files: Mapping[str, bytes] | None = None) -> None:
        """Writes what was taken, and these small files (name in the store: bytes), all of it or nothing.

        After a commit that did not come to its end this does nothing: whether it counts is found out when the store is
        opened next.
        """
        if self._broken:
            return
        self._broken = True
        staging = Staging(self.folder)
        if self._new:
            rows = [content.row() for content in self._new]
            self._stage(staging, new_name("contents"), rows, CONTENTS)
        for date, rows in sorted(self._rows.items()):
            self._stage(staging, new_name("calls", date), rows, CALLS)
        if self._bad:
            self._stage(staging, new_name("quarantine"), self._bad, QUARANTINE)
        for name, data in (files or {}).items():
            staging.put(name, data)
        staging.commit()
        if self._count or self._bad:
            self.audit.note("append", calls=self._count, quarantined=len(self._bad), partitions=sorted(self._rows))
        self._rows.clear()
        self._new, self._bad, self._held, self._count = [], [], 0, 0
        self._broken = False

    def _stage(self, staging: Staging, name: str, rows: list[Row], schema: object) -> None:
        tables = (table_of(rows[start : start + _CHUNK], schema) for start in range(0, len(rows), _CHUNK))
        with staging.file(name) as file:
            write_parquet(file, tables, schema, self.key)


_CHUNK: Final = 1 << 14
