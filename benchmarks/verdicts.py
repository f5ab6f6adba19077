"""False passes, power and coverage of the verdicts and intervals in `harness.stats`, beside other gates.

`python -m benchmarks.verdicts` prints three tables. Independent pairs are enumerated: every count of gained and lost,
its chance under the truth, and what each gate says to it; nothing is drawn. Sessions are simulated 10,000 times each
(`--runs`) and other intervals a fifth as often, with a seed. `--peers PYTHON` names an interpreter with statgate and
illate-parity installed, whose own code then decides the same counts. Some ten minutes of one core.
"""

import argparse
import json
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import log, sqrt
from pathlib import Path

import numpy as np
from scipy.special import gammaln, xlogy
from scipy.stats import norm, t

from benchmarks.verdict_intervals import coverages
from harness.stats.betting import log_evalue
from harness.stats.bounded import Units, units_of, units_p
from harness.stats.paired import Pairs, noninferior_p, paired_interval, tail_edge, tail_mass
from harness.stats.paired_conditional import conditional_noninferior_p

Floats = np.ndarray
Gate = Callable[[int, int, int, float, float], bool]

GRID = (
    (10, 0.015),
    (30, 0.05),
    (50, 0.02),
    (5, 0.1),
    (20, 0.1),
    (72, 0.05),
    (100, 0.03),
    (100, 0.05),
    (200, 0.05),
    (500, 0.02),
)
LARGE = ((1000, 0.01), (1000, 0.05))
DISCORDANT = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
"""Shares of pairs that disagree beyond those that the loss itself takes."""
PEER_GRID = ((10, 0.015), (30, 0.05), (50, 0.02))
ALPHAS = (0.05, 0.025)


def masses(n: int, gained: float, lost: float) -> Floats:
    """Chance of each count of gained (rows) and lost (columns)."""
    b, c = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    rest = np.maximum(n - b - c, 0)
    ways = gammaln(n + 1) - gammaln(b + 1) - gammaln(c + 1) - gammaln(rest + 1)
    logs = ways + xlogy(b, gained) + xlogy(c, lost) + xlogy(rest, max(0.0, 1 - gained - lost))
    return np.where(b + c <= n, np.exp(logs), 0.0)


def exact(n: int, b: int, c: int, margin: float, alpha: float) -> bool:
    return noninferior_p(Pairs(n, b, c), margin) <= alpha


def conditional(n: int, b: int, c: int, margin: float, alpha: float) -> bool:
    return conditional_noninferior_p(Pairs(n, b, c), margin) <= alpha


def bounded(n: int, b: int, c: int, margin: float, alpha: float) -> bool:
    return units_p(units_of([1.0] * b + [-1.0] * c + [0.0] * (n - b - c)), -margin, low=-1.0, high=1.0) <= alpha


def tango(n: int, b: int, c: int, margin: float, alpha: float) -> bool:
    return paired_interval(Pairs(n, b, c), 1 - 2 * alpha).low > -margin


def wald(n: int, b: int, c: int, margin: float, alpha: float) -> bool:
    seen = (b - c) / n
    return seen - float(norm.isf(alpha)) * sqrt(max(0.0, ((b + c) / n - seen**2) / n)) > -margin


def boundary(gate: Gate, n: int, margin: float, alpha: float, most: int) -> Floats:
    """For each number of lost the least number of gained that passes; none passes beyond `most` lost."""
    least, found = 0, np.full(n + 1, n + 1)
    for lost in range(most + 1):
        while least <= n - lost and not gate(n, least, lost, margin, alpha):
            least += 1
        if least > n - lost:
            break
        found[lost] = least
    return found


