"""Where each call belongs by the clustering's own rules, on a copy of what is kept: looking changes nothing."""

from collections import defaultdict
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.cluster.algorithms import centred, nearest
from harness.cluster.build import Built, build
from harness.cluster.features import MOST_TEXT, masked
from harness.cluster.folder import Kept
from harness.cluster.nodes import parts_of, unit_hashes
from harness.cluster.vectors import Embedding, rows_of
from harness.config.cluster import ClusterOptions
from harness.config.iterate import DriftOptions, IterateOptions
from harness.iterate.calls import Traffic
from harness.records.cluster import AgentNode, ClusterBook

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

__all__ = ["Placed", "options_of", "place"]

_MOST_OLD: Final = 20_000
"""Old calls whose vectors are held; whole sessions are drawn where there are more."""


@dataclass(slots=True)
class Placed:
    """Every call with its task, and the vectors to compare them by."""

    built: Built
    """Made on a copy: what the folder would become."""
    owner: list[str]
    """Cluster of each call, in the order of the traffic; a node's noise is one."""
    node: list[str]
    cell: list[str]
    """The known cluster with the nearest middle, however far it is; the call's own where that is one of `fresh` or its
    node knows none. Old and new are dealt out alike by it, so that they can be compared."""
    fresh: frozenset[str] = frozenset()
    """New clusters of enough calls and sessions to be told."""
    rows: "dict[int, Matrix]" = field(default_factory=dict)
    """Vector of each call that has one."""


def options_of(book: ClusterBook, calls: str, name: str) -> ClusterOptions:
    """The settings that go on from a folder of clusters."""
    algorithm = book.algorithm if book.algorithm in {"hdbscan", "kmeans", "agglomerative"} else "hdbscan"
    return ClusterOptions.model_validate(
        {"calls": calls, "name": name, "algorithm": algorithm, "seed": book.seed, "stability": 0}
    )


def place(
    traffic: Traffic, kept: Kept, clustering: ClusterOptions, embedding: Embedding, options: IterateOptions
) -> Placed:
    """Places all calls; `kept` stays as it is. Raises ConfigError where another embedding made the clusters."""
    built = build(traffic.features, clustering, embedding, deepcopy(kept))
    assert built.kept.book is not None
    node_of = {one.id: one.node for one in built.book.clusters}
    owner = [built.kept.assigned[call.id] for call in traffic.features.calls]
    node = [node_of[one] for one in owner]
    placed = Placed(built, owner, node, list(owner), _fresh(traffic, owner, kept, options.drift))
    by_node: dict[str, list[int]] = defaultdict(list)
    for row in _held(traffic, options.seed):
        by_node[node[row]].append(row)
    nodes = {one.id: one for one in built.book.nodes}
    known = {one.id for one in kept.book.clusters if not one.noise} if kept.book else set()
    for name, rows in by_node.items():
        _vectors(traffic, placed, rows, nodes[name], kept, known, embedding)
    return placed


def _fresh(traffic: Traffic, owner: list[str], kept: Kept, options: DriftOptions) -> frozenset[str]:
    known = {one.id for one in kept.book.clusters} if kept.book else set()
    rows: dict[str, list[int]] = defaultdict(list)
    for row, name in enumerate(owner):
        if name not in known and not name.endswith(".noise"):
            rows[name].append(row)
    return frozenset(
        name
        for name, own in rows.items()
        if len(own) >= options.least_calls
        and len({traffic.aside[row].session for row in own}) >= options.least_sessions
    )


def _held(traffic: Traffic, seed: int) -> list[int]:
    """Rows that get a vector: all new ones, and of the old whole sessions up to a bound."""
    old = [row for row, call in enumerate(traffic.features.calls) if call.id in traffic.old]
    if len(old) <= _MOST_OLD:
        return list(range(len(traffic.features.calls)))
    sessions: dict[str, list[int]] = defaultdict(list)
    for row in old:
        sessions[traffic.aside[row].session].append(row)
    names = list(sessions)
    chosen: list[int] = traffic.new_rows()
    left = _MOST_OLD
    for place_ in np.random.default_rng(seed).permutation(len(names)).tolist():
        left -= len(sessions[names[place_]])
        if left < 0:
            break
        chosen += sessions[names[place_]]
    return sorted(chosen)


def _vectors(
    traffic: Traffic, placed: Placed, rows: list[int], node: AgentNode, kept: Kept, known: set[str],
    embedding: Embedding,
) -> None:  # fmt: skip
    """The vectors of a node's calls, and the cell that each lies in."""
    calls = [traffic.features.calls[row] for row in rows]
    texts: dict[str, int] = {}
    which = [texts.setdefault(_text(traffic, row, node), len(texts)) for row in rows]
    old = {which[at] for at, call in enumerate(calls) if call.id in traffic.old}
    listed = list(texts)
    embed = embedding.fitted([listed[at] for at in sorted(old)] or listed)
    vectors = rows_of(calls, embed(listed), which)
    width = vectors.shape[1]
    at = [number for number, one in enumerate(kept.owners) if one in known and _is_of(kept, one, node.id)]
    for row, vector in zip(rows, vectors, strict=True):
        placed.rows[row] = vector
    if not at or node.id not in kept.means or kept.means[node.id].shape[0] != width:
        return
    near, _ = nearest(centred(vectors, kept.means[node.id]), np.stack([kept.places[number] for number in at]))
    for row, place_ in zip(rows, near.tolist(), strict=True):
        if placed.owner[row] not in placed.fresh:
            placed.cell[row] = kept.owners[at[place_]]


def _is_of(kept: Kept, cluster: str, node: str) -> bool:
    assert kept.book is not None
    return any(one.id == cluster and one.node == node for one in kept.book.clusters)


def _text(traffic: Traffic, row: int, node: AgentNode) -> str:
    """What varies in a call, as clustering sees it: of an instruction in a user message, without its template."""
    call = traffic.features.calls[row]
    text = traffic.features.texts[call.text]
    if not call.system and node.units:
        units = set(node.units)
        left = "\n".join(part for part in parts_of(text) if unit_hashes([masked(part)])[0] not in units)
        return (left or text)[:MOST_TEXT]
    return text[:MOST_TEXT]
