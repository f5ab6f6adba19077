"""Nodes of an agent: calls whose instructions come from one template, with one tool set and one output format.

Instructions are parted into sentences, with numbers, dates, ids and quoted values masked. Sentences that different
instructions share are template. Two instructions are of one node if half of the longer template is in both, or if both
begin with the same 200 characters; and if they differ in a labelled line with few values (`Domain: retail`), they
are nodes of their own where the rest of the text tells the value.
"""

import hashlib
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from harness.cluster.features import Features, masked
from harness.cluster.slots import slot_values

__all__ = ["Node", "find_nodes", "likeness", "parts_of", "template_text", "unit_hashes", "units_of"]

_PARTS: Final = re.compile(r"(?<=[.!?:;])\s+|\s*\n\s*")
_LIKE: Final = 0.5
_PREFIX: Final = 200
_OPENING: Final = 20
"""Characters from which on a shared beginning says that a template is there."""
_USER_FRAC: Final = 0.02
"""Share of first user messages (and three) with a sentence that make it template, where there is no system message."""
_LONE: Final = 20
"""So many instructions that are like no other are one node of varied instructions, not a node each."""


@dataclass(slots=True)
class Node:
    """Calls of one node, before it has a name. `rows`: places in Features.calls."""

    units: frozenset[str]
    """Sentences of the template."""
    tools: tuple[str, ...]
    form: str
    system: bool
    rows: list[int] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    """Different instructions, masked."""
    slot: str | None = None
    entropy_bits: float = 0.0


@dataclass(slots=True)
class _Prompt:
    text: str
    units: tuple[str, ...]
    rows: list[int]


def units_of(text: str) -> tuple[str, ...]:
    """The sentences and lines of a masked instruction, in order."""
    return tuple(parts_of(text))


def parts_of(text: str) -> list[str]:
    """The sentences and lines of a text, those without anything left out."""
    return [part for part in (one.strip() for one in _PARTS.split(text)) if part]


def likeness(left: Iterable[str], right: Iterable[str]) -> float:
    """Share of characters of two templates' sentences that are in both: 0..1."""
    one, other = set(left), set(right)
    both = sum(map(len, one & other))
    return both / max(1, sum(map(len, one | other)))


