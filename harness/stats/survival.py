"""How long things last when some are lost from sight before their end."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.errors import DataError
from harness.records.interval import Interval

__all__ = ["Survived", "kaplan_meier"]

_Floats = np.ndarray[tuple[int], np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Survived:
    """The estimate at one time."""

    time: int
    at_risk: int
    events: int
    share: float
    interval: Interval | None


def kaplan_meier(
    times: Sequence[int], events: Sequence[bool], units: Sequence[Hashable] = (), level: float = 0.95
) -> tuple[Survived, ...]:
    """The share that lasts beyond each time with an event, and beyond the last time at which any was seen.

    times: at which each ended, from 1; a 0 was never seen, and counts for nothing. events: whether it ended there, or
    was lost from sight (censored) after it. units: what hangs together has one; none: each stands alone.
    The product-limit estimate: Kaplan and Meier 1958, JASA 53. The interval is by the sums over units of what each
    adds to log S (Ying and Wei 1994, J. Multivariate Analysis 50), which for units of one is Greenwood's variance; on
    the scale of log(-log), with Student's t for the number of units. None where the share is 0 or 1, or with one unit.
    Raises DataError unless there is an event, and a unit where any is given, for each time.
    >>> [(one.time, one.at_risk, round(one.share, 3)) for one in kaplan_meier([1, 2, 3, 3], [True, False, True, False])]
    [(1, 4, 0.75), (3, 2, 0.375)]
    """
    if len(times) != len(events) or len(units) not in {0, len(times)}:
        raise DataError(f"{len(times)} times, {len(events)} events and {len(units)} units: one of each for each")
    kept = [number for number, time in enumerate(times) if time > 0]
    if not kept:
        return ()
    seen = np.asarray([times[number] for number in kept])
    ended = np.asarray([events[number] for number in kept], dtype=bool)
    labels: dict[Hashable, int] = {}
    unit = np.asarray([labels.setdefault(units[n] if units else n, len(labels)) for n in kept])
    found, share = [], 1.0
    added = np.zeros(len(labels))
    for time in sorted({*seen[ended].tolist(), int(seen.max())}):
        risk, now = seen >= time, (seen == time) & ended
        n, d = int(risk.sum()), int(now.sum())
        share *= 1 - d / n
        if d < n:
            residual = (now - risk * (d / n)) / (n - d)
            added += np.bincount(unit, weights=residual, minlength=len(labels))
        found.append(Survived(time, n, d, share, _interval(share, added, level)))
    return tuple(found)


def _interval(share: float, added: _Floats, level: float) -> Interval | None:
    """Between share ** exp(±t·se), se that of log(-log share). None where that is not defined."""
    n = len(added)
    if not 0 < share < 1 or n < 2:
        return None
    from scipy.special import stdtrit

    error = float(np.sqrt((added**2).sum() * n / (n - 1))) / abs(np.log(share))
    if error == 0:
        return None
    reach = float(np.exp(float(stdtrit(n - 1, (1 + level) / 2)) * error))
    return Interval(low=float(share**reach), high=float(share ** (1 / reach)), level=level, method="log-log, by unit")
