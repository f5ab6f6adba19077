"""How stable groups are: parts of the calls grouped anew, on any processor, and held against the grouping of all."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.cluster.algorithms import Choice, group
from harness.cluster.tasks import Tasks
from harness.cluster.threads import one_thread
from harness.records.cluster import Stability

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Labels = NDArray[np.int64]
    Matrix = NDArray[np.float32]

__all__ = ["Again", "Grouping", "Resampled", "again_of", "resampled", "stability_of"]

_MOST: Final = 3_000
_SHARE: Final = 0.8


@dataclass(frozen=True, slots=True)
class Grouping:
    """Of rows and a choice the labels of `group`: one resample, wherever it is worked on."""

    def open(self) -> "Callable[[tuple[Matrix, Choice]], Labels]":
        """One after another, with one thread."""
        return _grouped


def _grouped(part: "tuple[Matrix, Choice]") -> "Labels":
    with one_thread():
        return group(*part)


@dataclass(slots=True)
class Again:
    """A node whose stability is being found out."""

    calls: int
    """Of the node."""
    tasks: list[str]
    labels: "Labels"
    draws: "list[Labels]"
    """The rows of each part, by their places."""
    rows: "Matrix | None"

    def parts(self) -> "Iterator[Matrix]":
        """The rows of each part, once; then they are forgotten here."""
        rows, self.rows = self.rows, None
        if rows is not None:
            for part in self.draws:
                yield rows[part]


def again_of(tasks: Tasks, names: Sequence[str], choice: Choice, calls: int, times: int) -> Again | None:
    """The parts of a node's first block that are grouped anew; None where there are not two tasks to be told apart.

    names: of the clusters in it, noise too. calls: of the node.
    """
    names = [name for name in names if not name.endswith(".noise")]
    if not times or len(names) < 2:
        return None
    part = np.arange(len(tasks.rows))
    if len(part) > _MOST:
        part = np.random.default_rng(choice.seed).choice(len(part), _MOST, replace=False)
    numbers = {name: number for number, name in enumerate(names)}
    labels = np.array([numbers.get(tasks.owners[place], -1) for place in part.tolist()], dtype=np.int64)
    draws = [
        np.random.default_rng((choice.seed, turn)).choice(len(part), round(_SHARE * len(part)), replace=False)
        for turn in range(times)
    ]
    return Again(calls, names, labels, draws, tasks.rows[part])


@dataclass(frozen=True, slots=True)
class Resampled:
    """What came back when parts of the rows were grouped anew."""

    aris: list[float]
    """Adjusted Rand index of each part with the labels; noise is a group."""
    jaccards: list[float | None]
    """By label: mean Jaccard index with the likest group of each part; None where no part had two of its rows.

    Source: Hennig 2007, Cluster-wise assessment of cluster stability. From .75 on a cluster is valid and stable; .6 to
    .75 is a pattern whose borders are in doubt; below that it is not to be trusted.
    """


def resampled(labels: "Labels", drawn: "Sequence[Labels]", groups: "Iterable[Labels]") -> Resampled:
    """The labels held against the groups that were found anew on parts of the rows. drawn: places of each part."""
    from sklearn.metrics import adjusted_rand_score

    aris: list[float] = []
    likest: list[list[float]] = [[] for _ in range(int(labels.max(initial=-1)) + 1)]
    for part, found in zip(drawn, groups, strict=True):
        known = labels[part]
        aris.append(float(adjusted_rand_score(known, found)))
        for label, values in enumerate(likest):
            own = known == label
            if own.sum() >= 2:
                values.append(_likest(own, found))
    return Resampled(aris, [float(np.mean(values)) if values else None for values in likest])


def _likest(own: "NDArray[np.bool_]", found: "Labels") -> float:
    """The Jaccard index of these rows with the group that it is highest for; noise is no group."""
    shared = np.bincount(found[own & (found >= 0)], minlength=1)
    whole = np.bincount(found[found >= 0], minlength=len(shared))[: len(shared)]
    return float((shared / (own.sum() + whole - shared)).max())


def stability_of(nodes: Sequence[tuple[int, list[float]]], times: int) -> Stability:
    """Means over the nodes, weighed by their calls. nodes: calls of each, with the ARI of each part."""
    sizes = sum(size for size, _ in nodes)
    if not sizes:
        return Stability(ari=None, lowest=None, resamples=times, share=_SHARE, calls=0)
    mean = sum(size * float(np.mean(found)) for size, found in nodes) / sizes
    lowest = min(min(found) for _, found in nodes)
    return Stability(ari=mean, lowest=lowest, resamples=times, share=_SHARE, calls=sizes)