def find_nodes(features: Features) -> list[Node]:
    """The nodes, the largest first. Every call is in one of them."""
    masks = [masked(prompt) for prompt in features.prompts]
    bases: dict[tuple[tuple[str, ...], str, bool], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row, call in enumerate(features.calls):
        bases[features.tools[call.tools], call.form, call.system][masks[call.prompt]].append(row)
    nodes: list[Node] = []
    for (tools, form, system), prompts in bases.items():
        parts = [_Prompt(text, units_of(text), rows) for text, rows in prompts.items()]
        for group in _grouped(parts, system):
            nodes += [_node(part, tools, form, system, slot) for slot, part in _by_slot(group)]
    nodes = _joined(nodes)
    return sorted(nodes, key=lambda node: (-len(node.rows), node.tools, node.prompts[:1]))


def template_text(node: Node, most: int = 4000) -> str:
    """The template as a person reads it: the commonest instruction with what varies replaced by `{…}`."""
    example = node.prompts[0] if node.prompts else ""
    lines: list[str] = []
    for unit in units_of(example):
        if unit in node.units:
            lines.append(unit)
        elif not lines or lines[-1] != "{…}":
            lines.append("{…}")
    return "\n".join(lines)[:most]


def _grouped(prompts: list[_Prompt], system: bool) -> list[list[_Prompt]]:
    """Instructions with the same tools and format, by template."""
    prompts.sort(key=lambda one: (-len(one.rows), one.text))
    times: Counter[str] = Counter()
    for one in prompts:
        for unit in set(one.units):
            times[unit] += 1 if system else len(one.rows)
    least = 2 if system else max(3, math.ceil(_USER_FRAC * sum(len(one.rows) for one in prompts)))
    leaders: dict[str, list[tuple[frozenset[str], str, list[_Prompt]]]] = defaultdict(list)
    lone: list[_Prompt] = []
    for one in prompts:
        common = frozenset(unit for unit in one.units if times[unit] >= least)
        opening = next((unit for unit in one.units if len(unit) >= _OPENING), one.units[0] if one.units else "")
        if opening not in common:
            lone.append(one)
            continue
        start = "\n".join(one.units)[:_PREFIX]
        for units, begin, members in leaders[opening]:
            if (len(start) == _PREFIX and begin == start) or _inside(common, units):
                members.append(one)
                break
        else:
            leaders[opening].append((common, start, [one]))
    groups = [members for found in leaders.values() for _, _, members in found]
    return groups + _alone(lone, system)


def _alone(lone: list[_Prompt], system: bool) -> list[list[_Prompt]]:
    """Instructions like no other: each a node if it is used again, all others together if they are many."""
    if not system:
        return [lone] if lone else []
    often = [one for one in lone if len(one.rows) >= 5] if len(lone) >= _LONE else lone
    kept = {id(one) for one in often}
    rest = [one for one in lone if id(one) not in kept]
    return [[one] for one in often] + ([rest] if rest else [])


def _inside(left: frozenset[str], right: frozenset[str]) -> bool:
    """Whether half of the longer template is in both: a short one is in many that have nothing to do with it."""
    both = sum(map(len, left & right))
    return both >= _LIKE * max(sum(map(len, left)), sum(map(len, right)), 1)


def _by_slot(group: list[_Prompt]) -> list[tuple[str | None, list[_Prompt]]]:
    found = slot_values([one.text for one in group])
    if found is None:
        return [(None, group)]
    label, values = found
    parts: dict[str, list[_Prompt]] = defaultdict(list)
    for one, value in zip(group, values, strict=True):
        parts[value].append(one)
    return [(f"{label}: {value}", part) for value, part in parts.items()]


def _node(prompts: list[_Prompt], tools: tuple[str, ...], form: str, system: bool, slot: str | None) -> Node:
    times = Counter(unit for one in prompts for unit in set(one.units))
    least = max(1, math.ceil(0.5 * len(prompts)))
    if not system and len(prompts) > 1:
        least = max(2, least)
    units = frozenset(unit for unit, count in times.items() if count >= least)
    counts = [len(one.rows) for one in prompts]
    rows = sorted(row for one in prompts for row in one.rows)
    return Node(units, tools, form, system, rows, [one.text for one in prompts], slot, _entropy(counts))


def _entropy(counts: Sequence[int]) -> float:
    """Shannon entropy in bits."""
    total = sum(counts)
    return max(0.0, -sum(count / total * math.log2(count / total) for count in counts if count))


def _joined(nodes: list[Node]) -> list[Node]:
    """Nodes whose tools differ a little and whose templates are the same are one: tools come and go."""
    nodes.sort(key=lambda node: -len(node.rows))
    kept: list[Node] = []
    for node in nodes:
        for other in kept:
            if _same_but_tools(node, other):
                other.rows = sorted(other.rows + node.rows)
                other.prompts = list(dict.fromkeys(other.prompts + node.prompts))
                other.entropy_bits = max(other.entropy_bits, node.entropy_bits)
                break
        else:
            kept.append(node)
    return kept


def _same_but_tools(left: Node, right: Node) -> bool:
    if (left.form, left.system, left.slot) != (right.form, right.system, right.slot) or not left.units:
        return False
    one, other = set(left.tools), set(right.tools)
    return bool(one & other) and len(one & other) / len(one | other) >= 0.5 and likeness(left.units, right.units) >= 0.8


def unit_hashes(units: Iterable[str]) -> tuple[str, ...]:
    """Twelve hex digits for each sentence, sorted: enough to know a template again, and nobody reads it."""
    return tuple(sorted(hashlib.sha256(unit.encode("utf-8", "replace")).hexdigest()[:12] for unit in units))
