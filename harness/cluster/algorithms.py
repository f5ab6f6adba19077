"""Rows to groups: HDBSCAN, k-means and Ward's agglomerative clustering, on the principal components of centred rows."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.cluster.vectors import unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Labels = NDArray[np.int64]
    Matrix = NDArray[np.float32]

__all__ = ["Choice", "centred", "group", "middles", "resampled"]

_COMPONENTS: Final = 64
_SILHOUETTE_ON: Final = 3_000
_GRID: Final = (2, 3, 4, 5, 7, 10, 14, 20, 28, 40, 50, 60, 70, 85, 100, 120, 145, 175, 210)
_NEAR_BEST: Final = 0.95
_SMOOTHING: Final = 0.7
_ROUNDS: Final = 3
RADIUS_QUANTILE: Final = 0.02
"""So many of a cluster's own calls lie farther from its middle than its radius."""
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

    Calls outside the sample, and for HDBSCAN those that no dense region claims, go to the nearest middle if they lie
    within that cluster's radius, which is what is done with later calls too. One group where nothing tells parts apart.
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
    places, radii = middles(rows[seen], labels[seen])
    left = np.flatnonzero(labels < 0)
    if len(left):
        near, cosine = nearest(rows[left], places)
        inside = cosine >= radii[near] if choice.algorithm == "hdbscan" else np.ones(len(left), dtype=bool)
        labels[left] = np.where(inside, near, -1)
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
    """The middle of each label from 0 on as a unit row, and the cosine that all but 2 % of its rows have to it."""
    count = int(labels.max()) + 1
    places = np.zeros((count, rows.shape[1]), dtype=np.float32)
    radii = np.ones(count, dtype=np.float32)
    for label in range(count):
        own = rows[labels == label]
        if len(own):
            places[label] = unit(own.mean(axis=0, keepdims=True))[0]
            radii[label] = max(WIDEST, float(np.quantile(own @ places[label], RADIUS_QUANTILE)) - 1e-4)
    return places, radii


def _fit(rows: "Matrix", choice: Choice) -> "Labels":
    small = _reduced(rows, choice.seed)
    if choice.algorithm == "hdbscan":
        return _hdbscan(small, choice.size(len(rows)))
    return _by_k(small, choice)


def _reduced(rows: "Matrix", seed: int) -> "Matrix":
    from sklearn.decomposition import PCA

    components = min(_COMPONENTS, rows.shape[1], len(rows) - 1)
    reduced = PCA(components, svd_solver="randomized", random_state=seed).fit_transform(rows)
    return unit(np.asarray(reduced, dtype=np.float32))


def _hdbscan(rows: "Matrix", size: int) -> "Labels":
    """HDBSCAN after each row has moved towards its neighbours three times: 64 dimensions are thin."""
    from sklearn.cluster import HDBSCAN
    from sklearn.neighbors import NearestNeighbors

    near = min(len(rows) - 1, max(10, round(len(rows) ** 0.5 / 5)))
    places = NearestNeighbors(n_neighbors=near + 1, algorithm="brute").fit(rows).kneighbors(rows, return_distance=False)
    smooth = rows
    for _ in range(_ROUNDS):
        smooth = unit((1 - _SMOOTHING) * smooth + _SMOOTHING * unit(smooth[places[:, 1:]].mean(axis=1)))
    found = HDBSCAN(min_cluster_size=size, min_samples=min(3, size), copy=True).fit_predict(smooth)
    return np.asarray(found, dtype=np.int64)


def _by_k(rows: "Matrix", choice: Choice) -> "Labels":
    """Ward's tree cut at k; for k-means that is where it starts from, so that no seed decides.

    Without a k: the smallest of a grid whose silhouette is within 5 % of the grid's best.
    """
    from scipy.cluster.hierarchy import linkage

    tree = linkage(rows, "ward")
    if choice.k is not None:
        return _cut(tree, rows, min(choice.k, len(rows)), choice)
    most = max(2, len(rows) // choice.size(len(rows)))
    found = {k: _cut(tree, rows, k, choice) for k in _GRID if k <= most}
    scores = {k: _silhouette(rows, labels, choice.seed) for k, labels in found.items()}
    best = max(scores.values())
    if best <= 0:
        return np.zeros(len(rows), dtype=np.int64)
    return found[min(k for k, score in scores.items() if score >= _NEAR_BEST * best)]


def _cut(tree: "NDArray[np.float64]", rows: "Matrix", k: int, choice: Choice) -> "Labels":
    from scipy.cluster.hierarchy import fcluster
    from sklearn.cluster import KMeans

    labels = np.unique(fcluster(tree, k, "maxclust"), return_inverse=True)[1].astype(np.int64)
    if choice.algorithm != "kmeans":
        return labels
    start = np.stack([rows[labels == label].mean(axis=0) for label in range(int(labels.max()) + 1)])
    fitted = KMeans(len(start), init=start, n_init=1, random_state=choice.seed).fit(rows)
    return np.unique(fitted.labels_, return_inverse=True)[1].astype(np.int64)


def _silhouette(rows: "Matrix", labels: "Labels", seed: int) -> float:
    from sklearn.metrics import silhouette_score

    if len(rows) > _SILHOUETTE_ON:
        part = np.random.default_rng(seed).choice(len(rows), _SILHOUETTE_ON, replace=False)
        rows, labels = rows[part], labels[part]
    if not 2 <= len(np.unique(labels)) < len(rows):
        return -1.0
    return float(silhouette_score(rows, labels))


def resampled(rows: "Matrix", labels: "Labels", choice: Choice, times: int, share: float = 0.8) -> list[float]:
    """Adjusted Rand indices between `labels` and the groups found anew on parts of the rows; noise is a group."""
    from sklearn.metrics import adjusted_rand_score

    found = []
    for turn in range(times):
        draw = np.random.default_rng((choice.seed, turn))
        part = draw.choice(len(rows), round(share * len(rows)), replace=False)
        found.append(float(adjusted_rand_score(labels[part], group(rows[part], choice))))
    return found
