"""Places of calls in their sessions by time, for files that log none: a first pass over session and time alone."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from harness.logs.formats.base import LogFormat, Place
from harness.logs.source import Source

__all__ = ["Steps", "Times", "has_places", "places_of", "times_of"]

_LOOKED = 50
"""Entries looked at to see whether a file's calls need numbers."""
Times = dict[str, "array[float]"]
"""When the calls of each session were."""


def has_places(format: LogFormat, source: Source) -> bool:
    """Whether one of the first entries lacks a step, and has session and time to be given one."""
    return any(place is not None for place in islice(_places(format, source), _LOOKED))


def places_of(format: LogFormat, source: Source) -> Times:
    """The calls of a file that lack a step; none where the first entries have all."""
    return times_of(format, source) if has_places(format, source) else {}


def times_of(format: LogFormat, source: Source) -> Times:
    """The calls of a file, or of a piece of it, that lack a step."""
    times: Times = {}
    for place in _places(format, source):
        if place is not None:
            times.setdefault(place[0], array("d")).append(place[1])
    return times


def _places(format: LogFormat, source: Source) -> Iterator[Place | None]:
    places = getattr(format, "places", None)
    return places(source) if places is not None else iter(())


class Steps:
    """Gives each call its step, once all times are known."""

    def __init__(self) -> None:
        self._times: Times = {}
        self._given: dict[tuple[str, float], int] = {}

    def take(self, times: Mapping[str, Iterable[float]]) -> None:
        """Takes the times of some calls."""
        for session, some in times.items():
            self._times.setdefault(session, array("d")).extend(some)

    def sort(self) -> None:
        """All times are there."""
        for session, times in self._times.items():
            self._times[session] = array("d", sorted(times))

    def of(self, session: str | None, at: float | None) -> int | None:
        """The next step of that time in the session; calls of the same time in the order of the files."""
        times = self._times.get(session) if session is not None else None
        if times is None or session is None or at is None:
            return None
        step = bisect_left(times, at)
        if step + 1 < len(times) and times[step + 1] == at:
            nth = self._given.get((session, at), 0)
            self._given[session, at] = nth + 1
            return step + nth
        return step
