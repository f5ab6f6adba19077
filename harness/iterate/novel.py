"""A new kind of call inside a known task: where its texts drifted, the new calls that are only like other new ones."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from math import ceil, log
from typing import Final

import numpy as np

from harness.cluster.labels import words_of
from harness.cluster.vectors import BESIDE, unit
from harness.config.iterate import DriftOptions
from harness.iterate.calls import Traffic
from harness.iterate.place import Placed
from harness.iterate.sources import day_of
from harness.records.iterate import DriftRow, NewCluster, Stake

__all__ = ["new_nodes", "novel_within"]

_STRANGE: Final = 0.01
"""Chance that a call's nearest neighbours are all new if new and old are alike, by which their number is chosen."""
_MORE: Final = 3
_MOST: Final = 3_000


def novel_within(
    traffic: Traffic, placed: Placed, drift: Iterable[DriftRow], options: DriftOptions, *, texts: bool
) -> list[NewCluster]:
    """For each task with drifted texts its strange new calls, where they are enough, of enough sessions, and three
    times as many as chance gives: its borders are wide enough to take them in, and yet they may be a task of their own.
    """
    found = []
    for row in drift:
        text = any(one.name == "texts" and one.notable for one in row.measures)
        if not (row.drifted and row.side == "inputs" and text):
            continue
        cells = {placed.cell[one] for one in placed.rows if placed.node[one] == row.where} or {row.where}
        if row.level == "all" or len(cells) > 1:
            continue
        (cell,) = cells
        strange = _strange(traffic, placed, cell)
        expected = _STRANGE * sum(placed.cell[one] == cell for one in traffic.new_rows())
        sessions = {traffic.aside[one].session for one in strange}
        enough = len(strange) >= max(options.least_calls, _MORE * expected)
        if enough and len(sessions) >= options.least_sessions:
            found.append(_told(traffic, placed, cell, strange, texts=texts))
    return found


def new_nodes(
    traffic: Traffic, placed: Placed, known: Collection[str], options: DriftOptions, *, texts: bool
) -> list[NewCluster]:
    """Nodes that were not there, of enough calls and sessions, each of whose tasks is too small to be told by itself.

    An instruction that nobody has seen is a task to judge, whatever it falls into. known: nodes of the old calls.
    """
    rows: dict[str, list[int]] = defaultdict(list)
    for row in traffic.new_rows():
        if placed.node[row] not in known:
            rows[placed.node[row]].append(row)
    names = {one.id: one.name for one in placed.built.book.nodes}
    every = sum(traffic.features.calls[row].weight for row in traffic.new_rows())
    found = []
    for node, own in rows.items():
        sessions = {traffic.aside[row].session for row in own}
        told = any(placed.owner[row] in placed.fresh for row in own)
        if told or len(own) < options.least_calls or len(sessions) < options.least_sessions:
            continue
        calls = [traffic.features.calls[row] for row in own]
        count, name = sum(call.weight for call in calls), names[node] if texts else node
        first = day_of(min((call.at for call in calls if call.at is not None), default=None))
        found.append(
            NewCluster(
                id=node, node=node, node_name=name, new_node=True, name=name, calls=count, sessions=len(sessions),
                share=count / every, first=first, stake=Stake(),
            )
        )  # fmt: skip
    return found


def _strange(traffic: Traffic, placed: Placed, cell: str) -> list[int]:
    """New calls of a task whose nearest neighbours of other sessions are all new."""
    new = set(traffic.new_rows())
    own = [row for row in placed.rows if placed.cell[row] == cell]
    rows = [row for row in own if row not in new][:_MOST] + [row for row in own if row in new][:_MOST]
    is_new = np.array([row in new for row in rows])
    share = float(is_new.mean())
    if not 0 < share < 1:
        return []
    near = ceil(log(_STRANGE) / log(share)) if share > _STRANGE else 1
    names: dict[str, int] = {}
    session = np.array([names.setdefault(traffic.aside[row].session, len(names)) for row in rows])
    known = unit(np.stack([placed.rows[row][:-BESIDE] for row in rows]))
    found = []
    for place in np.flatnonzero(is_new).tolist():
        cosine = known @ known[place]
        cosine[session == session[place]] = -2.0
        nearest = np.argsort(-cosine, kind="stable")[:near]
        if bool(is_new[nearest].all()) and cosine[nearest[-1]] > -2:
            found.append(rows[place])
    return found


def _told(traffic: Traffic, placed: Placed, cell: str, rows: Sequence[int], *, texts: bool) -> NewCluster:
    calls = [traffic.features.calls[row] for row in rows]
    node = placed.node[rows[0]]
    names = {one.id: one.name for one in placed.built.book.nodes}
    every = sum(traffic.features.calls[row].weight for row in traffic.new_rows())
    count = sum(call.weight for call in calls)
    chosen = set(rows)
    told = [traffic.features.texts[call.text] for call in calls]
    rest = [
        traffic.features.texts[traffic.features.calls[row].text]
        for row in placed.rows
        if placed.cell[row] == cell and row not in chosen
    ][:_MOST]
    words = words_of([told, rest])[0][:5] if texts else ()
    return NewCluster(
        id=f"{cell}+",
        within=cell,
        node=node,
        node_name=names[node] if texts else node,
        new_node=False,
        name=" ".join(words) or f"{cell}+",
        calls=count,
        sessions=len({traffic.aside[row].session for row in rows}),
        share=count / every,
        first=day_of(min((call.at for call in calls if call.at is not None), default=None)),
        stake=Stake(),
    )
