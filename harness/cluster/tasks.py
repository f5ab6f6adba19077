"""The tasks within a node: known calls keep theirs, new ones go to the nearest, the rest is grouped anew."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.cluster.algorithms import WIDEST, Choice, centred, group, middles, nearest
from harness.cluster.folder import Kept
from harness.cluster.vectors import unit
from harness.errors import ConfigError
from harness.records.cluster import ClusterEdit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

__all__ = ["Known", "Naming", "Tasks", "merge", "noise_id", "split", "tasks_of"]

_MOVES: Final = 0.5
"""Weight of a run's own calls when a middle that was there before moves with them: tasks drift."""
_COHERENT: Final = 0.75
"""Median cosine to their middle from which on calls that no region parts are one task."""


@dataclass(slots=True)
class Naming:
    """Ids that were never used: `n1`, `n2`, … for nodes and `c1`, `c2`, … for clusters."""

    last: dict[str, int] = field(default_factory=dict)

    @classmethod
    def after(cls, kept: Kept) -> "Naming":
        """Counts on from all ids in the folder, those that edits took away too."""
        book = kept.book
        used = [*kept.owners, *kept.assigned.values(), *kept.means]
        used += [name for edit in kept.edits for name in (*edit.clusters, *edit.into)]
        used += [*(one.id for one in book.nodes), *(one.id for one in book.clusters)] if book else []
        last: dict[str, int] = {}
        for name in set(used):
            if name[:1] in {"n", "c"} and name[1:].isdigit():
                last[name[0]] = max(last.get(name[0], 0), int(name[1:]))
        return cls(last)

    def new(self, letter: str) -> str:
        """The next id."""
        self.last[letter] = self.last.get(letter, 0) + 1
        return f"{letter}{self.last[letter]}"


@dataclass(slots=True)
class Tasks:
    """Which cluster each call of a node is in. `rows`: centred."""

    node: str
    rows: "Matrix"
    owners: list[str]
    assigned: int
    """Calls not seen before that went to a cluster which was there."""
    regrouped: bool
    """Whether the node was grouped as a whole, so that its stability can be told by doing that again on a part."""


def noise_id(node: str) -> str:
    """The id of a node's calls without a task."""
    return f"{node}.noise"


@dataclass(slots=True)
class Known:
    """The clusters of a node while its calls come, a block at a time."""

    clusters: set[str]
    everyone: bool = False
    """Whether every call goes to one of them, however far it is: k-means and Ward's tree know no noise."""

    @classmethod
    def of(cls, node: str, kept: Kept) -> "Known":
        """Those of earlier runs."""
        return cls({one.id for one in kept.book.clusters if one.node == node and not one.noise} if kept.book else set())


def tasks_of(
    node: str, ids: list[str], rows: "Matrix", kept: Kept, known: Known, choice: Choice, naming: Naming
) -> Tasks:
    """Groups calls of a node, and brings `kept` up to date, its means, middles and assignments; `known` too.

    ids: of the calls; rows: theirs, not yet centred.
    """
    mean = kept.means.get(node)
    if mean is None:
        mean = rows.mean(axis=0)
        kept.means[node] = mean
    rows_as_given, rows = rows, centred(rows, mean)
    here, noise = known.clusters, noise_id(node)
    owners = [kept.assigned.get(call, "") for call in ids]
    owners = [name if name in here or name == noise else "" for name in owners]
    first = not here
    if first or "" in owners:  # noise is looked at again, but only where there is something new beside it
        owners = ["" if name == noise else name for name in owners]
    assigned = 0 if first else _to_nearest(rows, owners, known, kept)
    left = [place for place, name in enumerate(owners) if not name]
    if left:
        labels = group(rows[left], choice) if first else _fresh_groups(rows[left], rows_as_given[left], choice)
        if first and labels.max() == 0:  # seen from their own middle, the calls of one task lie all around
            kept.means[node] = np.zeros_like(mean)
            rows = unit(rows_as_given)
        names = {}
        for label in range(int(labels.max()) + 1):
            old = "" if first else _drifted(rows[left][labels == label], here, kept)
            names[label] = old or naming.new("c")
            assigned += int((labels == label).sum()) if old else 0
        for place, label in zip(left, labels.tolist(), strict=True):
            owners[place] = names.get(label, noise)
    _move_middles(rows, owners, kept, choice.size(len(rows)))
    kept.assigned.update(zip(ids, owners, strict=True))
    known.everyone = known.everyone or (first and choice.algorithm != "hdbscan")
    here.update(name for name in owners if name != noise)
    return Tasks(node, rows, owners, assigned, first)


