"""A monitor of a stream's mean: it alarms when the mean has passed a limit, and may be looked at after every unit.

Capital is bet on each unit's lying above the limit, f = 1 + λ (sum − size × limit). While the mean is at the limit or
below, no bet wins on the mean. When a change begins is not known, so bets begin at every unit t with a part w(t) of the
capital; all bets on one stake λ win the same from then on, so that their sum needs one number, U ← (U + w(t)) f.

- `ever`: Σ w(t) = 1, what is not staked yet is kept. The capital is a supermartingale that begins at 1, and it ever
  reaches 1/α with chance α at most (Ville's inequality).
- `rate`: w(t) = 1. The sum less the number of units is a supermartingale (Shiryaev and Roberts), so units between false
  alarms are at least `every` on the mean, and a false alarm within n units has a chance of n / `every` at most.

Stakes lie around the one that grows fastest if the mean is `detect` beyond the limit; the variance that it takes is
learned from the units before.

Sources: Shin, Ramdas and Rinaldo 2022, arXiv:2203.03532 (e-detectors); Waudby-Smith and Ramdas 2024, JRSS-B 86, 1–27;
Pollak 1985, Annals of Statistics 13, 206–227 (Shiryaev–Roberts); Ville 1939.

What it needs: independent units, taken in an order that has nothing to do with what is in them, each drawn by chance.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp, floor, log, log1p

import numpy as np

from harness.errors import DataError
from harness.records.monitor import MonitorDesign, MonitorState
from harness.stats.bounded import Units, limit

__all__ = ["SHARES", "STAKES", "Cell", "Monitor", "cells_of", "growth", "least_delay"]

STAKES = (0.5, 1.0, 2.5)
"""Multiples of the stake that is best for the change to be found: smaller and larger changes have one, too."""
SHARES = (0.1, 0.8, 0.1)
"""Of the capital."""
_TUNED = 1
_PRIOR = 50.0
"""Values that the variance to begin with stands for."""
_MOST_AT_STAKE = 0.95
_MOST = 1e250
_EDGE = 1e-9
_STEP = 1 / 40
"""Of `detect`: how far apart the supposed means of a baseline lie."""
_EXCLUDED = 1 / 20
"""Part of α that is spent on baselines higher than what the calibration allows."""
_BELOW = 0.4
"""Of `detect`: means lower by more than this than the calibration's are all held to be the highest of them."""
_IDLE = 0.3
"""Part of the evidence of a calibration that bets on nothing, so that it never counts for less."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A limit, and what the calibration says against means of the baseline for which it would be too low a one."""

    limit: float
    log_evidence: float = 0.0
    reach: float = 0.0
    """From the limit to the mean that is to be found."""