def whole_range(n: int, margin: float, alpha: float) -> Floats:
    """The unconditional exact test whose worst case is sought over all shares: the classical one."""
    shares = margin + (1 - margin) / 2 * np.sin(np.linspace(0, np.pi / 2, int(8 * sqrt(n)) + 33)) ** 2
    low, high = 0.0, 9.0
    for _ in range(16):
        middle = (low + high) / 2
        mass = tail_mass(tail_edge(n, margin, middle, upper=True), n, shares, margin, upper=True).max()
        low, high = (low, middle) if mass <= alpha else (middle, high)
    return tail_edge(n, margin, high, upper=True)


@dataclass(frozen=True, slots=True)
class Line:
    """One gate on one design."""

    gate: str
    n: int
    margin: float
    alpha: float
    false_pass: float
    """Greatest over the shares of discordant pairs, at a loss of exactly the margin."""
    power: tuple[float, ...]
    """At no loss, by share of discordant pairs."""


def judged(gate: str, n: int, margin: float, alpha: float, passes: Floats) -> Line:
    """False passes and power of a gate from what it says to each count."""
    bad = [
        float(masses(n, (psi - margin) / 2 if psi > margin else 0.0, max(margin, (psi + margin) / 2))[passes].sum())
        for psi in (margin + extra for extra in DISCORDANT)
    ]
    good = tuple(float(masses(n, psi / 2, psi / 2)[passes].sum()) for psi in DISCORDANT)
    return Line(gate, n, margin, alpha, max(bad), good)


GATES: dict[str, Gate] = {
    "harness: exact": exact,
    "exact, conditional": conditional,
    "Gaffke's bound": bounded,
    "Tango interval": tango,
    "Wald interval": wald,
}


def independent(grid: Sequence[tuple[int, float]], names: Sequence[str]) -> Iterator[Line]:
    for n, margin in grid:
        for alpha in ALPHAS:
            widest = max(DISCORDANT) / 2 + margin
            most = min(n, int(n * widest + 6 * sqrt(n * widest)) + 2)
            rows = np.arange(n + 1)[:, None]
            for name in names:
                yield judged(name, n, margin, alpha, rows >= boundary(GATES[name], n, margin, alpha, most)[None, :])
            yield judged("exact, all shares", n, margin, alpha, rows >= whole_range(n, margin, alpha)[None, :])


def of_peers(python: Path, grid: Sequence[tuple[int, float]]) -> Iterator[Line]:
    """The decisions of the peers' own code, at their intervals' level of 1 − 2α; counts of a chance below 1e-5 are left
    out, and so told as no pass."""
    for n, margin in grid:
        for alpha in ALPHAS:
            likely = np.zeros((n + 1, n + 1))
            for extra in (0.0, 0.02, 0.05, 0.1):
                likely = np.maximum(likely, masses(n, extra / 2, margin + extra / 2))
                likely = np.maximum(likely, masses(n, extra / 2, extra / 2))
            cells = [[int(b), int(c)] for b, c in np.argwhere(likely > 1e-5)]
            asked = json.dumps({"n": n, "margin": margin, "alpha": alpha, "cells": cells})
            script = Path(__file__).parent / "contestants" / "gates.py"
            done = subprocess.run([python, script], input=asked, capture_output=True, text=True, check=True)
            for name, said in json.loads(done.stdout).items():
                passes = np.zeros((n + 1, n + 1), dtype=bool)
                for (b, c), one in zip(cells, said, strict=True):
                    passes[b, c] = one
                yield judged(name, n, margin, alpha, passes)


@dataclass(frozen=True, slots=True)
class Design:
    """Sessions of unequal size in which outcomes hang together."""

    sessions: int
    margin: float
    sizes: str
    """1-20: uniform; short: geometric, mean 5; giant: one of 20 among pairs; mixed: one in ten of 20, the rest 1."""
    alike: float
    """Correlation of losses in a session, 0 to 1."""
    extra: float
    """Share of discordant samples beyond the loss."""
    drift: str = "none"
    """none; time: the loss grows from 0 to twice the mean; size: it grows in proportion to a session's size."""

    def __str__(self) -> str:
        drift = "" if self.drift == "none" else f", loss by {self.drift}"
        return f"{self.sessions} sessions ({self.sizes}), margin {self.margin}, ρ {self.alike}, ψ {self.extra}{drift}"


