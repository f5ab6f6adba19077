"""The folder of a state: `state.json`, the ledger, and which calls were seen; and the hash that tells whether anything
changed. Imports nothing heavy, so that a look which finds nothing new is over at once.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import orjson
from filelock import FileLock, Timeout
from pydantic import ValidationError

from harness import __version__
from harness.errors import DataError
from harness.records.iterate import IterateState, LedgerLine
from harness.store.runfolder import write_record

__all__ = [
    "LEDGER", "LEVELS", "SEEN", "STATE", "Seen", "append", "held", "print_of", "read_seen", "read_state", "stamp_of",
    "write_seen", "write_state",
]  # fmt: skip

STATE: Final = "state.json"
LEDGER: Final = "ledger.jsonl"
SEEN: Final = "calls.parquet"
LEVELS: Final = ("all", "node", "cluster")
_WHOLE: Final = 256 * 2**20
"""Larger files are known by size, time and their first and last megabyte."""
_END: Final = 2**20


@dataclass(slots=True)
class Seen:
    """A call that is not in the clusters' folder, as earlier looks left it."""

    task: str
    tested: dict[str, int] = field(default_factory=dict)
    """Look in which it was part of a test, by level; −1: a call that the last apply took in."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """The sole right to a state. Raises DataError where another process has it, or it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.is_file():
            ignore.write_text(".lock\n")
        with FileLock(folder / ".lock", blocking=False):
            yield
    except Timeout:
        raise DataError(f"{folder} is being written by another process; wait for it, or use iterate.name=…") from None
    except OSError as error:
        raise DataError(f"{folder} cannot be written ({error.strerror}); choose another: iterate.out=…") from None


def read_state(folder: Path) -> IterateState:
    """The state; a fresh one where there is none. Raises DataError where it cannot be read."""
    file = folder / STATE
    if not file.is_file():
        return IterateState(name=folder.name)
    try:
        return IterateState.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        why = error.strerror if isinstance(error, OSError) else f"{error.error_count()} errors"
        raise DataError(f"{file} cannot be read ({why}); take an earlier one from version control") from None


def write_state(folder: Path, state: IterateState) -> None:
    """Writes the state, whole or not at all."""
    write_record(folder / STATE, state)


def append(folder: Path, line: Mapping[str, object]) -> None:
    """Adds a line to the ledger, with the hash of the line before it. Raises DataError where it cannot be written."""
    file = folder / LEDGER
    try:
        lines = file.read_bytes().splitlines() if file.is_file() else []
        before = hashlib.sha256(lines[-1]).hexdigest()[:16] if lines else ""
        entry = LedgerLine.model_validate({**line, "before": before})
        with file.open("ab") as out:
            out.write(entry.model_dump_json().encode() + b"\n")
    except OSError as error:
        raise DataError(f"{file} cannot be written ({error.strerror}); choose another: iterate.out=…") from None


def read_seen(folder: Path) -> dict[str, Seen]:
    """Calls of earlier looks by their ids. Raises DataError where they cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = folder / SEEN
    if not file.is_file():
        return {}
    try:
        table = pq.read_table(file).to_pydict()
        rows = zip(table["call"], table["task"], *(table[level] for level in LEVELS), strict=True)
        return {
            call: Seen(task, {level: look for level, look in zip(LEVELS, looks, strict=True) if look})
            for call, task, *looks in rows
        }
    except (OSError, KeyError, pa.ArrowException) as error:
        raise DataError(
            f"{file} cannot be read ({type(error).__name__}); take an earlier one from version control"
        ) from None


def write_seen(folder: Path, seen: Mapping[str, Seen]) -> None:
    """Writes them sorted, so that the same calls make the same file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    ids = sorted(seen)
    columns = {"call": pa.array(ids, pa.string()), "task": pa.array([seen[one].task for one in ids], pa.string())}
    for level in LEVELS:
        columns[level] = pa.array([seen[one].tested.get(level, 0) for one in ids], pa.int32())
    draft = folder / f".{SEEN}.part"
    try:
        pq.write_table(pa.table(columns), draft, compression="zstd")
        draft.replace(folder / SEEN)
    except OSError as error:
        raise DataError(f"{folder} cannot be written ({error.strerror}); choose another: iterate.out=…") from None


def print_of(path: Path) -> str:
    """A hash of a file, or of the names and bytes of all files in a folder; `absent` where there is none."""
    if path.is_file():
        return _file_print(path)
    if not path.is_dir():
        return "absent"
    told = [(str(one.relative_to(path)), _file_print(one)) for one in sorted(path.rglob("*")) if one.is_file()]
    return hashlib.blake2b(orjson.dumps(told), digest_size=8).hexdigest()


def _file_print(path: Path) -> str:
    with path.open("rb") as file:
        size = path.stat().st_size
        if size <= _WHOLE:
            return hashlib.file_digest(file, partial(hashlib.blake2b, digest_size=8)).hexdigest()
        first = file.read(_END)
        file.seek(-_END, 2)
        ends = hashlib.blake2b(first + file.read(_END), digest_size=8)
    ends.update(f"{size} {path.stat().st_mtime_ns}".encode())
    return ends.hexdigest()


def stamp_of(prints: Mapping[str, str], settings: Mapping[str, object]) -> str:
    """One hash of everything that a look depends on."""
    told = orjson.dumps([__version__, dict(prints), dict(settings)], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(told, digest_size=8).hexdigest()
