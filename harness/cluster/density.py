"""Dense regions of a thin space: rows smoothed over their neighbours, HDBSCAN, and its fragments put together."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.cluster.vectors import unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Labels = NDArray[np.int64]
    Matrix = NDArray[np.float32]

__all__ = ["GRID", "best_cut", "dense_groups", "reduced", "smoothed"]

GRID: Final = (2, 3, 4, 5, 7, 10, 14, 20, 28, 40, 50, 60, 70, 85, 100, 120, 145, 175, 210)
_COMPONENTS: Final = 64
_NARROW: Final = 1_600
"""Columns up to which the covariance of all is quicker than a search for the first of them."""
_SILHOUETTE_ON: Final = 3_000
_NEIGHBOURS: Final = 15
_PULL: Final = 0.7
_ROUNDS: Final = 8


def reduced(rows: "Matrix", seed: int) -> "Matrix":
    """The rows' first 64 principal components, at length 1."""
    from sklearn.decomposition import PCA

    if not np.ptp(rows, axis=0).any():  # nothing varies that a component could show
        return unit(rows[:, :_COMPONENTS])
    components = min(_COMPONENTS, rows.shape[1], len(rows) - 1)
    solver = "covariance_eigh" if rows.shape[1] <= _NARROW else "randomized"
    small = PCA(components, svd_solver=solver, random_state=seed).fit_transform(rows)
    return unit(np.asarray(small, dtype=np.float32))


def smoothed(rows: "Matrix") -> "Matrix":
    """The rows after eight steps towards their neighbours, each weighed by the neighbours that it shares.

    Weights are the Jaccard index of two rows' 15 nearest (Jarvis and Patrick 1973): a bridge between two tasks has
    few in common with either, and pulls little. In 64 dimensions HDBSCAN sees hardly any density without this.
    """
    from scipy.sparse import csr_matrix, diags
    from sklearn.neighbors import NearestNeighbors

    count = min(_NEIGHBOURS, max(3, len(rows) // 20), len(rows) - 1)
    places = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(rows).kneighbors(return_distance=False)
    every = np.arange(len(rows))
    links = csr_matrix(
        (np.ones(places.size, dtype=np.float32), (np.repeat(every, count), places.ravel())), (len(rows), len(rows))
    )
    links = links + diags(np.ones(len(rows), dtype=np.float32))
    shared = (links @ links.T).multiply((links + links.T) > 0).tocsr()
    shared.data /= 2 * (count + 1) - shared.data
    step = diags(1 / np.asarray(shared.sum(axis=1)).ravel()) @ shared
    found = rows
    for _ in range(_ROUNDS):
        found = unit((1 - _PULL) * found + _PULL * unit(np.asarray(step @ found, dtype=np.float32)))
    return found


def dense_groups(rows: "Matrix", smooth: "Matrix", size: int, seed: int) -> "Labels":
    """HDBSCAN's groups of the smoothed rows, -1 for noise; groups that are fragments of one are put together.

    Where tasks lie close HDBSCAN finds several cores in each. Ward's tree of their middles is cut by `best_cut`.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from sklearn.cluster import HDBSCAN

    cores = np.asarray(
        HDBSCAN(min_cluster_size=size, min_samples=min(3, size), copy=True).fit_predict(smooth), np.int64
    )
    count = int(cores.max()) + 1
    if count < 3:
        return cores
    middles = unit(np.stack([smooth[cores == core].mean(axis=0) for core in range(count)]))
    tree = linkage(middles, "ward")
    own = np.flatnonzero(cores >= 0)
    cuts = {}
    for k in (*(one for one in GRID if one < count), count):
        owner = np.unique(fcluster(tree, k, "maxclust"), return_inverse=True)[1].astype(np.int64)
        cuts[k] = owner[cores[own]]
    best = best_cut(rows[own], cuts, seed)
    if best is not None:
        cores[own] = best
    return cores


def best_cut(rows: "Matrix", cuts: "Mapping[int, Labels]", seed: int) -> "Labels | None":
    """The labels of the smallest k whose mean silhouette is within a standard error of the best; None if none is > 0.

    The silhouette (Rousseeuw 1987) is that of the rows as they are, of 3,000 at most: smoothed ones would always speak
    for more groups. One standard error, for it is measured on a sample (Breiman et al. 1984, section 3.4.3).
    """
    from sklearn.metrics import pairwise_distances, silhouette_samples

    part = np.arange(len(rows))
    if len(rows) > _SILHOUETTE_ON:
        part = np.random.default_rng(seed).choice(len(rows), _SILHOUETTE_ON, replace=False)
    apart = pairwise_distances(rows[part])
    np.fill_diagonal(apart, 0.0)
    scores: dict[int, tuple[float, float]] = {}
    for k, labels in cuts.items():
        if 2 <= len(np.unique(labels[part])) < len(part):
            each = silhouette_samples(apart, labels[part], metric="precomputed")
            scores[k] = float(each.mean()), float(each.std()) / len(part) ** 0.5
    best, error = max(scores.values(), default=(0.0, 0.0))
    if best <= 0:
        return None
    return cuts[min(k for k, (score, _) in scores.items() if score >= best - error)]
