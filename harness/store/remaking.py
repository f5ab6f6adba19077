"""A curated folder made beside its place and moved into it whole."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from harness.errors import DataError
from harness.store.calls import CURATED_MANIFEST

__all__ = ["making", "write_closed"]


def write_closed(path: Path, data: bytes) -> None:
    """Writes a file that its owner alone can read (0600)."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        os.fchmod(file.fileno(), 0o600)  # of one that was there before
        file.write(data)


@contextmanager
def making(folder: Path) -> Iterator[Path]:
    """A folder beside the one to be made, moved into its place when the context ends well, and removed if not."""
    if folder.exists() and not (folder / CURATED_MANIFEST).is_file():
        raise DataError(f"{folder} is there and holds no curated calls; choose another curate.name or curate.out")
    temporary = folder.with_name(f".{folder.name}.partial")
    old = folder.with_name(f".{folder.name}.old")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.with_name(f".{folder.name}.lock"), blocking=False)
        with lock:
            try:
                shutil.rmtree(temporary, ignore_errors=True)
                if old.exists() and not folder.exists():  # cut off between the two renames below
                    old.rename(folder)
                temporary.mkdir(mode=0o700)
                yield temporary
                shutil.rmtree(old, ignore_errors=True)
                if folder.exists():
                    folder.rename(old)
                temporary.rename(folder)
                shutil.rmtree(old, ignore_errors=True)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    except Timeout:
        raise DataError(f"{folder} is being made by another process; wait for it to end") from None
    except OSError as error:
        raise DataError(f"{folder} cannot be written ({error.strerror}); choose another folder: curate.out=…") from None
