"""A small model that fails call after call is left alone for a while: nobody waits for its deadline meanwhile."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Breaker"]

_FAILURES: Final = 5


@dataclass(slots=True)
class Breaker:
    """Of each model by its name: after five failures in a row none is sent to it for `rest_s`, then one to see.

    If that one fails too, it rests again; any answer ends the count. Source: Nygard 2018, Release It!, 2nd edition,
    chapter 5 (circuit breaker).
    """

    rest_s: float
    """0: never."""
    clock: Callable[[], float] = time.monotonic
    _failed: dict[str, int] = field(default_factory=dict)
    _until: dict[str, float] = field(default_factory=dict)

    def rests(self, name: str) -> bool:
        """Whether a model is to be left alone now. The first that asks when its time is over is the one to see.

        >>> at = 0.0
        >>> breaker = Breaker(rest_s=30.0, clock=lambda: at)
        >>> for _ in range(5): breaker.note(name="small", answered=False)
        >>> breaker.rests("small")
        True
        >>> at = 31.0
        >>> breaker.rests("small"), breaker.rests("small")
        (False, True)
        """
        until = self._until.get(name)
        if until is None:
            return False
        if self.clock() < until:
            return True
        self._until[name] = self.clock() + self.rest_s
        return False

    def note(self, name: str, *, answered: bool) -> None:
        """What became of a call."""
        if answered:
            self._failed.pop(name, None)
            self._until.pop(name, None)
            return
        self._failed[name] = self._failed.get(name, 0) + 1
        if self.rest_s and self._failed[name] >= _FAILURES:
            self._until[name] = self.clock() + self.rest_s
