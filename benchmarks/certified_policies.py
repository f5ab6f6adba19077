"""How often a whole policy is wrong: learned, chosen among kinds, certified, on draws whose true loss is known.

`python -m benchmarks.certified_policies --processes 2` prints a table. Each draw makes 150 calls to tune on and 150 to
certify on out of a population of requests and confidences whose chances to be right are known; all kinds are made,
each is certified at its share of α, and of those that hold the one that covers most is taken. It is wrong if its true
loss over the whole population, counted cell by cell, is the margin or more. some ten minutes of two quiet cores;
`--draws 100` takes one.
"""

import argparse
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from math import log

import numpy as np

from harness.config import RouteOptions
from harness.records import Certainty, Message, Reply, Sample, TextTarget
from harness.records.route import ModelTarget, PolicyKind
from harness.route.choose import show
from harness.route.evidence import Call, Drawn, Evidence
from harness.route.place import Placing, make_placing
from harness.route.policies import make_policy
from harness.router.question import sample_question

LARGE = 0.9
MARGIN = 0.05
CALLS = 150
TASKS = {
    "weather": "will there be rain or sun in the weather today",
    "money": "pay the invoice of nine euro",
    "travel": "a train ticket from the station",
}
LENGTHS = (0, 3, 9)
LEVELS = tuple((place + 0.5) / 20 for place in range(20))
WORDS = ("weather", "rain", "sun", "invoice", "pay", "euro", "train", "ticket", "station", "today")


@dataclass(frozen=True)
class Cell:
    """Requests and replies that are all alike."""

    task: str
    length: int
    level: float


@dataclass(frozen=True)
class Design:
    name: str
    right: Callable[[Cell], float]
    """Chance of the small model to be right."""
    kinds: tuple[PolicyKind, ...]


def no_use(_: Cell) -> float:
    return 0.6


def edge(_: Cell) -> float:
    return LARGE - MARGIN


def mixed(cell: Cell) -> float:
    good = {"weather": 1.0, "money": 0.8, "travel": 0.4}[cell.task]
    return float(good * (0.95 - 0.03 * cell.length) * cell.level**0.25)


DESIGNS = (
    Design("no use", no_use, ("cascade", "score", "hybrid")),
    Design("edge", edge, ("cascade", "score", "hybrid")),
    Design("mixed", mixed, ("cascade", "score", "hybrid")),
    Design("mixed, tasks", mixed, ("cluster", "cascade", "score", "hybrid")),
)
CELLS = tuple(Cell(*one) for one in product(TASKS, LENGTHS, LEVELS))


def call(name: str, cell: Cell, small: float, large: float) -> Call:
    text = f"{TASKS[cell.task]}{' and so on, please' * cell.length}"
    sample = Sample(
        id=name,
        category=cell.task,
        messages=(Message(role="user", content=text),),
        target=TextTarget(match="exact", accepted=("yes",)),
        scorer="text",
    )
    told = log(cell.level)
    certainty = Certainty(tokens=1, mean_logprob=told, least_logprob=told, first_logprob=told)
    own = Drawn(small, Reply(content="yes", finish_reason="stop", certainty=certainty))
    return Call(sample, sample_question(sample), Drawn(large, None), {"small": (own,)})


def drawn(design: Design, rng: np.random.Generator, prefix: str) -> tuple[Call, ...]:
    found = []
    for place in range(CALLS):
        cell = CELLS[int(rng.integers(len(CELLS)))]
        small, large = float(rng.random() < design.right(cell)), float(rng.random() < LARGE)
        found.append(call(f"{prefix}{place}", cell, small, large))
    return tuple(found)


def words(texts: Sequence[str]) -> "np.typing.NDArray[np.float32]":
    rows = np.array([[float(word in text) for word in WORDS] + [0.1] for text in texts], dtype=np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def target(name: str) -> ModelTarget:
    return ModelTarget(name=name, run=name, model=name, protocol="native", label=name)


def one_draw(design: Design, alpha: float, seed: int) -> tuple[bool, bool, float]:
    """Whether a policy was certified, whether it is wrong, and its true coverage, 0 without one."""
    rng = np.random.default_rng([seed, sum(map(ord, design.name))])
    evidence = Evidence(
        "made", "0", target("large"), (target("small"),), drawn(design, rng, "a"), drawn(design, rng, "b"), "halves"
    )
    options = RouteOptions(
        margin=MARGIN, alpha=alpha, steps=10, score="logistic", confidence="auto", signals=(), kinds=design.kinds
    )
    placing: Placing | str = "not asked for"
    if "cluster" in design.kinds:
        placing = make_placing(evidence, seed=seed, embed=words)
    made = [one for kind in design.kinds if not isinstance(one := make_policy(kind, evidence, placing, options), str)]
    best, threshold, covered = None, 0.0, -1.0
    for one in made:
        found = show(one.tuning, one.testing(evidence.testing), options, alpha / len(made), "halves").certified
        if found is not None and found.covered > covered:
            best, threshold, covered = one, found.threshold, found.covered
    if best is None:
        return False, False, 0.0
    cells = [call(str(place), cell, 0.0, 0.0) for place, cell in enumerate(CELLS)]
    kept = [view.routed(threshold).kept for view in best.testing(cells)]
    loss = sum(keep * (LARGE - design.right(cell)) for keep, cell in zip(kept, CELLS, strict=True)) / len(CELLS)
    return True, loss >= MARGIN - 1e-9, sum(kept) / len(kept)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--alpha", type=float, default=0.05)
    parser.add_argument("--designs", nargs="*", default=[one.name for one in DESIGNS])
    asked = parser.parse_args(arguments)
    print(f"margin {MARGIN}, α {asked.alpha}, {CALLS} calls a split, {asked.draws} draws each\n")
    print("| design | kinds | wrong | certified | true coverage |")
    print("|---|---|---:|---:|---:|")
    with ProcessPoolExecutor(asked.processes) as pool:
        for design in DESIGNS:
            if design.name not in asked.designs:
                continue
            found = list(pool.map(partial(one_draw, design, asked.alpha), range(asked.draws), chunksize=10))
            given, wrong, coverage = (sum(column) / len(found) for column in zip(*found, strict=True))
            print(
                f"| {design.name} | {', '.join(design.kinds)} | {100 * wrong:.1f} % | {100 * given:.0f} % | "
                f"{100 * coverage:.0f} % |",
                flush=True,
            )


if __name__ == "__main__":
    main()
