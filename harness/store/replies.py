"""The cache of replies on disk: one SQLite file for all runs of a user, bounded, closed to others.

Write-ahead logging keeps it whole when a process is killed, and lets several read and write at once. It holds answers
under hashes of requests: no request, no header, no key.
"""

import os
import sqlite3
import time
from pathlib import Path
from typing import Final

from harness.errors import DataError

__all__ = ["FILE", "ReplyStore"]

FILE: Final = "replies.sqlite"
_BUSY_S: Final = 10.0
_MIB: Final = 1 << 20
_LOOK_EVERY: Final = 64
"""Writes between two looks at the size."""
_ROOM_FRAC: Final = 0.1
"""Share of the answers, the oldest ones, that make room at a time."""


class ReplyStore:
    """One connection to the file, for one thread at a time. Raises DataError where the file cannot be used."""

    def __init__(self, folder: Path, max_mb: int) -> None:
        self.path = folder / FILE
        self._max_pages, self._writes = 0, 0
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            self.path.chmod(0o600)  # SQLite gives its other files the same
            self._base = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=NORMAL")
            self._base.execute(
                "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, at REAL NOT NULL, reply BLOB)"
            )
            page_bytes = int(self._base.execute("PRAGMA page_size").fetchone()[0])
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from None
        self._max_pages = max_mb * _MIB // page_bytes

    def get(self, key: str) -> bytes | None:
        """What lies under a key; None if nothing does. Raises DataError where the file is damaged."""
        try:
            row = self._base.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error as error:
            raise self._unusable(error) from None
        return None if row is None else bytes(row[0])

    def put(self, key: str, reply: bytes) -> None:
        """Puts an answer under its key, in place of an older one. Raises DataError where the disk refuses."""
        try:
            self._base.execute("INSERT OR REPLACE INTO replies VALUES (?, ?, ?)", (key, time.time(), reply))
            self._writes += 1
            if self._writes % _LOOK_EVERY == 1:
                self._make_room()
        except sqlite3.Error as error:
            raise self._unusable(error) from None

    def __len__(self) -> int:
        return int(self._base.execute("SELECT count(*) FROM replies").fetchone()[0])

    def close(self) -> None:
        """Closes the file; a second call does nothing."""
        self._base.close()

    def _make_room(self) -> None:
        """Drops the oldest answers while the pages in use exceed the bound; their room is used again."""
        while self._pages() > self._max_pages and len(self) > 1:
            drop = max(1, int(len(self) * _ROOM_FRAC))
            self._base.execute(
                "DELETE FROM replies WHERE key IN (SELECT key FROM replies ORDER BY at LIMIT ?)", (drop,)
            )

    def _pages(self) -> int:
        count, free = (
            int(self._base.execute(f"PRAGMA {what}").fetchone()[0]) for what in ("page_count", "freelist_count")
        )
        return count - free

    def _unusable(self, error: Exception) -> DataError:
        return DataError(
            f"the cache of replies {self.path} cannot be used ({' '.join(str(error).split())[:150]}): remove the file, "
            "choose another folder with paths.replies=…, or go on without it: run.reply_cache=off"
        )
