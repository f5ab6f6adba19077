"""Rows to groups: HDBSCAN, k-means and Ward's agglomerative clustering of smoothed principal components."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.cluster.density import GRID, best_cut, dense_groups, reduced, smoothed
from harness.cluster.vectors import unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Labels = NDArray[np.int64]
    Matrix = NDArray[np.float32]

__all__ = ["Choice", "centred", "group", "middles"]

_FENCE: Final = 1.5
_SAME: Final = 1e-5
WIDEST: Final = 0.2
"""No cluster reaches farther than to this cosine."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which algorithm, and with what."""

    algorithm: str
    k: int | None = None
    min_size: int | None = None
    sample: int = 8_000
    seed: int = 0
    text: int | None = None
    """So many columns from the left are the text's; None: all. How fine the groups are is judged by them alone."""

    def size(self, calls: int) -> int:
        """Fewest calls of a cluster in a node with so many."""
        return self.min_size or max(5, min(10, calls // 20), min(50, round(calls**0.5 / 4)))


def centred(rows: "Matrix", mean: "Matrix") -> "Matrix":
    """The rows seen from their mean, at length 1; a row that is the mean is left at 0."""
    moved = rows - mean
    moved[np.abs(moved).max(axis=1) < 1e-5] = 0.0
    return unit(moved)


def group(rows: "Matrix", choice: Choice) -> "Labels":
    """A label a row from 0 on, -1 for noise. rows: centred. Above `choice.sample` rows the algorithm sees a sample.

    Calls outside the sample, and for HDBSCAN those that no dense region claims, go to the nearest middle. Of HDBSCAN's
    those are noise that are outliers of the group they came to (see `middles`). One group where nothing tells parts
    apart.
    """
    if len(rows) < 2 * choice.size(len(rows)) or float(np.abs(rows).max(initial=0)) == 0:
        return np.zeros(len(rows), dtype=np.int64)
    draw = np.random.default_rng(choice.seed)
    seen = np.arange(len(rows))
    if len(rows) > choice.sample:
        seen = np.sort(draw.choice(len(rows), choice.sample, replace=False))
    labels = np.full(len(rows), -1, dtype=np.int64)
    labels[seen] = _fit(rows[seen], choice)
    if labels.max() < 0:
        return np.zeros(len(rows), dtype=np.int64)
    left = np.flatnonzero(labels < 0)
    if len(left):
        labels[left], _ = nearest(rows[left], middles(rows[seen], labels[seen])[0])
    if choice.algorithm == "hdbscan" and len(left):
        places, radii = middles(rows, labels)
        cosine = np.einsum("ij,ij->i", rows[left], places[labels[left]])
        labels[left] = np.where(cosine >= radii[labels[left]], labels[left], -1)
    return labels


def nearest(rows: "Matrix", places: "Matrix") -> "tuple[Labels, Matrix]":
    """The nearest middle of each row, and the cosine to it; some thousands of rows at a time."""
    best = np.zeros(len(rows), dtype=np.int64)
    cosine = np.zeros(len(rows), dtype=np.float32)
    for start in range(0, len(rows), 8_192):
        found = rows[start : start + 8_192] @ places.T
        part = slice(start, start + len(found))
        best[part] = found.argmax(axis=1)
        cosine[part] = found.max(axis=1)
    return best, cosine


def middles(rows: "Matrix", labels: "Labels") -> "tuple[Matrix, Matrix]":
    """The middle of each label from 0 on as a unit row, and the least cosine to it of a row that is no outlier.

    Tukey's fence: one and a half interquartile ranges below the lower quartile.
    """
    count = int(labels.max()) + 1
    places = np.zeros((count, rows.shape[1]), dtype=np.float32)
    radii = np.ones(count, dtype=np.float32)
    for label in range(count):
        own = rows[labels == label]
        if len(own):
            places[label] = unit(own.mean(axis=0, keepdims=True))[0]
            low, high = np.quantile(own @ places[label], [0.25, 0.75]).tolist()
            radii[label] = max(WIDEST, low - _FENCE * (high - low) - 1e-4)
    return places, radii


def _fit(rows: "Matrix", choice: Choice) -> "Labels":
    small = reduced(rows, choice.seed)
    smooth = smoothed(small)
    words = rows[:, : choice.text]
    if choice.text is not None and float(np.ptp(words, axis=0).max()) > _SAME:
        small = reduced(words, choice.seed)  # what was done would part a node in two more clearly than its tasks do
    if choice.algorithm == "hdbscan":
        return dense_groups(small, smooth, choice.size(len(rows)), choice.seed)
    return _by_k(small, smooth, choice)


def _by_k(rows: "Matrix", smooth: "Matrix", choice: Choice) -> "Labels":
    """Ward's tree of the smoothed rows cut at k; for k-means that is where it starts from, so that no seed decides.

    Without a k: see `best_cut`.
    """
    from scipy.cluster.hierarchy import linkage

    tree = linkage(smooth, "ward")
    if choice.k is not None:
        return _cut(tree, smooth, min(choice.k, len(rows)), choice)
    most = max(2, len(rows) // choice.size(len(rows)))
    cuts = {k: _cut(tree, smooth, k, choice) for k in GRID if k <= most}
    found = best_cut(rows, cuts, choice.seed)
    return np.zeros(len(rows), dtype=np.int64) if found is None else found


def _cut(tree: "NDArray[np.float64]", rows: "Matrix", k: int, choice: Choice) -> "Labels":
    from scipy.cluster.hierarchy import fcluster
    from sklearn.cluster import KMeans

    labels = np.unique(fcluster(tree, k, "maxclust"), return_inverse=True)[1].astype(np.int64)
    if choice.algorithm != "kmeans":
        return labels
    start = np.stack([rows[labels == label].mean(axis=0) for label in range(int(labels.max()) + 1)])
    fitted = KMeans(len(start), init=start, n_init=1, random_state=choice.seed).fit(rows)
    return np.unique(fitted.labels_, return_inverse=True)[1].astype(np.int64)
