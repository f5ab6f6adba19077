"""What is sent when: the busiest stretch of a log at a speed, each call by a sample of its cluster that is as long."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import DataError
from harness.records import Sample
from harness.records.load import LoadTraffic
from harness.suite.arrivals import Arrival, Traffic

__all__ = ["Deputies", "Due", "Play", "busiest", "play_of", "traffic_facts"]


@dataclass(frozen=True, slots=True)
class Due:
    """One call of a play."""

    due_s: float
    """After the start."""
    sample: Sample
    session: str | None


@dataclass(frozen=True, slots=True)
class Play:
    """A stretch of the log at a speed."""

    speed: float
    log_s: float
    planned_s: float
    calls: tuple[Due, ...]
    no_deputy: int
    """Calls of the stretch in clusters that the suite has no sample of: not played."""


class Deputies:
    """The sample that stands for a logged call: its own, else the one of its cluster with the nearest prompt length.

    Among samples of equal length they take turns.
    """

    def __init__(self, samples: Sequence[Sample], tokens: dict[str, int]) -> None:
        self._own = {sample.id: sample for sample in samples}
        self._turn = 0
        self._by_cluster: dict[str, list[tuple[int, str]]] = {}
        for sample in samples:
            length = tokens.get(sample.id, sum(len(one.content or "") for one in sample.messages) // 4)
            self._by_cluster.setdefault(sample.category, []).append((length, sample.id))
        for members in self._by_cluster.values():
            members.sort()

    def of(self, arrival: Arrival) -> Sample | None:
        """None where the suite has no sample of the cluster."""
        if arrival.call in self._own:
            return self._own[arrival.call]
        members = self._by_cluster.get(arrival.cluster)
        if not members:
            return None
        self._turn += 1
        if arrival.tokens is None:
            return self._own[members[self._turn % len(members)][1]]
        place = bisect_left(members, (arrival.tokens, ""))
        around = members[max(0, place - 1) : place + 1] or members[-1:]
        length = min(around, key=lambda one: abs(one[0] - arrival.tokens))[0]  # type: ignore[operator]
        first, last = bisect_left(members, (length, "")), bisect_left(members, (length + 1, ""))
        return self._own[members[first + self._turn % (last - first)][1]]


def busiest(at: Sequence[float], length_s: float) -> tuple[int, int]:
    """First place and end of the stretch with most arrivals that is no longer than this; the earliest of several.

    >>> busiest([0.0, 5.0, 6.0, 7.0, 20.0], 2.0)
    (1, 4)
    """
    best, first = (0, 0), 0
    for last, now in enumerate(at):
        while now - at[first] > length_s:
            first += 1
        if last + 1 - first > best[1] - best[0]:
            best = (first, last + 1)
    return best


def _densest(at: Sequence[float], count: int) -> tuple[int, int]:
    """First place and end of so many arrivals in a row that take the shortest time."""
    first = min(range(len(at) - count + 1), key=lambda place: at[place + count - 1] - at[place])
    return first, first + count


def play_of(traffic: Traffic, speed: float, deputies: Deputies, *, seconds: float, most: int) -> Play:
    """The busiest stretch that takes so many seconds at this speed, or so many calls where that is less.

    Where the log had more calls than have a known time, the known ones come faster by that factor.
    Raises DataError where no call of it has a sample that can stand for it.
    """
    at = [one.at for one in traffic.arrivals]
    faster = speed * _scale(traffic)
    first, end = busiest(at, seconds * faster)
    if end - first > most:
        first, end = _densest(at, most)
    chosen = traffic.arrivals[first:end]
    calls, without = [], 0
    for one in chosen:
        sample = deputies.of(one)
        if sample is None:
            without += 1
            continue
        calls.append(Due((one.at - chosen[0].at) / faster, sample, one.session))
    if not calls:
        raise DataError("the suite has no sample for any call of the busiest stretch; build it from the same calls")
    log_s = chosen[-1].at - chosen[0].at
    return Play(speed, log_s, log_s / faster, tuple(calls), without)


def _scale(traffic: Traffic) -> float:
    return max(1.0, traffic.calls / len(traffic.arrivals))


def traffic_facts(traffic: Traffic, *, kept_sessions: bool) -> LoadTraffic:
    """The log's own figures."""
    at = [one.at for one in traffic.arrivals]
    first, end = busiest(at, 60.0)
    span = at[-1] - at[0]
    return LoadTraffic(
        arrivals=len(at),
        calls=traffic.calls,
        whole=traffic.whole,
        first=at[0],
        last=at[-1],
        per_s=traffic.calls / span if span >= 1 else None,
        busiest_minute=(end - first) * _scale(traffic),
        kept_sessions=kept_sessions,
    )