@dataclass(slots=True)
class Monitor:
    """The evidence that the mean of a stream has passed its limit, told unit by unit; `state` is all of it."""

    design: MonitorDesign
    state: MonitorState = field(default_factory=MonitorState)
    cells: tuple[Cell, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.cells = cells_of(self.design)
        if self.state.capital and len(self.state.capital) != len(self.cells):
            raise DataError("this state of a monitor belongs to other settings; begin anew: monitor.reset=WHY")

    def look(self, total: float, size: int = 1) -> float:
        """Log of the evidence after one more unit: the sum of its values, and their number.

        A unit larger than `largest` counts as that many values of its mean. Raises DataError for one out of bounds.
        >>> test = Monitor(MonitorDesign(limit=0.2))
        >>> [round(test.look(1.0), 2) for _ in range(3)]
        [0.18, 0.37, 0.58]
        >>> test.alarm
        False
        """
        total, size = self._checked(total, size)
        old, started, rest = self.state, *self._started()
        capital, evidence, rises = [], [], []
        for cell, row in zip(self.cells, old.capital or ((0.0,) * len(STAKES),) * len(self.cells), strict=True):
            gain = total - size * cell.limit
            best = self._stake(cell)
            most = _MOST_AT_STAKE / (self.design.largest * (cell.limit - self.design.low))
            factors = [1 + min(most, one * best) * gain for one in STAKES]
            new = tuple(min(_MOST, (had + started) * won) for had, won in zip(row, factors, strict=True))
            capital.append(new)
            held = sum(share * one for share, one in zip(SHARES, new, strict=True)) + rest
            evidence.append(cell.log_evidence + log(max(held, 1e-300)))
            rises.append(log(factors[_TUNED]))
        self.state = self._moved(total, size, tuple(capital), min(evidence), min(rises))
        return self.state.now

    def _checked(self, total: float, size: int) -> tuple[float, int]:
        low, high, largest = self.design.low, self.design.high, self.design.largest
        if size < 1 or not size * low - _EDGE <= total <= size * high + _EDGE:
            raise DataError(f"a unit of values within {low:g} and {high:g} was expected, not {size} with sum {total:g}")
        return (total, size) if size <= largest else (total * largest / size, largest)

    def _started(self) -> tuple[float, float]:
        """The capital that is staked from the next unit on, and what then is still kept."""
        if self.design.promise == "rate":
            return 1.0, 0.0
        n = self.state.units
        after = self._kept(n)
        return (1.0 if n == 0 else self._kept(n - 1)) - after, after

    def _kept(self, units: float) -> float:
        return (1 - self.design.head) / (1 + units / self.design.horizon)

    def _stake(self, cell: Cell) -> float:
        """The stake that grows fastest if the mean is as it is to be found, by what is known before the unit."""
        return cell.reach / self._variance(cell.limit)

    def _variance(self, at: float) -> float:
        """Mean square about the limit, a value; of right or wrong that at the limit times what sessions make of it.

        About the mean seen it would be too great a one after a change, since right or wrong has more of it nearer ½.
        """
        old = self.state
        if self.design.spread is not None:
            squares = max(0.0, old.squares - 2 * at * old.crossed + at * at * old.sizes)
            return (_PRIOR * self.design.spread + squares) / (_PRIOR + old.values)
        first = at * (1 - at)
        mean = old.total / max(1, old.values)
        squares = max(0.0, old.squares - 2 * mean * old.crossed + mean * mean * old.sizes)
        alone = old.values * mean * (1 - mean)
        return first * (_PRIOR * first + squares) / (_PRIOR * first + max(0.0, alone))

    def _moved(
        self, total: float, size: int, capital: tuple[tuple[float, ...], ...], now: float, rise: float
    ) -> MonitorState:
        old, risen = self.state, self.state.rise + rise
        units, values = old.units + 1, old.values + size
        going_on = self.alarm or risen > 0  # the beginning of the change that was found stays
        since = (risen, old.since_units, old.since_values) if going_on else (0.0, units, values)
        fired = old.alarmed_units if self.alarm else units if now >= self.need else None
        return MonitorState.model_construct(
            units=units,
            values=values,
            total=old.total + total,
            squares=old.squares + total * total,
            crossed=old.crossed + total * size,
            sizes=old.sizes + size * size,
            capital=capital,
            best=max(old.best, now),
            now=now,
            rise=since[0],
            since_units=since[1],
            since_values=since[2],
            alarmed_units=fired,
        )

    @property
    def need(self) -> float:
        """Log of the evidence that makes an alarm, of this monitor alone."""
        if self.design.promise == "rate":
            return log(self.design.every)
        kept = 1 - _EXCLUDED if self.design.baseline is not None else 1.0
        return -log(self.design.alpha * kept)

    @property
    def alarm(self) -> bool:
        """Whether the evidence was ever enough, for this monitor alone."""
        return self.state.alarmed_units is not None

    @property
    def p(self) -> float | None:
        """Of `ever`: the chance that the evidence ever gets so strong without cause; None of `rate`."""
        if self.design.promise == "rate":
            return None
        return min(1.0, self.design.alpha * exp(self.need - self.state.best))

    def to_go(self, need: float | None = None) -> float:
        """About how many values more an alarm takes, if the mean is `detect` beyond the limit from now on.

        >>> round(Monitor(MonitorDesign(limit=0.2)).to_go(), -1)
        420.0
        """
        level = self.need if need is None else need
        rows = self.state.capital or ((0.0,) * len(STAKES),) * len(self.cells)
        longest = 0.0
        for cell, row in zip(self.cells, rows, strict=True):
            pace = self._stake(cell) * cell.reach / 2
            have = sum(share * one for share, one in zip(SHARES, row, strict=True)) + self._soon(1 / pace)
            longest = max(longest, (level - cell.log_evidence - log(max(have, 1e-300))) / pace)
        return longest

    def _soon(self, units: float) -> float:
        """Capital that is staked within so many units."""
        if self.design.promise == "rate":
            return units
        n = self.state.units
        return (1.0 if n == 0 else self._kept(n - 1)) - self._kept(n + units)


def cells_of(design: MonitorDesign) -> tuple[Cell, ...]:
    """The limits that a design is held against: one where it is a number; with a baseline one for each supposed mean.

    The mean b of the baseline is not known. For each b the calibration's evidence against it, times the capital that
    bets against b + margin, is what a false alarm would have to get beyond 1/α, whichever b is true; so the least of
    these products may alarm. Means above the calibration's upper bound at α/20 are left out at that price. Means on a
    grid that does not depend on the data stand for those up to the next one.
    """
    if design.baseline is None:
        return (Cell(design.limit, reach=design.detect),)
    totals = np.array([total for total, _, times in design.baseline for _ in range(times)], dtype=np.float64)
    sizes = np.array([size for _, size, times in design.baseline for _ in range(times)], dtype=np.float64)
    mean = float(totals.sum() / sizes.sum())
    top = limit(Units(totals, sizes, int(sizes.sum())), design.alpha * _EXCLUDED, greater=False)
    step = design.detect * _STEP
    goal = mean + design.limit + design.detect
    found: list[Cell] = []
    for place in range(max(0, floor((mean - _BELOW * design.detect) / step)), floor(top / step) + 1):
        at, upper = place * step, min(1 - _EDGE, (place + 1) * step + design.limit)
        against = log(_IDLE) if not found else _calibrated(totals, sizes, at, design)
        found.append(Cell(upper, against, min(1.5 * design.detect, max(goal - upper, design.detect / 4))))
    return tuple(found)


def _calibrated(totals: "np.ndarray", sizes: "np.ndarray", at: float, design: MonitorDesign) -> float:
    """Log of the capital that bets on a calibration's mean below `at`, begun with 1; a part of it bets on nothing.

    The stake hangs on the numbers of calls alone: the best one where the monitor has seen as many as it would need.
    """
    variance = at * (1 - at)
    later = 2 * log(1 / design.alpha) * variance / design.detect**2
    reach = design.detect * later / (later + float(sizes.sum()))
    stake = min(reach / variance, _MOST_AT_STAKE / (float(sizes.max()) * (1 - at)))
    won = float(np.log1p(stake * (at * sizes - totals)).sum())
    return float(np.logaddexp(log(_IDLE), log1p(-_IDLE) + won))


def growth(chances: Mapping[float, float], limit: float, low: float = 0.0) -> float:
    """Most that the log of any evidence against "the mean is `limit` at most" can grow a value, on the mean.

    chances: of the values, from `low` on. It is the least Kullback–Leibler divergence from what is so to what would be
    allowed, and the greatest growth of a bet: max over λ of E log(1 + λ (x − limit)). 0 where the mean is allowed.
    Source: Honda and Takemura 2010, COLT (the duality).
    >>> round(growth({1.0: 0.25, 0.0: 0.75}, 0.2), 5)
    0.00738
    """

    def slope(stake: float) -> float:
        return sum(chance * (x - limit) / (1 + stake * (x - limit)) for x, chance in chances.items())

    if slope(0.0) <= 0:
        return 0.0
    first, last = 0.0, (1 - _EDGE) / (limit - low)
    for _ in range(100):
        middle = (first + last) / 2
        first, last = (middle, last) if slope(middle) > 0 else (first, middle)
    return sum(chance * log1p(first * (x - limit)) for x, chance in chances.items())


def least_delay(chances: Mapping[float, float], limit: float, alpha: float = 0.05, low: float = 0.0) -> float:
    """Values that no monitor gets below on the mean, even one that knows when the change begins and what it is.

    log(1/α) / `growth` (Wald 1945, Annals of Mathematical Statistics 16, 117–186), for "any false alarm with chance α
    at most". Raises DataError where the mean is within the limit: then there is nothing to be found.
    >>> round(least_delay({1.0: 0.25, 0.0: 0.75}, 0.2))
    406
    """
    pace = growth(chances, limit, low)
    if pace <= 0:
        raise DataError(f"a mean within the limit of {limit:g} is no change to be found")
    return log(1 / alpha) / pace
