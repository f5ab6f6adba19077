"""How often the tests of drift find what is not there, and what they find of what is.

`python -m benchmarks.drift --draws 400` prints, for several kinds of sessions, the share of draws with p ≤ .05 under no
change, with its exact interval, and the share found of planted shifts.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.stats.drift import TwoSides, two_sample
from harness.stats.proportion import clopper_pearson

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Case:
    """Sessions of a kind, and what the new ones have that the old do not."""

    name: str
    sessions: int
    longest: int
    within: float
    """How much of a text's variance the session has in common."""
    shift: float = 0.0
    kinds: float = 0.0
    outcome: float = 0.0


CASES = (
    Case("single calls", 120, 1, 0.0),
    Case("sessions of up to 8, half in common", 60, 8, 0.5),
    Case("few sessions of up to 30, nearly all in common", 16, 30, 0.95),
    Case("texts moved by half a standard deviation in one direction", 60, 8, 0.5, shift=0.5),
    Case("texts moved by two", 60, 8, 0.5, shift=2.0),
    Case("a fifth of the new calls of another kind", 60, 8, 0.5, kinds=0.2),
    Case("outcome from 70 to 40 %", 60, 8, 0.5, outcome=-0.3),
)


def draw(case: Case, seed: int) -> TwoSides:
    """Old and new calls, a third of the sessions new."""
    rng = np.random.default_rng(seed)
    session = np.repeat(np.arange(case.sessions), rng.integers(1, case.longest + 1, case.sessions)).astype(np.int64)
    flags = np.zeros(case.sessions, dtype=np.bool_)
    flags[rng.choice(case.sessions, case.sessions // 3, replace=False)] = True
    new = flags[session]
    common = rng.normal(size=(case.sessions, 64))[session] * np.sqrt(case.within)
    rows = common + rng.normal(size=(len(session), 64)) * np.sqrt(1 - case.within)
    rows[:, 0] += case.shift * new
    kinds = rng.integers(0, 5, case.sessions)[session]
    kinds = np.where(new & (rng.random(len(session)) < case.kinds), 5, kinds).astype(np.int64)
    outcome = (rng.random(case.sessions)[session] < 0.7 + case.outcome * new).astype(np.float64)
    return TwoSides(new, session, {"kind": kinds}, {"outcome": outcome}, rows.astype(np.float32))


def measured(draws: int) -> Iterator[dict[str, object]]:
    """A row for each case."""
    for case in CASES:
        began_s = time.perf_counter()
        ps = [min(one.p_adjusted for one in two_sample(draw(case, seed), seed)) for seed in range(draws)]
        found = sum(p <= ALPHA for p in ps)
        interval = clopper_pearson(found, draws)
        yield {
            "case": case.name, "draws": draws, "found": found, "share": found / draws,
            "low": interval.low, "high": interval.high, "seconds": time.perf_counter() - began_s,
        }  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=400)
    for row in measured(parser.parse_args().draws):
        print(json.dumps(row))  # a benchmark's result
