"""Which variants to run: one for each cluster, one for all, or the best few deployments, and what each gives away."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

from harness.records.decision import Assessment, Decision, Plan
from harness.select.lane import Lane
from harness.select.verdicts import price_order

__all__ = ["make_plans"]

_MOST_CHOICES = 20_000
"""Sets of deployments that are all looked at; beyond, one is added at a time."""


@dataclass(frozen=True, slots=True)
class _Option:
    """A variant that passes in a cluster."""

    variant: str
    deployment: str
    hybrid: bool
    kept: float
    """Share of the cluster's calls that it answers itself."""
    usd: float | None
    """Of a call, those handed on included."""


@dataclass(frozen=True, slots=True)
class _Cluster:
    name: str
    calls: float
    usd: float | None
    """Of a call with the baseline."""
    options: tuple[_Option, ...]
    """Best first."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a set of deployments comes to."""

    deployments: tuple[str, ...]
    """Those that take a cluster."""
    taken: Mapping[str, _Option]
    moved: float
    usd: float | None
    priced: bool
    """Whether the cost of every choice is known, so that it may be chosen by."""

    @property
    def rank(self) -> tuple[float, float, int, tuple[str, ...]]:
        """Cheapest first where costs are known, then most calls moved, then fewest deployments."""
        return (
            self.usd if self.priced and self.usd is not None else 0.0,
            -self.moved,
            len(self.deployments),
            self.deployments,
        )


def make_plans(decisions: Sequence[Decision], lanes: Mapping[str, Lane], most: int) -> tuple[Plan, ...]:
    """One for each cluster first, then one deployment, two, and so on up to `most`, each with its price; empty if
    nothing passes anywhere.

    Only variants that pass in a cluster may take it: the verdicts, and with them the chance of a false one, stay as
    they are whichever plan is chosen. A deployment is what runs on one server (model, weights, adapter, engine);
    protocols and votes come free with it.
    """
    clusters = [_cluster(one, lanes) for one in decisions]
    offered = sorted({option.deployment for one in clusters for option in one.options})
    if not offered:
        return ()
    priced = all(
        one.usd is not None and all(option.usd is not None for option in one.options) for one in clusters if one.options
    ) and all(one.usd is not None for one in clusters)
    best = _outcome(offered, clusters, priced=priced)
    plans = [_plan("the best for each cluster", best, best, exact=True)]
    for count in range(1, min(most, len(best.deployments) - 1) + 1):
        found, exact = _best_of(offered, clusters, count, priced=priced)
        name = "one for all" if count == 1 else f"best {count}"
        if found.deployments != plans[-1].deployments:  # else one more makes it no better
            plans.append(_plan(name, found, best, exact=exact))
    return tuple(plans)


def _cluster(one: Decision, lanes: Mapping[str, Lane]) -> _Cluster:
    traffic = one.traffic
    usd = traffic.usd / traffic.calls if traffic.usd is not None else None
    passing = sorted(
        (found for found in one.evidence if found.status == "pass"), key=lambda found: _order(found, lanes)
    )
    options = tuple(_option(found, lanes) for found in passing)
    return _Cluster(one.cluster, traffic.calls, usd, options)


def _order(found: Assessment, lanes: Mapping[str, Lane]) -> tuple[bool, tuple[bool, float, float, float, str]]:
    """Alone before hybrid, then as a decision chooses."""
    return (found.mode == "hybrid", price_order(found, lanes))


def _option(found: Assessment, lanes: Mapping[str, Lane]) -> _Option:
    variant = lanes[found.variant].variant
    kept = 1.0 if found.escalated is None else 1 - found.escalated
    return _Option(variant.id, variant.deployment, found.mode == "hybrid", kept, found.cost_usd_per_call)


def _outcome(chosen: Iterable[str], clusters: Sequence[_Cluster], *, priced: bool) -> _Outcome:
    """The best that these deployments can do: in each cluster the cheapest option, alone before hybrid."""
    held = frozenset(chosen)
    taken: dict[str, _Option] = {}
    moved = total = 0.0
    known = True
    for one in clusters:
        option = next((option for option in one.options if option.deployment in held), None)
        if option is not None:
            taken[one.name] = option
            moved += one.calls * option.kept
        each = one.usd if option is None else option.usd
        known = known and each is not None
        total += one.calls * (each or 0.0)
    calls = sum(one.calls for one in clusters)
    used = tuple(sorted({option.deployment for option in taken.values()}))
    return _Outcome(used, taken, moved / calls, total / calls if known else None, priced)


def _best_of(
    offered: Sequence[str], clusters: Sequence[_Cluster], count: int, *, priced: bool
) -> tuple[_Outcome, bool]:
    """The best set of so many deployments, and whether all sets were looked at."""
    if comb(len(offered), count) <= _MOST_CHOICES:
        sets = (_outcome(one, clusters, priced=priced) for one in combinations(offered, count))
        return min(sets, key=lambda one: one.rank), True
    held: tuple[str, ...] = ()
    best = _outcome(held, clusters, priced=priced)
    for _ in range(count):
        further = [_outcome((*held, one), clusters, priced=priced) for one in offered if one not in held]
        best = min(further, key=lambda one: one.rank)
        held = best.deployments
    return best, False


def _plan(name: str, found: _Outcome, best: _Outcome, *, exact: bool) -> Plan:
    same = found is best
    dearer = None if found.usd is None or best.usd is None else 1000 * (found.usd - best.usd)
    return Plan(
        name=name,
        deployments=found.deployments,
        assignment={
            cluster: f"{option.variant} (hybrid)" if option.hybrid else option.variant
            for cluster, option in found.taken.items()
        },
        exact=exact,
        calls_moved=min(1.0, found.moved),
        cost_usd_per_1k=None if found.usd is None else 1000 * found.usd,
        price_calls=None if same else best.moved - found.moved,
        price_usd_per_1k=None if same else dearer,
    )