def _to_nearest(rows: "Matrix", owners: list[str], known: Known, kept: Kept) -> int:
    """Gives calls without a cluster to the nearest within its radius; how many found one."""
    places = [place for place, name in enumerate(kept.owners) if name in known.clusters]
    left = np.array([place for place, name in enumerate(owners) if not name], dtype=np.int64)
    if not places or not len(left):
        return 0
    near, cosine = nearest(rows[left], np.stack([kept.places[place] for place in places]))
    count = 0
    for place, which, how in zip(left.tolist(), near.tolist(), cosine.tolist(), strict=True):
        if known.everyone or how >= kept.radii[places[which]]:
            owners[place] = kept.owners[places[which]]
            count += 1
    return count


def _drifted(rows: "Matrix", here: set[str], kept: Kept) -> str:
    """The known cluster within whose radius the middle of these calls lies: a task that has moved. "" for none."""
    middle = unit(rows.mean(axis=0, keepdims=True))[0]
    found = [
        (float(middle @ place), name)
        for name, place, radius in zip(kept.owners, kept.places, kept.radii, strict=True)
        if name in here and float(middle @ place) >= radius
    ]
    return max(found, default=(0.0, ""))[1]


def _fresh_groups(rows: "Matrix", given: "Matrix", choice: Choice) -> "NDArray[np.int64]":
    """Groups among calls that no known cluster takes: always by density, since they may belong to nothing at all.

    Where no region stands out they are one task if they are alike as given, not only in being unlike what is known.
    """
    dense = replace(choice, algorithm="hdbscan", k=None)
    size = choice.size(len(rows))
    none = np.full(len(rows), -1, dtype=np.int64)
    if len(rows) < size:
        return none
    labels = group(rows, dense)
    if labels.max() > 0:
        return labels
    given = unit(given)
    places, _ = middles(given, np.zeros(len(given), dtype=np.int64))
    cosine = given @ places[0]
    inside = cosine >= float(np.median(cosine)) - 0.2
    if float(np.median(cosine)) < _COHERENT or int(inside.sum()) < size:
        return none
    return np.where(inside, 0, -1)


def _move_middles(rows: "Matrix", owners: list[str], kept: Kept, size: int) -> None:
    """A middle for each new cluster; those that were there move half the way to their calls of this run."""
    labels: dict[str, list[int]] = {}
    for place, name in enumerate(owners):
        if not name.endswith(".noise"):
            labels.setdefault(name, []).append(place)
    every = {name: unit(rows[members].mean(axis=0, keepdims=True))[0] for name, members in labels.items()}
    for name, members in labels.items():
        others = [place for other, place in every.items() if other != name]
        own = rows[members]
        places, radii = middles(own, np.zeros(len(own), dtype=np.int64))
        at = [place for place, owner in enumerate(kept.owners) if owner == name]
        if not at:
            kept.owners.append(name)
            kept.places.append(places[0])
            kept.radii.append(_reach(float(radii[0]), places[0], others))
        elif len(at) == 1 and len(members) >= size:
            moved = (1 - _MOVES) * kept.places[at[0]] + _MOVES * places[0]
            length = float(np.linalg.norm(moved))
            if length > 0:
                kept.places[at[0]] = (moved / length).astype(np.float32)
                kept.radii[at[0]] = (1 - _MOVES) * kept.radii[at[0]] + _MOVES * _reach(
                    float(radii[0]), places[0], others
                )


