"""Sessions that were handed to the backbone and stay there: hashes of their names, shared through files."""

import contextlib
import hashlib
import os
import time
from pathlib import Path
from typing import Final

__all__ = ["Sticky"]

_DAYS: Final = 7
"""Days that a session is remembered."""
_DIGITS: Final = 24
_LINE: Final = _DIGITS + 1
_MOST: Final = 200_000
"""Sessions in memory where there is no folder."""


class Sticky:
    """Which sessions stay with the backbone.

    With a folder all processes that share it agree, and restarts forget none; without one each process knows its own.
    """

    def __init__(self, folder: Path | None) -> None:
        """Raises OSError where the folder cannot be made."""
        self._folder = folder
        self._known: dict[str, None] = {}
        self._read: dict[str, int] = {}
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._forget_old(folder)

    def holds(self, session: str) -> bool:
        """Whether the session was handed over. Reads what other processes wrote since. Never raises."""
        if self._folder is not None:
            with contextlib.suppress(OSError):
                self._catch_up(self._folder)
        return _digest(session) in self._known

    def add(self, session: str) -> None:
        """Notes that it was. Raises OSError where it cannot be written; this process knows it all the same."""
        digest = _digest(session)
        if digest in self._known:
            return
        self._known[digest] = None
        if self._folder is None:
            while len(self._known) > _MOST:
                del self._known[next(iter(self._known))]
            return
        file = os.open(self._folder / _name(time.time()), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(file, f"{digest}\n".encode())  # one small write: appended whole, whoever else writes
        finally:
            os.close(file)

    def _catch_up(self, folder: Path) -> None:
        now = time.time()
        for name in {_name(now - 86_400 * day) for day in range(_DAYS)} if not self._read else _recent(now):
            path, done = folder / name, self._read.get(name, 0)
            try:
                size = path.stat().st_size
            except FileNotFoundError:
                self._read.setdefault(name, 0)
                continue
            if size - done < _LINE:
                continue
            with path.open("rb") as file:
                file.seek(done)
                data = file.read((size - done) // _LINE * _LINE)
            self._read[name] = done + len(data) // _LINE * _LINE
            self._known.update(dict.fromkeys(data.decode("ascii", "replace").split()))

    def _forget_old(self, folder: Path) -> None:
        kept = {_name(time.time() - 86_400 * day) for day in range(_DAYS)}
        for path in folder.glob("sticky-*.txt"):
            if path.name not in kept:
                path.unlink(missing_ok=True)


def _recent(now: float) -> set[str]:
    """Today's file and yesterday's: another process may still be in it."""
    return {_name(now), _name(now - 86_400)}


def _name(at: float) -> str:
    return f"sticky-{time.strftime('%Y-%m-%d', time.gmtime(at))}.txt"


def _digest(session: str) -> str:
    return hashlib.blake2b(session.encode("utf-8", "replace"), digest_size=_DIGITS // 2).hexdigest()
