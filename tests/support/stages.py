"""Stages for the tests of `Cores`, where processes can import them."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

from harness.errors import DataError


@dataclass(frozen=True, slots=True)
class Doubled:
    """Doubles numbers; 13 is refused, and 99 ends the process as the kernel does."""

    def open(self) -> Callable[[int], int]:
        return _doubled


def _doubled(number: int) -> int:
    if number == 13:
        raise DataError("13 is refused; take another")
    if number == 99:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


@dataclass(frozen=True, slots=True)
class WhereAndWhen:
    """Tells which process worked on a part, and how often the stage had been opened there."""

    def open(self) -> Callable[[int], tuple[int, int]]:
        _OPENED.append(self)
        return _told


_OPENED: list[WhereAndWhen] = []


def _told(number: int) -> tuple[int, int]:
    del number
    return os.getpid(), len(_OPENED)
