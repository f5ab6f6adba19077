"""How often a certified threshold is wrong, and what it covers: draws from designs whose true loss is known.

`python -m benchmarks.certificates` prints a table. A design says how the small model's chance to be right grows with
its confidence; the large model is right nine times in ten, independent of it. A certificate is wrong if its
threshold's true loss is the margin or more. In "edge" the loss of passing everything on *is* the margin, and in
"no use" confidence tells nothing. Some twenty minutes of one core.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.stats.certify import TwoAnswers, certify

LARGE = 0.9


@dataclass(frozen=True)
class Design:
    name: str
    right: Callable[[np.ndarray], np.ndarray]
    """Chance of the small model to be right, by confidence in 0..1."""
    margin: float
    calls: int
    """In each of the two splits."""
    per_session: int = 1

    def loss(self, threshold: float) -> float:
        """True loss of this threshold over all calls."""
        grid = (np.arange(20_000) + 0.5) / 20_000
        passed = grid >= threshold
        return float(np.where(passed, LARGE - self.right(grid), 0.0).mean())

    def best(self) -> float:
        """Coverage of the lowest threshold that loses less than the margin."""
        grid = np.linspace(0, 1, 401)
        return float(1 - min((t for t in grid if all(self.loss(u) < self.margin for u in grid[grid >= t])), default=1))


def root(c: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt(c))


def steep(c: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(1.2 * c, 0, 0.98))


def edge(c: np.ndarray) -> np.ndarray:
    return np.full_like(c, LARGE - 0.05)


def no_use(c: np.ndarray) -> np.ndarray:
    return np.full_like(c, 0.6)


DESIGNS = (
    Design("root", root, 0.05, 100),
    Design("root", root, 0.05, 400),
    Design("root", root, 0.02, 400),
    Design("steep", steep, 0.05, 200),
    Design("steep", steep, 0.05, 200, per_session=4),
    Design("edge", edge, 0.05, 200),
    Design("edge", edge, 0.05, 1000),
    Design("no use", no_use, 0.05, 400),
)


def draw(design: Design, rng: np.random.Generator, prefix: str) -> list[TwoAnswers]:
    """Calls of one split. The calls of a session share their luck: one number decides for all of them."""
    n, together = design.calls, design.per_session
    confidence = rng.random(n)
    luck = np.repeat(rng.random(-(-n // together)), together)[:n]
    small = (luck < design.right(confidence)).astype(float)
    large = (rng.random(n) < LARGE).astype(float)
    return [
        TwoAnswers(
            f"{prefix}{i}",
            float(confidence[i]),
            float(small[i]),
            float(large[i]),
            session=f"{prefix}s{i // together}" if together > 1 else None,
        )
        for i in range(n)
    ]


def simulate(design: Design, draws: int, seed: int, alpha: float = 0.05, steps: int = 20) -> tuple[float, float, float]:
    """Shares of draws with a wrong certificate and with one at all, and the mean coverage, 0 where there is none."""
    rng = np.random.default_rng(seed)
    wrong = given = 0
    coverage = 0.0
    for _ in range(draws):
        tuning, testing = draw(design, rng, "a"), draw(design, rng, "b")
        found = certify(tuning, testing, margin=design.margin, alpha=alpha, steps=steps)
        if found is None:
            continue
        given += 1
        coverage += found.covered
        wrong += design.loss(found.threshold) >= design.margin - 1e-9
    return wrong / draws, given / draws, coverage / draws


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    print("| design | calls a split | a session | margin | wrong | certified | coverage | best there is |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for design in DESIGNS:
        wrong, given, coverage = simulate(design, asked.draws, asked.seed)
        print(
            f"| {design.name} | {design.calls} | {design.per_session} | {design.margin} | {100 * wrong:.1f} % | "
            f"{100 * given:.0f} % | {100 * coverage:.0f} % | {100 * design.best():.0f} % |",
            flush=True,
        )


if __name__ == "__main__":
    main()
