"""A call while it is curated: what is asked of it again and again in memory, the rest in the spool."""

from array import array
from dataclasses import dataclass
from hashlib import blake2b

from harness.records.call import Split

__all__ = ["Entry", "in_time_order"]


@dataclass(slots=True)
class Entry:
    """A redacted call. Places are those of the spool; -1 is none."""

    record: str
    messages: "array[int]"
    tools: int
    reply: int
    params: int
    facts: int
    """Usage, times, cost and outcome, as one JSON object."""
    request: bytes
    answer: bytes
    at: float | None
    session: str | None
    step: int | None
    agent: str | None
    user_group: str | None
    model: str | None
    outcome: float | None
    outcome_by: str | None
    failed: bool
    finish: str | None
    empty: bool
    size: int
    """Bytes of the request as JSON."""
    more: tuple[int, ...] = ()
    """Further choices of the same reply."""

    dropped: str | None = None
    """By which rule."""
    weight: int = 1
    group: int = -1
    number: int = -1
    """Equal for calls that say the same, once they are compared."""
    split: Split | None = None

    @property
    def content_id(self) -> str:
        """Hash of request, model and reply."""
        return blake2b(self.request + self.answer, digest_size=16).hexdigest()

    @property
    def unit(self) -> str:
        """What is never split: the session, or the call itself where the log names none."""
        return f"s:{self.session}" if self.session is not None else f"r:{self.record}"


def in_time_order(entry: Entry) -> tuple[float, str, int, str]:
    """Sorts calls as they were sent; those without a time last. The same for any order of import."""
    at = float("inf") if entry.at is None else entry.at
    return (at, entry.session or "", -1 if entry.step is None else entry.step, entry.record)
