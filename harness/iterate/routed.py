"""What the router's own logs say: how often calls are handed on, and how often both models do not do the same."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from pydantic import ValidationError

from harness.config.iterate import DriftOptions
from harness.errors import DataError
from harness.iterate.world import router_files
from harness.records import Record
from harness.records.iterate import RouterRow
from harness.records.route import RouteDecision, VerifiedPair
from harness.stats.drift import TwoSides, two_sample
from harness.stats.multiplicity import adjusted

__all__ = ["Routed", "compare_routed", "read_routed"]

R = TypeVar("R", bound=Record)
_NOT_ASKED: Final = frozenset({"off", "shadow", "not in the canary", "not certified", "no expert"})
"""Reasons for the backbone that say nothing of the small model."""


@dataclass(frozen=True, slots=True)
class _Line:
    at: float
    session: str
    cluster: str
    value: float


@dataclass(frozen=True, slots=True)
class Routed:
    """Lines of the router: 1 for a call that was handed on, and for a verified one with another answer."""

    handed_on: tuple[_Line, ...]
    other: tuple[_Line, ...]

    @property
    def until(self) -> float | None:
        """Time of the latest line."""
        return max((one.at for one in (*self.handed_on, *self.other)), default=None)


def read_routed(folders: Sequence[Path], now: float = inf) -> Routed:
    """All lines of the folders' day files. Raises DataError for a line that is none, but for a last one cut off.

    now: lines that are ahead of it are left for a later look: one of a clock that was wrong would hide all others.
    """
    handed_on: list[_Line] = []
    other: list[_Line] = []
    for file in (one for folder in folders for one in router_files(folder)):
        if file.name.startswith("decisions-"):
            each = ((one, one.would or one.reason) for one in _lines(file, RouteDecision))
            handed_on += [_line(one, float(reason != "kept")) for one, reason in each if reason not in _NOT_ASKED]
        else:
            pairs = (one for one in _lines(file, VerifiedPair) if one.same is not None)
            other += [_line(one, float(not one.same)) for one in pairs]
    return Routed(
        tuple(one for one in handed_on if one.at <= now),
        tuple(one for one in other if one.at <= now),
    )


def _line(one: RouteDecision | VerifiedPair, value: float) -> _Line:
    return _Line(one.at, one.session or f"call {one.call}", one.cluster or "no task", value)


def _lines(file: Path, kind: type[R]) -> Iterator[R]:
    data = file.read_bytes().split(b"\n")
    for number, line in enumerate(data, 1):
        if not line.strip():
            continue
        try:
            yield kind.model_validate_json(line)
        except ValidationError:
            if number == len(data):
                return  # being written
            raise DataError(
                f"{file.name} line {number} is no line of the router; move the file away, or mend it"
            ) from None


def compare_routed(
    routed: Routed, since: float | None, options: DriftOptions, seed: int, tested: Mapping[str, float] | None = None
) -> list[RouterRow]:
    """A row for each task of which there are enough lines before and after; none at the first look (`since` None).

    since: up to where the first look read. tested: by `<what> <task>`, up to where its lines were in a row before:
    lines are gathered over looks until there are enough, and are new in one row alone.
    """
    if since is None:
        return []
    rows: list[RouterRow] = []
    for what, lines in (("handed on", routed.handed_on), ("other answer", routed.other)):
        by_cluster: dict[str, list[_Line]] = defaultdict(list)
        for line in lines:
            by_cluster[line.cluster].append(line)
        for cluster, own in sorted(by_cluster.items()):
            row = _row(cluster, what, own, (tested or {}).get(f"{what} {cluster}", since), options, seed)
            if row is not None:
                rows.append(row)
    for place, p in enumerate(adjusted([one.p or 0.0 for one in rows], options.correction)):
        large = abs(rows[place].now - rows[place].old) >= options.mean
        rows[place] = rows[place].model_copy(update={"p_adjusted": p, "drifted": p <= options.alpha and large})
    return rows


def _row(
    cluster: str, what: str, lines: Sequence[_Line], since: float, options: DriftOptions, seed: int
) -> RouterRow | None:
    began = {one.session for one in lines if one.at <= since}
    old = [one for one in lines if one.at <= since]
    new = [one for one in lines if one.at > since and one.session not in began]
    enough = len(new) >= options.least_calls and len(old) >= options.least_calls
    if not enough or min(len(began), len({one.session for one in new})) < options.least_sessions:
        return None
    names: dict[str, int] = {}
    session = np.array([names.setdefault(one.session, len(names)) for one in (*old, *new)], dtype=np.int64)
    flags = np.array([False] * len(old) + [True] * len(new))
    values = np.array([one.value for one in (*old, *new)])
    found = two_sample(TwoSides(flags, session, {}, {what: values}), seed)
    means = float(np.mean([one.value for one in old])), float(np.mean([one.value for one in new]))
    return RouterRow(
        cluster=cluster,
        what="handed on" if what == "handed on" else "other answer",
        n_old=len(old),
        n_new=len(new),
        old=means[0],
        now=means[1],
        p=found[0].p if found else 1.0,
        until=max(one.at for one in new),
    )
