"""The index of tasks for a policy, made from the tuning split, and how well it finds the task of other calls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import DataError, HarnessError
from harness.records.routing import PlacingRecord
from harness.route.evidence import Call, Evidence
from harness.route.learn import folds_of
from harness.router.decide import Place
from harness.router.indexing import build_index, found_by
from harness.router.nearest import EMBEDDING, Embed, TaskIndex
from harness.router.placing import built_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Placing", "make_placing"]

_LEAST = 2


@dataclass(frozen=True, slots=True)
class Placing:
    """The index of a policy, with the tasks that it puts the tuning calls into, each held out of it."""

    index: TaskIndex = field(repr=False)
    embedding: str
    tuning: Mapping[str, Place] = field(repr=False)
    record: PlacingRecord

    def places(self, calls: Sequence[Call]) -> dict[str, Place]:
        """The task of each call, by its id."""
        return {one.id: self.index.place(one.question) for one in calls}


def make_placing(evidence: Evidence, seed: int = 0, embed: Embed | None = None) -> Placing | str:
    """The index made from the tuning split, or why there is none.

    embed: in place of the embedding model, which is fetched if need be.
    """
    tasks = {one.sample.category for one in (*evidence.tuning, *evidence.testing)}
    if len(tasks) < _LEAST:
        return f"the suite has one task, {min(tasks)}: there is nothing to choose between"
    if embed is None:
        try:
            embed = remembered(built_in())
        except HarnessError as error:
            return f"no index of tasks: {error}"
    calls = evidence.tuning
    try:
        index = _index(calls, embed)
    except DataError as error:
        return str(error)
    fold = folds_of([one.session for one in calls], seed)
    held: dict[str, Place] = {}
    for each in sorted(set(fold)):
        inside = [one for one, own in zip(calls, fold, strict=True) if own != each]
        part = _without(inside, embed)
        for one, own in zip(calls, fold, strict=True):
            if own == each:
                held[one.id] = Place(None) if part is None else part.place(one.question)
    return Placing(index, EMBEDDING, held, _record(evidence.testing, index))


def _index(calls: Sequence[Call], embed: Embed) -> TaskIndex:
    return build_index([one.question for one in calls], [one.sample.category for one in calls], embed, EMBEDDING)


def _without(calls: Sequence[Call], embed: Embed) -> TaskIndex | None:
    """The index of fewer calls; None where these have no task."""
    try:
        return _index(calls, embed) if calls else None
    except DataError:
        return None


def _record(calls: Sequence[Call], index: TaskIndex) -> PlacingRecord:
    found = found_by(index, [one.question for one in calls], [one.sample.category for one in calls])
    outside = sum(index.place(one.question).cluster is None for one in calls)
    known = found.right is not None
    return PlacingRecord(
        n=len(calls),
        right=(found.right or 0.0) * found.requests / len(calls) if known else 0.0,
        outside=outside / len(calls),
        radius_from="the cosine that 95 % of a task's own tuning calls reach, less 0.02",
    )


def remembered(embed: Embed) -> Embed:
    """The same embedding, which is asked for each different text once."""
    known: dict[str, NDArray[np.float32]] = {}

    def again(texts: Sequence[str]) -> "NDArray[np.float32]":
        fresh = [text for text in dict.fromkeys(texts) if text not in known]
        if fresh:
            known.update(zip(fresh, embed(fresh), strict=True))
        return np.stack([known[text] for text in texts])

    return again
