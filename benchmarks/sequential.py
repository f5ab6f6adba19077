"""How often a verdict at every look is wrong, and how many pairs it takes: `python -m benchmarks.sequential`.

Simulated pairs of known truth, margin 0.05 unless said. Beside it:
- `naive`: a 95 % Wald interval of the difference looked at after every pair from the 10th on, as gates do that run in a
  loop until they pass;
- `fixed n`: pairs that a test of a fixed number needs for a chance of 80 % at no difference (Nam's formula, here
  `more_pairs`), which is what one plans before anything is known.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import ceil, log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from harness.config import VerdictConfig
from harness.records import Attempt, Reply, Sample, Score, TextTarget, Timing
from harness.runner.stopping import Stopping
from harness.runner.stopping_book import Seat
from harness.runner.stopping_plan import strata
from harness.stats.sequential import STAKES

Floats = NDArray[np.float64]
Z = float(norm.isf(0.05))


@dataclass(frozen=True)
class Truth:
    """What is simulated: shares of pairs that the candidate alone, or the baseline alone, has right."""

    name: str
    gained: float
    lost: float
    margin: float = 0.05
    largest: int = 1
    """Most samples in a session; sizes are 1 … largest, all samples of one alike with the chance `alike`."""
    alike: float = 0.8
    drift: float = 0.0
    """The loss of a pair rises and falls by so much over the suite, which is asked in random order."""

    @property
    def delta(self) -> float:
        return self.gained - self.lost

    def fixed_n(self, alpha: float, power: float = 0.8) -> int:
        """Pairs for this power where both are alike and differ as often as here."""
        away, psi = self.margin, self.gained + self.lost
        under = max(psi, self.margin) - self.margin**2
        reach = float(norm.isf(alpha)) * sqrt(under) + float(norm.isf(1 - power)) * sqrt(psi)
        return max(ceil((reach / away) ** 2), ceil(log(alpha) / log(1 - self.margin)))


NULLS = (
    Truth("at the margin, 5 % differ", 0.0, 0.05),
    Truth("at the margin, 15 % differ", 0.05, 0.10),
    Truth("at the margin, 45 % differ", 0.20, 0.25),
    Truth("at the margin .02", 0.04, 0.06, margin=0.02),
    Truth("at the margin .10", 0.05, 0.15, margin=0.10),
    Truth("at the margin, sessions of 1-8", 0.05, 0.10, largest=8),
    Truth("at the margin, sessions of 1-20", 0.05, 0.10, largest=20),
    Truth("at the margin, drifting", 0.10, 0.15, drift=0.15),
)
OTHERS = (
    Truth("clearly better: +10 points, 20 % differ", 0.15, 0.05),
    Truth("clearly better: +5 points, 15 % differ", 0.10, 0.05),
    Truth("clearly worse: -15 points, 25 % differ", 0.05, 0.20),
    Truth("clearly worse: -30 points, 40 % differ", 0.05, 0.35),
    Truth("alike: 0 points, 2 % differ", 0.01, 0.01),
    Truth("alike: 0 points, 10 % differ", 0.05, 0.05),
    Truth("alike: 0 points, 20 % differ", 0.10, 0.10),
    Truth("half-way: -2.5 points, 10 % differ", 0.0375, 0.0625),
    Truth("identical: no pair differs", 0.0, 0.0),
)


def blocks(truth: Truth, runs: int, looks: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Sums and numbers of the differences of so many units: (runs, looks) each."""
    sizes = rng.integers(1, truth.largest + 1, (runs, looks)).astype(float)
    lost = np.full((runs, looks), truth.lost)
    if truth.drift:
        wave = truth.drift * np.sin(np.linspace(0, 2 * np.pi, looks, endpoint=False))
        lost = np.clip(rng.permuted(np.tile(truth.lost + wave, (runs, 1)), axis=1), 0, 1)

    def one() -> Floats:
        drawn = rng.random((runs, looks))
        return np.where(drawn < truth.gained, 1.0, np.where(drawn < truth.gained + lost, -1.0, 0.0))

    if truth.largest == 1:
        return one(), sizes
    common, totals = one(), np.zeros((runs, looks))
    for place in range(truth.largest):
        own = np.where(rng.random((runs, looks)) < truth.alike, common, one())
        totals += np.where(place < sizes, own, 0.0)
    return totals, sizes


