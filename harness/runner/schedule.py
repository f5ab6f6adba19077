"""Which attempt comes when: the order of the work, and the moments at which open-loop load sends it."""

import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import count
from typing import TypeVar

import numpy as np

from harness.config import ArrivalConfig, RunnerConfig
from harness.errors import ConfigError
from harness.records import Sample

__all__ = ["Arrivals", "arrivals_s", "interleave"]

T = TypeVar("T")


def interleave(lanes: Sequence[Iterable[T]]) -> Iterator[tuple[int, T]]:
    """Items of several lanes in turn, every other round backwards (ABBA): (lane, item).

    A drift of the machine's speed then falls on all lanes alike. A lane that runs out drops out.
    >>> list(interleave([["a1", "a2"], ["b1", "b2"]]))
    [(0, 'a1'), (1, 'b1'), (1, 'b2'), (0, 'a2')]
    """
    turns = {index: iter(lane) for index, lane in enumerate(lanes)}
    for turn in count():
        if not turns:
            return
        for index in sorted(turns, reverse=turn % 2 == 1):
            try:
                yield index, next(turns[index])
            except StopIteration:
                del turns[index]


def arrivals_s(config: ArrivalConfig, samples: Iterable[Sample], seed: int) -> Iterator[float] | None:
    """Seconds after the start at which each request is due; None for closed loop, where the model sets the pace.

    poisson: exponential gaps of mean 1 / rate. constant: equal gaps. log: the samples' own arrival times divided by
    `speedup`, counted from the first. Same seed, same times. Raises ConfigError if a sample brings no arrival time.
    """
    if config.kind == "closed":
        return None
    if config.kind == "log":
        return _logged(config.speedup, samples)
    assert config.rate_per_s is not None
    if config.kind == "constant":
        return (number / config.rate_per_s for number in count())
    return _poisson(config.rate_per_s, np.random.default_rng(seed))


def _poisson(rate_per_s: float, rng: np.random.Generator) -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += float(rng.exponential(1 / rate_per_s))


def _logged(speedup: float, samples: Iterable[Sample]) -> Iterator[float]:
    first: float | None = None
    before, offset = 0.0, 0.0
    for sample in samples:
        if sample.arrival_s is None:
            raise ConfigError(
                f"sample {sample.id} has no arrival time, so run.arrival.kind=log has nothing to follow; "
                "use run.arrival.kind=poisson run.arrival.rate_per_s=…, or a suite that was replayed from logs"
            )
        first = sample.arrival_s if first is None else first
        since = sample.arrival_s - first
        if since < before:  # the next trial plays the log once more
            offset += before
        before = since
        yield max(0.0, offset + since) / speedup


class Arrivals:
    """Open-loop schedules that runs going on at once share: a rate holds for all of them that ask for it together.

    A log's own times are each run's own.
    """

    def __init__(self) -> None:
        """No schedule has begun."""
        self._shared: dict[tuple[ArrivalConfig, int], _Shared] = {}

    def times_s(self, settings: RunnerConfig) -> Generator[float] | None:
        """Seconds after a run's start at which its next request is due; None where a run has a schedule of its own."""
        arrival = settings.arrival
        if arrival.kind in {"closed", "log"}:
            return None
        return self._shared.setdefault((arrival, settings.seed), _Shared(arrival, settings.seed)).times_s()


class _Shared:
    """One schedule. It stands still while no run follows it."""

    def __init__(self, config: ArrivalConfig, seed: int) -> None:
        times = arrivals_s(config, (), seed)
        assert times is not None
        self._times = times
        self._last_s = 0.0
        self._zero_s = 0.0
        self._running = 0

    def times_s(self) -> Generator[float]:
        """For one run, whose clock starts when the first is asked for: whoever is ready takes the next moment."""
        began_s = time.perf_counter()
        if not self._running:
            self._zero_s = began_s - self._last_s
        self._running += 1
        try:
            for moment_s in self._times:
                self._last_s = moment_s
                yield self._zero_s + moment_s - began_s
        finally:
            self._running -= 1
