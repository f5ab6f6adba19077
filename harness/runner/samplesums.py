"""Sum and number of each sample's values, in flat arrays: a million samples fit, whatever their trials."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

__all__ = ["PartSums", "SampleSums"]


@dataclass(slots=True)
class SampleSums:
    """Values by sample: the trials of one sample are not independent, nor are the samples of one session."""

    _positions: dict[str, int] = field(default_factory=dict)
    _categories: dict[str, int] = field(default_factory=dict)
    _sessions: dict[str, int] = field(default_factory=dict)
    _category: "array[int]" = field(default_factory=lambda: array("H"))
    _session: "array[int]" = field(default_factory=lambda: array("q"))
    """Number of the session; below zero and unique for a sample that has none."""
    _weight: "array[float]" = field(default_factory=lambda: array("d"))
    _sums: "array[float]" = field(default_factory=lambda: array("d"))
    _counts: "array[int]" = field(default_factory=lambda: array("I"))
    _spent: "array[float]" = field(default_factory=lambda: array("d"))
    """USD of the sample's attempts that have a price."""
    _took: "array[float]" = field(default_factory=lambda: array("d"))
    """Seconds of the others."""
    _priced: "array[int]" = field(default_factory=lambda: array("b"))
    """1 for a sample with a priced attempt."""
    partial: bool = False
    """Whether any value lies between 0 and 1."""

    def __len__(self) -> int:
        """Samples seen, scored or not."""
        return len(self._positions)

    def position(self, sample: str) -> int | None:
        """Number of a sample in the order in which they were first seen; None if it was not."""
        return self._positions.get(sample)

    def see(self, sample: str, category: str, session: str | None, weight: float = 1.0) -> int:
        """Notes a sample with a finished attempt and returns its position."""
        position = self._positions.get(sample)
        if position is None:
            position = self._positions[sample] = len(self._positions)
            self._category.append(self._categories.setdefault(category, len(self._categories)))
            own = -1 - position
            self._session.append(own if session is None else self._sessions.setdefault(session, len(self._sessions)))
            self._weight.append(weight)
            self._sums.append(0.0)
            self._counts.append(0)
            self._spent.append(0.0)
            self._took.append(0.0)
            self._priced.append(0)
        return position

    def spend(self, position: int, cost_usd: float | None, seconds: float | None) -> None:
        """Adds what one attempt took to the sample at a position."""
        if cost_usd is None:
            self._took[position] += seconds or 0.0
        else:
            self._spent[position] += cost_usd
            self._priced[position] = 1

    def spent(self) -> tuple[list[float], list[int]]:
        """What each sample took, and, if any share one, the number of its session.

        In USD, of the samples with a priced attempt alone; in seconds, of all, where no attempt has a price.
        """
        priced = np.frombuffer(self._priced, dtype=np.int8) > 0
        chosen = priced if priced.any() else np.ones(len(self), dtype=bool)
        values = np.frombuffer(self._spent if priced.any() else self._took)[chosen]
        return values.tolist(), self.sessions_of(np.flatnonzero(chosen))

    def add(self, position: int, value: float) -> None:
        """Adds a value to the sample at a position."""
        self._sums[position] += value
        self._counts[position] += 1
        self.partial = self.partial or value not in (0.0, 1.0)

    @property
    def categories(self) -> list[str]:
        """Names of the categories seen, sorted."""
        return sorted(self._categories)

    def means(self, category: str | None = None) -> tuple[list[float], list[int]]:
        """Mean value of each scored sample and, if any share one, the number of its session."""
        chosen = self._scored(category)
        sums, counts = np.frombuffer(self._sums), np.frombuffer(self._counts, dtype=np.uint32)
        means = (sums[chosen] / counts[chosen]).tolist()
        sessions = np.frombuffer(self._session, dtype=np.int64)[chosen].tolist() if self._sessions else []
        return means, sessions

    def weighted(self) -> tuple[list[float], list[int], list[float], list[str]]:
        """Mean value, number of the session, weight and category of each scored sample.

        The number is below zero for a sample without a session.
        """
        chosen = self._scored(None)
        sums, counts = np.frombuffer(self._sums)[chosen], np.frombuffer(self._counts, dtype=np.uint32)[chosen]
        names = list(self._categories)
        categories = [names[one] for one in np.frombuffer(self._category, dtype=np.uint16)[chosen].tolist()]
        sessions = np.frombuffer(self._session, dtype=np.int64)[chosen].tolist()
        return (sums / counts).tolist(), sessions, np.frombuffer(self._weight)[chosen].tolist(), categories

    def trials(self) -> tuple[list[float], list[int], list[int]]:
        """Sum and number of the values of each scored sample, and, if any share one, the number of its session."""
        chosen = self._scored(None)
        counts = np.frombuffer(self._counts, dtype=np.uint32)[chosen]
        sessions = self.sessions_of(np.flatnonzero(chosen))
        return np.frombuffer(self._sums)[chosen].tolist(), counts.tolist(), sessions

    def sessions_of(self, positions: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> list[int]:
        """Number of the session of each position, if any samples share one; else nothing."""
        if not self._sessions:
            return []
        sessions: list[int] = np.frombuffer(self._session, dtype=np.int64)[positions].tolist()
        return sessions

    def total(self, category: str) -> tuple[float, int]:
        """Sum and number of a category's values."""
        chosen = self._scored(category)
        counts = np.frombuffer(self._counts, dtype=np.uint32)[chosen]
        return float(np.frombuffer(self._sums)[chosen].sum()), int(counts.sum())

    def _scored(self, category: str | None) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        chosen = np.frombuffer(self._counts, dtype=np.uint32) > 0
        if category is not None:
            chosen = chosen & (np.frombuffer(self._category, dtype=np.uint16) == self._categories[category])
        return chosen


@dataclass(slots=True)
class PartSums:
    """Sum and number of each part's values by sample, 6 bytes a sample and part."""

    _sums: "dict[str, array[float]]" = field(default_factory=dict)
    _counts: "dict[str, array[int]]" = field(default_factory=dict)

    def add(self, position: int, parts: Mapping[str, float]) -> None:
        """Adds the parts of one attempt to the sample at a position."""
        for name, value in parts.items():
            sums = self._sums.setdefault(name, array("f"))
            counts = self._counts.setdefault(name, array("H"))
            if len(sums) <= position:
                missing = position + 1 - len(sums)
                sums.frombytes(bytes(4 * missing))
                counts.frombytes(bytes(2 * missing))
            sums[position] += value
            counts[position] += 1

    @property
    def names(self) -> list[str]:
        """The parts seen, in the order of their first appearance."""
        return list(self._sums)

    def means(self, name: str) -> "tuple[list[float], np.ndarray[tuple[int], np.dtype[np.int64]]]":
        """Mean of a part in each sample that has it, and the positions of those samples."""
        sums = np.frombuffer(self._sums[name], dtype=np.float32).astype(np.float64)
        counts = np.frombuffer(self._counts[name], dtype=np.uint16)
        positions = np.flatnonzero(counts)
        return (sums[positions] / counts[positions]).tolist(), positions
