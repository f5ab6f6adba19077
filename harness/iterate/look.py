"""A look at new calls: placed, compared, and turned into what is to be done; nothing is changed by it."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from harness.assets.progress import OnProgress
from harness.cluster.folder import Kept, read_kept
from harness.cluster.vectors import Embedding, embedding_named
from harness.config.iterate import DriftOptions, IterateOptions
from harness.errors import DataError
from harness.iterate.calls import Traffic, read_traffic
from harness.iterate.drift import compare
from harness.iterate.novel import new_nodes, novel_within
from harness.iterate.place import Placed, options_of, place
from harness.iterate.plan import plan_of
from harness.iterate.routed import compare_routed, read_routed
from harness.iterate.sources import changes_of, day_of
from harness.iterate.standing import alarm_todos, alarm_words
from harness.iterate.state import LEVELS, Seen
from harness.iterate.todo import (
    Stakes,
    due_at,
    findings_of,
    gate_todos,
    ordered,
    policy_todos,
    reasons_by_cluster,
    stale_verdicts,
    todos_of,
)
from harness.iterate.world import World
from harness.records.cluster import ClusterBook
from harness.records.iterate import (
    DriftRow,
    Dropped,
    Growth,
    IterateState,
    Iteration,
    NewCluster,
    OpenFinding,
    RouterRow,
    SourceChange,
    Stake,
    StaleVerdict,
    Todo,
)
from harness.store.calls import read_curated

__all__ = ["Before", "Looked", "look"]

_MORE: Final = 0.01
"""Share of all entries by which a rule of curation must leave out more than before, to be told."""


@dataclass(frozen=True, slots=True)
class Before:
    """What earlier looks left."""

    state: IterateState
    seen: Mapping[str, Seen]


@dataclass(slots=True)
class Looked:
    """What a look found, and what is needed to keep it or to act on it."""

    found: Iteration
    state: IterateState
    """As it is after this look."""
    seen: dict[str, Seen]
    traffic: Traffic
    placed: Placed
    calls: Path
    embedding: Embedding


@dataclass(slots=True)
class _Evidence:
    """What was seen."""

    traffic: Traffic
    placed: Placed
    kept: Kept
    drift: list[DriftRow]
    tested: dict[str, list[str]]
    changes: list[SourceChange]
    router: list[RouterRow]
    router_until: float | None
    dropped: tuple[Dropped, ...]
    curated: dict[str, int]

    @property
    def book(self) -> ClusterBook:
        """The clusters as they are kept."""
        assert self.kept.book is not None
        return self.kept.book


@dataclass(slots=True)
class _Verdicts:
    """What follows from it."""

    findings: tuple[OpenFinding, ...]
    stale: list[StaleVerdict]
    new: list[NewCluster]
    todos: tuple[Todo, ...]
    plan: list[str]
    due_at: str | None
    notes: list[str] = field(default_factory=list)


def look(
    world: World, calls: Path, options: IterateOptions, before: Before, tell: OnProgress, *, texts: bool
) -> Looked:
    """Everything that the new calls say. texts: whether names and sentences of calls may be in what is found.

    Raises DataError or ConfigError for folders, clusters or verdicts that are not what they have to be.
    """
    began_s, now = time.monotonic(), datetime.now(UTC)
    kept = read_kept(world.clusters)
    assert kept.book is not None
    embedding = embedding_of(kept.book, options, tell)
    seen_now = _evidence(world, calls, options, before, kept, embedding, texts=texts)
    follows = _verdicts(world, calls, options, before, seen_now, now, texts=texts)
    at = now.isoformat(timespec="seconds")
    number = before.state.looks + 1
    found = _record(world, calls, options, before, seen_now, follows, at)
    state = before.state.model_copy(
        update={
            "looks": number,
            "looked_at": at,
            "due_at": follows.due_at,
            "todos": follows.todos,
            "findings": follows.findings,
            "router_until": seen_now.router_until,
            "router_tested": before.state.router_tested
            | {f"{one.what} {one.cluster}": one.until for one in seen_now.router if one.until is not None},
            "curated": seen_now.curated,
        }
    )
    found = found.model_copy(update={"seconds": time.monotonic() - began_s})
    seen = _seen(seen_now, before.seen, number)
    return Looked(found, state, seen, seen_now.traffic, seen_now.placed, calls, embedding)


def embedding_of(book: ClusterBook, options: IterateOptions, tell: OnProgress) -> Embedding:
    """The embedding that the clusters were made with."""
    name = book.embedding.partition("@")[0]
    url = options.embedding_url
    if url is None and name.startswith("openai:"):
        url = book.embedding.partition("@")[2] or None
    return embedding_named(name, tell, url, options.embedding_key_env)


def _evidence(
    world: World, calls: Path, options: IterateOptions, before: Before, kept: Kept, embedding: Embedding, *, texts: bool
) -> _Evidence:
    assert kept.book is not None
    traffic = read_traffic(calls, _references(kept.book, calls, options), kept.assigned)
    if not traffic.features.calls:
        raise DataError(f"{calls} has no calls; see what was left out in its manifest.json, and curate again")
    clustering = options_of(kept.book, str(calls), world.clusters.name)
    with _one_thread():
        placed = place(traffic, kept, clustering, embedding, options)
        drift, tested = compare(traffic, placed, before.seen, options.drift, options.seed)
    routed, since = read_routed(world.router, time.time()), before.state.router_until
    dropped, curated = _dropped(calls, before.state.curated)
    return _Evidence(
        traffic,
        placed,
        kept,
        drift,
        tested,
        changes_of(traffic, placed, texts=texts),
        compare_routed(routed, since, options.drift, options.seed, before.state.router_tested),
        routed.until if since is None else since,
        dropped,
        curated,
    )


def _one_thread() -> AbstractContextManager[object]:
    """Many small products of matrices: two threads on them are slower than one."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # scikit-learn brings it, without types

    limits: AbstractContextManager[object] = threadpool_limits(1)
    return limits


