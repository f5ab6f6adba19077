"""Work on the parts of a log, one after another or on several processors: the same results in the same order."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

__all__ = ["ONE_CORE", "Cores", "OneCore", "Stage"]

Part = TypeVar("Part")
Made = TypeVar("Made")
Part_contra = TypeVar("Part_contra", contravariant=True)
Made_co = TypeVar("Made_co", covariant=True)


class Stage(Protocol[Part_contra, Made_co]):
    """What is done to each part. It is pickled to where the work is done, and holds no secret: files and names of them.

    Two that are equal are one: a frozen dataclass of hashable fields.
    """

    def open(self) -> Callable[[Part_contra], Made_co]:
        """The function that works on a part, with what it needs loaded; called once in each process.

        What it makes depends on the part alone, not on the parts before it.
        """
        ...


class Cores(Protocol):
    """Where parts are worked on."""

    @property
    def count(self) -> int:
        """Parts that are worked on at once."""
        ...

    def map(self, stage: Stage[Part, Made], parts: Iterable[Part]) -> Iterator[Made]:
        """What the stage makes of each part, in the order of the parts.

        Parts are taken as they are needed, and few results wait at a time. Raises what the stage raises, and
        BackendError where a process is lost.
        """
        ...


@dataclass(frozen=True, slots=True)
class OneCore:
    """The command's own process, one part after another."""

    count: int = 1

    def map(self, stage: Stage[Part, Made], parts: Iterable[Part]) -> Iterator[Made]:
        """What the stage makes of each part, made when it is asked for."""
        work = stage.open()
        for part in parts:
            yield work(part)


ONE_CORE: Final = OneCore()