DESIGNS = (
    Design(5, 0.1, "1-20", 0.3, 0.0),
    Design(10, 0.1, "1-20", 1.0, 0.2),
    Design(10, 0.05, "short", 0.3, 0.0),
    Design(20, 0.1, "1-20", 0.3, 0.1),
    Design(30, 0.05, "1-20", 0.0, 0.0),
    Design(30, 0.1, "1-20", 1.0, 0.2),
    Design(60, 0.05, "short", 0.3, 0.05),
    Design(60, 0.05, "1-20", 0.1, 0.1),
    Design(60, 0.05, "mixed", 0.3, 0.0),
    Design(60, 0.05, "giant", 1.0, 0.2, "size"),
    Design(100, 0.02, "1-20", 0.3, 0.02),
    Design(100, 0.05, "1-20", 0.3, 0.1, "time"),
    Design(150, 0.05, "1-20", 1.0, 0.2, "size"),
    Design(150, 0.05, "short", 0.1, 0.05),
)


def sizes_of(kind: str, n: int, rng: np.random.Generator) -> Floats:
    if kind == "1-20":
        return rng.integers(1, 21, n)
    if kind == "short":
        return np.minimum(20, rng.geometric(0.2, n))
    if kind == "giant":
        return np.concatenate([[20], np.full(n - 1, 2)])
    return np.where(rng.random(n) < 0.1, 20, 1)


def drawn(design: Design, loss: float, rng: np.random.Generator) -> Units:
    """Differences of one run whose expected mean, by samples, is −loss."""
    sizes = sizes_of(design.sizes, design.sessions, rng)
    gained, lost = design.extra / 2, design.extra / 2 + loss
    shape = {"none": np.ones(design.sessions), "time": np.linspace(0, 2, design.sessions), "size": sizes}[design.drift]
    chance = np.minimum(0.98, lost * shape * sizes.sum() / (shape * sizes).sum())
    if design.alike >= 1:
        own = (rng.random(design.sessions) < chance).astype(float)
    elif design.alike > 0:
        spread = (1 - design.alike) / design.alike
        own = np.where(chance > 0, rng.beta(np.maximum(chance * spread, 1e-9), (1 - chance) * spread), 0.0)
    else:
        own = chance
    minus = rng.binomial(sizes, own)
    plus = rng.binomial(sizes - minus, np.minimum(1.0, gained / (1 - chance)))
    return Units((plus - minus).astype(np.float64), sizes.astype(np.float64), int(sizes.sum()))


def t_by_session(units: Units, alpha: float, margin: float) -> bool:
    apart, n = units.totals - units.mean * units.sizes, len(units.sizes)
    error = sqrt(n / (n - 1) * float(np.square(apart).sum())) / float(units.sizes.sum())
    return units.mean - float(t.isf(alpha, n - 1)) * error > -margin


def drawn_anew(units: Units, alpha: float, margin: float, rng: np.random.Generator) -> bool:
    """Percentile bootstrap of whole sessions, as cluster-aware gates have it."""
    places = rng.integers(0, len(units.sizes), (400, len(units.sizes)))
    means = units.totals[places].sum(axis=1) / units.sizes[places].sum(axis=1)
    return float(np.quantile(means, alpha)) > -margin


def betting(units: Units, alpha: float, margin: float) -> bool:
    """The proven way: sessions' totals above their share of the margin, at fixed stakes, against 1 / α."""
    longest = float(units.sizes.max())
    away = (units.totals + margin * units.sizes) / longest
    return log_evalue(away.tolist(), 0.0, low=-(1 - margin), high=1 + margin) >= -log(alpha)


