"""What was changed at the source: tools, sentences of instructions, and the model that answered the log's calls."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from harness.cluster.features import masked
from harness.cluster.nodes import unit_hashes, units_of
from harness.iterate.calls import Tool, Traffic
from harness.iterate.place import Placed
from harness.records.iterate import ChangeKind, SourceChange

__all__ = ["changes_of", "day_of"]

_GONE: Final = 0.001
"""Chance below which what no new session has is gone and not only rare, by its share of the old sessions."""
_TEMPLATE: Final = 0.5
"""Share of a node's calls from which on a sentence belongs to its instruction."""
_DETAILS: Final = 8
_SEVERAL: Final = 3


@dataclass(slots=True)
class _Side:
    """What one side's calls of a node have, each with its calls and sessions."""

    rows: list[int] = field(default_factory=list)
    sessions: set[str] = field(default_factory=set)
    tools: dict[str, dict[str, Tool]] = field(default_factory=lambda: defaultdict(dict))
    """By name, by hash."""
    with_tool: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    with_unit: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    texts: dict[str, str] = field(default_factory=dict)
    models: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))


def changes_of(traffic: Traffic, placed: Placed, *, texts: bool) -> list[SourceChange]:
    """Every change, node by node, of nodes that were there before. texts: whether sentences are shown, masked."""
    new = set(traffic.new_rows())
    sides: dict[str, tuple[_Side, _Side]] = defaultdict(lambda: (_Side(), _Side()))
    units: dict[int, dict[str, str]] = {}
    for row, node in enumerate(placed.node):
        _add(sides[node][row in new], traffic, row, units)
    names = {one.id: one.name for one in placed.built.book.nodes}
    found: list[SourceChange] = []
    for node, (old, now) in sides.items():
        if old.rows and now.rows:
            found += _Node(traffic, placed, node, names[node], old, now).changes(texts=texts)
    return found


def _add(side: _Side, traffic: Traffic, row: int, units: dict[int, dict[str, str]]) -> None:
    call, aside = traffic.features.calls[row], traffic.aside[row]
    side.rows.append(row)
    side.sessions.add(aside.session)
    for tool in traffic.offered[aside.tools]:
        side.tools[tool.name][tool.hash] = tool
        side.with_tool[tool.name, tool.hash].append(row)
    if call.prompt not in units:
        listed = units_of(masked(traffic.features.prompts[call.prompt]))
        units[call.prompt] = {unit_hashes([one])[0]: one for one in listed}
    for hash_, text in units[call.prompt].items():
        side.with_unit[hash_].append(row)
        side.texts.setdefault(hash_, text)
    if aside.model is not None:
        side.models[aside.model].append(row)


