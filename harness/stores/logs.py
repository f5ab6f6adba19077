"""Logs of a store on this machine for the time of an import: streamed into a private folder, removed afterwards.

Formats read a file several times (which format, which steps, the entries), so that each is fetched once and read here.
Compressed files stay as they are. Where a file lies here is given by its address and its time is the store's, so that a
later import of the same address knows how far the file was read.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from os import utime
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.logs.reading import is_log_name
from harness.stores.remote import Remote, is_address, opened_remote, told

__all__ = ["brought"]

_KEY = "logs.path"


@contextmanager
def brought(paths: Sequence[str], cache: Path) -> Iterator[tuple[str, ...]]:
    """Paths on this machine for paths and addresses: those of files that exist while the context lasts.

    cache: folder in which they may lie. Raises DataError where an address has no log, ConfigError for one that holds
    credentials, BackendError where a store refuses.
    """
    if not any(map(is_address, paths)):
        yield tuple(paths)
        return
    remotes = {one: opened_remote(one, _KEY) for one in paths if is_address(one)}
    folders: list[Path] = []
    try:
        yield tuple(_bring(one, remotes, cache, folders) for one in paths)
    finally:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def _bring(path: str, remotes: dict[str, Remote], cache: Path, folders: list[Path]) -> str:
    remote = remotes.get(path)
    if remote is None:
        return path
    base = cache / "logs" / sha256(path.encode()).hexdigest()[:16]
    shutil.rmtree(base, ignore_errors=True)
    try:
        base.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise DataError(f"{base} cannot be made ({error.strerror}); logs of {path} are read from there") from None
    folders.append(base)
    found, one_file = _files(remote)
    if not found:
        raise DataError(f"{path} has no log; give a file, a folder or a pattern such as s3://bucket/logs/*.jsonl.gz")
    last = base
    for place, facts in found.items():
        last = base.joinpath(*_safe(place, remote))
        last.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        remote.fetch(place, last)
        at = _time(facts)
        if at is not None:
            utime(last, (at, at))
    return str(last if one_file else base)


def _files(remote: Remote) -> tuple[dict[str, dict[str, Any]], bool]:
    """The logs at an address with what the store says of each, and whether the address names one file."""
    with told(remote.url):
        if "*" in remote.base or "?" in remote.base or "[" in remote.base:
            found = remote.files.glob(remote.base, detail=True)
            return {name: facts for name, facts in found.items() if facts.get("type") == "file"}, False
        if remote.files.isfile(remote.base):
            return {remote.base: remote.files.info(remote.base)}, True
        found = remote.files.find(remote.base, detail=True)
    return {name: facts for name, facts in sorted(found.items()) if is_log_name(name.rpartition("/")[2])}, False


def _safe(place: str, remote: Remote) -> list[str]:
    """The parts of a place below the folder; never out of it."""
    base = remote.base.rstrip("/")
    inside = place[len(base) :] if place.startswith(f"{base}/") else place.rpartition("/")[2]
    parts = [one for one in inside.split("/") if one not in {"", ".", ".."}]
    return parts or ["log"]


def _time(facts: dict[str, Any]) -> float | None:
    for key in ("LastModified", "last_modified", "updated", "mtime", "created"):
        found = facts.get(key)
        if isinstance(found, datetime):
            return found.timestamp()
        if isinstance(found, int | float):
            return float(found)
    return None
