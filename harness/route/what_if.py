"""What the policy would cost at other prices, and how long calls would wait if more of them came."""

from collections.abc import Mapping, Sequence
from heapq import heapreplace
from typing import TYPE_CHECKING

import numpy as np

from harness.config.route import PriceOf, RouteOptions
from harness.errors import ConfigError
from harness.records.route import ModelTarget
from harness.records.routing import LoadCase, PriceCase
from harness.route.evidence import Call, Drawn, Evidence
from harness.route.simulate import View

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["load_cases", "price_cases", "waits"]

_MTOK = 1e6
_DRAWN = 5_000
_LEAST = 2


def price_cases(
    evidence: Evidence, views: Sequence[View], threshold: float | None, options: RouteOptions
) -> tuple[PriceCase, ...]:
    """Costs as recorded, and at the prices of `route.prices`; without those at half and twice the small models' cost.

    None where no cost is known. Raises ConfigError for a price of a model that is not there, or by tokens where none
    were counted.
    """
    small = [one.name for one in evidence.small]
    known = {evidence.large.name, *small}
    strange = [name for name in options.prices if name not in known]
    if strange:
        raise ConfigError(f"route.prices names {strange[0]}, which is none of {', '.join(sorted(known))}")
    cases: list[tuple[str, Mapping[str, PriceOf]]] = [("as recorded", {})]
    if options.prices:
        cases.append(("; ".join(f"{name} {_words(one)}" for name, one in options.prices.items()), options.prices))
    else:
        cases += [
            (f"small models at {factor:g} times their cost", {name: PriceOf(factor=factor) for name in small})
            for factor in (0.5, 2.0)
        ]
        cases.append(("large model at half its cost", {evidence.large.name: PriceOf(factor=0.5)}))
    found = tuple(_case(name, evidence, views, threshold, prices) for name, prices in cases)
    return found if options.prices or any(one.costed for one in found) else ()


def _words(price: PriceOf) -> str:
    if price.factor is not None:
        return f"at {price.factor:g} times its cost"
    return f"at {price.input:g} and {price.output:g} USD per million tokens"


def _case(
    name: str, evidence: Evidence, views: Sequence[View], threshold: float | None, prices: Mapping[str, PriceOf]
) -> PriceCase:
    """Means over the calls whose cost is known whoever answers, so that all are of the same calls."""
    spent = large_alone = small_alone = weight = 0.0
    costed = 0
    for one in views:
        large = _cost(one.call.large, prices.get(evidence.large.name))
        asked = _small_cost(one.expert or evidence.small[0], one.call, prices)
        if large is None or asked is None:
            continue
        routed = one.routed(threshold)
        own = asked if routed.kept else large + (asked if routed.both else 0.0)
        part = one.call.sample.weight
        spent, large_alone, small_alone = spent + part * own, large_alone + part * large, small_alone + part * asked
        weight, costed = weight + part, costed + 1
    if not costed:
        return PriceCase(name=name, policy_usd=None, large_usd=None, small_usd=None, saved=None, costed=0)
    return PriceCase(
        name=name,
        policy_usd=spent / weight,
        large_usd=large_alone / weight,
        small_usd=small_alone / weight,
        saved=1 - spent / large_alone if large_alone > 0 else None,
        costed=costed,
    )


def _small_cost(expert: ModelTarget, call: Call, prices: Mapping[str, PriceOf]) -> float | None:
    """Of all answers that are drawn for a call."""
    costs = [_cost(one, prices.get(expert.name)) for one in call.small[expert.name][: expert.samples]]
    return None if None in costs else sum(one for one in costs if one is not None)


def _cost(told: Drawn, price: PriceOf | None) -> float | None:
    if price is None:
        return told.cost_usd
    if price.factor is not None:
        return None if told.cost_usd is None else price.factor * told.cost_usd
    if told.prompt_tokens is None or told.output_tokens is None:
        return None
    assert price.input is not None
    assert price.output is not None
    return (told.prompt_tokens * price.input + told.output_tokens * price.output) / _MTOK


