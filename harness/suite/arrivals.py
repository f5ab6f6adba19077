"""When the calls of a log came: written beside a suite's samples, read to play the log's load again."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from harness.errors import ConfigError, DataError
from harness.records import Sample
from harness.records.call import Call

__all__ = ["ARRIVALS", "Arrival", "Arrivals", "Logged", "Traffic", "logged", "read_traffic"]

ARRIVALS: Final = "arrivals.jsonl"
_WIDTH: Final = 6


class Arrival(NamedTuple):
    """One logged call, as far as load goes."""

    at: float
    """Seconds since the epoch."""
    call: str
    cluster: str
    tokens: int | None
    """Of the prompt, as logged."""
    session: str | None


@dataclass(frozen=True, slots=True)
class Traffic:
    """The arrivals of a log in order, and how many calls it had in all."""

    arrivals: tuple[Arrival, ...]
    calls: float
    """Logged calls that these stand for: more where some came again and their times were not kept."""
    whole: bool
    """Whether it is the whole curated log; else only the samples of the suite."""


Logged = tuple[float | None, str, int | None, str | None, int]
"""Of a call: time, id, prompt tokens, session, calls that it stands for."""


def logged(call: Call) -> Logged:
    """What a call says of its arrival."""
    return call.at, call.id, call.usage.prompt_tokens, call.session, max(1, call.weight)


@dataclass(slots=True)
class Arrivals:
    """The arrivals of curated calls in the making: a line a call with a time."""

    _lines: list[bytes] = field(default_factory=list)
    _at: "array[float]" = field(default_factory=lambda: array("d"))

    def add(self, arrival: Logged, cluster: str) -> None:
        """Notes a call, whether it can be asked again or not. One without a time comes first, and has none."""
        at, call, tokens, session, weight = arrival
        self._at.append(at if at is not None else float("-inf"))
        self._lines.append(orjson.dumps([at, call, cluster, tokens, session, weight]))

    def data(self) -> bytes:
        """The file: JSON lines of time, call, cluster, prompt tokens, session, calls that it stands for; by time."""
        order = sorted(range(len(self._lines)), key=lambda place: (self._at[place], self._lines[place]))
        return b"".join(self._lines[place] + b"\n" for place in order)


def read_traffic(folder: Path, samples: Sequence[Sample]) -> Traffic:
    """The traffic of a suite from logs; of one without `arrivals.jsonl`, that of its samples alone.

    Raises ConfigError where nothing has a time, DataError for a damaged file.
    """
    file = folder / ARRIVALS
    rows = _rows(file) if file.is_file() else _of_samples(samples)
    timed = sorted((Arrival(row[0], *row[1:5]) for row in rows if row[0] is not None), key=lambda one: one[:2])
    if len(timed) < 2:
        raise ConfigError(
            f"the times of {len(timed)} of {len(rows) or len(samples):,} calls are known, and a load takes two at "
            "least; play a suite made from logs with times (do=build, or suite=replay logs.path=…), or use do=run with "
            "run.arrival.kind=poisson"
        )
    calls = sum(row[5] for row in rows)
    return Traffic(tuple(timed), float(calls), file.is_file())


_Row = tuple[float | None, str, str, int | None, str | None, float]


def _rows(file: Path) -> list[_Row]:
    try:
        rows: list[_Row] = [tuple(orjson.loads(line)) for line in file.read_bytes().splitlines() if line.strip()]
    except (OSError, orjson.JSONDecodeError) as error:
        raise DataError(f"{file} cannot be read ({error}); make the suite anew: build.replace=true") from None
    if any(len(row) != _WIDTH for row in rows):
        raise DataError(f"{file} has lines of another form; make the suite anew: build.replace=true")
    return rows


def _of_samples(samples: Sequence[Sample]) -> list[_Row]:
    return [
        (one.arrival_s, one.id, one.category, None, one.session, one.weight)
        for one in samples
        if one.arrival_s is not None
    ]
