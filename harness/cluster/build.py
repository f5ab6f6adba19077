"""Calls to nodes to tasks: the pure middle of `do=cluster`."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import numpy as np

from harness import __version__
from harness.cluster.algorithms import Choice
from harness.cluster.features import MOST_TEXT, Features, masked
from harness.cluster.figures import costs_of, growth_of, map_of, weeks_of
from harness.cluster.folder import Kept
from harness.cluster.known import known_node, node_names
from harness.cluster.labels import actions_of, family_of, name_of, words_of
from harness.cluster.nodes import Node, find_nodes, parts_of, template_text, unit_hashes
from harness.cluster.stability import Again, Grouping, again_of, resampled, stability_of
from harness.cluster.tasks import Known, Naming, Tasks, known_cluster, merge, noise_id, split, tasks_of
from harness.cluster.threads import one_thread
from harness.cluster.vectors import BESIDE, Embedding, rows_of
from harness.config.cluster import ClusterOptions
from harness.cores import ONE_CORE, Cores
from harness.errors import ConfigError
from harness.records.cluster import AgentNode, Cluster, ClusterBook, MapPoint

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

__all__ = ["Built", "build"]

_ON_MAP: Final = 1_500
_BLOCK: Final = 50_000
"""Rows that are in memory at once."""
_SMALL: Final = 5_000
"""Calls below which other processes would take longer to begin than what they are asked for."""
_MEDOIDS: Final = 3
_EXAMPLE: Final = 240
_TIP: Final = 160


@dataclass(slots=True)
class Built:
    """What came out: `kept` with the book in it, and a sample of calls on a map."""

    kept: Kept
    book: ClusterBook
    points: list[MapPoint]


@dataclass(slots=True)
class _Work:
    features: Features
    options: ClusterOptions
    choice: Choice
    kept: Kept
    naming: Naming
    embedding: Embedding
    nodes: list[AgentNode] = field(default_factory=list)
    members: dict[str, list[int]] = field(default_factory=dict)
    """Rows of each cluster."""
    medoids: dict[str, list[int]] = field(default_factory=dict)
    node_of: dict[str, str] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)
    """What varies, by row, where the template was taken off it."""
    drawn: list[tuple[int, str, "Matrix", int]] = field(default_factory=list)
    """Of the map: row, cluster, vector, node."""
    again: list[Again] = field(default_factory=list)
    stability: list[tuple[int, list[float]]] = field(default_factory=list)
    comes_back: dict[str, float | None] = field(default_factory=dict)
    """Of each cluster that was resampled, its own stability."""
    sizes: dict[str, int] = field(default_factory=dict)
    assigned: int = 0

    def text(self, row: int) -> str:
        return self.texts.get(row) or self.features.texts[self.features.calls[row].text][:MOST_TEXT]


def build(
    features: Features, options: ClusterOptions, embedding: Embedding, kept: Kept, cores: Cores = ONE_CORE
) -> Built:
    """The clusters of the calls, going on from `kept`, which is changed: the same for any number of processors.

    Raises ConfigError where edits name no cluster, or another embedding made what is there.
    """
    if kept.book and kept.book.embedding != embedding.name:
        raise ConfigError(
            f"the clusters that are there were made with {kept.book.embedding}, and this is {embedding.name}: their "
            "vectors do not compare; take the same cluster.embedding, another cluster.name, or cluster.fresh=true"
        )
    merge(kept, options.merge)
    choice = Choice(options.algorithm, options.k, options.min_size, options.sample, options.seed)
    work = _Work(features, options, choice, kept, Naming.after(kept), embedding)
    wanted = {name: known_cluster(kept, name) for name in options.split}
    where = cores if len(features.calls) >= _SMALL else ONE_CORE
    with one_thread():
        _stability(work, list(where.map(Grouping(), _cluster(work, wanted))))
        return _built(work, wanted)


def _built(work: _Work, wanted: dict[str, str]) -> Built:
    absent = set(wanted.values()) - {node.id for node in work.nodes}
    if absent:
        raise ConfigError(
            f"cluster.split: no call of node {min(absent)} is in {work.options.calls}, so there is nothing to part"
        )
    book = _book(work)
    work.kept.book = book
    return Built(work.kept, book, _points(work))


def _cluster(work: _Work, wanted: dict[str, str]) -> "Iterator[tuple[Matrix, Choice]]":
    """Clusters node after node; after each, what of it is to be grouped anew, while the next one is clustered."""
    for node_id, node in _named_nodes(work):
        _cluster_node(work, node_id, node, [name for name, owner in wanted.items() if owner == node_id])
        if work.again:
            for part in work.again[-1].parts():
                yield part, work.choice


def _named_nodes(work: _Work) -> list[tuple[str, Node]]:
    """Nodes with their ids: those of earlier runs where they are known again."""
    found: dict[str, Node] = {}
    for node in find_nodes(work.features):
        ids = [work.features.calls[row].id for row in node.rows]
        name = known_node(node, ids, work.kept) or work.naming.new("n")
        if name in found:
            other = found[name]
            other.rows = sorted(other.rows + node.rows)
            other.prompts = list(dict.fromkeys(other.prompts + node.prompts))
        else:
            found[name] = node
    return list(found.items())


def _cluster_node(work: _Work, node_id: str, node: Node, to_split: list[str]) -> None:
    """Groups the node's calls block by block: those after the first go to its tasks, or found new ones."""
    work.sizes[node_id] = len(node.rows)
    work.nodes.append(
        AgentNode(
            id=node_id,
            name="",
            template=template_text(node),
            units=unit_hashes(node.units),
            tools=node.tools,
            form=node.form,
            system=node.system,
            slot=node.slot,
            calls=sum(work.features.calls[row].weight for row in node.rows),
            prompts=len(node.prompts),
            template_entropy_bits=node.entropy_bits,
        )
    )
    known, embed = Known.of(node_id, work.kept), None
    fresh = not known.clusters
    for number, block in enumerate(_blocks(work, node, to_split)):
        calls = [work.features.calls[row] for row in block]
        texts, which = _texts(work, node, block)
        embed = embed or work.embedding.fitted(texts)
        ids = [call.id for call in calls]
        rows = rows_of(calls, embed(texts), which)
        work.choice = replace(work.choice, text=rows.shape[1] - BESIDE)
        tasks = tasks_of(node_id, ids, rows, work.kept, known, work.choice, work.naming)
        for name in to_split if number == 0 else ():
            split(work.kept, name, tasks, ids, work.naming, work.options.seed)
            known.clusters.update(owner for owner in tasks.owners if owner != noise_id(node_id))
        work.assigned += 0 if fresh else tasks.assigned
        _note(work, tasks, block, first=number == 0)