def _references(book: ClusterBook, calls: Path, options: IterateOptions) -> list[Path]:
    """Folders with the calls that the clusters were made of, besides the one that is looked at."""
    named = [Path(one) for one in options.reference]
    found = named or [Path(book.source)]
    kept = [one for one in found if one.resolve() != calls.resolve()]
    for one in kept:
        if not (one / "calls.parquet").is_file() and named:
            raise DataError(f"iterate.reference={one} is no folder of curated calls; name one that do=curate made")
    return [one for one in kept if (one / "calls.parquet").is_file()]


def _verdicts(
    world: World, calls: Path, options: IterateOptions, before: Before, seen: _Evidence, now: datetime, *, texts: bool
) -> _Verdicts:
    selection, policy, gates = world.read_selection(), world.read_policy(), world.read_gates()
    at = now.isoformat(timespec="seconds")
    findings = findings_of(seen.drift, seen.router, before.state.findings, selection, at)
    reasons = reasons_by_cluster(seen.placed, seen.changes, findings)
    stakes = Stakes.of(seen.traffic, seen.placed)
    stale = stale_verdicts(selection, seen.traffic, seen.placed, reasons, stakes, options.stale, now)
    new = _new_clusters(seen, stakes, options.drift, texts=texts)
    plan = plan_of(world, calls, options, selection, seen.book)
    todos = [
        *todos_of(stale, new, reasons, stakes, plan),
        *gate_todos(gates, options.stale, now),
        *policy_todos(policy, selection, options.stale, now),
        *alarm_todos(world.monitors),
    ]
    if before.state.applied:  # an apply was cut off after the calls were taken in: what it was for is still to be done
        listed = {one.key for one in todos}
        todos += [one for one in before.state.todos if one.key not in listed]
    notes = _notes(seen, judged=selection is not None)
    due = due_at(selection, policy, gates, options.stale, now)
    return _Verdicts(findings, stale, new, ordered(todos, before.state.todos, at), plan, due, notes)


