"""p values of many tests, adjusted: over clusters, over models, over both."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from harness.errors import DataError

__all__ = ["Multiplicity", "adjusted", "benjamini_hochberg", "holm"]

Multiplicity = Literal["holm", "bh", "none"]


def holm(ps: Sequence[float]) -> list[float]:
    """Adjusted p of each test, in the order given: those at most α hold together, with chance α of any false one.

    The i-th smallest of k is multiplied by k − i + 1, then none may be less than one before it. Any dependence.
    Source: Holm 1979, Scandinavian Journal of Statistics 6. Raises DataError for values that are no p.
    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    values = _checked(ps)
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    found = np.empty_like(values)
    found[order] = np.minimum(1.0, steps)
    return [float(one) for one in found]


def benjamini_hochberg(ps: Sequence[float]) -> list[float]:
    """Adjusted p of each test, in the order given: of those at most α, an expected share of α or less is false.

    For tests that are independent or positively dependent. Source: Benjamini and Hochberg 1995, JRSS B 57; by scipy.
    >>> [round(p, 3) for p in benjamini_hochberg([0.01, 0.04, 0.03])]
    [0.03, 0.04, 0.04]
    """
    from scipy.stats import false_discovery_control  # half a second to import

    values = _checked(ps)
    return [float(one) for one in false_discovery_control(values, method="bh")] if len(values) else []


def adjusted(ps: Sequence[float], method: Multiplicity) -> list[float]:
    """The p of each test after the adjustment of that name; as they are for `none`.

    >>> adjusted([0.2, 0.01], "none")
    [0.2, 0.01]
    """
    if method == "holm":
        return holm(ps)
    return benjamini_hochberg(ps) if method == "bh" else [float(one) for one in _checked(ps)]


def _checked(ps: Sequence[float]) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    values = np.array(ps, dtype=np.float64).reshape(len(ps))
    if not bool(((values >= 0) & (values <= 1)).all()):
        raise DataError(f"a p value lies in 0..1, these do not all: {list(ps)[:5]}")
    return values