@dataclass(frozen=True, slots=True)
class _Node:
    traffic: Traffic
    placed: Placed
    node: str
    name: str
    old: _Side
    now: _Side

    def changes(self, *, texts: bool) -> list[SourceChange]:
        return [*self._tools(), *self._prompt(texts=texts), *self._models()]

    def _said(
        self, kind: ChangeKind, what: str, rows: Sequence[int], detail: Sequence[str] = (), text: str | None = None
    ) -> SourceChange:
        times = [at for row in rows if (at := self.traffic.features.calls[row].at) is not None]
        owners = Counter(self.placed.owner[row] for row in rows)
        return SourceChange(
            kind=kind,
            node=self.node,
            node_name=self.name,
            what=what,
            detail=tuple(detail[:_DETAILS])
            + ((f"and {len(detail) - _DETAILS} more",) if len(detail) > _DETAILS else ()),
            text=text,
            since=day_of(min(times)) if times and not kind.endswith("removed") else None,
            calls=len(rows),
            clusters=tuple(name for name, _ in owners.most_common() if not name.endswith(".noise")),
        )

    def _gone(self, rows: Sequence[int]) -> bool:
        """Whether what these old calls have is gone, and not only rare: no new session has it."""
        share = len({self.traffic.aside[row].session for row in rows}) / len(self.old.sessions)
        return (1 - share) ** len(self.now.sessions) <= _GONE

    def _tools(self) -> list[SourceChange]:
        found = []
        for name, versions in self.now.tools.items():
            before = self.old.tools.get(name)
            fresh = [hash_ for hash_ in versions if before is None or hash_ not in before]
            rows = sorted({row for hash_ in fresh for row in self.now.with_tool[name, hash_]})
            if before is None:
                found.append(self._said("tool_added", name, rows))
            elif fresh:
                last = max(before, key=lambda hash_: max(self.old.with_tool[name, hash_]))
                most = max(fresh, key=lambda hash_: len(self.now.with_tool[name, hash_]))
                found.append(self._said("tool_changed", name, rows, _differences(before[last], versions[most])))
        for name, versions in self.old.tools.items():
            rows = [row for hash_ in versions for row in self.old.with_tool[name, hash_]]
            if name not in self.now.tools and self._gone(rows):
                found.append(self._said("tool_removed", name, self.now.rows))
        return found

    def _prompt(self, *, texts: bool) -> list[SourceChange]:
        """Sentences that no old call has and half of the new ones since the first, and those that went."""
        found = []
        for hash_, rows in self.now.with_unit.items():
            if hash_ not in self.old.with_unit and self._often(rows):
                found.append(self._said("prompt_added", hash_, rows, text=self.now.texts[hash_] if texts else None))
        for hash_, rows in self.old.with_unit.items():
            often = len(rows) >= _TEMPLATE * len(self.old.rows)
            if often and hash_ not in self.now.with_unit and self._gone(rows):
                found.append(
                    self._said("prompt_removed", hash_, self.now.rows, text=self.old.texts[hash_] if texts else None)
                )
        return found

    def _often(self, rows: Sequence[int]) -> bool:
        """Whether half of the new calls since the first have it, in several sessions: what one says is no template."""
        calls = self.traffic.features.calls
        times = [at for row in rows if (at := calls[row].at) is not None]
        first = min(times) if len(times) == len(rows) else None
        since = [row for row in self.now.rows if first is None or (calls[row].at or first) >= first]
        several = len({self.traffic.aside[row].session for row in rows}) >= _SEVERAL
        return several and len(rows) >= _TEMPLATE * len(since)

    def _models(self) -> list[SourceChange]:
        found = [
            self._said("model_added", name, rows)
            for name, rows in self.now.models.items()
            if name not in self.old.models and self.old.models
        ]
        gone = [name for name, rows in self.old.models.items() if name not in self.now.models and self._gone(rows)]
        return found + [self._said("model_removed", name, self.now.rows) for name in gone if self.now.models]


def _differences(old: Tool, new: Tool) -> list[str]:
    """Which parts of a schema came, went or are other ones; a property that came or went is named once."""
    before, after = dict(old.parts), dict(new.parts)
    found: dict[str, str] = {}
    for path in sorted({*before, *after}):
        if before.get(path) == after.get(path):
            continue
        place = _property(path)
        own_before = any(_property(one) == place for one in before)
        own_after = any(_property(one) == place for one in after)
        if own_before != own_after:
            found[place] = f"{place} {'added' if own_after else 'removed'}"
        else:
            found.setdefault(path, f"{path} changed")
    return list(found.values())


def _property(path: str) -> str:
    """The property that a path lies in: `properties.a.items.type` is part of `a`; others stay as they are."""
    parts = path.split(".")
    last = max((place for place, one in enumerate(parts[:-1]) if one == "properties"), default=None)
    return path if last is None else ".".join(parts[: last + 2]).replace("properties.", "")


def day_of(at: float | None) -> str | None:
    """The day, UTC; None for no time, or one that is none."""
    if at is None or not 0 <= at < 4_102_444_800:
        return None
    return datetime.fromtimestamp(at, UTC).date().isoformat()


def by_cluster(changes: Sequence[SourceChange]) -> Mapping[str, list[SourceChange]]:
    """Changes by the clusters that have calls of them."""
    found: dict[str, list[SourceChange]] = defaultdict(list)
    for one in changes:
        for cluster in one.clusters:
            found[cluster].append(one)
    return found
