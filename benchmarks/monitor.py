"""False alarms of the monitor, and how long it takes to find a loss: `python -m benchmarks.monitor`.

Simulated streams of known truth, looked at after every unit. Of each design:
- `ever` or `rate`: what is promised (`harness/stats/monitor.py`);
- `false`: streams with an alarm before the change (or at all, without one), with Clopper and Pearson's 95 % interval;
- `delay`: verified calls from the change to the alarm, of streams without a false one; mean, standard error, median;
- `bound`: calls that no monitor with that chance of a false alarm gets below, even one that knows when the change
  begins and what it is; `ratio`: how many times that the delay is. For a change that begins later nobody knows when.

The streams are followed all at once by the arithmetic of `Monitor`; the first of each design are followed by `Monitor`
itself, too, and have to alarm at the same call.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf, log
from multiprocessing import get_context
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.records.monitor import MonitorDesign
from harness.stats.monitor import SHARES, STAKES, Monitor, cells_of, least_delay
from harness.stats.proportion import clopper_pearson

Floats = NDArray[np.float64]
ALPHA = 0.05
_ALIKE = 0.5


@dataclass(frozen=True)
class Truth:
    """What is simulated. `before`, `after`: chances of a loss and of a gain."""

    name: str
    design: MonitorDesign
    before: tuple[float, float] = (0.20, 0.0)
    after: tuple[float, float] | None = (0.25, 0.0)
    """None: no change."""
    change: int = 0
    """Units before it."""
    largest: int = 1
    """Most calls in a session; sizes are 1 … largest, half of its calls have what the first one has."""
    calibration: int = 0
    """Calls that the baseline was measured on, anew for each stream."""
    looks: int = 4000
    share: float = field(default=1.0)
    """Of the streams asked for that are run: designs with a baseline take long."""


def designs() -> tuple[Truth, ...]:
    """All that is measured."""
    right = MonitorDesign(limit=0.20, alpha=ALPHA)
    rate = MonitorDesign(limit=0.20, promise="rate", every=5000)
    pairs = MonitorDesign(limit=0.0, low=-1.0, spread=0.2, alpha=ALPHA)
    margin = MonitorDesign(limit=0.02, low=-1.0, spread=0.2, detect=0.03, alpha=ALPHA)
    blocks = MonitorDesign(limit=0.20, largest=8, alpha=ALPHA)
    bare = MonitorDesign(limit=0.0, baseline=((1.0, 1, 1), (0.0, 1, 4)), alpha=ALPHA)
    return (
        Truth("no change, at the limit", right, after=None),
        Truth("no change, at the limit", rate, after=None, looks=2000),
        Truth("no change, 5 points below it", right, (0.15, 0.0), None),
        Truth("no change, sessions of 1-8", blocks, after=None, largest=8, looks=2000),
        Truth("no change, pairs, 20 % differ", pairs, (0.10, 0.10), None),
        Truth("no change, pairs, loss = margin 2", margin, (0.11, 0.09), None),
        Truth("no change, baseline of 500 calls", bare, after=None, calibration=500, looks=1500, share=0.5),
        Truth("no change, baseline of 5,000", bare, after=None, calibration=5000, looks=1500, share=0.5),
        Truth("20 % -> 25 %, limit 20 %", right),
        Truth("  after 500 calls at the limit", right, change=500, looks=5000),
        Truth("  after 2,000 calls at the limit", right, change=2000, looks=7000),
        Truth("  after 500 calls at 15 %", right, (0.15, 0.0), change=500, looks=5000),
        Truth("20 % -> 25 %, limit 20 %", rate),
        Truth("  after 500 calls at the limit", rate, change=500, looks=5000),
        Truth("  after 2,000 calls at the limit", rate, change=2000, looks=7000),
        Truth("20 % -> 30 %, limit 20 %", right, after=(0.30, 0.0)),
        Truth("20 % -> 40 %, limit 20 %", right, after=(0.40, 0.0)),
        Truth("20 % -> 25 %, sessions of 1-8", blocks, largest=8, looks=2500),
        Truth("pairs, loss 5, limit 0, 10 % differ", pairs, (0.05, 0.05), (0.075, 0.025)),
        Truth("pairs, loss 5, limit 0, 20 % differ", pairs, (0.10, 0.10), (0.125, 0.075)),
        Truth("pairs, both 20 % wrong, independent", pairs, (0.16, 0.16), (0.20, 0.15), looks=6000),
        Truth("pairs, loss 5, margin 2, 5 % differ", margin, (0.0, 0.0), (0.05, 0.0)),
        Truth("pairs, loss 5, margin 2, 20 % differ", margin, (0.11, 0.09), (0.125, 0.075), looks=8000),
        Truth("20 % -> 25 %, baseline of 500 calls", bare, calibration=500, share=0.25),
        Truth("20 % -> 25 %, baseline of 2,000", bare, calibration=2000, share=0.25),
        Truth("20 % -> 25 %, baseline of 5,000", bare, calibration=5000, share=0.25),
    )


def stream(truth: Truth, runs: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Sums and sizes of the units: (runs, looks) each."""
    shape = (runs, truth.looks)
    sizes = rng.integers(1, truth.largest + 1, shape).astype(float)
    after = truth.before if truth.after is None else truth.after
    begun = np.arange(truth.looks) >= truth.change
    lost, gained = (np.where(begun, after[place], truth.before[place]) for place in (0, 1))

    def one() -> Floats:
        drawn = rng.random(shape)
        return np.where(drawn < lost, 1.0, np.where(drawn < lost + gained, -1.0, 0.0))

    first = one()
    totals = first.copy()
    for place in range(1, truth.largest):
        own = np.where(rng.random(shape) < _ALIKE, first, one())
        totals += np.where(place < sizes, own, 0.0)
    return totals, sizes


