"""Who opened the store for what: one JSON line each, only ever appended."""

import os
import pwd
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

from harness.logs.store.key import StoreKey
from harness.logs.store.layout import unwritable

__all__ = ["AUDIT", "Audit", "person"]

AUDIT: Final = "audit.jsonl"


def person() -> str:
    """The name of the user that this process runs as, or the number where it has none."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


@dataclass(frozen=True, slots=True)
class Audit:
    """The audit file of a store. `reader`: the program or part that opens it."""

    folder: Path
    reader: str
    key: StoreKey | None

    def note(self, verb: str, **facts: object) -> None:
        """Appends a line, on disk when this returns. Raises DataError where that cannot be: no access unseen."""
        at = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
        told = {name: value for name, value in facts.items() if value is not None}
        line = orjson.dumps(
            {"at": at, "user": person(), "pid": os.getpid(), "reader": self.reader, "verb": verb, **told}
        )
        try:
            fd = os.open(self.folder / AUDIT, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(fd, line + b"\n")
                os.fsync(fd)
            finally:
                os.close(fd)
        except OSError as error:
            raise unwritable(self.folder / AUDIT, error) from None

    def named(self, name: str | None) -> str | None:
        """A session or user as the audit has it: a keyed hash, or `?` in a store without a key. Never the name."""
        if name is None:
            return None
        return "?" if self.key is None else self.key.pseudonym(name)