def clustered(runs: int, seed: int) -> Iterator[tuple[Design, str, float, float, float, float]]:
    """Design, gate, false passes at both α, coverage of the 95 % interval (ours), power at no loss."""
    for place, design in enumerate(DESIGNS):
        rng, margin = np.random.default_rng([seed, place]), design.margin
        few = max(200, runs // 5)
        null = [drawn(design, margin, rng) for _ in range(runs)]
        same = [drawn(design, 0.0, rng) for _ in range(few)]
        up = np.array([units_p(one, -margin, low=-1.0, high=1.0) for one in null])
        unsure = [one for one, p in zip(null, up, strict=True) if p > 0.5]
        down = np.array([units_p(one, -margin, low=-1.0, high=1.0, greater=False) for one in unsure] or [1.0])
        held = 1 - float((up <= 0.025).mean()) - float((down <= 0.025).sum()) / runs
        power = float(np.mean([units_p(one, -margin, low=-1.0, high=1.0) <= 0.05 for one in same]))
        yield design, "harness", float((up <= 0.05).mean()), float((up <= 0.025).mean()), held, power
        others: dict[str, Callable[[Units, float], bool]] = {
            "t by session": partial(t_by_session, margin=margin),
            "bootstrap of sessions": partial(drawn_anew, margin=margin, rng=rng),
            "betting": partial(betting, margin=margin),
        }
        for name, gate in others.items():
            bad = [float(np.mean([gate(one, alpha) for one in null[: max(500, runs // 5)]])) for alpha in ALPHAS]
            good = float(np.mean([gate(one, 0.05) for one in same]))
            yield design, name, bad[0], bad[1], float("nan"), good


def show_independent(lines: Sequence[Line]) -> None:
    heads = " | ".join(f"ψ {psi:g}" for psi in DISCORDANT)
    print(f"| n | margin | α | gate | false passes | power: {heads} |\n|---|---|---|---|---|{'---|' * len(DISCORDANT)}")
    for one in sorted(lines, key=lambda one: (one.n, one.margin, -one.alpha)):
        mark = " **!**" if one.false_pass > one.alpha + 1e-6 else ""
        powers = " | ".join(f"{100 * power:.0f}" for power in one.power)
        print(f"| {one.n} | {one.margin} | {one.alpha} | {one.gate} | {100 * one.false_pass:.2f} %{mark} | {powers} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--peers", type=Path, default=None, help="python of an environment with statgate, illate-parity"
    )
    parser.add_argument("--part", choices=("pairs", "sessions", "intervals"), action="append")
    args = parser.parse_args()
    parts, began = args.part or ["pairs", "sessions", "intervals"], time.perf_counter()
    if "pairs" in parts:
        lines = [*independent(GRID, list(GATES)), *independent(LARGE, ["harness: exact", "Wald interval"])]
        lines += list(of_peers(args.peers, PEER_GRID)) if args.peers else []
        print("\n## Independent pairs, enumerated\n")
        show_independent(lines)
    if "sessions" in parts:
        print(f"\n## Sessions, {args.runs} runs each\n\n| design | gate | α 5 % | α 2.5 % | 95 % holds | power |")
        print("|---|---|---|---|---|---|")
        for design, gate, five, half, held, power in clustered(args.runs, args.seed):
            holds = "" if np.isnan(held) else f"{100 * held:.1f}"
            marks = [
                "**!**" if x > a + 2.6 * sqrt(a * (1 - a) / args.runs) else "" for x, a in ((five, 0.05), (half, 0.025))
            ]
            print(
                f"| {design} | {gate} | {100 * five:.2f} {marks[0]} | {100 * half:.2f} {marks[1]} | {holds} | "
                f"{100 * power:.0f} |",
                flush=True,
            )
    if "intervals" in parts:
        print("\n## Intervals at 95 %\n\n| interval | truth | holds | mean width |\n|---|---|---|---|")
        for name, truth, covered, width in coverages(max(400, args.runs // 5), args.seed):
            figures = "|" if np.isnan(covered) else f"{100 * covered:.1f} | {width:.3g}"
            print(f"| {name} | {truth} | {figures} |", flush=True)
    print(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