def drawn_design(truth: Truth, rng: np.random.Generator) -> MonitorDesign:
    """The design, its baseline measured anew where it has one."""
    if not truth.calibration:
        return truth.design
    wrong = int(rng.binomial(truth.calibration, truth.before[0]))
    blocks = ((1.0, 1, wrong), (0.0, 1, truth.calibration - wrong))
    return truth.design.model_copy(update={"baseline": blocks})


def grid(designs: Sequence[MonitorDesign]) -> tuple[Floats, Floats, Floats]:
    """Limits, what is known of each, how far it is from each: a row a design. One that is not its own never counts."""
    cells = [{round(one.limit, 9): one for one in cells_of(design)} for design in designs]
    limits = sorted({limit for own in cells for limit in own})
    known = np.array([[own[one].log_evidence if one in own else inf for one in limits] for own in cells])
    reach = np.array([[own[one].reach if one in own else 1.0 for one in limits] for own in cells])
    return np.array(limits)[None, :], known, reach


def ends(designs: Sequence[MonitorDesign], totals: Floats, sizes: Floats) -> NDArray[np.int64]:
    """Number of the look with the first alarm; one more than there are looks without any.

    designs: one for all streams, or one for each that differs from the others in its baseline only.
    """
    runs, looks = totals.shape
    design = designs[0]
    at, known, reach = grid(designs)
    capital = np.zeros((runs, at.shape[1], len(STAKES)))
    sums = np.zeros((5, runs, 1))
    found, probe = np.full(runs, looks + 1), Monitor(design)
    most = 0.95 / (design.largest * (at - design.low))
    before = 1.0
    for look in range(looks):
        after = probe._kept(look)
        started, rest = (1.0, 0.0) if design.promise == "rate" else (before - after, after)
        before = after
        total, size = totals[:, look, None], sizes[:, look, None]
        best = reach / variance(design, at, sums)
        stakes = np.minimum(most[..., None], best[..., None] * np.array(STAKES))
        capital = np.minimum(1e250, (capital + started) * (1 + stakes * (total - size * at)[..., None]))
        held = capital @ np.array(SHARES) + rest
        now = (known + np.log(np.maximum(held, 1e-300))).min(axis=1)
        found = np.where((now >= probe.need) & (found > looks), look + 1, found)
        sums += np.stack([size, total, total**2, total * size, size**2])
        if look % 100 == 99 and (found <= looks).all():
            break
    return found


def variance(design: MonitorDesign, at: Floats, sums: Floats) -> Floats:
    """As `Monitor` has it, for many streams."""
    values, total, squares, crossed, square_sizes = sums
    if design.spread is not None:
        about = np.maximum(0.0, squares - 2 * at * crossed + at * at * square_sizes)
        return np.asarray((50 * design.spread + about) / (50 + values))
    first, mean = at * (1 - at), total / np.maximum(1, values)
    about = np.maximum(0.0, squares - 2 * mean * crossed + mean * mean * square_sizes)
    return np.asarray(first * (50 * first + about) / (50 * first + np.maximum(0.0, values * mean * (1 - mean))))


