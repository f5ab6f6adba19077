"""The best pairing of calls made with calls wanted."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

__all__ = ["pair"]


def pair(worth: Sequence[Sequence[float]]) -> tuple[tuple[int, int], ...]:
    """The pairs (row, column), by row, whose worth adds up to the most; each row and column is used at most once.

    worth: `(n_rows, n_columns)`, finite. A pair that is right in full is worth more than any sum of partly right ones
    when the caller scales it so. Ties fall to the earlier row and column, so that equal input gives equal pairs.
    Hungarian algorithm: `scipy.optimize.linear_sum_assignment`.
    >>> pair([[1.0, 0.9], [1.0, 0.0]])
    ((0, 1), (1, 0))
    """
    if not worth or not worth[0]:
        return ()
    if len(worth) == len(worth[0]) == 1:
        return ((0, 0),)
    rows, columns = linear_sum_assignment(np.asarray(worth, dtype=float), maximize=True)
    return tuple(zip(rows.tolist(), columns.tolist(), strict=True))
