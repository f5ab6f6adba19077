"""The folder of a store on disk: closed files, one writer, and changes that happen whole or not at all.

New files are written into `staging/`. The change counts from the moment `pending.json` is there, which lists what is
moved where and what is removed; whoever opens the store next finishes a change that was cut off after that moment, and
clears away one that was cut off before it.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

import orjson

from harness.errors import DataError

__all__ = ["Staging", "closed_folder", "listing", "recover", "sole_writer", "unwritable", "write_closed"]

PENDING: Final = "pending.json"
STAGING: Final = "staging"
_LOCK: Final = ".lock"
_COMMIT: Final = ".commit"


def unwritable(path: Path, error: OSError) -> DataError:
    """What is said where a file of the store cannot be written."""
    return DataError(
        f"{path} cannot be written ({error.strerror}); what was committed is safe: "
        "make room or choose another folder (store.path=…), then type the same command again"
    )


def closed_folder(path: Path) -> None:
    """Makes a folder, and those above it, that nobody else can enter. Raises DataError where that cannot be."""
    if path.is_dir():
        return
    closed_folder(path.parent)
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        path.chmod(0o700)
    except OSError as error:
        raise unwritable(path, error) from None


def create_closed(path: Path) -> BinaryIO:
    """A new file of mode 0600, open for writing."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def write_closed(path: Path, data: bytes) -> None:
    """Writes a file of mode 0600, on disk when this returns; a reader sees the old bytes or the new ones."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with create_closed(temporary) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise unwritable(path, error) from None


def _sync_folder(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """The sole right to change a store while the context lasts; it ends with the process, however that ends.

    Raises DataError while another live process has it. What an earlier writer left is put in order first.
    """
    with _locked(folder, _LOCK, fcntl.LOCK_EX | fcntl.LOCK_NB):
        recover(folder)
        clear_staging(folder)
        yield


def clear_staging(folder: Path) -> None:
    """Removes what a writer left that never came to its commit, and half-written small files."""
    shutil.rmtree(folder / STAGING, ignore_errors=True)
    for left in folder.glob(".*.json.*"):
        left.unlink(missing_ok=True)


@contextmanager
def _locked(folder: Path, name: str, how: int) -> Iterator[None]:
    try:
        fd = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise unwritable(folder, error) from None
    try:
        try:
            fcntl.flock(fd, how)
        except BlockingIOError:
            raise DataError(
                f"{folder} is being written by another process; wait for it to end, then try again"
            ) from None
        except OSError as error:
            raise DataError(f"{folder} is on a file system without locks ({error.strerror}): store.path=…") from None
        yield
    finally:
        os.close(fd)


@contextmanager
def listing(folder: Path) -> Iterator[None]:
    """A moment in which no change is half applied: for listing the files of a store."""
    while True:
        with _locked(folder, _COMMIT, fcntl.LOCK_SH):
            if not (folder / PENDING).exists():
                yield
                return
        recover(folder)


def recover(folder: Path) -> None:
    """Finishes a change that counts already and was cut off."""
    if (folder / PENDING).exists():
        with _locked(folder, _COMMIT, fcntl.LOCK_EX):
            _apply(folder)


def _apply(folder: Path) -> None:
    try:
        pending = orjson.loads((folder / PENDING).read_bytes())
    except FileNotFoundError:  # another process was faster
        return
    touched = {folder}
    try:
        for staged, name in pending["move"]:
            target = folder / name
            closed_folder(target.parent)
            touched |= {target.parent, target.parent.parent}
            with suppress(FileNotFoundError):  # moved before the cut
                (folder / STAGING / staged).replace(target)
        for name in pending["remove"]:
            (folder / name).unlink(missing_ok=True)
            with suppress(OSError):  # a partition that holds more
                (folder / name).parent.rmdir()
        for path in touched:
            if path.is_dir():
                _sync_folder(path)
        (folder / PENDING).unlink()
        _sync_folder(folder)
    except OSError as error:
        raise unwritable(folder, error) from None


@dataclass(slots=True)
class Staging:
    """A change in the making: files to add (in this order) and to remove. Only the sole writer has one."""

    folder: Path
    moves: list[tuple[str, str]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    @contextmanager
    def file(self, name: str) -> Iterator[BinaryIO]:
        """A file to be `name` in the store once this is committed. Raises DataError where it cannot be written."""
        staged = f"{len(self.moves):06d}"
        closed_folder(self.folder / STAGING)
        path = self.folder / STAGING / staged
        try:
            with create_closed(path) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise unwritable(self.folder / name, error) from None
        self.moves.append((staged, name))

    def put(self, name: str, data: bytes) -> None:
        """Like `file`, for bytes that are ready."""
        with self.file(name) as file:
            file.write(data)

    def remove(self, name: str) -> None:
        """Has a file removed with this change."""
        self.removed.append(name)

    def commit(self) -> None:
        """Makes the change count: when this returns it is on disk, whatever happens next."""
        if not self.moves and not self.removed:
            return
        if self.moves:
            _sync_folder(self.folder / STAGING)
        pending = orjson.dumps({"move": self.moves, "remove": self.removed})
        with _locked(self.folder, _COMMIT, fcntl.LOCK_EX):
            write_closed(self.folder / PENDING, pending)
            _apply(self.folder)
        self.moves, self.removed = [], []
