"""Files that grow by whole lines or messages: one for each process and day, closed to others."""

import contextlib
import os
import time
import uuid
from pathlib import Path

__all__ = ["DayFile"]


class DayFile:
    """Appends to `<prefix>-<day>-<process>-<mark><suffix>` in a folder, mode 0600. Not for several threads at once."""

    def __init__(self, folder: Path, prefix: str, suffix: str) -> None:
        """Raises OSError if the folder cannot be made."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder, self._prefix, self._suffix = folder, prefix, suffix
        self._mark = uuid.uuid4().hex[:8]
        self._file: int | None = None
        self._day = ""

    def append(self, data: bytes) -> None:
        """Writes all of it or nothing. Raises OSError: the disk is full, the folder is gone."""
        file = self._opened()
        before = os.lseek(file, 0, os.SEEK_END)
        try:
            done = os.write(file, data)
            while done < len(data):
                done += os.write(file, data[done:])
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(file, before)
            raise

    def _opened(self) -> int:
        day = time.strftime("%Y-%m-%d", time.gmtime())
        if self._file is None or day != self._day or os.fstat(self._file).st_nlink == 0:  # removed: collected, rotated
            self.shut()
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self._folder / f"{self._prefix}-{day}-{os.getpid()}-{self._mark}{self._suffix}"
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._day = day
        return self._file

    def shut(self) -> None:
        """Closes the file; the next append opens it again."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.close(self._file)
            self._file = None
