"""From a selection, its runs and what was left on the way to them, to the audit."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from harness.audit.cells import cells_of, losses_of
from harness.audit.sorting import next_of
from harness.records.audit import (
    Audit,
    AuditAgent,
    AuditCell,
    AuditCluster,
    AuditEstimate,
    AuditFunnel,
    AuditRun,
    AuditStep,
)
from harness.records.cluster import Cluster, ClusterBook
from harness.records.curated import CuratedManifest
from harness.records.decision import Decision, Selection
from harness.store.runs import StoredRun

__all__ = ["Agents", "Log", "Told", "build_audit"]

_SHARE: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Agents:
    """Calls of each agent by cluster, repeats counted. Calls of no cluster are under None."""

    calls: Mapping[str, Mapping[str | None, int]] = field(default_factory=dict)

    def of(self, cluster: str) -> tuple[str, ...]:
        """The agents of a cluster, most calls first."""
        found = {agent: each.get(cluster, 0) for agent, each in self.calls.items()}
        return tuple(sorted((agent for agent, count in found.items() if count), key=lambda one: -found[one]))


@dataclass(frozen=True, slots=True)
class Log:
    """What the steps before the runs left; empty of a suite that was there."""

    files: tuple[str, ...] = ()
    curated: CuratedManifest | None = None
    book: ClusterBook | None = None
    agents: Agents = Agents()


@dataclass(frozen=True, slots=True)
class Told:
    """What was done, and where it lies."""

    steps: tuple[AuditStep, ...]
    estimates: tuple[AuditEstimate, ...]
    runs: tuple[AuditRun, ...]
    links: Mapping[str, str]
    command: str


def build_audit(name: str, selection: Selection, runs: Sequence[StoredRun], log: Log, told: Told) -> Audit:
    """The audit; `name` is that of its folder. runs: those of the selection, the baseline's among them."""
    by_cluster = selection.by == "cluster"
    losses = {run.folder.name: losses_of(run, by_cluster=by_cluster) for run in runs}
    tasks = {one.id: one for one in log.book.clusters} if log.book else {}
    whole = sum(one.traffic.calls for one in selection.decisions)
    clusters = tuple(
        _cluster(selection, one, cells_of(selection, one, losses), whole, tasks.get(one.cluster), log.agents)
        for one in selection.decisions
    )
    audit = Audit(
        name=name,
        made_at=selection.made_at,
        logs=log.files,
        suite=selection.suite,
        funnel=_funnel(selection, log, whole),
        steps=told.steps,
        estimates=told.estimates,
        runs=told.runs,
        clusters=clusters,
        agents=_agents(selection, log.agents),
        selection=selection,
        links=dict(told.links),
        command=told.command,
    )
    return audit.model_copy(update={"notes": tuple(_notes(audit))})


def _cluster(
    selection: Selection, one: Decision, cells: tuple[AuditCell, ...], whole: float, task: Cluster | None,
    agents: Agents,
) -> AuditCluster:  # fmt: skip
    found = next_of(selection, one, cells)
    spent = one.traffic.usd
    return AuditCluster(
        cluster=one.cluster,
        name=one.name,
        agents=agents.of(one.cluster),
        share=one.traffic.calls / whole,
        usd=None if spent is None else 1000 * spent / whole,
        cells=cells,
        next=found.next,
        why=found.why,
        nearest=found.nearest,
        top_action=max(task.actions.values(), default=None) if task else None,
        examples=task.rows if task else None,
    )


def _funnel(selection: Selection, log: Log, whole: float) -> AuditFunnel:
    manifest, book = log.curated, log.book
    dropped = {} if manifest is None else {row.rule: row.calls for row in manifest.dropped if row.calls}
    sessions = sum(one.sessions for one in selection.decisions)
    return AuditFunnel(
        read=manifest.read if manifest else None,
        kept=manifest.kept if manifest else None,
        stand=sum(manifest.split_weights.values()) if manifest else None,
        dropped=dropped,
        tasks=sum(1 for one in book.clusters if one.rows and not one.noise) if book else None,
        covered=book.coverage if book else None,
        judged=whole,
        samples=sum(one.n for one in selection.decisions),
        sessions=sessions,
    )


def _agents(selection: Selection, agents: Agents) -> tuple[AuditAgent, ...]:
    """Each agent with how much of it moves, most calls first."""
    moves: dict[str | None, float] = defaultdict(float)
    open_ = {one.cluster for one in selection.decisions if one.verdict == "need-n-more"}
    for one in selection.decisions:
        if one.verdict not in {"replace", "hybrid"}:
            continue
        mode = "direct" if one.verdict == "replace" else "hybrid"
        chosen = next(each for each in one.evidence if each.variant == one.variant and each.mode == mode)
        moves[one.cluster] = 1 - (chosen.escalated or 0.0)
    known = {one.cluster for one in selection.decisions}
    if selection.by == "all" or not agents.calls:
        return ()
    found = []
    for agent, each in agents.calls.items():
        calls = sum(each.values())
        undecided = sum(count for cluster, count in each.items() if cluster in open_ or cluster not in known)
        moved = sum(count * moves[cluster] for cluster, count in each.items())
        found.append(
            AuditAgent(agent=agent, calls=calls, moves=min(1.0, moved / calls), open=min(1.0, undecided / calls))
        )
    return tuple(sorted(found, key=lambda one: (-one.calls, one.agent)))


def _notes(audit: Audit) -> Iterable[str]:
    """What a reader must know before believing the headline."""
    funnel = audit.funnel
    for one in audit.runs:
        if one.status == "failed":
            yield f"{one.model} was not asked: {one.said}"
        if one.status == "unfinished":
            yield f"{one.model} is not judged yet: {one.said}. The same command goes on with it."
        if one.n_lost and one.status == "complete":
            yield f"{one.model}: {one.n_lost} attempts were lost to the infrastructure and are in no figure."
    unasked = Counter(one.next for one in audit.clusters)["context"]
    if unasked:
        yield (
            f"In {unasked} of {len(audit.clusters)} clusters most prompts fit into the context of none of these models."
        )
    if funnel.sessions < funnel.samples:
        yield (
            f"{funnel.samples:,} samples come from {funnel.sessions:,} independent sessions (summed over clusters): "
            "verdicts rest on the latter."
        )
    if funnel.stand is not None and funnel.judged < (1 - _SHARE) * funnel.stand:
        yield (
            f"The shares speak of {funnel.judged:,.0f} of {funnel.stand:,} curated calls: no sample stands for the "
            "others (splits that were not built, calls that cannot be asked again, suite.limit)."
        )
