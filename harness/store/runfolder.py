"""A run's folder: who may write to it, what lies in it, and how the one to resume is found."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from harness.errors import DataError, RunFolderBusy
from harness.records import Record
from harness.records.manifest import Manifest
from harness.records.summary import Summary

__all__ = [
    "ATTEMPTS",
    "MANIFEST",
    "PARQUET",
    "SAMPLES",
    "SCORES",
    "SUMMARY",
    "VERDICT",
    "find_unfinished",
    "lock",
    "new_folder",
    "point_latest",
    "read_manifest",
    "read_summary",
    "run_folders",
    "write_atomic",
    "write_record",
]

MANIFEST, SUMMARY, ATTEMPTS, SCORES, SAMPLES = (
    "manifest.json",
    "summary.json",
    "attempts.jsonl",
    "scores.jsonl",
    "samples.jsonl",
)
VERDICT = "verdict.json"
"""Of a run with `run.stop`: what became certain, and which samples were not asked."""
PARQUET = "attempts.parquet"
"""Derived from the journals when a run is complete; to be removed when it is taken up again."""
_LATEST = "latest"
R = TypeVar("R", bound=Record)


def new_folder(results: Path, verb: str = "run") -> Path:
    """A new folder `results/<verb>/<UTC stamp to the microsecond>`. Raises DataError if it cannot be made."""
    while True:
        stamp = datetime.now(UTC).strftime("%Y-%m-%d_%H-%M-%S-%f")
        folder = results / verb / stamp
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if folder.is_dir():  # another run began in the same microsecond
                continue
            raise _unwritable(folder.parent, "a file stands in the way") from None
        except OSError as error:
            raise _unwritable(folder.parent, error.strerror) from error
        return folder


def _unwritable(folder: Path, why: str | None) -> DataError:
    return DataError(f"results cannot be written to {folder} ({why}); choose another: paths.results=…")


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """The sole right to write to a run folder while the context lasts; it ends with the process, however that ends.

    Raises RunFolderBusy while another live process holds it.
    """
    try:
        fd = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise _unwritable(folder, error.strerror) from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunFolderBusy(
                f"{folder} is being written by another run; wait for it, or start a new one with run.resume=never"
            ) from None
        except OSError as error:
            raise _unwritable(folder, f"this file system knows no locks: {error.strerror}") from error
        yield
    finally:
        os.close(fd)


def write_atomic(path: Path, text: str) -> None:
    """Writes a file so that a reader sees the old text or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise DataError(
            f"{path} cannot be written ({error.strerror}); make room or choose another folder: paths.results=…"
        ) from error


def write_record(path: Path, record: Record) -> None:
    """Writes a record as indented JSON, atomically."""
    write_atomic(path, record.model_dump_json(indent=2) + "\n")


def point_latest(folder: Path) -> None:
    """Makes `latest` beside the folder a link to it, where the file system knows links."""
    temporary = folder.parent / f".{_LATEST}.{os.getpid()}"
    with suppress(OSError):  # a convenience: whether the folder can be written, its own files will tell
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(folder.name)
        temporary.replace(folder.parent / _LATEST)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a run folder. Raises DataError if there is none that this version can read."""
    return _read(folder / MANIFEST, Manifest)


def read_summary(folder: Path) -> Summary:
    """The summary of a run folder. Raises DataError if there is none that this version can read."""
    return _read(folder / SUMMARY, Summary)


def _read(path: Path, kind: type[R]) -> R:
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        if path.name == SUMMARY and (path.parent / MANIFEST).is_file():
            raise DataError(
                f"{path.parent} has no {path.name}: its run was killed; finish it with run.resume={path.parent}"
            ) from None
        raise DataError(
            f"{path.parent} is no run folder: {path.name} cannot be read ({error.strerror}); "
            "name a folder of results/run/, as results/run/latest"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{path} cannot be read: {where}: {first['msg']}; was it written by another version?") from None


def run_folders(results: Path, verb: str = "run") -> list[Path]:
    """Run folders with a manifest, oldest first."""
    base = results / verb
    if not base.is_dir():
        return []
    return sorted(p for p in base.iterdir() if not p.is_symlink() and (p / MANIFEST).is_file())


def find_unfinished(results: Path, config_hash: str) -> Path | None:
    """The newest run folder of this configuration that did not end and that nobody is writing to."""
    for folder in reversed(run_folders(results)):
        try:
            manifest = read_manifest(folder)
        except DataError:
            continue
        over = manifest.status in {"complete", "settled"}
        ended = over and (folder / SUMMARY).is_file()  # killed between the two: not ended
        if manifest.config_hash == config_hash and not ended and not _busy(folder):
            return folder
    return None


def _busy(folder: Path) -> bool:
    try:
        with lock(folder):
            return False
    except RunFolderBusy:
        return True
