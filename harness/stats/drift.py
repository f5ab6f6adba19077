"""Whether new calls come from where the old ones did: population stability, kernel and classifier two-sample tests.

Calls of one session hang together, so whole sessions are permuted: under "a session is as likely old as new" every p
here is exact, whatever happens within sessions. A session lies wholly on one side. With every p stands the size of the
difference, since among a million calls any difference has a small p.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from harness.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Flags = NDArray[np.bool_]
    Matrix = NDArray[np.float32]

__all__ = ["DRAWS", "Kind", "Measured", "TwoSides", "kernel_of", "mmd2", "psi", "quantile_codes", "two_sample"]

Kind = Literal["psi", "mean", "mmd", "auc"]
"""`psi`: of categories. `mean`: difference of means. `mmd`, `auc`: of vectors."""

DRAWS: Final = (499, 4_999)
"""Permutations; the second number where the first finds something."""
_LOOK_CLOSER: Final = 0.1
_FOLDS: Final = 5
_COMPONENTS: Final = 32
_PER_SESSION: Final = 8
_MOST: Final = 400
"""Calls a side whose vectors are looked at."""
_RIDGE: Final = 1.0


@dataclass(frozen=True, slots=True)
class TwoSides:
    """Calls of both sides, each array with a place for every call."""

    new: "Flags"
    session: "Ints"
    """Number of the call's session, from 0."""
    codes: "Mapping[str, Ints]" = field(default_factory=dict)
    """Categories from 0; −1: the call does not say."""
    values: "Mapping[str, Floats]" = field(default_factory=dict)
    """Figures; NaN: the call does not say."""
    rows: "Matrix | None" = None
    """Vectors, shape (calls, width)."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure that both sides were compared by."""

    name: str
    kind: Kind
    effect: float
    """`psi`: the index less what chance gives it here. `mean`: new less old. `mmd`: squared and unbiased.
    `auc`: how well a classifier tells new from old on calls that it did not learn from; .5 for not at all."""
    p: float
    """By permuting whole sessions."""
    p_adjusted: float
    """The same for all figures of this call of `two_sample` together (Westfall and Young's min p)."""
    old: float | None = None
    """`mean`: of the old calls."""
    now: float | None = None
    """`mean`: of the new calls."""


def psi(old: Sequence[float], new: Sequence[float]) -> float:
    """The population stability index of two histograms over the same categories: Σ (q − p) ln(q / p).

    Half a call is added to every category, so that an empty one is no infinity. .1 and .25 are the customary marks of a
    moderate and of a large shift; they say nothing about chance. Source: Siddiqi 2006, Credit Risk Scorecards; its
    distribution: Yurdakul 2018, Statistical Properties of Population Stability Index.
    >>> round(psi([50, 50], [80, 20]), 3)
    0.406
    """
    return float(_psi(np.array(old, dtype=np.float64)[None], np.array(new, dtype=np.float64)[None])[0])


def _psi(old: "Floats", new: "Floats") -> "Floats":
    """Of each row of two arrays of counts, shape (draws, categories)."""
    wide = old.shape[1]
    p = (old + 0.5) / (old.sum(axis=1, keepdims=True) + 0.5 * wide)
    q = (new + 0.5) / (new.sum(axis=1, keepdims=True) + 0.5 * wide)
    found: Floats = ((q - p) * np.log(q / p)).sum(axis=1)
    return found


def quantile_codes(values: "Floats", bins: int = 10) -> "Ints":
    """Each value's bin by the quantiles of all values, old and new alike; −1 for NaN.

    The customary bins are the old values' deciles. Those of all values do not depend on who is new, so that a
    permutation stays exact.
    >>> quantile_codes(np.array([1.0, 2.0, np.nan, 9.0]), 2).tolist()
    [0, 1, -1, 1]
    """
    known = values[np.isfinite(values)]
    found = np.full(len(values), -1, dtype=np.int64)
    if len(known):
        edges = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1]))
        inside = np.isfinite(values)
        found[inside] = np.searchsorted(edges, values[inside], side="right")
    return found