def _notes(seen: _Evidence, *, judged: bool) -> list[str]:
    notes = []
    old = len(seen.traffic.features.calls) - len(seen.traffic.new_rows())
    if not old:
        notes.append(
            "None of the calls that the tasks were made of is here, so nothing can be compared: name their folder, "
            "iterate.reference=curated/NAME."
        )
    if not judged:
        notes.append("No selection was found, so no verdict can be stale; make one with do=select or do=audit.")
    straddling = next((row.straddling for row in seen.drift if row.level == "all"), 0)
    if straddling:
        notes.append(f"{straddling:,} new calls belong to sessions that began before: they are in no test.")
    if seen.book.embedding == "tfidf":
        notes.append("Made with tfidf: words are weighed by the old calls of each node.")
    return notes


def _new_clusters(seen: _Evidence, stakes: Stakes, options: DriftOptions, *, texts: bool) -> list[NewCluster]:
    nodes_known = {one.id for one in seen.book.nodes}
    nodes = {one.id: one for one in seen.placed.built.book.nodes}
    every = sum(seen.traffic.features.calls[row].weight for row in seen.traffic.new_rows())
    found = []
    for one in seen.placed.built.book.clusters:
        if one.id not in seen.placed.fresh:
            continue
        rows = [row for row, owner in enumerate(seen.placed.owner) if owner == one.id]
        times = [at for row in rows if (at := seen.traffic.features.calls[row].at) is not None]
        found.append(
            NewCluster(
                id=one.id,
                node=one.node,
                node_name=nodes[one.node].name if texts else one.node,
                new_node=one.node not in nodes_known,
                name=one.name if texts else one.id,
                calls=one.calls,
                sessions=len({seen.traffic.aside[row].session for row in rows}),
                share=min(1.0, one.calls / every) if every else 0.0,
                first=day_of(min(times, default=None)),
                stake=stakes.by_cluster.get(one.id, Stake()),
            )
        )
    weeks = _weeks([seen.traffic.features.calls[row].at for row in seen.traffic.new_rows()])
    found += [
        each.model_copy(update={"stake": stakes.part_of(each.within or "", each.calls, weeks)})
        for each in novel_within(seen.traffic, seen.placed, seen.drift, options, texts=texts)
    ]
    found += [
        each.model_copy(update={"stake": stakes.of_all(_owners(seen, each.node))})
        for each in new_nodes(seen.traffic, seen.placed, nodes_known, options, texts=texts)
    ]
    return sorted(found, key=lambda one: (-one.calls, one.id))


def _owners(seen: _Evidence, node: str) -> set[str]:
    return {owner for owner, own in zip(seen.placed.owner, seen.placed.node, strict=True) if own == node}


def _growth(seen: _Evidence) -> list[Growth]:
    """Calls of each known task, old and new, and a week where times were logged."""
    calls, new = seen.traffic.features.calls, set(seen.traffic.new_rows())
    old_weeks = _weeks([call.at for row, call in enumerate(calls) if row not in new])
    new_weeks = _weeks([calls[row].at for row in new])
    counts: Counter[tuple[str, bool]] = Counter()
    for row, call in enumerate(calls):
        counts[seen.placed.owner[row], row in new] += call.weight
    found = []
    for one in seen.book.clusters:
        before, now = counts[one.id, False], counts[one.id, True]
        if one.noise or not before + now:
            continue
        week = (before / old_weeks if old_weeks else None, now / new_weeks if new_weeks else None)
        found.append(
            Growth(id=one.id, name=one.name, node=one.node, old=before, new=now, week_old=week[0], week_new=week[1])
        )
    return sorted(found, key=lambda one: (-one.new, one.id))


