"""Equal and nearly equal rows made one, and rows that want no call beside those that want one."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from harness.convert.data.answers import reply_of
from harness.convert.data.likeness import Likeness, unit_of
from harness.convert.data.rows import prompt_hash
from harness.records import Sample
from harness.records.convert import DatasetRow
from harness.records.logs import canonical

__all__ = ["Made", "Merged", "balanced", "merged", "shuffled"]

Made = tuple[Sample, DatasetRow]
"""A row with the sample that it is made of."""


@dataclass(frozen=True, slots=True)
class Merged:
    """Rows without their repeats."""

    rows: list[Made]
    duplicates: int = 0
    """The same question with the same answer."""
    near: int = 0
    """Nearly the same question, of another session, with the same answer."""
    other_answers: int = 0
    """The same question with another answer: the first stays."""


def merged(made: Sequence[Made], likeness: Likeness, threshold: float | None) -> Merged:
    """Each row once, with the number of samples that it stands for, in the order given.

    threshold: Jaccard similarity from which on two questions of different sessions with one answer are one row: of all
    that is said, and of the last turn alone. Steps of one session are never made one: they share their history.
    """
    kept: dict[str, int] = {}
    by_number: dict[int, list[int]] = {}
    rows: list[Made] = []
    counts: list[int] = []
    duplicates = near = other_answers = 0
    for sample, row in made:
        asked = prompt_hash(row)
        at = kept.get(asked)
        if at is not None:
            same = rows[at][1].id == row.id
            duplicates += same
            other_answers += not same
            counts[at] += same
            continue
        at = _near_one(sample, row, rows, by_number, likeness, threshold) if threshold is not None else None
        if at is not None:
            near += 1
            counts[at] += 1
            continue
        kept[asked] = len(rows)
        by_number.setdefault(likeness.number(sample), []).append(len(rows))
        rows.append((sample, row))
        counts.append(1)
    whole = [(sample, row.model_copy(update={"count": n})) for (sample, row), n in zip(rows, counts, strict=True)]
    return Merged(whole, duplicates, near, other_answers)


def _near_one(
    sample: Sample,
    row: DatasetRow,
    rows: Sequence[Made],
    by_number: dict[int, list[int]],
    likeness: Likeness,
    threshold: float,
) -> int | None:
    """The place of a row of another session that stands for this one."""
    if not likeness.says_something(sample):
        return None
    for number, similarity in sorted(likeness.similar(sample).items()):
        if similarity < threshold:
            continue
        for place in by_number.get(number, ()):
            other, known = rows[place]
            if unit_of(other) == unit_of(sample) or _said(known) != _said(row):
                continue
            if likeness.last_turn(sample, other) >= threshold:
                return place
    return None


def _said(row: DatasetRow) -> bytes:
    """Equal for equal replies."""
    return canonical(reply_of(row.reply).model_dump(mode="json"))


def balanced(
    own: Sequence[Made], spare: Sequence[Made], share: float | None, most: int | None
) -> tuple[list[Made], int]:
    """Rows of which at least that share wants no call, and how many of them are of other clusters.

    own: the cluster's, in the order in which they are taken. Its own no-call rows come first, then `spare`, as far as
    they reach; no row is left out for the share unless `most` limits them all.
    """
    room = len(own) if most is None else min(most, len(own))
    if share is None:
        return list(own[:room]), 0
    silent = [one for one in own if not one[1].wants_call]
    calls = [one for one in own if one[1].wants_call]
    if most is None:
        wanted = ceil((share * len(own) - len(silent)) / (1 - share) - 1e-9)
        added = list(spare[: max(0, wanted)])
        return [*own, *added], len(added)
    wanted = ceil(share * room - 1e-9)
    natural = sum(not row.wants_call for _, row in own[:room])
    mine = silent[: max(wanted, natural)]
    added = list(spare[: max(0, wanted - len(mine))])
    kept = {row.id for _, row in (*mine, *calls[: room - len(mine) - len(added)])}
    return [*(one for one in own if one[1].id in kept), *added], len(added)


def shuffled(made: Sequence[Made], seed: int) -> list[Made]:
    """The rows in an order that seed and rows alone decide."""
    return sorted(made, key=lambda one: (hashlib.sha256(f"{seed}:{one[1].id}".encode()).digest(), one[1].sample))