def _blocks(work: _Work, node: Node, to_split: list[str]) -> list[list[int]]:
    """The node's rows in parts of 50,000 at most, drawn at random so that each is like the whole.

    Calls of clusters that are to be split are in the first.
    """
    count = -(-len(node.rows) // _BLOCK)
    if count == 1:
        return [node.rows]
    draw = np.random.default_rng(work.options.seed)
    rows = np.array(node.rows)[draw.permutation(len(node.rows))]
    parted = [work.kept.assigned.get(work.features.calls[row].id) in to_split for row in rows.tolist()]
    rows = np.concatenate([rows[parted], rows[~np.array(parted)]])
    return [np.sort(part).tolist() for part in np.array_split(rows, count)]


def _note(work: _Work, tasks: Tasks, block: list[int], *, first: bool) -> None:
    """Who is where, the calls of the middle, some for the map, and what is to be grouped anew."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, owner in enumerate(tasks.owners):
        places[owner].append(place)
    for owner, members in places.items():
        work.node_of[owner] = tasks.node
        work.members.setdefault(owner, []).extend(block[place] for place in members)
        if owner not in work.medoids:
            work.medoids[owner] = [block[place] for place in _middle_ones(tasks.rows, members)]
    _draw(work, tasks, block, 10 if first else 0)
    if first:
        again = again_of(tasks, list(places), work.choice, work.sizes[tasks.node], work.options.stability)
        work.again += [again] if again else []


def _texts(work: _Work, node: Node, block: list[int]) -> tuple[list[str], list[int]]:
    """The different texts of a block and which each call has. A template in the first user message is taken off."""
    texts: dict[str, int] = {}
    which = [0] * len(block)
    for place, row in enumerate(block):
        call = work.features.calls[row]
        text = work.features.texts[call.text]
        if not call.system and node.units:
            left = "\n".join(part for part in parts_of(text) if masked(part) not in node.units)
            text = work.texts[row] = (left or text)[:MOST_TEXT]
        which[place] = texts.setdefault(text[:MOST_TEXT], len(texts))
    return list(texts), which


def _middle_ones(rows: "Matrix", members: list[int]) -> list[int]:
    """The three calls nearest to the middle, of different vectors where there are such."""
    part = members[:: max(1, len(members) // 5_000)]
    own = rows[part]
    order = np.argsort(-(own @ own.mean(axis=0)), kind="stable").tolist()
    chosen: list[int] = []
    for place in order:
        if all(float(np.abs(own[place] - own[other]).max()) > 1e-4 for other in chosen):
            chosen.append(place)
        if len(chosen) == _MEDOIDS:
            break
    return [part[place] for place in chosen]


def _draw(work: _Work, tasks: Tasks, block: list[int], least: int) -> None:
    """Takes the block's share of the calls that are shown on the map."""
    share = round(_ON_MAP * len(block) / max(1, len(work.features.calls)))
    count = min(len(block), max(least, share))
    chosen = np.random.default_rng(work.options.seed).choice(len(block), count, replace=False)
    number = len(work.nodes) - 1
    work.drawn += [
        (block[place], tasks.owners[place], tasks.rows[place].copy(), number) for place in sorted(chosen.tolist())
    ]


def _stability(work: _Work, groups: "list[NDArray[np.int64]]") -> None:
    """How alike the groups are that were found anew, node by node."""
    left = iter(groups)
    for one in work.again:
        found = resampled(one.labels, one.draws, [next(left) for _ in one.draws])
        work.stability.append((one.calls, found.aris))
        work.comes_back.update(zip(one.tasks, found.jaccards, strict=False))


def _name_nodes(work: _Work) -> None:
    """Names by what sets the templates apart; a node that was there keeps its name."""
    old = {node.id: node.name for node in work.kept.book.nodes} if work.kept.book else {}
    names = node_names(work.nodes)
    work.nodes = [
        node.model_copy(update={"name": old.get(node.id, name)}) for node, name in zip(work.nodes, names, strict=True)
    ]


def _book(work: _Work) -> ClusterBook:
    _name_nodes(work)
    calls = work.features.calls
    total = sum(call.weight for call in calls)
    clusters = _clusters(work, total)
    noise = sum(one.calls for one in clusters if one.noise)
    return ClusterBook(
        name=work.options.name or "",
        source=work.options.calls,
        algorithm=work.options.algorithm,
        embedding=work.embedding.name,
        seed=work.options.seed,
        nodes=(*work.nodes, *_absent_nodes(work)),
        clusters=(*clusters, *_absent_clusters(work)),
        calls=total,
        rows=len(calls),
        assigned=work.assigned,
        coverage=(total - noise) / total if total else None,
        stability=stability_of(work.stability, work.options.stability),
        notes=_notes(work),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        harness=__version__,
    )


def _clusters(work: _Work, total: int) -> list[Cluster]:
    order = sorted(work.members, key=lambda name: (name.endswith(".noise"), -len(work.members[name]), name))
    words = words_of([[work.text(row) for row in work.members[name]] for name in order])
    forms = {node.id: node for node in work.nodes}
    old = work.kept.book.clusters if work.kept.book else ()
    named = {one.id: one for one in old if one.named_by is not None}
    found = []
    for name, best in zip(order, words, strict=True):
        rows = work.members[name]
        calls = [work.features.calls[row] for row in rows]
        node = forms[work.node_of[name]]
        actions = actions_of(calls)
        count = sum(call.weight for call in calls)
        weeks = weeks_of(calls)
        noise = name.endswith(".noise")
        given = named.get(name)
        radii = [radius for owner, radius in zip(work.kept.owners, work.kept.radii, strict=True) if owner == name]
        found.append(
            Cluster(
                id=name,
                node=node.id,
                name="no task" if noise else given.name if given else name_of(best, actions),
                named_by=given.named_by if given else None,
                noise=noise,
                words=best,
                actions=actions,
                family="other" if noise else family_of(calls, node.template, node.form),
                medoids=tuple(work.features.calls[row].id for row in work.medoids[name]),
                examples=tuple(work.text(row)[:_EXAMPLE] for row in work.medoids[name]),
                calls=count,
                rows=len(rows),
                share=count / total,
                radius=max(-1.0, min(1.0, min(radii, default=1.0))),
                stability=work.comes_back.get(name),
                costs=costs_of(calls),
                weeks=weeks,
                growth_per_week=growth_of(weeks),
            )
        )
    return found


def _absent_nodes(work: _Work) -> list[AgentNode]:
    here = {node.id for node in work.nodes}
    old = work.kept.book.nodes if work.kept.book else ()
    return [node.model_copy(update={"calls": 0}) for node in old if node.id not in here]


def _absent_clusters(work: _Work) -> list[Cluster]:
    """Clusters of earlier runs that have no calls here; they keep id, name and middle."""
    old = work.kept.book.clusters if work.kept.book else ()
    nothing = costs_of([])
    gone = {
        "calls": 0,
        "rows": 0,
        "share": 0.0,
        "stability": None,
        "costs": nothing,
        "weeks": (),
        "growth_per_week": None,
    }
    return [one.model_copy(update=gone) for one in old if one.id not in work.members and not one.noise]


def _notes(work: _Work) -> tuple[str, ...]:
    big = [node.id for node in work.nodes if work.sizes[node.id] > work.options.sample]
    notes = []
    if big:
        notes.append(
            f"{', '.join(big)}: the algorithm saw {work.options.sample} calls, the others went to the nearest cluster"
        )
    if len(work.features.calls) < 50:
        notes.append(f"{len(work.features.calls)} calls are few: tasks show from some hundreds on")
    return tuple(notes)


def _points(work: _Work) -> list[MapPoint]:
    if not work.drawn:
        return []
    rows = np.stack([vector for _, _, vector, _ in work.drawn])
    placed = map_of(rows, [node for *_, node in work.drawn], work.options.seed)
    return [
        MapPoint(x=float(x), y=float(y), cluster=owner, call=work.features.calls[row].id, text=work.text(row)[:_TIP])
        for (row, owner, _, _), (x, y) in zip(work.drawn, placed.tolist(), strict=True)
    ]