def _weeks(times: Sequence[float | None]) -> float | None:
    known = [at for at in times if at is not None]
    span = max(known) - min(known) if len(known) > 1 else 0.0
    return span / (7 * 86_400) if span >= 86_400 else None


def _dropped(calls: Path, before: dict[str, int]) -> tuple[tuple[Dropped, ...], dict[str, int]]:
    """What curation left out more of than at the look before; and its counts now. Another log may be behind them."""
    manifest = read_curated(calls)
    now = {"read": manifest.read, **{one.rule: one.calls for one in manifest.dropped}}
    grown = before and manifest.read > before.get("read", 0) and all(now.get(key, 0) >= before[key] for key in before)
    base = before if before else {}
    fresh = {key: now[key] - (base.get(key, 0) if grown else 0) for key in now}
    found = []
    if base.get("read") and fresh["read"]:
        for rule in ("failed", "cut off by the token limit", "truncated", "empty reply", "empty", "retried"):
            old_share = base.get(rule, 0) / base["read"]
            if rule in fresh and fresh[rule] / fresh["read"] - old_share >= _MORE:
                found.append(
                    Dropped(
                        rule=rule, old=base.get(rule, 0), old_read=base["read"], new=fresh[rule], new_read=fresh["read"]
                    )
                )
    return tuple(found), now


def _record(
    world: World, calls: Path, options: IterateOptions, before: Before, seen: _Evidence, follows: _Verdicts, at: str
) -> Iteration:
    traffic, new = seen.traffic, seen.traffic.new_rows()
    times = [one for row in new if (one := traffic.features.calls[row].at) is not None]
    owners = Counter(seen.placed.owner[row] for row in new)
    known = {one.id for one in seen.book.clusters if not one.noise}
    to_known = sum(count for name, count in owners.items() if name in known)
    whole = {name for one in follows.new if one.id == one.node for name in _owners(seen, one.node)}
    to_new = sum(count for name, count in owners.items() if name in seen.placed.fresh | whole)
    return Iteration(
        name="",
        state=world.state.name,
        made_at=at,
        calls=calls.name,
        clusters=world.clusters.name,
        look=before.state.looks + 1,
        n_new=len(new),
        n_fresh=sum(traffic.features.calls[row].id not in before.seen for row in new),
        n_old=len(traffic.features.calls) - len(new),
        first=day_of(min(times, default=None)),
        last=day_of(max(times, default=None)),
        to_known=to_known,
        to_new=to_new,
        to_none=len(new) - to_known - to_new,
        growth=tuple(_growth(seen)),
        new_clusters=tuple(follows.new),
        changes=tuple(seen.changes),
        drift=tuple(seen.drift),
        router=tuple(seen.router),
        dropped=seen.dropped,
        stale=tuple(follows.stale),
        todos=follows.todos,
        plan=tuple(follows.plan) if any(one.commands[:1] == tuple(follows.plan[:1]) for one in follows.todos) else (),
        alarms=alarm_words(world.monitors),
        alpha=options.drift.alpha,
        tests=sum(one.p is not None for one in seen.drift),
        notes=tuple(follows.notes),
        seconds=0.0,
    )


def _seen(seen: _Evidence, before: Mapping[str, Seen], number: int) -> dict[str, Seen]:
    """Calls that the clusters' folder lacks, with the tests that they were part of, and those of the last apply."""
    found = {call: one for call, one in before.items() if call in seen.traffic.old and one.tested.get(LEVELS[0]) == -1}
    for row in seen.traffic.new_rows():
        call = seen.traffic.features.calls[row].id
        earlier = before.get(call)
        found[call] = Seen(seen.placed.owner[row], dict(earlier.tested) if earlier else {})
    for level, ids in seen.tested.items():
        for call in ids:
            found[call].tested[level] = number
    for call, one in before.items():  # of folders that are not looked at this time
        if call not in found and call not in seen.traffic.old:
            found[call] = one
    return found
