"""Makes an index of tasks from requests whose tasks are known, and tells how well it finds those of others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.cluster.features import Features
from harness.cluster.nodes import find_nodes, unit_hashes
from harness.errors import DataError
from harness.router.nearest import Embed, IndexHead, NodeHead, SeenRequest, TaskIndex, centred, row_of, seen_of
from harness.router.question import Question

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

__all__ = ["IndexFound", "build_index", "found_by"]

_SLACK: Final = 0.02
"""Below the cosine that nearly all own requests reach. On a log with 168 tasks, a fifth of them taken out: of held-out
requests of the others 77 % lay within, of those of the removed tasks and of no task 26 %; with 0.05, 80 and 32 %."""
_REJECTED: Final = 0.05
"""Share of a task's own requests that lie farther than that cosine."""


@dataclass(frozen=True, slots=True)
class IndexFound:
    """How well an index finds the tasks of requests that it was not made from."""

    requests: int
    """Those that have a task."""
    placed: float | None
    """Share of them that are given any task. None without requests."""
    right: float | None
    """Share of them that are given their own."""
    right_of_placed: float | None
    strangers: int
    """Requests without a task, or of one that the index does not know."""
    strangers_placed: float | None
    """Share of those that are given a task all the same."""


def build_index(
    questions: Sequence[Question], clusters: Sequence[str | None], embed: Embed, embedding: str
) -> TaskIndex:
    """The index of the tasks of these requests: give those of the tuning split alone.

    clusters: of each request its task; None, or an id that ends in `.noise`, for one without. embedding: name of
    `embed`. Raises DataError where no request has a task.
    """
    seen = [seen_of(one) for one in questions]
    rows, node_of, heads = _rows(seen, embed)
    owners = [None if name is None or name.endswith(".noise") else name for name in clusters]
    means, middles, radii, names, places = [], [], [], [], []
    for node, _ in enumerate(heads):
        here = np.flatnonzero(node_of == node)
        tasks = sorted({owner for place in here.tolist() if (owner := owners[place]) is not None})
        # seen from their own middle, the requests of one task lie all around
        mean = rows[here].mean(axis=0) if len(tasks) > 1 else np.zeros_like(rows[0])
        own = np.stack([centred(row, mean) for row in rows[here]])
        means.append(mean)
        for name in tasks:
            members = own[[owners[place] == name for place in here.tolist()]]
            middle = centred(members.mean(axis=0), np.zeros_like(mean))
            middles.append(middle)
            radii.append(float(np.quantile(members @ middle, _REJECTED)) - _SLACK)
            names.append(name)
            places.append(node)
    if not names:
        raise DataError(
            "an index of tasks needs requests whose task is known: cluster the calls and build with clusters"
        )
    head = IndexHead(embedding=embedding, nodes=tuple(heads), clusters=tuple(names), node_of=tuple(places))
    return TaskIndex(head, np.stack(means), np.stack(middles), np.array(radii, dtype=np.float32), embed)


def _rows(seen: Sequence[SeenRequest], embed: Embed) -> "tuple[Matrix, NDArray[np.int64], list[NodeHead]]":
    """Each request's row, the place of its node, and the nodes."""
    every = Features()
    for one in seen:
        every.calls.append(one.call)
    every.prompts, every.tools, every.texts = _joined(seen, every)
    nodes = find_nodes(every)
    node_of = np.zeros(len(seen), dtype=np.int64)
    texts = [""] * len(seen)
    for number, node in enumerate(nodes):
        units = frozenset(unit_hashes(node.units))
        for row in node.rows:
            node_of[row] = number
            texts[row] = seen[row].text(units)
    different = list(dict.fromkeys(texts))
    vectors = dict(zip(different, np.asarray(embed(different), dtype=np.float32), strict=True))
    rows = np.stack([row_of(one, vectors[text]) for one, text in zip(seen, texts, strict=True)])
    heads = [
        NodeHead(units=unit_hashes(one.units), tools=one.tools, form=one.form, system=one.system, slot=one.slot)
        for one in nodes
    ]
    return rows, node_of, heads


def _joined(seen: Sequence[SeenRequest], every: Features) -> tuple[list[str], list[tuple[str, ...]], list[str]]:
    """The tables of all requests in one, each call pointing into them."""
    prompts: dict[str, int] = {}
    tools: dict[tuple[str, ...], int] = {}
    texts: dict[str, int] = {}
    for place, one in enumerate(seen):
        call = one.call
        call = type(call)(**{name: getattr(call, name) for name in call.__slots__})
        call.prompt = prompts.setdefault(one.prompt, len(prompts))
        call.tools = tools.setdefault(one.tools, len(tools))
        call.text = texts.setdefault(one.features.texts[0], len(texts))
        every.calls[place] = call
    return list(prompts), list(tools), list(texts)


def found_by(index: TaskIndex, questions: Sequence[Question], clusters: Sequence[str | None]) -> IndexFound:
    """How well the index finds the tasks of these requests: give those of the test split."""
    known = set(index.head.clusters)
    given = [index.place(one).cluster for one in questions]
    own = [(got, name) for got, name in zip(given, clusters, strict=True) if name in known]
    strange = [got for got, name in zip(given, clusters, strict=True) if name not in known]
    placed = [pair for pair in own if pair[0] is not None]
    return IndexFound(
        requests=len(own),
        placed=len(placed) / len(own) if own else None,
        right=sum(got == name for got, name in own) / len(own) if own else None,
        right_of_placed=sum(got == name for got, name in placed) / len(placed) if placed else None,
        strangers=len(strange),
        strangers_placed=sum(got is not None for got in strange) / len(strange) if strange else None,
    )
