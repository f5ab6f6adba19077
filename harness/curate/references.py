"""What counts as a right answer, why, and how often the incumbent contradicts itself."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.curate.asking import action_of, answer_hash, plain_text
from harness.curate.entry import Entry
from harness.curate.spool import Spool
from harness.records.call import Family, Reference, ReferenceLabel
from harness.records.curated import DisagreementRow
from harness.records.logs import Payload
from harness.stats.proportion import clopper_pearson

__all__ = ["Answers", "disagreement", "family_of", "label_of"]

_STRENGTH: dict[ReferenceLabel, int] = {"incumbent": 0, "outcome-verified": 1, "human": 2}


def label_of(outcome: float | None, by: str | None, verified_from: float) -> ReferenceLabel:
    """Why a reply counts as right. A good outcome that neither a person nor a checker vouches for proves nothing.

    >>> label_of(1.0, "verified", 1.0), label_of(1.0, "score", 1.0), label_of(0.0, "human", 1.0)
    ('outcome-verified', 'incumbent', 'incumbent')
    """
    if outcome is None or outcome < verified_from:
        return "incumbent"
    return "human" if by == "human" else "outcome-verified" if by == "verified" else "incumbent"


@dataclass(slots=True)
class _Answer:
    reply: int
    label: ReferenceLabel
    count: int
    finish: str | None


class Answers:
    """All answers of a log by request: kept calls and the exact duplicates that they stand for.

    In memory are those of requests that have several.
    """

    def __init__(self, entries: Sequence[Entry], spool: Spool, verified_from: float) -> None:
        self._spool = spool
        self._verified_from = verified_from
        self._by_request: dict[bytes, dict[bytes, _Answer]] = defaultdict(dict)
        several = _several(entries)
        for entry in entries:
            if entry.request not in several:
                continue
            self._add(entry, entry.answer, _Answer(entry.reply, self._label(entry), 1, entry.finish))
            for place in entry.more:
                self._add(entry, answer_hash(spool.value(place)), _Answer(place, self._label(entry), 1, None))

    def _label(self, entry: Entry) -> ReferenceLabel:
        return label_of(entry.outcome, entry.outcome_by, self._verified_from)

    def _add(self, entry: Entry, key: bytes, answer: _Answer) -> None:
        known = self._by_request[entry.request].setdefault(key, answer)
        if known is not answer:
            known.count += 1
            known.label = max(known.label, answer.label, key=_STRENGTH.__getitem__)

    def reference(self, entry: Entry) -> Reference:
        """The answer of a call itself."""
        answers = self._by_request.get(entry.request)
        alone = _Answer(entry.reply, self._label(entry), 1, entry.finish)
        return self._made(alone if answers is None else answers[entry.answer], entry.finish, entry.reply)

    def also(self, entry: Entry) -> tuple[Reference, ...]:
        """Other answers to the same request, the surest and then the most frequent first."""
        others = [one for key, one in self._by_request.get(entry.request, {}).items() if key != entry.answer]
        others.sort(key=lambda one: (-_STRENGTH[one.label], -one.count))
        return tuple(self._made(one, one.finish, one.reply) for one in others)

    def _made(self, answer: _Answer, finish: str | None, place: int) -> Reference:
        reply: Payload = self._spool.value(place)
        return Reference(reply if finish is None else {**reply, "finish_reason": finish}, answer.label, answer.count)


def _several(entries: Iterable[Entry]) -> frozenset[bytes]:
    """The requests that have, or may have, several answers."""
    seen: set[bytes] = set()
    found: set[bytes] = set()
    for entry in entries:
        (found if entry.more or entry.request in seen else seen).add(entry.request)
    return frozenset(found)


def family_of(tools: bool, reply: Payload) -> Family:
    """A guess: tools offered or called, a block of code in the reply, text, or nothing of these."""
    if tools or reply.get("tool_calls"):
        return "toolcall"
    text = plain_text(reply.get("content"))
    return "code" if "```" in text else "instruct" if text.strip() else "other"


def disagreement(entries: Iterable[Entry], spool: Spool) -> tuple[DisagreementRow, ...]:
    """How the first two answers to a request that occurs again differ: all agents together, then each.

    entries: in the order of time, exact duplicates still among them. Empty where no request occurs again.
    """
    first: dict[bytes, Entry] = {}
    pairs: dict[bytes, tuple[Entry, Entry]] = {}
    for entry in entries:
        earlier = first.setdefault(entry.request, entry)
        if earlier is not entry and entry.request not in pairs:
            pairs[entry.request] = earlier, entry
    by_agent: dict[str | None, list[str]] = defaultdict(list)
    for one, other in pairs.values():
        by_agent[one.agent].append(_difference(spool.value(one.reply), spool.value(other.reply)))
    if not by_agent:
        return ()
    every = [one for found in by_agent.values() for one in found]
    named: list[tuple[str | None, Sequence[str]]] = [(agent, found) for agent, found in by_agent.items() if agent]
    return (_row(None, every), *(_row(agent, found) for agent, found in sorted(named, key=lambda one: one[0] or "")))


def _difference(one: Payload, other: Payload) -> str:
    """decision, tool, arguments, text, or nothing: the first that differs."""
    acted, acts = action_of(one), action_of(other)
    if bool(acted) != bool(acts):
        return "decision"
    if acted:
        if [name for name, _ in acted] != [name for name, _ in acts]:
            return "tool"
        return "" if acted == acts else "arguments"
    same = plain_text(one.get("content")).split() == plain_text(other.get("content")).split()
    return "" if same else "text"


def _row(agent: str | None, found: Sequence[str]) -> DisagreementRow:
    counts: Mapping[str, int] = {kind: found.count(kind) for kind in ("decision", "tool", "arguments", "text")}
    n, actions = len(found), sum(counts.values()) - counts["text"]
    return DisagreementRow(
        agent=agent,
        repeated=n,
        **counts,
        any_frac=sum(counts.values()) / n,
        any_interval=clopper_pearson(sum(counts.values()), n),
        action_frac=actions / n,
        action_interval=clopper_pearson(actions, n),
    )