def measure(job: tuple[Truth, int, int]) -> dict[str, Any]:
    """One row."""
    truth, runs, seed = job
    rng, began = np.random.default_rng(seed), time.perf_counter()
    runs = max(20, round(runs * truth.share))
    own = [drawn_design(truth, rng) for _ in range(runs if truth.calibration else 1)]
    totals, sizes = stream(truth, runs, rng)
    found = ends(own, totals, sizes)
    agree((own[0], totals, sizes), int(found[0]))
    calls = np.cumsum(sizes, axis=1)
    no_change = truth.after is None
    false = found <= (truth.looks if no_change else truth.change)
    row: dict[str, Any] = {"name": truth.name, "promise": truth.design.promise, "streams": runs}
    span = clopper_pearson(int(false.sum()), runs)
    row |= {"false": int(false.sum()), "false_low": span.low, "false_high": span.high, "bound": None}
    row |= {"delay": None, "looks": truth.looks, "change": truth.change}
    kept = np.flatnonzero(~false)
    if not no_change and len(kept):
        last = calls[kept, np.minimum(found[kept], truth.looks) - 1]
        delays = last - (calls[kept, truth.change - 1] if truth.change else 0)
        row |= {
            "delay": float(delays.mean()), "se": float(delays.std(ddof=1) / np.sqrt(len(kept))),
            "median": float(np.median(delays)), "missed": int((found[kept] > truth.looks).sum()), "bound": bound(truth),
        }  # fmt: skip
    return row | {"seconds": time.perf_counter() - began}


def agree(part: tuple[MonitorDesign, Floats, Floats], end: int) -> None:
    """Raises AssertionError unless `Monitor` alarms at the same look."""
    design, totals, sizes = part
    monitor, looks = Monitor(design), totals.shape[1]
    for look in range(min(end, looks)):
        monitor.look(float(totals[0, look]), int(sizes[0, look]))
    alarmed = monitor.state.alarmed_units
    assert (alarmed or looks + 1) == end, f"{design} alarms at {alarmed}, not at {end}"


def bound(truth: Truth) -> float | None:
    """Least calls; None of sessions, whose truth is of more kinds, and of `rate`, which promises another thing."""
    assert truth.after is not None
    if truth.largest > 1 or truth.design.promise == "rate":
        return None
    lost, gained = truth.after
    if not truth.calibration:
        chances = {1.0: lost, -1.0: gained, 0.0: 1 - lost - gained}
        return least_delay({x: p for x, p in chances.items() if p > 0}, truth.design.limit, ALPHA, truth.design.low)
    return two_sample(truth.before[0], truth.calibration, lost)


def two_sample(before: float, calls: int, after: float) -> float:
    """Least calls with a baseline: both samples have to speak against every mean that they might share."""

    def apart(p: float, b: Floats) -> Floats:
        return np.asarray(p * np.log(p / b) + (1 - p) * np.log((1 - p) / (1 - b)))

    means = np.linspace(before, after, 2001)[:-1]
    left = log(1 / ALPHA) - calls * apart(before, means)
    need = float(np.max(left / apart(after, means)))
    return need if calls * float(apart(before, np.array([after]))[0]) > log(1 / ALPHA) else inf


def text(row: dict[str, Any]) -> str:
    """A line of the table."""
    false = f"{row['false'] / row['streams']:.1%} [{row['false_low']:.1%}, {row['false_high']:.1%}]"
    line = f"{row['name']:<38}{row['promise']:<6}{row['streams']:>6}{row['looks']:>7}{false:>23}"
    if row["delay"] is None:
        return line
    least = row["bound"]
    ratio = "" if not least or least == inf else f"{row['delay'] / least:>7.2f}"
    shown = "-" if least is None else "never" if least == inf else f"{least:.0f}"
    return line + f"{row['delay']:>8.0f} ±{row['se']:>4.0f}{row['median']:>8.0f}{row['missed']:>7}{shown:>8}{ratio}"


def main(say: Callable[[str], None] = print) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    began = time.perf_counter()
    jobs = [(one, given.streams, 20261122 + place) for place, one in enumerate(designs())]
    with get_context("spawn").Pool(given.processes) as pool:
        rows = []
        for row in pool.imap(measure, jobs):
            rows.append(row)
            if not given.json:
                say(text(row))
    if given.json:
        say(json.dumps(rows, indent=2))
        return
    say("name, promise, streams, looks, false alarms [95 %], delay in calls ± SE, median, missed, bound, ratio")
    say(f"{time.perf_counter() - began:.0f} s, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
