"""Files of a store written anew: without what is to be forgotten, under another key, or fewer of them."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from harness.logs.store.contents import hashes_of
from harness.logs.store.folder import Files, list_files, new_name, partition_of
from harness.logs.store.graves import GRAVES
from harness.logs.store.key import StoreKey
from harness.logs.store.known import HASH, places_of
from harness.logs.store.layout import Staging
from harness.logs.store.parquet import CALLS, CONTENTS, QUARANTINE, row_groups, write_parquet

__all__ = ["Forgotten", "Selection", "chosen_ids", "forget", "merge_small", "reencrypt"]

IMPORTS: Final = "imports"
_REFERENCES: Final = ("messages", "tools", "reply")
_LOOKED_AT: Final = {"calls": ["session", "end_user", "sent_at", "collected"], "contents": ["hash"]}
"""Columns by which it is known what is to go; of quarantined entries all."""
_SMALL_BYTES: Final = 4 << 20
_MOST_SMALL: Final = 8
_GONE: Final = "(forgotten)"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which calls are meant: of a session, of a user, or older than a time (seconds since the epoch)."""

    session: str | None = None
    user: str | None = None
    before: float | None = None

    def matches(self, table: pa.Table) -> np.ndarray[Any, Any]:
        """For each row of a table of calls whether it is meant."""
        if self.before is not None:
            at = table["sent_at"].to_numpy()
            when = np.where(np.isnan(at), table["collected"].to_numpy(), at)
            return np.asarray(when < self.before)
        column, name = ("session", self.session) if self.session is not None else ("end_user", self.user)
        return np.asarray(pc.fill_null(pc.equal(table[column], pa.scalar(name)), False).to_numpy())

    def matches_bad(self, table: pa.Table) -> np.ndarray[Any, Any]:
        """For each row of quarantined entries whether it is meant: where its bytes, reason or file have the name."""
        if self.before is not None:
            return np.asarray(table["collected"].to_numpy() < self.before)
        needles = self.needles()
        rows = zip(*(table[name].to_pylist() for name in ("bytes", "reason", "file")), strict=True)
        return np.array(
            [any(one in b"\0".join((raw, why.encode(), file.encode())) for one in needles) for raw, why, file in rows],
            dtype=bool,
        )

    def needles(self) -> list[bytes]:
        """The name as it may stand in bytes: plain, and as JSON writes it."""
        name = self.session if self.session is not None else self.user
        if not name:
            return []
        escaped = orjson.dumps(name)[1:-1], json.dumps(name)[1:-1].encode(), name.replace("/", "\\/").encode()
        return [name.encode(), *escaped]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What is gone: calls, contents that nobody else used, quarantined entries; and how many files were rewritten."""

    calls: int = 0
    contents: int = 0
    quarantined: int = 0
    files: int = 0


@dataclass(slots=True)
class _Rewrite:
    folder: Path
    key: StoreKey | None
    staging: Staging
    files: int = 0

    def without(self, name: str, kind: str, schema: pa.Schema, doomed: Callable[[pa.Table], Any]) -> int:
        """Stages a file anew without its doomed rows, if it has any; returns how many those are."""
        looked_at = _LOOKED_AT.get(kind)
        gone = sum(int(doomed(table).sum()) for table in row_groups(self.folder / name, self.key, looked_at))
        if not gone:
            return 0
        left = (table.filter(pa.array(~doomed(table))) for table in row_groups(self.folder / name, self.key))
        self.stage(kind, name, left, schema)
        return gone

    def stage(self, kind: str, name: str, tables: Iterator[pa.Table], schema: pa.Schema) -> None:
        """Stages these rows in the place of a file; none at all where there are none."""
        kept = (table for table in tables if table.num_rows)
        first = next(kept, None)
        self.staging.remove(name)
        self.files += 1
        if first is not None:
            partition = partition_of(name) if kind == "calls" else None
            with self.staging.file(new_name(kind, partition)) as file:
                write_parquet(file, _chain(first, kept), schema, self.key)


def _chain(first: pa.Table, rest: Iterator[pa.Table]) -> Iterator[pa.Table]:
    yield first
    yield from rest


def chosen_ids(folder: Path, key: StoreKey | None, chosen: Selection) -> list[str]:
    """The ids of the calls that are meant."""
    found: list[str] = []
    for name in list_files(folder).calls:
        for table in row_groups(folder / name, key, ["id", *_LOOKED_AT["calls"]]):
            found += table.filter(pa.array(chosen.matches(table)))["id"].to_pylist()
    return found


def forget(folder: Path, key: StoreKey | None, chosen: Selection, graves: bytes | None = None) -> Forgotten:
    """Removes the chosen calls and all that was there for them alone, in one change. Only the sole writer may.

    graves: what the store knows of all that was forgotten, written with it if there was anything to forget.
    """
    files = list_files(folder)
    work = _Rewrite(folder, key, Staging(folder))
    doomed = _doomed_contents(folder, key, files, chosen)
    calls = sum(work.without(name, "calls", CALLS, chosen.matches) for name in files.calls)
    contents = 0
    if len(doomed):
        for name in files.contents:
            contents += work.without(name, "contents", CONTENTS, lambda table: _among(table, doomed))
    bad = sum(work.without(name, "quarantine", QUARANTINE, chosen.matches_bad) for name in files.quarantine)
    _forget_names(folder, work.staging, chosen)
    if graves is not None and (calls or bad):
        work.staging.put(GRAVES, graves)
    work.staging.commit()
    return Forgotten(calls, contents, bad, work.files)


def _among(table: pa.Table, doomed: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    hashes = hashes_of(table["hash"])
    return np.asarray(doomed[places_of(doomed, hashes)] == hashes)


def _doomed_contents(folder: Path, key: StoreKey | None, files: Files, chosen: Selection) -> np.ndarray[Any, Any]:
    """The hashes that the chosen calls refer to and no other does."""
    columns = [*_REFERENCES, "session", "end_user", "sent_at", "collected"]
    found: list[np.ndarray[Any, Any]] = [np.empty(0, HASH)]
    for name in files.calls:
        for table in row_groups(folder / name, key, columns):
            mask = chosen.matches(table)
            if mask.any():
                found.append(_references(table.filter(pa.array(mask))))
    doomed = np.unique(np.concatenate(found))
    needed = np.zeros(len(doomed), dtype=bool)
    for name in files.calls if len(doomed) else ():
        for table in row_groups(folder / name, key, columns):
            others = _references(table.filter(pa.array(~chosen.matches(table))))
            places = places_of(doomed, others)
            needed[places[doomed[places] == others]] = True
    return np.asarray(doomed[~needed])


def _references(table: pa.Table) -> np.ndarray[Any, Any]:
    return np.unique(np.concatenate([hashes_of(table[name]) for name in _REFERENCES]))


def _forget_names(folder: Path, staging: Staging, chosen: Selection) -> None:
    """Takes a session's or user's name out of the file names in the books of earlier imports."""
    for path in sorted((folder / IMPORTS).glob("*.json")) if chosen.needles() else ():
        books = path.read_bytes()
        if not any(needle in books for needle in chosen.needles()):
            continue
        told = orjson.loads(books)
        for one in told.get("files", []):
            if any(needle in str(one.get("file")).encode() for needle in chosen.needles()):
                one["file"] = _GONE
        staging.put(f"{IMPORTS}/{path.name}", orjson.dumps(told, option=orjson.OPT_INDENT_2))


def reencrypt(folder: Path, old: StoreKey | None, new: StoreKey | None, staging: Staging) -> int:
    """Stages every Parquet file anew under another key; returns how many. The caller commits."""
    files = list_files(folder)
    work = _Rewrite(folder, new, staging)
    every = [("contents", CONTENTS, name) for name in files.contents]
    every += [("calls", CALLS, name) for name in files.calls]
    every += [("quarantine", QUARANTINE, name) for name in files.quarantine]
    for kind, schema, name in every:
        work.stage(kind, name, row_groups(folder / name, old), schema)
    return work.files


def merge_small(folder: Path, key: StoreKey | None) -> int:
    """Makes one file of many small ones, within each date and among contents; returns how many were merged."""
    files = list_files(folder)
    work = _Rewrite(folder, key, Staging(folder))
    groups: dict[tuple[str, str | None], list[str]] = defaultdict(list)
    for kind, names in (("calls", files.calls), ("contents", files.contents), ("quarantine", files.quarantine)):
        for name in names:
            if (folder / name).stat().st_size < _SMALL_BYTES:
                groups[kind, partition_of(name) if kind == "calls" else None].append(name)
    schemas = {"calls": CALLS, "contents": CONTENTS, "quarantine": QUARANTINE}
    merged_files = 0
    for (kind, partition), small in groups.items():
        if len(small) < _MOST_SMALL:
            continue
        for name in small:
            work.staging.remove(name)
        with work.staging.file(new_name(kind, partition)) as file:
            write_parquet(file, _all_groups(folder, key, small), schemas[kind], key)
        merged_files += len(small)
    work.staging.commit()
    return merged_files


def _all_groups(folder: Path, key: StoreKey | None, names: Sequence[str]) -> Iterator[pa.Table]:
    """The row groups of several small files, put together to larger ones."""
    held: list[pa.Table] = []
    for name in names:
        for table in row_groups(folder / name, key):
            held.append(table)
            if sum(one.num_rows for one in held) >= 1 << 13 or sum(one.nbytes for one in held) >= 8 << 20:
                yield pa.concat_tables(held).combine_chunks()
                held = []
    if held:
        yield pa.concat_tables(held).combine_chunks()
