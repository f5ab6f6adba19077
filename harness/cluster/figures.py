"""What the calls of a cluster took, how they grow, and where they lie on a map of two dimensions."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.cluster.features import Seen
from harness.records.cluster import ClusterCosts, WeekCount

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

__all__ = ["costs_of", "growth_of", "map_of", "weeks_of"]

_TSNE_FROM: Final = 200
_LATEST: Final = 4_102_444_800.0
"""2100-01-01: a time beyond it was logged in another unit, and counts as none."""


def costs_of(calls: Sequence[Seen]) -> ClusterCosts:
    """Sums and quantiles of what was logged; a call that stands for several counts as often."""
    tokens = [
        (one.prompt_tokens or 0, one.output_tokens or 0, one.weight) for one in calls if one.prompt_tokens is not None
    ]
    dollars = [(one.usd, one.weight) for one in calls if one.usd is not None]
    waits = [one.latency_s for one in calls if one.latency_s is not None]
    p50, p95 = np.quantile(waits, [0.5, 0.95]).tolist() if waits else (None, None)
    return ClusterCosts(
        prompt_tokens=sum(prompt * weight for prompt, _, weight in tokens) if tokens else None,
        output_tokens=sum(output * weight for _, output, weight in tokens) if tokens else None,
        tokens_n=len(tokens),
        usd=sum(usd * weight for usd, weight in dollars) if dollars else None,
        usd_n=len(dollars),
        latency_p50_s=p50,
        latency_p95_s=p95,
        latency_n=len(waits),
    )


def weeks_of(calls: Sequence[Seen]) -> tuple[WeekCount, ...]:
    """Calls in each week from the first to the last, weeks without any too; empty where no time was logged."""
    counts: Counter[datetime] = Counter()
    for call in calls:
        if call.at is not None and 0 <= call.at < _LATEST:
            day = datetime.fromtimestamp(call.at, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            counts[day - timedelta(days=day.weekday())] += call.weight
    if not counts:
        return ()
    weeks, week = [], min(counts)
    while week <= max(counts):
        weeks.append(WeekCount(week=week.date().isoformat(), calls=counts[week]))
        week += timedelta(days=7)
    return tuple(weeks)


def growth_of(weeks: Sequence[WeekCount]) -> float | None:
    """Least-squares slope of ln(calls + ½) over the weeks; None below three, where a slope would say nothing."""
    if len(weeks) < 3:
        return None
    return float(np.polyfit(np.arange(len(weeks)), np.log([week.calls + 0.5 for week in weeks]), 1)[0])


def map_of(rows: "Matrix", nodes: Sequence[int], seed: int) -> "Matrix":
    """Places in [0, 1]² of rows, shape (n, 2): t-SNE of their principal components, nodes apart; PCA below 200 rows.

    Distances within a group mean something, those between groups do not.
    """
    from sklearn.decomposition import PCA

    if len(rows) < 3:
        return np.full((len(rows), 2), 0.5, dtype=np.float32)
    beside = np.zeros((len(rows), max(nodes) + 1), dtype=np.float32)
    beside[np.arange(len(rows)), list(nodes)] = 0.8
    wide = np.hstack([rows, beside])
    if not np.ptp(wide, axis=0).any():  # one call many times: nothing varies that a component could show
        return np.full((len(rows), 2), 0.5, dtype=np.float32)
    small = PCA(min(30, len(rows) - 1, wide.shape[1]), svd_solver="randomized", random_state=seed).fit_transform(wide)
    if len(rows) >= _TSNE_FROM:
        from sklearn.manifold import TSNE

        perplexity = 30.0
        small = TSNE(2, perplexity=perplexity, init="pca", random_state=seed, max_iter=500).fit_transform(small)
    flat = np.zeros((len(rows), 2), dtype=np.float32)
    flat[:, : min(2, small.shape[1])] = small[:, :2]
    span = np.ptp(flat, axis=0)
    placed: Matrix = ((flat - flat.min(axis=0)) / np.where(span > 0, span, 1.0)).astype(np.float32)
    return placed