def kernel_of(rows: "Matrix") -> "Floats":
    """Gaussian kernel of every two rows, its width the median of their distances.

    Source: Gretton et al. 2012, JMLR 13, section 8.
    """
    rows = rows.astype(np.float64)
    lengths = np.square(rows).sum(axis=1)
    apart = np.maximum(0.0, lengths[:, None] + lengths[None] - 2 * rows @ rows.T)
    between = apart[np.triu_indices(len(rows), 1)]
    median = float(np.median(between)) if len(between) else 0.0
    if median <= 0:
        median = float(between.mean()) if len(between) and between.mean() > 0 else 1.0
    kernel: Floats = np.exp(-apart / median)
    return kernel


def mmd2(kernel: "Floats", new: "Flags", session: "Ints") -> float | None:
    """Squared maximum mean discrepancy, unbiased: pairs within a session, a call with itself among them, are left out.

    None where a side has one session alone. Source: Gretton et al. 2012, JMLR 13, equation 3; there every call is a
    session of its own.
    """
    labels, table, sizes = _sessions(new, session)
    found = _mmd(_by_session(kernel, table), sizes, labels[None].astype(np.float64))
    return None if found is None else float(found[0])


def two_sample(sides: TwoSides, seed: int = 0, draws: tuple[int, int] = DRAWS) -> list[Measured]:
    """Every figure by which both sides can be compared; none where a side has no session.

    Where the first draws find an adjusted p of .1 or less, the second ones, drawn anew, decide: no level is exceeded,
    since whatever is at most a level there is so with that chance. One linear classifier is fitted by least squares,
    with a ridge, on four fifths of the sessions and judged on the fifth, anew for every permutation. Of vectors, at
    most 8 calls a session and 400 a side are looked at, drawn alike on both sides. Source: Westfall and Young 1993,
    Resampling-Based Multiple Testing, section 2.3; Lopez-Paz and Oquab 2017, arXiv:1610.06545; permuted: Kim et al.
    2021, Annals of Statistics 49. Raises DataError where a session lies on both sides.
    """
    labels, table, _ = _sessions(sides.new, sides.session)
    if not labels.any() or labels.all():
        return []
    rng = np.random.default_rng(seed)
    figures = _figures(sides, labels, table, rng)
    found: list[Measured] = []
    for count in draws:
        drawn = rng.permuted(np.tile(labels, (count, 1)), axis=1)
        found = _judged(figures, labels, drawn)
        if not found or min(one.p_adjusted for one in found) > _LOOK_CLOSER:
            break
    return found


@dataclass(frozen=True, slots=True)
class _Figure:
    """A statistic: from labels of sessions, shape (draws, sessions), to one value a draw; large is far from equal."""

    name: str
    kind: Kind
    of: "Callable[[Flags], Floats]"


@dataclass(frozen=True, slots=True)
class _Psi:
    counts: "Floats"
    """Sessions by categories."""

    def __call__(self, drawn: "Flags") -> "Floats":
        new = drawn.astype(np.float64) @ self.counts
        return _psi(self.counts.sum(axis=0) - new, new)


@dataclass(frozen=True, slots=True)
class _Mean:
    sums: "Floats"
    counts: "Floats"

    def sides(self, drawn: "Flags") -> "tuple[Floats, Floats]":
        """Mean of the old and of the new; NaN where a side says nothing."""
        sums, counts = drawn @ self.sums, drawn @ self.counts
        with np.errstate(invalid="ignore", divide="ignore"):
            return (self.sums.sum() - sums) / (self.counts.sum() - counts), sums / counts

    def __call__(self, drawn: "Flags") -> "Floats":
        old, new = self.sides(drawn)
        return np.nan_to_num(new - old)


@dataclass(frozen=True, slots=True)
class _Mmd:
    between: "Floats"
    sizes: "Floats"
    chosen: "Ints"
    """Sessions that are looked at."""

    def __call__(self, drawn: "Flags") -> "Floats":
        found = _mmd(self.between, self.sizes, drawn[:, self.chosen].astype(np.float64))
        return np.zeros(len(drawn)) if found is None else found