def _reach(radius: float, place: "Matrix", others: "list[Matrix]") -> float:
    """How far a cluster reaches: to most of its own calls, or half the way to its next neighbour where that is farther.

    Without a neighbour, a little beyond its own.
    """
    if not others:
        return max(WIDEST, radius - 0.05)
    near = max(0.0, float(max(np.stack(others) @ place)))
    return min(radius, max(WIDEST, (radius + near) / 2))


def merge(kept: Kept, groups: tuple[tuple[str, ...], ...]) -> None:
    """Makes each group of clusters one, with the first id, now and for good. Raises ConfigError for an unknown id."""
    done = [edit for edit in kept.edits if edit.kind == "merge"]
    for names in groups:
        if any(edit.clusters == names for edit in done):
            continue
        nodes = {_node_of(kept, name, "merge") for name in names}
        if len(names) < 2 or len(set(names)) < len(names):
            raise ConfigError(
                f"cluster.merge={list(names)} needs two different clusters or more: cluster.merge=[[c1,c2]]"
            )
        if len(nodes) > 1:
            raise ConfigError(
                f"cluster.merge={list(names)} are of different nodes ({', '.join(sorted(nodes))}): one node's only"
            )
        into, others = names[0], set(names[1:])
        kept.owners = [into if name in others else name for name in kept.owners]
        kept.assigned = {call: into if name in others else name for call, name in kept.assigned.items()}
        _forget(kept, others)
        kept.edits = (*kept.edits, ClusterEdit(kind="merge", clusters=names))


def split(kept: Kept, name: str, tasks: Tasks, ids: list[str], naming: Naming, seed: int) -> None:
    """Parts a cluster in two by k-means; the larger part keeps the id. Raises ConfigError where it cannot be parted."""
    from sklearn.cluster import KMeans

    members = [place for place, owner in enumerate(tasks.owners) if owner == name]
    if len(members) < 2 or float(np.ptp(tasks.rows[members], axis=0).max(initial=0)) < 1e-6:
        raise ConfigError(f"cluster.split={name} has {len(members)} calls here and nothing to tell them apart by")
    labels = KMeans(2, n_init=4, random_state=seed).fit(tasks.rows[members]).labels_
    small = int(np.bincount(labels, minlength=2).argmin())
    new = naming.new("c")
    for place, label in zip(members, labels.tolist(), strict=True):
        if label == small:
            tasks.owners[place] = kept.assigned[ids[place]] = new
    at = [place for place, owner in enumerate(kept.owners) if owner == name]
    for place in reversed(at):
        del kept.owners[place], kept.places[place], kept.radii[place]
    _move_middles(tasks.rows[members], [tasks.owners[place] for place in members], kept, 1)
    kept.edits = (*kept.edits, ClusterEdit(kind="split", clusters=(name,), into=(name, new)))


def _node_of(kept: Kept, name: str, option: str) -> str:
    found = [one.node for one in kept.book.clusters if one.id == name and not one.noise] if kept.book else []
    if not found:
        known = [one.id for one in kept.book.clusters if not one.noise] if kept.book else []
        said = ", ".join(known[:12]) + (", …" if len(known) > 12 else "") if known else "none yet: cluster first"
        raise ConfigError(f"cluster.{option}: {name} is no cluster here; there are {said}")
    return found[0]


def known_cluster(kept: Kept, name: str) -> str:
    """The node of a cluster to be split. Raises ConfigError where there is no such cluster."""
    return _node_of(kept, name, "split")


def _forget(kept: Kept, names: set[str]) -> None:
    if kept.book:
        left = tuple(one for one in kept.book.clusters if one.id not in names)
        kept.book = kept.book.model_copy(update={"clusters": left})
