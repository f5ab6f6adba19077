"""How long rows are, and how they lie side by side in sequences of one length."""

from collections.abc import Sequence

import numpy as np

from harness.records.convert import LengthStats, PackingPlan

__all__ = ["length_stats", "pack", "packing_plan"]


def length_stats(lengths: Sequence[int]) -> LengthStats | None:
    """Mean, median, 95 % point and longest; None of nothing.

    >>> length_stats([2, 4, 6]).p50
    4.0
    """
    if not lengths:
        return None
    values = np.asarray(lengths, dtype=np.int64)
    return LengthStats(
        n=len(values),
        mean=float(values.mean()),
        p50=float(np.quantile(values, 0.5)),
        p95=float(np.quantile(values, 0.95)),
        longest=int(values.max()),
    )


def pack(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Places of the rows in each sequence: the longest first, each into the first sequence that has room for it.

    First-fit decreasing: at most 11/9 of the fewest sequences that there can be, and 6/9 of one more (Dósa 2007). A row
    is never cut: one that is longer than the capacity is a ValueError. Each row needs an attention of its own.
    >>> pack([5, 4, 3, 2, 1], 6)
    [[0, 4], [1, 3], [2]]
    """
    order = sorted(range(len(lengths)), key=lambda place: (-lengths[place], place))
    if order and lengths[order[0]] > capacity:
        raise ValueError(f"a row of {lengths[order[0]]} tokens does not fit into a sequence of {capacity}")
    groups: list[list[int]] = []
    room = np.empty(len(order), np.int64)
    for place in order:
        fits = np.flatnonzero(room[: len(groups)] >= lengths[place])
        if len(fits):
            groups[fits[0]].append(place)
            room[fits[0]] -= lengths[place]
        else:
            room[len(groups)] = capacity - lengths[place]
            groups.append([place])
    return groups


def packing_plan(lengths: Sequence[int], capacity: int) -> PackingPlan:
    """How full sequences are when rows are packed, and how full without.

    >>> packing_plan([5, 4, 3, 2, 1], 6).filled_frac
    0.8333333333333334
    """
    groups = pack(lengths, capacity)
    total, longest = sum(lengths), max(lengths, default=0)
    return PackingPlan(
        tokens=capacity,
        sequences=len(groups),
        filled_frac=total / (len(groups) * capacity) if groups else 0.0,
        padded_frac=total / (len(lengths) * longest) if total else 0.0,
    )