@dataclass(frozen=True, slots=True)
class _Auc:
    folds: "tuple[tuple[Matrix, Ints, Ints], ...]"
    """What makes scores of a fifth out of the labels of the rest, with the calls of both."""
    session: "Ints"

    def __call__(self, drawn: "Flags") -> "Floats":
        calls = drawn[:, self.session].T
        wins, pairs = np.zeros(len(drawn)), np.zeros(len(drawn))
        for hat, train, test in self.folds:
            scores = hat @ calls[train].astype(np.float32)
            is_new = calls[test]
            ranks = _ranks(scores)
            n_new = is_new.sum(axis=0)
            wins += (ranks * is_new).sum(axis=0) - n_new * (n_new + 1) / 2
            pairs += n_new * (len(test) - n_new)
        return np.where(pairs > 0, wins / np.maximum(pairs, 1), 0.5) - 0.5


def _figures(sides: TwoSides, labels: "Flags", table: "Ints", rng: np.random.Generator) -> list[_Figure]:
    found: list[_Figure] = []
    for name, codes in sides.codes.items():
        known = codes >= 0
        kinds, which = np.unique(codes[known], return_inverse=True)
        if len(kinds) > 1:
            counts = np.zeros((len(labels), len(kinds)))
            np.add.at(counts, (table[known], which), 1.0)
            found.append(_Figure(name, "psi", _Psi(counts)))
    for name, values in sides.values.items():
        known = np.isfinite(values)
        sums = np.bincount(table[known], values[known], len(labels)).astype(np.float64)
        counts = np.bincount(table[known], minlength=len(labels)).astype(np.float64)
        figure = _Mean(sums, counts)
        if all(np.isfinite(side[0]) for side in figure.sides(labels[None])) and np.ptp(values[known]) > 0:
            found.append(_Figure(name, "mean", figure))
    if sides.rows is not None:
        found += _of_vectors(sides.rows, labels, table, rng)
    return found


def _of_vectors(rows: "Matrix", labels: "Flags", table: "Ints", rng: np.random.Generator) -> list[_Figure]:
    places, chosen = _drawn_calls(labels, table, rng)
    number = np.full(len(labels), -1, dtype=np.int64)
    number[chosen] = np.arange(len(chosen))
    own, session = rows[places], number[table[places]]
    if np.ptp(own, axis=0).max(initial=0) < 1e-6:
        return []
    sizes = np.bincount(session, minlength=len(chosen)).astype(np.float64)
    found: list[_Figure] = []
    mine = labels[chosen]
    if 1 < mine.sum() < len(mine) - 1:
        between = _by_session(kernel_of(own), session)
        found.append(_Figure("texts", "mmd", _Mmd(between, sizes, chosen)))
    if min(mine.sum(), (~mine).sum()) >= 2:
        found.append(_Figure("texts", "auc", _Auc(_folds(own, session, rng), chosen[session])))
    return found


def _drawn_calls(labels: "Flags", table: "Ints", rng: np.random.Generator) -> "tuple[Ints, Ints]":
    """Calls that are looked at and their sessions: a few of each session, then whole sessions."""
    order = rng.permutation(len(table))
    order = order[np.argsort(table[order], kind="stable")]
    starts = np.searchsorted(table[order], np.arange(len(labels)))
    within = np.arange(len(order)) - starts[table[order]]
    kept = order[within < _PER_SESSION]
    sizes = np.bincount(table[kept], minlength=len(labels))
    chosen: list[int] = []
    for side in (False, True):
        mine = rng.permutation(np.flatnonzero(labels == side))
        inside = np.cumsum(sizes[mine]) <= _MOST
        inside[:2] = True
        chosen += mine[inside].tolist()
    every = np.array(sorted(chosen), dtype=np.int64)
    return np.sort(kept[np.isin(table[kept], every)]), every


def _folds(rows: "Matrix", session: "Ints", rng: np.random.Generator) -> "tuple[tuple[Matrix, Ints, Ints], ...]":
    """For each fifth of the sessions: the matrix from the others' labels to its scores, its calls in a random order."""
    parts = _components(rows, rng)
    count = int(session.max()) + 1
    fold = rng.permutation(np.arange(count) % min(_FOLDS, count))[session]
    found = []
    for number in range(int(fold.max()) + 1):
        train, test = np.flatnonzero(fold != number), rng.permutation(np.flatnonzero(fold == number))
        middle = parts[train].mean(axis=0)
        left = parts[train] - middle
        ridge = left.T @ left + _RIDGE * len(train) / 10 * np.eye(left.shape[1])
        hat = (parts[test] - middle) @ np.linalg.solve(ridge, left.T)
        found.append((hat.astype(np.float32), train, test))
    return tuple(found)


