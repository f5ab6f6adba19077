"""From runs in hand to a policy and all that is said of it: the pure whole of `do=route`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from harness import __version__
from harness.config.route import RouteOptions
from harness.records.route import PolicyKind, RoutePolicy
from harness.records.routing import KindRecord, RouteCluster, RouteFigures, RouteReport, SimulatedCall
from harness.route.choose import Shown, show
from harness.route.evidence import Evidence
from harness.route.place import Placing
from harness.route.policies import Made, make_policy
from harness.route.simulate import (
    Routed,
    View,
    all_large,
    all_small,
    by_cluster,
    curve_of,
    figures_of,
    interval_of_difference,
    oracle,
    random_mix,
)
from harness.route.what_if import load_cases, price_cases
from harness.route.words import sentence_of, weaker_note
from harness.stats.cascade import apgr, call_performance_threshold, coverage_curve

__all__ = ["Built", "route"]


@dataclass(frozen=True, slots=True)
class Built:
    """What `do=route` writes."""

    policy: RoutePolicy
    placing: Placing | None
    """Of the policy, where it asks for tasks."""
    report: RouteReport
    simulated: tuple[SimulatedCall, ...]


@dataclass(frozen=True, slots=True)
class _Tried:
    made: Made
    views: tuple[View, ...]
    shown: Shown
    record: KindRecord


def route(
    name: str, evidence: Evidence, placing: Placing | str, options: RouteOptions,
    names: Mapping[str, str] | None = None,
) -> Built:  # fmt: skip
    """The policies of all kinds, certified; the best of those that hold; and what the traffic gets from it.

    name: of the folder. placing: the index of tasks, or why there is none. names: what people call a task, by id.
    """
    made = {kind: make_policy(kind, evidence, placing, options) for kind in options.kinds}
    usable = [one for one in made.values() if not isinstance(one, str)]
    alpha = options.alpha / max(1, len(usable))
    tried: list[_Tried] = []
    records = []
    for kind, one in made.items():
        if isinstance(one, str):
            records.append(KindRecord(kind=kind, status="not made", why_not=one))
        else:
            tried.append(_try(one, evidence, options, alpha))
            records.append(tried[-1].record)
    best = _best([one for one in tried if one.shown.certified is not None])
    shown = best or (tried[0] if tried else None)
    policy = _policy(best, tried, evidence, options)
    threshold = policy.threshold
    views = shown.views if shown else ()
    routed = [one.routed(threshold) for one in views]
    loads, no_load = load_cases(evidence, views, threshold, options)
    placed = placing if not isinstance(placing, str) and policy.index is not None else None
    kinds = tuple(records)
    return Built(
        policy=policy,
        placing=placed,
        report=RouteReport(
            name=name,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            suite=evidence.suite,
            suite_hash=evidence.suite_hash,
            large=evidence.large,
            small=evidence.small,
            margin=options.margin,
            alpha=options.alpha,
            split=evidence.split,
            tuned_on=len(evidence.tuning),
            tested_on=len(evidence.testing),
            sentence=sentence_of(kinds, best.record if best else None, evidence, options),
            chosen=best.made.policy.kind if best else None,
            kinds=kinds,
            figures=_figures(evidence, routed, best),
            clusters=_clusters(views, threshold, names or {}) if best else (),
            placing=None if isinstance(placing, str) else placing.record,
            prices=price_cases(evidence, views, threshold, options) if views else (),
            loads=loads,
            notes=tuple(_notes(evidence, len(usable), options, best, no_load)),
        ),
        simulated=tuple(_line(one, threshold) for one in views) if best else (),
    )


def _try(made: Made, evidence: Evidence, options: RouteOptions, alpha: float) -> _Tried:
    views = made.testing(evidence.testing)
    shown = show(made.tuning, views, options, alpha, evidence.split)
    curve = coverage_curve(shown.testing)
    certified = shown.certified
    policy = made.policy
    record = KindRecord(
        kind=policy.kind,
        confidence=policy.confidence,
        experts=tuple(one.name for one in policy.experts),
        score=policy.score.kind if policy.score else None,
        status="certified" if certified else "not certified",
        why_not=shown.why_not,
        more=shown.more,
        certified=certified,
        figures=figures_of("policy", [one.routed(certified.threshold) for one in views]) if certified else None,
        apgr=apgr(curve),
        cpt_50=call_performance_threshold(curve, 0.5),
        cpt_80=call_performance_threshold(curve, 0.8),
        curve=curve_of(views),
    )
    return _Tried(made, views, shown, record)


def _best(held: Sequence[_Tried]) -> _Tried | None:
    """The one that costs least a call, where the costs of all are known; else the one that moves most calls."""
    if not held:
        return None
    figures = [one.record.figures for one in held]
    known = all(one is not None and one.cost_usd_per_call is not None and one.costed for one in figures)
    if known:
        return min(held, key=lambda one: (one.record.figures.cost_usd_per_call or 0.0) if one.record.figures else 0.0)
    return max(held, key=lambda one: one.record.certified.covered if one.record.certified else 0.0)


def _policy(best: _Tried | None, tried: Sequence[_Tried], evidence: Evidence, options: RouteOptions) -> RoutePolicy:
    """The chosen one with its threshold; else the backbone alone, with the reason."""
    if best is not None:
        certified = best.shown.certified
        assert certified is not None
        return best.made.policy.model_copy(update={"threshold": certified.threshold, "certified": certified})
    why = "; ".join(f"{one.record.kind}: {one.record.why_not}" for one in tried) or "no policy could be made"
    kind: PolicyKind = tried[0].made.policy.kind if tried else options.kinds[0]
    return RoutePolicy(
        name=options.name or evidence.suite,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        harness=__version__,
        kind=kind,
        confidence="form",
        threshold=None,
        backbone=evidence.large,
        experts=(),
        rules=(),
        suite=evidence.suite,
        suite_hash=evidence.suite_hash,
        certified=None,
        why_not=why,
    )


def _figures(evidence: Evidence, routed: Sequence[Routed], best: _Tried | None) -> tuple[RouteFigures, ...]:
    """The policy, and what it is held against; a lot and an oracle of the small model that it asks most."""
    calls = evidence.testing
    found = [figures_of("policy", routed)] if best is not None else []
    found.append(figures_of("large", all_large(calls)))
    found += [figures_of(f"small: {one.name}", all_small(calls, one.name)) for one in evidence.small]
    main = _main(best, evidence)
    if best is not None:
        found.append(random_mix(calls, main, found[0].coverage))
    found.append(figures_of("oracle", oracle(calls, main)))
    return tuple(found)


def _main(best: _Tried | None, evidence: Evidence) -> str:
    """The small model that the policy asks most; without one, the one that is right most often."""
    if best is not None:
        names = [one.expert.name for one in best.views if one.expert is not None]
        if names:
            return max(sorted(set(names)), key=names.count)
    return max(
        (one.name for one in evidence.small),
        key=lambda name: sum(one.sample.weight * one.small[name][0].value for one in evidence.testing),
    )


def _clusters(views: Sequence[View], threshold: float | None, names: Mapping[str, str]) -> tuple[RouteCluster, ...]:
    whole = sum(one.call.sample.weight for one in views)
    found = []
    for cluster, each in by_cluster(views).items():
        routed = [one.routed(threshold) for one in each]
        own = figures_of("policy", routed)
        large = figures_of("large", all_large([one.call for one in each]))
        asked = [one.expert.name for one in each if one.expert is not None]
        indexed = any(one.cluster is not None for one in views)
        found.append(
            RouteCluster(
                cluster=cluster,
                name=names.get(cluster, cluster),
                n=len(each),
                traffic=sum(one.call.sample.weight for one in each) / whole,
                expert=max(sorted(set(asked)), key=asked.count) if asked else None,
                placed=sum(one.cluster == cluster for one in each) / len(each) if indexed else None,
                coverage=own.coverage,
                accuracy=own.accuracy,
                large_accuracy=large.accuracy,
                difference=own.difference,
                difference_interval=interval_of_difference(routed),
                cost_usd_per_call=own.cost_usd_per_call,
                large_cost_usd_per_call=large.cost_usd_per_call,
            )
        )
    return tuple(found)


def _notes(
    evidence: Evidence, tried: int, options: RouteOptions, best: _Tried | None, no_load: str | None
) -> list[str]:
    notes = [*evidence.notes]
    if tried > 1:
        notes.append(
            f"{tried} kinds are tested on the same calls, each at α {options.alpha:g} / {tried} = "
            f"{options.alpha / tried:.3g} (Bonferroni): whichever is then taken, the chance that it loses the margin "
            f"is at most {options.alpha:g}."
        )
    notes.append(
        "The certificate speaks of calls like those of the test split, drawn as they were; it ends where models, "
        "prompts, tools or traffic change."
    )
    notes += [note for one in evidence.small if (note := weaker_note(evidence, one.name))]
    if best is not None and best.record.figures is not None:
        lot = random_mix(evidence.testing, _main(best, evidence), best.record.figures.coverage)
        if 0 < best.record.figures.coverage < 1 and best.record.figures.difference <= lot.difference:
            notes.append(
                "On the test calls the policy does no better than as many calls drawn by lot: it holds because the "
                "models are near each other, not because it tells calls apart."
            )
    if best is not None and best.record.figures is not None:
        alone = figures_of("large", all_large(evidence.testing)).cost_usd_per_call
        spent = best.record.figures.cost_usd_per_call
        if alone is not None and spent is not None and spent > alone:
            notes.append(
                f"The policy holds, and it costs {spent / alone:.2f} times what {evidence.large.name} alone does: "
                "calls that are handed on are paid twice."
            )
    unknown = [one.name for one in evidence.small if all(each.small[one.name][0].cost_usd is None
               for each in evidence.testing)]  # fmt: skip
    if all(one.large.cost_usd is None for one in evidence.testing):
        unknown.append(evidence.large.name)
    if unknown:
        notes.append(f"No cost is known of {', '.join(unknown)}: costs are left open, and the policy that moves most "
                     "calls is taken.")  # fmt: skip
    if best is not None and best.made.policy.confidence in {"cluster", "request_score"} and not options.signals:
        notes.append("The policy looks at no reply: what a small model answers, stands.")
    return [*notes, *([no_load] if no_load else [])]


def _line(view: View, threshold: float | None) -> SimulatedCall:
    found = view.routed(threshold)
    finite = view.confidence > -float("inf")
    return SimulatedCall(
        sample=view.call.id,
        cluster=view.cluster,
        expert=view.expert.name if view.expert else None,
        confidence=view.confidence if finite else view.known,
        kept=bool(found.kept),
        reason=found.reason,
        value=found.value,
        cost_usd=found.cost_usd,
        e2e_s=found.e2e_s,
    )
