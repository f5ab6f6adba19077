"""What may be asked aside in a day: calls and USD, counted over restarts and processes in a file."""

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Final

import orjson

from harness.records.route import RouteControl

Change = Callable[["Spent"], "float | None"]

__all__ = ["Budget", "Spent"]

_KEPT_DAYS: Final = 7


class Spent:
    """What a day's calls aside have taken. `most`: the dearest of them."""

    def __init__(self, data: bytes = b"") -> None:
        """Raises ValueError for a damaged file."""
        found = orjson.loads(data) if data.strip() else {}
        if not isinstance(found, dict):
            raise ValueError("no object")  # noqa: TRY004 - of a file's text, as orjson's own is
        self.calls = int(found.get("calls", 0))
        self.usd = float(found.get("usd", 0.0))
        self.most = float(found.get("most", 0.0))

    def line(self) -> bytes:
        """As it stands in the file."""
        return orjson.dumps({"calls": self.calls, "usd": self.usd, "most": self.most})


class Budget:
    """Counts calls aside by day (UTC).

    With a folder all processes that share it have one budget; without, each has its own. A call is reserved before it
    is made, at the price of the dearest call of the day so far, and settled after: USD may be passed by as much as the
    calls under way cost more than that. A day's file that is damaged lets nothing more through: what was spent is not
    known.
    """

    def __init__(self, folder: Path | None) -> None:
        """Raises OSError where the folder cannot be made."""
        self._folder = folder
        self._lock = Lock()
        self._day = ""
        self._own = Spent()
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def take(self, control: RouteControl, calls_wanted: int = 1, *, priced: bool) -> float | None:
        """Reserves calls; the USD that were reserved for them, or None where the day's budget does not allow it.

        priced: whether their price is known; without, a budget in USD allows nothing. Raises OSError, ValueError.
        """
        calls, usd = control.budget_calls_per_day, control.budget_usd_per_day
        if usd is not None and not priced:
            return None

        def change(spent: Spent) -> float | None:
            if calls is not None and spent.calls + calls_wanted > calls:
                return None
            if usd is not None and (usd == 0 or spent.usd + calls_wanted * spent.most > usd):
                return None
            spent.calls += calls_wanted
            spent.usd += calls_wanted * spent.most
            return calls_wanted * spent.most

        return self._change(change)

    def settle(self, reserved: float, usd: float | None, calls: int = 1) -> None:
        """Puts what calls have cost in the place of what was reserved; None: nobody said, the reserve stays."""
        if usd is None:
            return

        def change(spent: Spent) -> float | None:
            spent.usd = max(0.0, spent.usd - reserved + usd)
            spent.most = max(spent.most, usd / calls)
            return None

        self._change(change)

    def _change(self, change: Change) -> float | None:
        day = time.strftime("%Y-%m-%d", time.gmtime())
        with self._lock:
            if self._folder is None:
                if day != self._day:
                    self._day, self._own = day, Spent()
                return change(self._own)
            if day != self._day:
                self._day = day
                self._forget_old(self._folder)
            return _in_file(self._folder / f"budget-{day}.json", change)

    def _forget_old(self, folder: Path) -> None:
        files = sorted(folder.glob("budget-*.json"))
        for path in files[:-_KEPT_DAYS]:
            path.unlink(missing_ok=True)


def _in_file(path: Path, change: Change) -> float | None:
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        spent = Spent(os.read(file, 4096))
        found = change(spent)
        data = spent.line()
        os.lseek(file, 0, os.SEEK_SET)
        os.write(file, data + b" " * max(0, 128 - len(data)))  # never shorter than what it replaces
        return found
    finally:
        os.close(file)
