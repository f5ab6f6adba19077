"""What a router does beside deciding."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.router.beside import Worth

__all__ = ["RouterOptions"]


@dataclass(frozen=True, slots=True)
class RouterOptions:
    """What a router does beside deciding."""

    expert_timeout_s: float = 30.0
    """After which the backbone is asked instead."""
    rest_s: float = 30.0
    """For which a small model is not asked after five errors in a row. 0: it is always asked."""
    texts: bool = True
    """Whether the log holds the calls themselves; decisions and pairs hold no text."""
    state: str | Path | None = None
    """Folder of sticky sessions and of the day's budget, which processes may share and which outlives them. None: the
    folder `state` of the log; without a log, each process knows only what it did itself."""
    aside_at_once: int = 4
    aside_waiting: int = 64
    """Calls aside that may wait; further ones are dropped and counted."""
    worth: Worth | None = None
    """What a reply is worth, for pairs of answers."""
    sha256: str | None = None
    """What `policy.json` must hash to (12 digits or more)."""
    prices: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """By target: USD for a million tokens of prompt and of reply, where the policy's are not yours."""
