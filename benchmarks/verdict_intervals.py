"""Coverage of every interval in `harness.stats` against known truths: the third part of `benchmarks.verdicts`."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from scipy.stats import binom

from harness.stats.betting import betting_interval
from harness.stats.bounded import units_interval, units_of
from harness.stats.latency import latency_ratio, quantile_difference, quantile_interval, quantile_ratio
from harness.stats.proportion import clopper_pearson, wilson
from harness.stats.sessions import cluster_bootstrap, design_effect_interval
from harness.stats.spending import bootstrap_per_success, cost_ratio, fieller, mean_cost_interval
from harness.stats.trials import pass_hat_k, pass_interval
from harness.stats.weighted import Stratum, weighted_mean

Ends = tuple[float | None, float | None]
Case = tuple[str, str, float, Callable[[np.random.Generator], Ends | None]]


def ends(found: object) -> Ends | None:
    return None if found is None else (found.low, found.high)  # type: ignore[attr-defined]


def proportions() -> Iterator[tuple[str, str, float, float]]:
    """Enumerated: the least coverage over truths."""
    for n in (10, 50, 200):
        for name, make in (("Clopper–Pearson", clopper_pearson), ("Wilson (mean over truths)", wilson)):
            found = [make(k, n) for k in range(n + 1)]
            low, high = (np.array([getattr(one, end) for one in found]) for end in ("low", "high"))
            held = [
                float(binom.pmf(np.arange(n + 1), n, p)[(low <= p) & (p <= high)].sum())
                for p in np.linspace(0.5, 0.995, 200)
            ]
            yield (
                name,
                f"n {n}, .5–.995",
                min(held) if name.startswith("C") else float(np.mean(held)),
                float((high - low).mean()),
            )


def scores(n: int, rng: np.random.Generator) -> list[float]:
    """Differences of partial scores: mostly ties, else thirds."""
    return [float(one) for one in rng.choice([0.0, 1 / 3, -1 / 3, -1.0], n, p=[0.8, 0.08, 0.08, 0.04])]


def strata(rng: np.random.Generator, sizes: tuple[int, ...], rates: tuple[float, ...]) -> Ends | None:
    made = [
        Stratum(weight, units_of(rng.binomial(1, rate, n).tolist()))
        for weight, n, rate in zip((4, 3, 2, 1, 1), sizes, rates, strict=False)
    ]
    found = weighted_mean(made)
    return ends(found and found.interval)


def blended(rates: tuple[float, ...]) -> float:
    weights = (4, 3, 2, 1, 1)[: len(rates)]
    return sum(w * r for w, r in zip(weights, rates, strict=True)) / sum(weights)


def session_values(rng: np.random.Generator, sessions: int) -> tuple[list[float], list[int]]:
    sizes = rng.integers(1, 21, sessions)
    rates = rng.beta(2.4, 0.6, sessions)
    return [float(x) for m, p in zip(sizes, rates, strict=True) for x in rng.binomial(1, p, m)], np.repeat(
        np.arange(sessions), sizes
    ).tolist()


def by_session(rng: np.random.Generator, sessions: int, how: str) -> Ends | None:
    units = units_of(*session_values(rng, sessions))
    if how == "bootstrap":
        return ends(cluster_bootstrap(units, rng, draws=600))
    return ends(units_interval(units) if how == "gaffke" else design_effect_interval(units))


def spent(rng: np.random.Generator, n: int, rate: float, how: str) -> Ends | None:
    costs, done = rng.gamma(2.0, 0.005, n).tolist(), rng.binomial(1, rate, n).tolist()
    if how == "mean":
        return ends(mean_cost_interval(costs))
    return ends(fieller(costs, done) if how == "fieller" else bootstrap_per_success(costs, done, rng, draws=600))


def times(rng: np.random.Generator, n: int) -> tuple[list[float], list[float]]:
    shared = rng.normal(0, 0.5, n)
    first, second = (np.exp(shared + rng.normal(shift, 0.4, n)) for shift in (0.0, 0.2))
    return first.tolist(), second.tolist()


def gaffke_ends(n: int, rng: np.random.Generator) -> Ends | None:
    return ends(units_interval(units_of(scores(n, rng)), low=-1.0))


def betting_ends(n: int, rng: np.random.Generator) -> Ends | None:
    return ends(betting_interval(scores(n, rng), low=-1.0))


def p95_ends(n: int, rng: np.random.Generator) -> Ends | None:
    return ends(quantile_interval(times(rng, n)[0], 0.95))


def p50_ends(n: int, rng: np.random.Generator) -> Ends | None:
    return ends(quantile_difference(*times(rng, n), 0.5))


def p95_ratio_ends(n: int, rng: np.random.Generator) -> Ends | None:
    return ends(quantile_ratio(*times(rng, n), 0.95))


def latency_ends(n: int, rng: np.random.Generator) -> Ends | None:
    return ends(latency_ratio(*times(rng, n)))


def cost_ends(n: int, rng: np.random.Generator) -> Ends | None:
    base = rng.gamma(2.0, 0.005, n)
    return ends(cost_ratio(base.tolist(), (base * rng.gamma(4.0, 0.0625, n)).tolist()))


def cases() -> Iterator[Case]:
    rates, even = (0.95, 0.8, 0.6, 0.99, 0.3), (0.9, 0.9, 0.9, 0.9, 0.9)
    for sizes in ((60, 40, 30, 20, 10), (100, 5, 3, 2, 2), (4, 4, 3, 3, 2)):
        for truth in (rates, even):
            drawn = partial(strata, sizes=sizes, rates=truth)
            yield "weighted over clusters", f"n {sizes}, rates {truth}", blended(truth), drawn
    for n in (20, 100, 500):
        yield "Gaffke, scores with ties", f"n {n}", -0.04, partial(gaffke_ends, n)
        yield "betting, scores with ties", f"n {n}", -0.04, partial(betting_ends, n)
    for n in (10, 40, 120):
        for how in ("gaffke", "design effect", "bootstrap"):
            yield f"share by session, {how}", f"{n} sessions of 1–20", 0.8, partial(by_session, sessions=n, how=how)
    q95 = float(np.exp(1.6448536 * np.hypot(0.5, 0.4)))
    for n in (40, 100, 400):
        yield "p95", f"n {n}, lognormal", q95, partial(p95_ends, n)
        yield "p50 difference", f"n {n}", float(np.exp(0.2) - 1), partial(p50_ends, n)
        yield "p95 ratio", f"n {n}", float(np.exp(0.2)), partial(p95_ratio_ends, n)
        yield "latency ratio", f"n {n}", float(np.exp(0.2)), partial(latency_ends, n)
    for n, rate in ((20, 0.9), (50, 0.5), (200, 0.8)):
        yield "mean cost, t of skewed", f"n {n}", 0.01, partial(spent, n=n, rate=0.5, how="mean")
        for how in ("fieller", "bootstrap"):
            drawn = partial(spent, n=n, rate=rate, how=how)
            yield f"cost per success, {how}", f"n {n}, rate {rate}", 0.01 / rate, drawn
        yield "cost ratio", f"n {n}", 0.25, partial(cost_ends, n)
    for n in (20, 100):
        yield "pass^2 of 4 trials", f"n {n}", pass_truth(), partial(passed, n=n)


def pass_truth() -> float:
    return float(3 / 4 * 4 / 5)  # E p² of a beta(3, 1)


def passed(rng: np.random.Generator, n: int) -> Ends:
    counts = [(4, int(c)) for c in rng.binomial(4, rng.beta(3, 1, n))]
    assert 0 <= pass_hat_k(*counts[0], 2) <= 1
    found = pass_interval(counts, 2, every=True).interval
    assert found is not None
    return found.low, found.high


def coverages(runs: int, seed: int) -> Iterator[tuple[str, str, float, float]]:
    """Name, truth, share of intervals that hold it (of those given), mean width of those with both ends."""
    yield from proportions()
    for place, (name, what, truth, make) in enumerate(cases()):
        rng = np.random.default_rng([seed, 100 + place])
        times_drawn = max(300, runs // 4) if name.startswith("weighted") else runs  # which take 50 ms each
        found = [one for _ in range(times_drawn) if (one := make(rng)) is not None]
        if not found:
            yield name, f"{what}: none given", float("nan"), float("nan")
            continue
        held = sum((low is None or low <= truth) and (high is None or truth <= high) for low, high in found)
        widths = [high - low for low, high in found if low is not None and high is not None]
        assert all(width > 0 for width in widths), name
        given = "" if len(found) == times_drawn else f" ({100 * len(found) / times_drawn:.0f} % given)"
        yield name, what + given, held / len(found), float(np.mean(widths)) if widths else float("nan")
