"""A node recognised from an earlier run, and a name for one."""

from collections import Counter
from collections.abc import Sequence

from harness.cluster.folder import Kept
from harness.cluster.labels import words_of
from harness.cluster.nodes import Node, unit_hashes
from harness.records.cluster import AgentNode

__all__ = ["known_node", "node_names"]


def known_node(node: Node, ids: Sequence[str], kept: Kept) -> str | None:
    """The id that this node had: by its calls where half of those seen before had one, else by template and tools."""
    if kept.book is None:
        return None
    node_of = {one.id: one.node for one in kept.book.clusters}
    counts = Counter(node_of[kept.assigned[call]] for call in ids if kept.assigned.get(call) in node_of)
    if counts:
        name, count = counts.most_common(1)[0]
        if 2 * count >= sum(counts.values()):
            return name
    hashes = set(unit_hashes(node.units))
    likest = [(_like(hashes, one), one.id) for one in kept.book.nodes if _fits(node, one)]
    best = max(likest, default=(0.0, ""))
    return best[1] if best[0] >= 0.5 else None


def _fits(node: Node, other: AgentNode) -> bool:
    one, two = set(node.tools), set(other.tools)
    near = one == two or (one and two and len(one & two) / len(one | two) >= 0.5)
    return bool(near) and (node.form, node.system, node.slot) == (other.form, other.system, other.slot)


def _like(hashes: set[str], other: AgentNode) -> float:
    """Share of sentences that both templates have; two without a template are alike."""
    units = set(other.units)
    if not hashes and not units:
        return 1.0
    return len(hashes & units) / len(hashes | units)


def node_names(nodes: Sequence[AgentNode]) -> list[str]:
    """What a person knows each by: its slot, or the words that set its template apart, and its tools."""
    words = words_of([[node.template] for node in nodes])
    names = []
    for node, best in zip(nodes, words, strict=True):
        about = node.slot or " ".join(best[:3]) or "no instruction"
        tools = f"{len(node.tools)} tools" if len(node.tools) > 2 else ", ".join(node.tools)
        names.append(f"{about} · {tools}" if tools else about)
    return names
