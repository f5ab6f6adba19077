"""Old and new calls of each task, of each node and of all compared by inputs and outcomes, whole sessions permuted."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, log2
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from harness.cluster.vectors import BESIDE
from harness.config.iterate import DriftOptions
from harness.iterate.calls import Traffic
from harness.iterate.place import Placed
from harness.iterate.state import Seen
from harness.records.iterate import DriftMeasure, DriftRow
from harness.stats.drift import Measured, TwoSides, quantile_codes, two_sample
from harness.stats.multiplicity import adjusted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = ["compare"]

Level = Literal["all", "node", "cluster"]
_STEPS: Final = 6
_LEAST_REFERENCE: Final = (100, 10)
"""Calls and sessions of the last apply from which on they stand for what is known; below it all old calls do."""


@dataclass(frozen=True, slots=True)
class _Group:
    level: Level
    where: str
    name: str
    old: list[int]
    new: list[int]
    """Not yet tested at this level, of sessions that began since."""
    straddling: int


def compare(
    traffic: Traffic, placed: Placed, seen: Mapping[str, Seen], options: DriftOptions, seed: int
) -> tuple[list[DriftRow], dict[str, list[str]]]:
    """A row for each task, node and the whole, by inputs and by outcomes; and ids of the calls tested at each level.

    A call is in one test of a level only, over all looks: calls are gathered until there are enough.
    """
    rows: list[DriftRow] = []
    tested: dict[str, list[str]] = defaultdict(list)
    for group in _groups(traffic, placed, seen):
        why_not = _too_few(traffic, group, options)
        for side in ("inputs", "outcomes"):
            found = [] if why_not else two_sample(_sides(traffic, placed, group, side), seed)
            rows.append(_row(traffic, group, side, found, options, why_not))
        if why_not is None:
            tested[group.level] += [traffic.features.calls[row].id for row in group.new]
    return _corrected(rows, options), tested


def _corrected(rows: list[DriftRow], options: DriftOptions) -> list[DriftRow]:
    """Rows with p over all tests of the look, and whether it is drift: sure, and by a figure that is large enough."""
    tests = [number for number, row in enumerate(rows) if row.p is not None]
    ps = adjusted([rows[number].p or 0.0 for number in tests], options.correction)
    done = list(rows)
    for number, p in zip(tests, ps, strict=True):
        row = rows[number]
        factor = p / row.p if row.p else 1.0
        large = any(one.notable and min(1.0, one.p * factor) <= options.alpha for one in row.measures)
        done[number] = row.model_copy(update={"p_adjusted": p, "drifted": p <= options.alpha and large})
    return done


def _groups(traffic: Traffic, placed: Placed, seen: Mapping[str, Seen]) -> Iterable[_Group]:
    new = set(traffic.new_rows())
    began = {traffic.aside[row].session for row in range(len(traffic.aside)) if row not in new}
    book = placed.built.book
    names = {one.id: one.name for one in book.clusters} | {one.id: one.name for one in book.nodes}
    levels: dict[tuple[Level, str], list[int]] = defaultdict(list)
    for row in placed.rows:
        levels["all", "all"].append(row)
        levels["node", placed.node[row]].append(row)
        levels["cluster", placed.cell[row]].append(row)
    cells = defaultdict(set)
    for row in placed.rows:
        cells[placed.node[row]].add(placed.cell[row])
    for (level, where), rows in levels.items():
        if level == "cluster" and (where.endswith(".noise") or len(cells[placed.node[rows[0]]]) == 1):
            continue  # the node's own test is about the very same calls
        fresh = [row for row in rows if row in new and not _was_tested(traffic, seen, row, level)]
        yield _Group(
            level,
            where,
            names.get(where, "all calls"),
            _reference(traffic, rows, new, seen),
            [row for row in fresh if traffic.aside[row].session not in began],
            sum(traffic.aside[row].session in began for row in fresh),
        )


def _was_tested(traffic: Traffic, seen: Mapping[str, Seen], row: int, level: Level) -> bool:
    known = seen.get(traffic.features.calls[row].id)
    return known is not None and known.tested.get(level, 0) > 0


def _reference(traffic: Traffic, rows: Sequence[int], new: set[int], seen: Mapping[str, Seen]) -> list[int]:
    """The old calls: those that the last apply took in, where they are enough, since verdicts rest on them."""
    old = [row for row in rows if row not in new]
    last = [row for row in old if (one := seen.get(traffic.features.calls[row].id)) and one.tested.get("all") == -1]
    calls, sessions = _LEAST_REFERENCE
    enough = len(last) >= calls and len({traffic.aside[row].session for row in last}) >= sessions
    return last if enough else old


def _too_few(traffic: Traffic, group: _Group, options: DriftOptions) -> str | None:
    sessions = [len({traffic.aside[row].session for row in rows}) for rows in (group.old, group.new)]
    if not group.old:
        return "no old call to compare with"
    if len(group.new) < options.least_calls:
        return f"{len(group.new)} of {options.least_calls} new calls: they are gathered until there are enough"
    for count, which in zip(sessions, ("old", "new"), strict=True):
        if count < options.least_sessions:
            return f"{count} of {options.least_sessions} {which} sessions"
    return None


def _sides(traffic: Traffic, placed: Placed, group: _Group, side: str) -> TwoSides:
    rows = group.old + group.new
    new = np.zeros(len(rows), dtype=np.bool_)
    new[len(group.old) :] = True
    names: dict[str, int] = {}
    session = np.array([names.setdefault(traffic.aside[row].session, len(names)) for row in rows], dtype=np.int64)
    if side == "outcomes":
        codes, values = _outcomes(traffic, rows)
        return TwoSides(new, session, codes, values)
    vectors = np.stack([placed.rows[row] for row in rows])
    text = vectors[:, : vectors.shape[1] - BESIDE]
    return TwoSides(new, session, _inputs(traffic, placed, group.level, rows), {}, text)


def _inputs(traffic: Traffic, placed: Placed, level: Level, rows: Sequence[int]) -> "dict[str, Ints]":
    calls = [traffic.features.calls[row] for row in rows]
    found = {
        "step": _numbered(min(_STEPS, int(log2(max(0, call.step) + 1))) for call in calls),
        "answers to": _numbered(call.trigger for call in calls),
        "tools offered": _numbered(traffic.aside[row].tools for row in rows),
        "output format": _numbered(call.form for call in calls),
        "language": _numbered(traffic.aside[row].language for row in rows),
        "length of text": quantile_codes(np.array([len(traffic.features.texts[call.text]) for call in calls], float)),
        "prompt tokens": quantile_codes(_floats(call.prompt_tokens for call in calls)),
    }
    if level != "cluster":
        found["task" if level == "node" else "node"] = _numbered(
            placed.cell[row] if level == "node" else placed.node[row] for row in rows
        )
    return found


def _outcomes(traffic: Traffic, rows: Sequence[int]) -> "tuple[dict[str, Ints], dict[str, Floats]]":
    calls = [traffic.features.calls[row] for row in rows]
    ends = [traffic.aside[row].finish for row in rows]
    codes = {
        "what is called": _numbered(call.action for call in calls),
        "length of reply": quantile_codes(np.array([call.reply_chars for call in calls], float)),
        "how replies end": _numbered(end if end is not None else -1 for end in ends),
    }
    return codes, {"outcome": _floats(traffic.aside[row].outcome for row in rows)}


def _numbered(values: Iterable[object]) -> "Ints":
    """A number for each different value; −1 stays."""
    places: dict[object, int] = {-1: -1}
    return np.array([places.setdefault(one, len(places) - 1) for one in values], dtype=np.int64)


def _floats(values: Iterable[float | int | None]) -> "Floats":
    return np.array([np.nan if one is None or not isfinite(one) else float(one) for one in values], dtype=np.float64)


def _row(
    traffic: Traffic, group: _Group, side: str, found: Sequence[Measured], options: DriftOptions, why_not: str | None
) -> DriftRow:
    nothing = why_not or (None if found else "no figure of it varies, or is logged on both sides")
    row = DriftRow(
        where=group.where,
        name=group.name,
        level=group.level,
        side="inputs" if side == "inputs" else "outcomes",
        n_old=len(group.old),
        n_new=len(group.new),
        sessions_old=len({traffic.aside[one].session for one in group.old}),
        sessions_new=len({traffic.aside[one].session for one in group.new}),
        straddling=group.straddling,
        why_not=nothing,
    )
    if nothing:
        return row
    measures = tuple(sorted((_measure(one, options) for one in found), key=lambda one: (one.p, -abs(one.effect))))
    return row.model_copy(update={"p": min(one.p for one in measures), "measures": measures})


def _measure(one: Measured, options: DriftOptions) -> DriftMeasure:
    least = {"psi": options.psi, "mean": options.mean, "mmd": options.mmd, "auc": options.auc}[one.kind]
    return DriftMeasure(
        name=one.name,
        kind=one.kind,
        effect=one.effect,
        p=one.p_adjusted,
        old=one.old,
        now=one.now,
        notable=(abs(one.effect) if one.kind == "mean" else one.effect) >= least,
    )
