"""Evidence that may be looked at after every pair: betting e-processes and confidence sequences for bounded means.

Bet on each outcome that the mean lies above a value μ: capital starts at 1, and a share c of what a fair game allows is
put at stake each time, K = Π (1 + c (x − μ) / (μ − low)). If the mean is μ or less, K is a supermartingale that never
goes below 0, so it ever reaches 1/α with chance α at most (Ville's inequality): 1 / max K is a p-value at every look.
No such evidence is stronger than some betting of this form. c is not known; the capital is spread over 16 of them, and
the mean of the capitals is again such a process, which does not depend on the order of what was seen.

Sources: Waudby-Smith and Ramdas 2024, JRSS-B 86, 1–27 (betting); Orabona and Jun 2024, IEEE Trans. Inf. Theory 70
(capital spread by the arcsine law: regret of Cover's universal portfolio); Ville 1939.

What it needs: units in an order that has nothing to do with their outcomes, each with the mean in question. `shuffled`
sees to it. Samples of one session are one unit.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import exp, inf, log, sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.errors import DataError
from harness.records.summary import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["STAKES", "Blocks", "Evidence", "blocks_of", "certain", "mean_sequence", "shuffled"]

Correction = Literal["holm", "bonferroni", "none"]
STAKES = np.sin(np.pi * (2 * np.arange(1, 17) - 1) / 64) ** 2
"""The middles of 16 equal parts of the arcsine law on 0..1; the greatest is 0.9994, so that no loss ruins."""
_LOG_SHARE = -log(len(STAKES))
_EDGE = 1e-9
_MOST = 1e6
_METHOD = "betting confidence sequence"


@dataclass(slots=True)
class Evidence:
    """A growing capital that bets on a mean above (or below) a value; independent units are told one at a time.

    A unit is a block of values that hang together: their sum and number. The mean is that of all values, Σ sums over
    Σ numbers: a large session counts by its size.
    """

    null: float
    """The value that the mean is at, or beyond on the other side, unless the capital grows."""
    side: Literal["above", "below"]
    low: float = 0.0
    high: float = 1.0
    """Bounds of a value."""
    largest: int = 1
    """Most values in a block, known before the first look."""
    best: float = 0.0
    """Natural log of the greatest capital so far."""
    count: int = 0
    """Units seen."""
    _won: float = 0.0
    _squares: float = 0.0
    _logs: "Floats" = field(init=False, default_factory=lambda: np.zeros(len(STAKES)))

    def __post_init__(self) -> None:
        if not self.low < self.null < self.high or self.largest < 1:
            raise DataError(
                f"a bet needs low < null < high and blocks of 1 or more, not {self.low:g}, {self.null:g}, "
                f"{self.high:g}, {self.largest}"
            )

    def look(self, total: float, size: int = 1) -> float:
        """The log of the capital after one more unit. Raises DataError for a unit that is out of bounds.

        >>> test = Evidence(null=0.5, side="above")
        >>> [round(test.look(1.0), 2) for _ in range(3)]
        [0.41, 0.86, 1.37]
        """
        if not 1 <= size <= self.largest or not size * self.low - _EDGE <= total <= size * self.high + _EDGE:
            raise DataError(
                f"a unit of 1 to {self.largest} values within {self.low:g} and {self.high:g} was expected, not {size} "
                f"with sum {total:g}"
            )
        gain = self._gain(total, size)
        self.count += 1
        self._won += gain
        self._squares += gain * gain
        self._logs += np.log1p(STAKES * gain)
        now = _log_mean(self._logs)
        self.best = max(self.best, now)
        return now

    def _gain(self, total: float, size: int) -> float:
        """What a unit wins at full stake, −1 at worst."""
        if self.side == "above":
            return max(-1.0, (total - size * self.null) / (self.largest * (self.null - self.low)))
        return max(-1.0, (size * self.null - total) / (self.largest * (self.high - self.null)))

    @property
    def p(self) -> float:
        """Anytime-valid p-value: the chance that the capital ever gets so high without cause."""
        return min(1.0, exp(-self.best))

    def to_go(self, need: float, hope: float = 0.0) -> float:
        """About how many units more bring the log of the capital to `need`; infinite beyond a million.

        It grows by ½ mean² / (mean of squares) of the gains a unit, the second-order optimum. Half a unit that wins and
        half a one that loses everything are added, so that few units do not look sure. hope: standard errors by which
        the mean may be greater than what was seen.
        >>> test = Evidence(null=-0.05, side="above", low=-1.0)
        >>> for _ in range(40):
        ...     _ = test.look(0.0)
        >>> round(test.to_go(3.0)), test.to_go(0.0)
        (35, 0.0)
        """
        left = need - self.best
        if left <= 0:
            return 0.0
        n = self.count + 1
        square = (self._squares + 1) / n
        mean = self._won / n + hope * sqrt(square / n)
        units = max(1.0, 2 * left * square / mean**2) if mean > 0 else inf
        return units if units <= _MOST else inf


Blocks = Counter[tuple[float, int]]
"""How often each (sum, number of values) was seen among the units."""


def mean_sequence(
    blocks: Blocks, *, low: float = 0.0, high: float = 1.0, largest: int = 1, level: float = 0.95
) -> Interval | None:
    """Interval for the mean that holds at every look together; None without a unit. Never of width zero.

    All values against which neither capital, bet above or below, has reached 2 / (1 − level).
    >>> found = mean_sequence(Counter({(1.0, 1): 30, (0.0, 1): 10}))
    >>> round(found.low, 3), round(found.high, 3)
    (0.501, 0.923)
    """
    count = sum(size * times for (_, size), times in blocks.items())
    if not count:
        return None
    mean = sum(total * times for (total, _), times in blocks.items()) / count
    totals = np.array([total for total, _ in blocks], dtype=np.float64)
    sizes = np.array([size for _, size in blocks], dtype=np.float64)
    times = np.array(list(blocks.values()), dtype=np.float64)
    need = log(2 / (1 - level))
    bound = partial(_bound, sizes=sizes, times=times, largest=largest, need=need)
    lower = bound(mean, totals, low)
    upper = -bound(-mean, -totals, -high)
    return Interval(low=lower, high=upper, level=level, method=_METHOD)


def _bound(
    mean: float, totals: "Floats", low: float, *, sizes: "Floats", times: "Floats", largest: int, need: float
) -> float:
    """The least value that a mean can have without the capital that bets on a higher one reaching the need."""
    from scipy.optimize import brentq

    def excess(value: float) -> float:
        gains = np.maximum(-1.0, (totals - sizes * value) / (largest * (value - low)))
        logs: Floats = times @ np.log1p(np.outer(gains, STAKES))
        return _log_mean(logs) - need

    least = low + _EDGE
    if mean <= least or excess(least) <= 0:
        return low
    return float(brentq(excess, least, mean))


def _log_mean(logs: "Floats") -> float:
    """Log of the mean of what these are the logs of."""
    most = float(logs.max())
    return most + _LOG_SHARE + log(float(np.exp(logs - most).sum()))


def certain(best: Sequence[float], alpha: float, correction: Correction = "holm") -> list[bool]:
    """Which of several kinds of evidence are enough, with chance α at most that any of them is so without cause.

    best: log of the greatest capital of each. `bonferroni`: 1/α times the number of tests. `holm`: the strongest need
    that, the next one test less, and so on until one has not enough; valid at every look since anytime-valid p-values
    stay valid however long one waits. `none`: each for itself. Source: Holm 1979, Scand. J. Statist. 6, 65–70.
    >>> certain([5.0, 3.5, 3.1], 0.05), certain([5.0, 3.5, 3.1], 0.05, "bonferroni")
    ([True, False, False], [True, False, False])
    >>> certain([5.0, 3.8, 3.1], 0.05), certain([5.0, 3.8, 3.1], 0.05, "none")
    ([True, True, True], [True, True, True])
    """
    enough = [False] * len(best)
    left = len(best)
    for index in sorted(range(len(best)), key=lambda one: -best[one]):
        if best[index] < log(1 / alpha) + (log(left) if correction != "none" else 0.0):
            break
        enough[index] = True
        left -= correction == "holm"
    return enough


def blocks_of(values: Sequence[float], sessions: Sequence[Hashable | None] | None = None) -> list[tuple[float, ...]]:
    """The values as units: those of one session together, in the order of first appearance.

    >>> blocks_of([1.0, 0.0, -1.0], ["a", None, "a"])
    [(1.0, -1.0), (0.0,)]
    """
    if sessions is not None and len(sessions) != len(values):
        raise DataError(f"{len(values)} values need as many sessions, not {len(sessions)}")
    groups: dict[Hashable, list[float]] = {}
    for place, value in enumerate(values):
        session = None if sessions is None else sessions[place]
        groups.setdefault((place,) if session is None else ("session", session), []).append(value)
    return [tuple(group) for group in groups.values()]


def shuffled(count: int, seed: Sequence[int]) -> list[int]:
    """The numbers below count in an order that has nothing to do with outcomes: same seed, same order.

    >>> sorted(shuffled(5, [0])) == list(range(5)), shuffled(5, [7]) == shuffled(5, [7])
    (True, True)
    """
    order: list[int] = np.random.default_rng(list(seed)).permutation(count).tolist()
    return order