def first_certain(gains: Floats, alpha: float) -> NDArray[np.int64]:
    """Number of the look at which the capital first reaches 1/alpha; one more than there are looks if it never does."""
    runs, looks = gains.shape
    logs, found = np.zeros((runs, len(STAKES))), np.full(runs, looks + 1)
    for look in range(looks):
        logs += np.log1p(gains[:, look, None] * STAKES)
        most = logs.max(axis=1)
        capital = most + np.log(np.exp(logs - most[:, None]).mean(axis=1))
        found = np.where((capital >= log(1 / alpha)) & (found > looks), look + 1, found)
    return found


def ours(truth: Truth, totals: Floats, sizes: Floats, alpha: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Looks until "no worse" and until "worse" are certain."""
    above = (totals + sizes * truth.margin) / (truth.largest * (1 - truth.margin))
    below = -(totals + sizes * truth.margin) / (truth.largest * (1 + truth.margin))
    return first_certain(above, alpha), first_certain(below, alpha)


def naive(truth: Truth, totals: Floats, alpha: float) -> float:
    """Share of runs in which a Wald bound ever says "no worse", looked at after every pair."""
    n = np.arange(1, totals.shape[1] + 1)
    mean = np.cumsum(totals, axis=1) / n
    spread = np.sqrt(np.maximum(np.cumsum(totals**2, axis=1) / n - mean**2, 0) / n)
    passes = (mean - float(norm.isf(alpha)) * spread > -truth.margin)[:, 9:]
    return float(passes.any(axis=1).mean())


def measure(truth: Truth, runs: int, looks: int, alpha: float, rng: np.random.Generator) -> dict[str, Any]:
    totals, sizes = blocks(truth, runs, looks, rng)
    better, worse = ours(truth, totals, sizes, alpha)
    end, fixed = np.minimum(np.minimum(better, worse), looks), min(truth.fixed_n(alpha), looks)
    return asdict(truth) | {
        "ever_better": float((better <= looks).mean()),
        "ever_worse": float((worse <= looks).mean()),
        "fixed_n": fixed,
        "pass_by_fixed_n": float((better <= fixed).mean()),
        "fail_by_fixed_n": float((worse <= fixed).mean()),
        "pairs_up_to_fixed_n": float(np.minimum(end, fixed).mean()),
        "undecided": float((np.minimum(better, worse) > looks).mean()),
        "pairs": float(end.mean()),
        "naive": naive(truth, totals, alpha) if truth.largest == 1 else None,
    }


def whole_run(runs: int, alpha: float) -> dict[str, float]:
    """What the rule asks, and how often anything that it says is wrong, over whole simulated runs."""
    rng, counts = np.random.default_rng(7), Counter[str]()
    shares = {"baseline": (0.0, 0.0), "better": (0.4, 0.04), "at the margin": (0.0, 0.0625), "worse": (0.1, 0.4)}
    """Of what the baseline has wrong, that a model has right; and of what it has right, wrong."""
    target = TextTarget(match="exact", accepted=("yes",))
    samples = tuple(
        Sample(id=f"{k}-{n}", category=f"cluster {k}", weight=1 + k, messages=(), target=target,
               scorer="text")
        for k in range(6) for n in range(150)
    )  # fmt: skip
    for run in range(runs):
        seats = {name: Seat(name, 1) for name in shares}
        parts = strata(samples, "category", run)
        baseline, *candidates = seats.values()
        rule = Stopping(baseline, candidates, parts, VerdictConfig(alpha=alpha))
        asked, truth = 0, dict[str, bool]()
        for seat, sample, _ in rule.work(list(seats.values())):
            if sample.id not in truth:
                truth[sample.id] = bool(rng.random() < 0.8)
            right = truth[sample.id]
            value, asked = float(right != (rng.random() < shares[seat.name][right])), asked + 1
            rule.hear(seat, sample, _attempt(sample, seat), _score(sample, value))
        counts["asked"] += asked
        said = {(one.contest.first.name, one.verdict) for one in rule.duels}
        counts["wrong pass"] += bool(said & {("at the margin", "pass"), ("worse", "pass")})
        counts["wrong fail"] += bool(said & {("at the margin", "fail"), ("better", "fail")})
        counts["wrong drop"] += ("better", "dominated") in said
        counts["decided"] += sum(one.verdict != "need_more" for one in rule.duels if one.contest.first.name == "worse")
        counts["passed"] += sum(one.verdict == "pass" for one in rule.duels if one.contest.first.name == "better")
    return {
        "runs with any wrong pass": counts["wrong pass"] / runs,
        "runs with any wrong fail": counts["wrong fail"] / runs,
        "runs with the better one dropped": counts["wrong drop"] / runs,
        "clusters in which the worse one is out": counts["decided"] / runs / 6,
        "clusters in which the better one passes": counts["passed"] / runs / 6,
        "calls made, of all": counts["asked"] / runs / (len(samples) * len(shares)),
    }


def _attempt(sample: Sample, seat: Seat) -> Attempt:
    return Attempt(
        sample=sample.id, model=seat.name, protocol="native", backend="none", reply=Reply(content=""),
        timing=Timing(at=0.0, end_ns=10**9),
    )  # fmt: skip


def _score(sample: Sample, value: float) -> Score:
    return Score(sample=sample.id, category=sample.category, scorer="text", value=value)


def main(say: Callable[[str], None] = print) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--looks", type=int, default=500)
    parser.add_argument("--alpha", type=float, default=0.05)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rng, began = np.random.default_rng(20261121), time.perf_counter()
    nulls = [measure(one, given.runs, given.looks, given.alpha, rng) for one in NULLS]
    others = [measure(one, given.runs // 10, 2 * given.looks, given.alpha, rng) for one in OTHERS]
    if given.json:
        say(json.dumps({"type I": nulls, "pairs": others}, indent=2))
        return
    say(f"Looks after every unit, {given.looks} units, {given.runs:,} runs, alpha {given.alpha:g}")
    say(f"{'truth':<42}{'wrong pass':>12}{'wrong fail':>12}{'naive pass':>12}")
    for row in nulls:
        other = "-" if row["naive"] is None else f"{row['naive']:.1%}"
        say(f"{row['name']:<42}{row['ever_better']:>12.1%}{row['ever_worse']:>12.1%}{other:>12}")
    say(f"\n{'truth (margin .05)':<42}{'fixed n':>8}{'pass':>8}{'fail':>8}{'pairs':>8}{'share':>8}{'on and on':>11}")
    for row in others:
        share = row["pairs_up_to_fixed_n"] / row["fixed_n"]
        say(
            f"{row['name']:<42}{row['fixed_n']:>8}{row['pass_by_fixed_n']:>8.1%}{row['fail_by_fixed_n']:>8.1%}"
            f"{row['pairs_up_to_fixed_n']:>8.0f}{share:>8.0%}{row['pairs']:>11.0f}"
        )
    say("pass, fail, pairs: up to fixed n; share: of fixed n. on and on: mean pairs without that end")
    say("\nA run of 6 clusters of 150 with 3 candidates: 5 points better, at the margin, 30 points worse")
    for name, value in whole_run(given.runs // 200, given.alpha).items():
        say(f"{name:<42}{value:>12.1%}")
    say(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
