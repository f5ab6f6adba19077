"""Which files a store has, and what it says of itself."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import ValidationError

from harness.errors import DataError
from harness.logs.store.key import StoreKey
from harness.logs.store.layout import closed_folder, listing, recover, write_closed
from harness.records import Record

__all__ = ["ABOUT", "Files", "StoreRecord", "check_key", "list_files", "make_store", "new_name", "read_about"]

ABOUT: Final = "store.json"
_GIVE: Final = "store.key_file=… or the variable HARNESS_STORE_KEY"


class StoreRecord(Record):
    """`store.json`: what a store says of itself."""

    format: Literal[1] = 1
    key: str | None = None
    """Id of the key that its files are encrypted with; None: they are in the clear."""
    made: float
    """Seconds since the epoch."""
    salt: str
    """Random; makes the names of read files in `notes.json` the store's own."""


@dataclass(frozen=True, slots=True)
class Files:
    """The Parquet files of a store at one moment, relative to it, oldest first."""

    calls: tuple[str, ...]
    contents: tuple[str, ...]
    quarantine: tuple[str, ...]


def make_store(folder: Path, key: StoreKey | None) -> None:
    """Makes an empty store where there is none. Raises DataError where the folder holds something else."""
    if (folder / ABOUT).exists():
        return
    if folder.is_dir() and any(one.name != ".gitignore" for one in folder.iterdir()):
        raise DataError(f"{folder} is no log store and is not empty; choose another folder: store.path=…")
    closed_folder(folder)
    about = StoreRecord(key=None if key is None else key.id, made=time.time(), salt=secrets.token_hex(16))
    write_closed(folder / ".gitignore", b"*\n")
    write_closed(folder / ABOUT, about_bytes(about))


def about_bytes(about: StoreRecord) -> bytes:
    """`store.json` as it is written."""
    return about.model_dump_json(indent=2).encode() + b"\n"


def read_about(folder: Path) -> StoreRecord:
    """What a store says of itself. Raises DataError where there is none that this version can read."""
    if not (folder / ABOUT).is_file():
        raise DataError(f"{folder} is no log store; fill one with do=collect logs.path=… store.path={folder}")
    recover(folder)
    try:
        return StoreRecord.model_validate_json((folder / ABOUT).read_bytes())
    except (ValidationError, OSError):
        raise DataError(f"{folder / ABOUT} cannot be read; was it written by another version?") from None


def check_key(folder: Path, about: StoreRecord, key: StoreKey | None) -> None:
    """Raises DataError, one line, where the key is missing, another one, or not wanted."""
    if about.key is None and key is not None:
        raise DataError(
            f"{folder} is in the clear, but a key is given; encrypt it first: do=rotate store.new_key_file=…"
        )
    if about.key is not None and key is None:
        raise DataError(f"{folder} is encrypted with key {about.key}; give it: {_GIVE}")
    if key is not None and about.key != key.id:
        raise DataError(f"wrong key: {folder} is encrypted with key {about.key}, given is {key.id}; see {_GIVE}")


def list_files(folder: Path) -> Files:
    """The Parquet files of a store, seen while no change is half applied."""
    with listing(folder):
        return Files(
            _sorted(folder, "calls/*/*.parquet"),
            _sorted(folder, "contents/*.parquet"),
            _sorted(folder, "quarantine/*.parquet"),
        )


def _sorted(folder: Path, pattern: str) -> tuple[str, ...]:
    return tuple(sorted(path.relative_to(folder).as_posix() for path in folder.glob(pattern)))


def new_name(kind: str, partition: str | None = None) -> str:
    """A name for a new file, later in order than those before: `calls/date=2026-01-31/<time>-<random>.parquet`."""
    file = f"{time.time_ns():020d}-{secrets.token_hex(3)}.parquet"
    return f"{kind}/{file}" if partition is None else f"{kind}/date={partition}/{file}"


def partition_of(name: str) -> str:
    """The date of a file of `calls/`."""
    return name.split("/")[1].removeprefix("date=")


def within(names: Sequence[str], since: str | None, until: str | None) -> list[str]:
    """Files of `calls/` whose partition can hold calls from `since` to `until` (dates); those without a date never."""
    if since is None and until is None:
        return list(names)
    dated = [(name, partition_of(name)) for name in names]
    return [
        name
        for name, date in dated
        if date[:1].isdigit() and (since is None or date >= since) and (until is None or date <= until)
    ]
