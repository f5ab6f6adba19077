"""What to do again, in order of the money at stake, each with its reasons and the commands that do it."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from harness.config.iterate import StaleOptions
from harness.iterate.calls import Traffic
from harness.iterate.place import Placed
from harness.iterate.sources import by_cluster
from harness.records.decision import Decision, Selection
from harness.records.gate import GateResult
from harness.records.iterate import (
    DriftRow,
    NewCluster,
    OpenFinding,
    RouterRow,
    SourceChange,
    Stake,
    StaleVerdict,
    Todo,
)
from harness.records.route import RoutePolicy
from harness.report.iterate_words import change_words, drift_words, router_words

__all__ = [
    "Stakes", "due_at", "findings_of", "gate_todos", "next_suite", "ordered", "policy_todos", "reasons_by_cluster",
    "stale_verdicts", "todos_of",
]  # fmt: skip

_WEEK_S: Final = 7 * 86_400.0
_LEAST_SPAN_S: Final = 3 * 86_400.0
_LEAST_CALLS: Final = 20
_VERSION: Final = re.compile(r"(.+?)_v(\d+)")


@dataclass(frozen=True, slots=True)
class Stakes:
    """What each cluster takes in a week."""

    by_cluster: Mapping[str, Stake]

    @classmethod
    def of(cls, traffic: Traffic, placed: Placed) -> "Stakes":
        """From the new calls where they span three days, else from all; nothing by the week where no time is logged."""
        calls = traffic.features.calls
        new = traffic.new_rows()
        rows, span = new, _span(calls[row].at for row in new)
        if span is None or span < _LEAST_SPAN_S or len(new) < _LEAST_CALLS:
            rows = list(range(len(calls)))
            span = _span(call.at for call in calls)
        weeks = None if span is None or span <= 0 else span / _WEEK_S
        owned: dict[str, list[int]] = defaultdict(list)
        for row in rows:
            owned[placed.owner[row]].append(row)
        return cls({name: _stake(traffic, own, weeks) for name, own in owned.items()})

    def of_all(self, clusters: Iterable[str]) -> Stake:
        """Of several clusters together."""
        own = [self.by_cluster[one] for one in sorted(clusters) if one in self.by_cluster]
        return Stake(
            calls_week=_sum(one.calls_week for one in own),
            tokens_week=_sum(one.tokens_week for one in own),
            usd_week=_sum(one.usd_week for one in own),
        )

    def part_of(self, cluster: str, calls: int, weeks: float | None) -> Stake:
        """Of so many calls of a cluster, at its mean cost and length."""
        whole = self.by_cluster.get(cluster, Stake())
        if weeks is None or not whole.calls_week:
            return Stake()
        share = calls / weeks / whole.calls_week
        tokens, usd = whole.tokens_week, whole.usd_week
        return Stake(
            calls_week=calls / weeks,
            tokens_week=None if tokens is None else tokens * share,
            usd_week=None if usd is None else usd * share,
        )


def _sum(values: Iterable[float | None]) -> float | None:
    """Of those that are known; None where none is."""
    known = [one for one in values if one is not None]
    return sum(known) if known else None


def _span(times: Iterable[float | None]) -> float | None:
    known = [at for at in times if at is not None]
    return max(known) - min(known) if len(known) > 1 else None


def _stake(traffic: Traffic, rows: Sequence[int], weeks: float | None) -> Stake:
    if weeks is None:
        return Stake()
    calls = [traffic.features.calls[row] for row in rows]
    count = sum(call.weight for call in calls)
    usd = [(call.usd, call.weight) for call in calls if call.usd is not None]
    tokens = [
        ((call.prompt_tokens or 0) + (call.output_tokens or 0), call.weight)
        for call in calls
        if call.prompt_tokens is not None or call.output_tokens is not None
    ]
    return Stake(
        calls_week=count / weeks, tokens_week=_weekly(tokens, count, weeks), usd_week=_weekly(usd, count, weeks)
    )


def _weekly(values: Sequence[tuple[float, int]], count: int, weeks: float) -> float | None:
    """The mean of the calls that say so, for all of them."""
    known = sum(weight for _, weight in values)
    return sum(value * weight for value, weight in values) / known * count / weeks if known else None


def reasons_by_cluster(
    placed: Placed,
    changes: Sequence[SourceChange],
    findings: Sequence[OpenFinding],
) -> dict[str, list[str]]:
    """Why a verdict on a cluster can no longer be relied on; what is found of a node holds for all its clusters."""
    found: dict[str, list[str]] = defaultdict(list)
    members: dict[str, list[str]] = defaultdict(list)
    node_of = {cluster.id: cluster.node for cluster in placed.built.book.clusters}
    for name, node in node_of.items():
        members[node].append(name)
    for cluster, own in by_cluster(changes).items():
        found[cluster] += [change_words(change) for change in own]
    places = {(one.where, one.side) for one in findings}
    closer = {(node_of[where], side) for where, side in places if where in node_of}
    narrower = any(where != "all" for where, _ in places)
    for one in findings:
        if (one.where, one.side) in closer or (one.where == "all" and narrower):
            continue  # told of the tasks, or nodes, that it comes from
        for cluster in members.get(one.where, [one.where]):
            found[cluster].append(f"{one.said} (found {one.at[:10]})")
    return found


def findings_of(
    drift: Sequence[DriftRow], router: Sequence[RouterRow], before: Sequence[OpenFinding], selection: Selection | None,
    now: str,
) -> tuple[OpenFinding, ...]:  # fmt: skip
    """What is open: found now, or earlier and not judged since by other samples."""
    suite = selection.suite_hash if selection else None
    fresh = [
        OpenFinding(where=one.where, side=one.side, at=now, said=drift_words(one), suite_hash=suite)
        for one in drift
        if one.drifted
    ] + [
        OpenFinding(where=one.cluster, side="router", at=now, said=router_words(one), suite_hash=suite)
        for one in router
        if one.drifted
    ]
    kept = [one for one in before if not _judged_since(one, selection)]
    again = {(one.where, one.side) for one in kept}
    return (*kept, *(one for one in fresh if (one.where, one.side) not in again))


def _judged_since(one: OpenFinding, selection: Selection | None) -> bool:
    return selection is not None and selection.made_at > one.at and selection.suite_hash != one.suite_hash


def stale_verdicts(
    selection: Selection | None, traffic: Traffic, placed: Placed, reasons: Mapping[str, Sequence[str]],
    stakes: Stakes, options: StaleOptions, now: datetime,
) -> list[StaleVerdict]:  # fmt: skip
    """Every verdict on a cluster that something speaks against."""
    if selection is None:
        return []
    made = _time(selection.made_at)
    age = (now - made).total_seconds() / 86_400
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for row, call in enumerate(traffic.features.calls):
        own = counts[placed.owner[row]]
        own[0] += call.weight
        own[1] += call.weight * (call.id not in traffic.old)
        own[2] += call.weight * (call.at is not None and call.at > made.timestamp())
    found = []
    for decision in selection.decisions:
        every, unseen, later = counts[decision.cluster]
        new = max(unseen, later)
        own_reasons = list(reasons.get(decision.cluster, ()))
        if options.days is not None and age > options.days:
            own_reasons.append(f"judged {age:.0f} days ago; {options.days:g} are allowed")
        if options.traffic is not None and new and new >= options.traffic * max(1, every - new):
            own_reasons.append(f"{new:,} calls since, {every - new:,} before")
        if own_reasons:
            stake = _with_saving(stakes.by_cluster.get(decision.cluster, Stake()), decision)
            found.append(
                StaleVerdict(
                    cluster=decision.cluster,
                    name=decision.name,
                    verdict=decision.verdict,
                    variant=decision.variant,
                    made_at=selection.made_at,
                    age_days=age,
                    calls_old=every - new,
                    calls_new=new,
                    reasons=tuple(own_reasons),
                    stake=stake,
                )
            )
    return found


def _with_saving(stake: Stake, decision: Decision) -> Stake:
    """What the verdict saves in a week: the log's mean cost of a call less the chosen variant's."""
    if decision.verdict not in {"replace", "hybrid"} or not stake.calls_week or stake.usd_week is None:
        return stake
    chosen = next((one for one in decision.evidence if one.variant == decision.variant and one.status == "pass"), None)
    if chosen is None or chosen.cost_usd_per_call is None:
        return stake
    return stake.model_copy(update={"saved_usd_week": stake.usd_week - stake.calls_week * chosen.cost_usd_per_call})


def _time(text: str) -> datetime:
    made = datetime.fromisoformat(text)
    return made if made.tzinfo else made.replace(tzinfo=UTC)


def todos_of(
    stale: Sequence[StaleVerdict], new: Sequence[NewCluster], reasons: Mapping[str, Sequence[str]], stakes: Stakes,
    plan: Sequence[str],
) -> list[Todo]:  # fmt: skip
    """A thing to do for each verdict that is stale, each task that is new, and what else changed."""
    commands = tuple(plan)
    found = [
        Todo(
            key=f"verdict {one.cluster}",
            what=f"Judge {one.cluster} again ({one.name}): {one.verdict}"
            + (f" by {one.variant}" if one.variant else ""),
            why=one.reasons,
            clusters=(one.cluster,),
            stake=one.stake,
            commands=commands,
        )
        for one in stale
    ]
    found += [
        Todo(
            key=f"new {one.node} {one.id}",
            what=f"Judge the new task {one.id}",
            why=(
                f"{one.calls:,} new calls of {one.sessions:,} sessions ({one.share:.1%}) "
                + (f"are like none of the old ones of {one.within}" if one.within else "belong to no known task"),
            ),
            clusters=(one.id,),
            stake=one.stake,
            commands=commands if one.within is None else (f"{commands[0]} 'cluster.split=[{one.within}]'",),
        )
        for one in new
    ]
    done = {cluster for one in found for cluster in one.clusters}
    found += [
        Todo(
            key=f"changed {cluster}",
            what=f"Take the new calls{_of_whom(cluster)} in: no verdict rests on them yet",
            why=tuple(why),
            clusters=(cluster,) if cluster != "all" else (),
            stake=stakes.by_cluster.get(cluster, Stake()),
            commands=commands[:1],
        )
        for cluster, why in sorted(reasons.items())
        if cluster not in done and why
    ]
    return found


def _of_whom(cluster: str) -> str:
    """Whose calls, in words."""
    return "" if cluster == "all" else f" of {cluster}"


def gate_todos(gates: Sequence[GateResult], options: StaleOptions, now: datetime) -> list[Todo]:
    """Gates that did not pass, and those that are too old."""
    found = []
    for gate in gates:
        age = (now - _time(gate.made_at)).total_seconds() / 86_400
        why = [] if gate.verdict == "pass" else [f"its verdict was {gate.verdict}"]
        if options.days is not None and age > options.days:
            why.append(f"judged {age:.0f} days ago; {options.days:g} are allowed")
        if why:
            found.append(
                Todo(
                    key=f"gate {gate.suite}",
                    what=f"Gate {gate.candidate.model} on {gate.suite} again",
                    why=tuple(why),
                    commands=(
                        f"python -m harness suite={gate.suite} model={gate.candidate.model}",
                        "python -m harness do=gate",
                    ),
                )
            )
    return found


def policy_todos(
    policy: RoutePolicy | None, selection: Selection | None, options: StaleOptions, now: datetime
) -> list[Todo]:
    """A routing policy that is too old, or was learned from other samples than the verdicts rest on."""
    if policy is None:
        return []
    age = (now - _time(policy.made_at)).total_seconds() / 86_400
    why = []
    if options.days is not None and age > options.days:
        why.append(f"certified {age:.0f} days ago; {options.days:g} are allowed")
    if selection is not None and selection.suite_hash != policy.suite_hash and selection.made_at > policy.made_at:
        why.append(f"the verdicts rest on other samples since ({selection.suite})")
    if not why:
        return []
    small = ",".join(dict.fromkeys(one.model for one in policy.experts))
    command = f"python -m harness do=route route.large={policy.backbone.model} 'route.small=[{small}]'"
    return [
        Todo(key=f"policy {policy.name}", what="Certify the routing policy again", why=tuple(why), commands=(command,))
    ]


def ordered(todos: Sequence[Todo], before: Sequence[Todo], now: str) -> tuple[Todo, ...]:
    """Alarms first, then by money a week (saved or spent), tokens, calls; with the time when each was first found."""
    since = {one.key: one.since for one in before}

    def worth(one: Todo) -> tuple[bool, float, float, float]:
        stake = one.stake
        money = max(stake.saved_usd_week or 0.0, stake.usd_week or 0.0)
        return (one.urgent, money, stake.tokens_week or 0.0, stake.calls_week or 0.0)

    dated = [one.model_copy(update={"since": since.get(one.key) or now}) for one in todos]
    return tuple(sorted(dated, key=worth, reverse=True))


def next_suite(name: str) -> str:
    """The next version of a suite's name.

    >>> next_suite("support"), next_suite("support_v2")
    ('support_v2', 'support_v3')
    """
    found = _VERSION.fullmatch(name)
    return f"{found[1]}_v{int(found[2]) + 1}" if found else f"{name}_v2"


def due_at(selection: Selection | None, policy: RoutePolicy | None, gates: Sequence[GateResult], options: StaleOptions,
           now: datetime) -> str | None:  # fmt: skip
    """When the next verdict comes of age; None where age does not matter, or all are."""
    if options.days is None:
        return None
    made = [one.made_at for one in (selection, policy, *gates) if one is not None]
    ends = [_time(one) + timedelta(days=options.days) for one in made]
    later = [one for one in ends if one > now]
    return min(later).isoformat(timespec="seconds") if later else None