def _components(rows: "Matrix", rng: np.random.Generator) -> "Floats":
    """The main components of the rows, each at variance 1: by a random projection, as Halko et al. 2011 have it."""
    centred = rows - rows.mean(axis=0)
    wide = min(_COMPONENTS + 8, *rows.shape)
    drawn = rng.standard_normal((rows.shape[1], wide)).astype(np.float32)
    basis, _ = np.linalg.qr(centred.T @ (centred @ drawn))
    parts = (centred @ basis).astype(np.float64)
    _, vectors = np.linalg.eigh(parts.T @ parts)
    parts = parts @ vectors[:, ::-1][:, :_COMPONENTS]
    scale = parts.std(axis=0)
    found: Floats = parts[:, scale > 1e-6] / scale[scale > 1e-6]
    return found


def _ranks(scores: "Matrix") -> "Floats":
    """Ranks from 1 in each column; ties in the order that they stand in, which must not tell the sides."""
    order = np.argsort(scores, axis=0, kind="stable")
    ranks = np.empty(scores.shape, dtype=np.float64)
    np.put_along_axis(ranks, order, np.arange(1, len(scores) + 1, dtype=np.float64)[:, None], axis=0)
    return ranks


def _sessions(new: "Flags", session: "Ints") -> "tuple[Flags, Ints, Floats]":
    """Whether each session is new, each call's session as a place among them, and how many calls each has."""
    _, table = np.unique(session, return_inverse=True)
    sizes = np.bincount(table).astype(np.float64)
    share = np.bincount(table, new.astype(np.float64)) / np.maximum(sizes, 1)
    if bool(((share > 0) & (share < 1)).any()):
        raise DataError(
            "a session lies on both sides, and only whole sessions can be compared; leave its later calls out"
        )
    return share > 0, table.astype(np.int64), sizes


def _by_session(kernel: "Floats", table: "Ints") -> "Floats":
    """Sums of the kernel between sessions; none within one."""
    count = int(table.max()) + 1
    member = np.zeros((count, len(table)))
    member[table, np.arange(len(table))] = 1.0
    between: Floats = member @ kernel @ member.T
    np.fill_diagonal(between, 0.0)
    return between


def _mmd(between: "Floats", sizes: "Floats", drawn: "Floats") -> "Floats | None":
    old = 1.0 - drawn
    n_new, n_old = drawn @ sizes, old @ sizes
    pairs_new = n_new**2 - drawn @ sizes**2
    pairs_old = n_old**2 - old @ sizes**2
    if not (pairs_new.min() > 0 and pairs_old.min() > 0):
        return None
    across = drawn @ between
    within_new = (across * drawn).sum(axis=1)
    mixed = (across * old).sum(axis=1)
    within_old = between.sum() - within_new - 2 * mixed
    found: Floats = within_new / pairs_new + within_old / pairs_old - 2 * mixed / (n_new * n_old)
    return found


def _judged(figures: Sequence[_Figure], labels: "Flags", drawn: "Flags") -> list[Measured]:
    """Each figure with its p among the draws, and with that of the smallest p of all figures."""
    if not figures:
        return []
    every = np.concatenate([labels[None], drawn])
    values = np.array([figure.of(every) for figure in figures])
    sizes = np.round(np.where([[one.kind == "mean"] for one in figures], np.abs(values), values), 10)
    ps = np.array([_p_of_each(row) for row in sizes])
    smallest = np.sort(ps.min(axis=0))
    found = []
    for figure, row, own in zip(figures, values, ps[:, 0], strict=True):
        together = np.searchsorted(smallest, own + 1e-12, side="right") / len(smallest)
        old = now = None
        effect = float(row[0])
        if figure.kind == "psi":
            effect -= float(row[1:].mean())
        elif figure.kind == "auc":
            effect += 0.5
        elif isinstance(figure.of, _Mean):
            old, now = (float(side[0]) for side in figure.of.sides(labels[None]))
        found.append(Measured(figure.name, figure.kind, effect, float(own), float(together), old, now))
    return found


def _p_of_each(values: "Floats") -> "Floats":
    """For every value the share of all values, itself among them, that are as large or larger."""
    ordered = np.sort(values)
    return (len(values) - np.searchsorted(ordered, values, side="left")) / len(values)
