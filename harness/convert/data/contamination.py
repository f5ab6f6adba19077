"""Whether a row is one of the gate's samples, or nearly: then there is no data set, and no key that allows it."""

import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal, get_args

import numpy as np
import orjson
from numpy.typing import NDArray
from scipy import sparse

from harness.convert.data.likeness import THRESHOLD, Likeness, normal_words, unit_of
from harness.errors import DataError
from harness.records import Sample

__all__ = ["KINDS", "Checked", "Kind", "Pair", "check", "compare"]

Kind = Literal["same_content", "same_session", "near_duplicate", "ngram_overlap"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_RUN: Final = 8
"""Words of an n-gram."""
_LEAST_RUNS: Final = 5
"""Fewer n-grams than that are a greeting, not a question."""
_CONTAINED: Final = 0.8
"""Share of a gate sample's n-grams from which on it stands in a row."""
_SHARED_FRAC: Final = 0.05
_SHARED_LEAST: Final = 3
"""An n-gram that so many of the gate's sessions have, and that share of them, is template, and tells nothing."""
_SHOWN: Final = 5
_WORD: Final = re.compile(r"\w+")

_Hashes = NDArray[np.uint64]
_NONE: Final[_Hashes] = np.empty(0, np.uint64)


@dataclass(frozen=True, slots=True)
class Pair:
    """A sample that rows are made of, and one of the gate's that it gives away."""

    kind: Kind
    row: str
    gate: str
    likeness: float

    def told(self) -> str:
        """In a few words."""
        how = {
            "same_content": "the same question",
            "same_session": "one session",
            "near_duplicate": f"nearly the same ({self.likeness:.2f})",
            "ngram_overlap": f"contained in it ({self.likeness:.0%} of its {_RUN}-word runs)",
        }[self.kind]
        return f"{self.row} and {self.gate}: {how}"


@dataclass(slots=True)
class Checked:
    """What was found, and how much was looked at."""

    pairs: list[Pair] = field(default_factory=list)
    compared: int = 0
    """Pairs near enough to be compared exactly."""

    def counts(self) -> dict[str, int]:
        """Pairs by kind, 0 where there are none."""
        return {kind: sum(one.kind == kind for one in self.pairs) for kind in KINDS}


def check(rows: Sequence[Sample], gate: Sequence[Sample], likeness: Likeness) -> Checked:
    """What was looked at where nothing was found. Raises DataError with the pairs and their kind where something was.

    rows: the samples of train and validation rows. gate: every test sample of the suite.
    """
    found = compare(rows, gate, likeness)
    if found.pairs:
        kinds = ", ".join(f"{count} {kind}" for kind, count in found.counts().items() if count)
        shown = "; ".join(one.told() for one in found.pairs[:_SHOWN])
        more = f"; and {len(found.pairs) - _SHOWN} more" if len(found.pairs) > _SHOWN else ""
        raise DataError(
            f"rows are contaminated by the gate's samples ({kinds}): {shown}{more}. A verdict on those would be void: "
            "split by groups (do=curate keeps sessions and near duplicates together), then build the suite anew"
        )
    return found


def compare(rows: Sequence[Sample], gate: Sequence[Sample], likeness: Likeness) -> Checked:
    """Every pair of a row's sample and one of the gate's that is too near, each once, by its strongest kind."""
    found = Checked()
    seen: set[tuple[str, str]] = set()
    for pairs in (_same(rows, gate, likeness), _near(rows, gate, likeness, found), _contained(rows, gate, found)):
        for one in pairs:
            if (one.row, one.gate) not in seen:
                seen.add((one.row, one.gate))
                found.pairs.append(one)
    return found


def _same(rows: Sequence[Sample], gate: Sequence[Sample], likeness: Likeness) -> Iterable[Pair]:
    """Pairs with one question, then those of one session."""
    asked: dict[bytes, list[str]] = defaultdict(list)
    sessions: dict[str, list[str]] = defaultdict(list)
    for one in rows:
        asked[likeness.key(one)].append(one.id)
        if one.session is not None:
            sessions[one.session].append(one.id)
    for other in gate:
        for row in asked.get(likeness.key(other), ()):
            yield Pair("same_content", row, other.id, 1.0)
    for other in gate:
        for row in sessions.get(other.session or "", ()) if other.session is not None else ():
            yield Pair("same_session", row, other.id, 1.0)


def _near(rows: Sequence[Sample], gate: Sequence[Sample], likeness: Likeness, found: Checked) -> Iterable[Pair]:
    by_number: dict[int, list[str]] = defaultdict(list)
    for one in rows:
        if likeness.says_something(one):
            by_number[likeness.number(one)].append(one.id)
    for other in gate:
        if not likeness.says_something(other):
            continue
        for number, similarity in likeness.similar(other).items():
            found.compared += len(by_number.get(number, ()))
            if similarity >= THRESHOLD:
                for row in by_number.get(number, ()):
                    yield Pair("near_duplicate", row, other.id, similarity)


def _contained(rows: Sequence[Sample], gate: Sequence[Sample], found: Checked) -> Iterable[Pair]:
    """Pairs where most of what the gate's sample says stands in the row, wherever in it."""
    theirs = _without_template([_runs_of(one) for one in gate], gate)
    known = np.unique(np.concatenate([*theirs, _NONE]))
    if not len(known) or not rows:
        return
    wanted, held = _matrix(theirs, known), _matrix([_runs_of(one) for one in rows], known)
    both = (wanted @ held.T).tocoo()
    sizes = [len(one) for one in theirs]
    hits = []
    for place, row, count in zip(both.row, both.col, both.data, strict=True):
        if sizes[place] >= _LEAST_RUNS:
            found.compared += 1
            if count >= _CONTAINED * sizes[place]:
                hits.append((int(place), int(row), float(count) / sizes[place]))
    for place, row, share in sorted(hits):
        yield Pair("ngram_overlap", rows[row].id, gate[place].id, share)


def _matrix(sets: Sequence[_Hashes], known: _Hashes) -> "sparse.csr_matrix":
    """(samples, known n-grams) 1 where a sample has it."""
    columns, ends = [], [0]
    for one in sets:
        at = np.minimum(np.searchsorted(known, one), len(known) - 1)
        columns.append(at[known[at] == one])
        ends.append(ends[-1] + len(columns[-1]))
    indices = np.concatenate([*columns, np.empty(0, np.int64)]).astype(np.int64)
    return sparse.csr_matrix((np.ones(len(indices), np.int32), indices, ends), shape=(len(sets), len(known)))


def _without_template(sets: Sequence[_Hashes], gate: Sequence[Sample]) -> list[_Hashes]:
    units: dict[str, list[_Hashes]] = defaultdict(list)
    for runs, sample in zip(sets, gate, strict=True):
        units[unit_of(sample)].append(runs)
    each = [np.unique(np.concatenate(one)) for one in units.values()]
    if not each:
        return list(sets)
    hashes, counts = np.unique(np.concatenate(each), return_counts=True)
    template = hashes[counts >= max(_SHARED_LEAST, _SHARED_FRAC * len(each))]
    return [one[~np.isin(one, template, assume_unique=True)] for one in sets]


def _runs_of(sample: Sample) -> _Hashes:
    """The n-grams of what a sample says: words, tool results and arguments, but no system message."""
    parts = []
    for one in sample.messages:
        if one.role == "system":
            continue
        told = [one.content or "", *(f"{it.name} {orjson.dumps(it.arguments).decode()}" for it in one.tool_calls)]
        parts += [_runs(normal_words(text)) for text in told if text]
    return np.unique(np.concatenate([*parts, _NONE]))


@lru_cache(maxsize=1 << 15)
def _runs(text: str) -> _Hashes:
    """Hashes of all runs of so many words in a text, those that come again too; none of a shorter text."""
    words = np.array([zlib.crc32(one.encode("utf-8", "surrogatepass")) for one in _WORD.findall(text)], np.uint64)
    if len(words) < _RUN:
        return _NONE
    total = np.zeros(len(words) - _RUN + 1, np.uint64)
    for place in range(_RUN):
        total = total * np.uint64(0x9E3779B97F4A7C15) + words[place : place + len(total)]
    total ^= total >> np.uint64(31)
    return total
