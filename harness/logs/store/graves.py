"""What was forgotten is not taken in again: hashes of names and of call ids, with the store's salt."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, ValidationError

from harness.errors import DataError
from harness.records import Record

__all__ = ["GRAVES", "Graves"]

GRAVES: Final = "forgotten.json"


class _Grave(Record):
    """A session or user that was forgotten."""

    what: Literal["session", "user"]
    name: str
    """Hash of it."""
    calls: tuple[str, ...]
    """Hashes of the ids of its calls: what was made of them is found by these."""


class _GravesRecord(Record):
    graves: tuple[_Grave, ...] = ()
    before: float | None = Field(default=None, ge=0)
    """Calls sent before then were forgotten; seconds since the epoch."""


@dataclass(slots=True)
class Graves:
    """What a store is not to take in again."""

    salt: str
    kept: _GravesRecord

    @classmethod
    def of(cls, folder: Path, salt: str) -> "Graves":
        """Those of a store's folder. Raises DataError where the file cannot be read."""
        path = folder / GRAVES
        if not path.exists():
            return cls(salt, _GravesRecord())
        try:
            return cls(salt, _GravesRecord.model_validate_json(path.read_bytes()))
        except (OSError, ValidationError):
            raise DataError(
                f"{path} cannot be read, so nobody knows what must not come back; put it back from a copy, or remove "
                "it and forget again what was forgotten"
            ) from None

    def data(self) -> bytes:
        """As they are written."""
        return self.kept.model_dump_json().encode()

    def hashed(self, text: str) -> str:
        """A name or id as it stands here: 32 hex digits."""
        return blake2b(text.encode("utf-8", "surrogatepass"), key=bytes.fromhex(self.salt), digest_size=16).hexdigest()

    def names(self) -> frozenset[tuple[str, str]]:
        """What was forgotten and the hash of its name."""
        return frozenset((one.what, one.name) for one in self.kept.graves)

    def calls(self, what: str, name: str) -> frozenset[str]:
        """Hashes of the ids of calls that were forgotten with a session or user."""
        hashed = self.hashed(name)
        return frozenset(
            call for one in self.kept.graves if (one.what, one.name) == (what, hashed) for call in one.calls
        )

    def bury(
        self, *, session: str | None, user: str | None, before: float | None, calls: Iterable[str] = ()
    ) -> "Graves":
        """These and one more. calls: ids of what is forgotten."""
        if before is not None:
            return Graves(self.salt, self.kept.model_copy(update={"before": max(before, self.kept.before or 0.0)}))
        what: Literal["session", "user"] = "session" if session is not None else "user"
        name = session if session is not None else str(user)
        ids = sorted({self.hashed(one) for one in calls} | self.calls(what, name))
        grave = _Grave(what=what, name=self.hashed(name), calls=tuple(ids))
        return Graves(self.salt, self._without(what, grave.name, (grave,)))

    def lifted(self, *, session: str | None, user: str | None, before: float | None) -> "Graves | None":
        """These without one; None where it is not among them."""
        if before is not None:
            past = self.kept.before is not None and self.kept.before <= before
            return Graves(self.salt, self.kept.model_copy(update={"before": None})) if past else None
        what, name = ("session", session) if session is not None else ("user", user)
        hashed = self.hashed(str(name))
        return Graves(self.salt, self._without(what, hashed)) if (what, hashed) in self.names() else None

    def _without(self, what: str, hashed: str, more: tuple[_Grave, ...] = ()) -> _GravesRecord:
        left = tuple(one for one in self.kept.graves if (one.what, one.name) != (what, hashed))
        return self.kept.model_copy(update={"graves": (*left, *more)})