def load_cases(
    evidence: Evidence, views: Sequence[View], threshold: float | None, options: RouteOptions
) -> tuple[tuple[LoadCase, ...], str | None]:
    """Waiting at the small models' engine at times the calls of today; words where it cannot be simulated.

    Calls come when the log says that those of the suite came (a factor of 2: at half the distance), each with what
    befell a test call of its task drawn at random; or at random times, `route.calls_per_s`. They wait in one line for
    the first free slot. An answer takes what it took when it was recorded; on an engine that serves several at once it
    takes longer under load: this is the least that is waited. The large model makes nobody wait.
    """
    if threshold is None:
        return (), "No load was simulated: no call goes to a small model."
    going = [one for one in views if one.small is not None and not (one.known is not None and one.known < threshold)]
    timed = [one for one in views if one.call.large.e2e_s is not None]
    if not going or any(one.small is None or one.small.e2e_s is None for one in going) or not timed:
        return (), "No load was simulated: how long the small model takes is not known for every call that it gets."
    logged = sorted(
        (one.sample.arrival_s, one.sample.category) for one in (*evidence.tuning, *evidence.testing)
        if one.sample.arrival_s is not None
    )  # fmt: skip
    if options.calls_per_s is None and (len(logged) < _LEAST or logged[0][0] == logged[-1][0]):
        return (), "No load was simulated: the suite does not say when its calls came (route.calls_per_s=2 does)."
    rng = np.random.default_rng(options.seed)
    order, times = _at_random(views, options.calls_per_s, rng) if options.calls_per_s else _logged(views, logged, rng)
    slots = options.slots or max([1, *(evidence.slots.get(one.name) or 1 for one in evidence.small)])
    drawn = [views[place] for place in order]
    return tuple(_load(drawn, times / factor, threshold, factor, slots) for factor in options.load), None


def _load(
    drawn: Sequence[View], arrivals: "NDArray[np.float64]", threshold: float, factor: float, slots: int
) -> LoadCase:
    takes = np.array([_busy(one, threshold) for one in drawn])
    asked = takes > 0
    waited = np.zeros(len(drawn))
    waited[asked] = waits(arrivals[asked], takes[asked], slots)
    ends = np.array([np.nan if (took := one.routed(threshold).e2e_s) is None else took for one in drawn]) + waited
    known = ends[~np.isnan(ends)]
    span = float(arrivals[-1] - arrivals[0])
    return LoadCase(
        factor=factor,
        calls_per_s=float(asked.sum()) / span,
        busy=float(takes.sum()) / (slots * span),
        wait_p50_s=_quantile(waited[asked], 0.5),
        wait_p95_s=_quantile(waited[asked], 0.95),
        e2e_p50_s=_quantile(known, 0.5),
        e2e_p95_s=_quantile(known, 0.95),
        n=len(drawn),
    )


def _quantile(values: "NDArray[np.float64]", q: float) -> float | None:
    return float(np.quantile(values, q)) if len(values) else None


def _busy(view: View, threshold: float) -> float:
    """Seconds that the small engine works for a call; 0 where it is not asked."""
    small = view.small
    if small is None or (view.known is not None and view.known < threshold):
        return 0.0
    return max(small.e2e_s or 0.0, 1e-9)


def _logged(
    views: Sequence[View], logged: Sequence[tuple[float, str]], rng: np.random.Generator
) -> tuple[list[int], "NDArray[np.float64]"]:
    """The log's own times, each with a test call of its task (of any, where the task has none) drawn by weight."""
    weights = np.array([one.call.sample.weight for one in views])
    tasks = np.array([one.call.sample.category for one in views])
    order = []
    for _, task in logged:
        own = weights * (tasks == task)
        shares = own if own.any() else weights
        order.append(int(rng.choice(len(views), p=shares / shares.sum())))
    return order, np.array([at for at, _ in logged]) - logged[0][0]


def _at_random(views: Sequence[View], rate: float, rng: np.random.Generator) -> tuple[list[int], "NDArray[np.float64]"]:
    """Calls drawn by weight, at the times of a Poisson process."""
    weights = np.array([one.call.sample.weight for one in views])
    drawn = rng.choice(len(views), size=_DRAWN, p=weights / weights.sum())
    return [int(one) for one in drawn], np.cumsum(rng.exponential(1.0 / rate, size=_DRAWN))


def waits(arrivals: "NDArray[np.float64]", takes: "NDArray[np.float64]", slots: int) -> "NDArray[np.float64]":
    """Seconds that each call waits for the first free of so many slots, first come, first served.

    >>> waits(np.array([0.0, 1.0, 1.5]), np.array([2.0, 2.0, 2.0]), 1).tolist()
    [0.0, 1.0, 2.5]
    """
    free = [0.0] * slots
    found = np.zeros(len(arrivals))
    for place, (at, took) in enumerate(zip(arrivals, takes, strict=True)):
        start = max(float(at), free[0])
        found[place] = start - at
        heapreplace(free, start + float(took))
    return found
