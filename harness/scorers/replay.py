"""The scorer of step replay: whether an action is the one that the log has."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import get_args

from pydantic import JsonValue

from harness.protocols import Case
from harness.records import (
    MissClass,
    Protocol,
    RawToolCall,
    ReplayReference,
    ReplayTarget,
    Reply,
    Sample,
    Score,
    Tool,
    ToolCall,
    target_of,
)
from harness.scorers.context import ScorerContext
from harness.scorers.matching import pair
from harness.scorers.replay_values import Difference, Rules, differences
from harness.scorers.text_json import same_json
from harness.scorers.text_words import normal_form, rouge, token_f1
from harness.scorers.wording import plain_json, shown
from harness.toolcalling.decode import Decoded, decode, said
from harness.toolcalling.repair import repaired_calls
from harness.toolcalling.strict_json import NotJson, read

__all__ = ["ReplayScorer", "Step", "decoded_step", "judge_step", "reply_of"]

_WATERFALL: tuple[MissClass, ...] = get_args(MissClass)
_RIGHT = 1_000.0
_MOST_CALLS = 200
_READ_CHARS = 50_000
"""Of a reply in words that are compared with a reference."""


@dataclass(frozen=True, slots=True)
class Step:
    """The verdict on what was done, against one reference."""

    value: float
    parts: dict[str, float] = field(default_factory=dict)
    miss: MissClass | None = None
    why: str = ""

    @property
    def rank(self) -> tuple[float, ...]:
        """Higher is nearer to the reference."""
        return (
            self.value,
            *(self.parts.get(name, 0.0) for name in ("exact", "decision", "tools", "arguments", "text")),
        )


@dataclass(frozen=True, slots=True)
class _Pair:
    """A call held against one on record."""

    named: bool
    right: int
    exact: int
    all: int
    faults: tuple[Difference, ...] = ()

    @property
    def worth(self) -> float:
        if self.named and self.right == self.all:
            return _RIGHT + (self.exact == self.all)
        return (1 + (self.right / self.all if self.all else 0.0)) / 3 if self.named else 0.0


class ReplayScorer:
    """Judges the step of an agent against what the log has for it: 1 if the action is the same, else 0."""

    name = "replay"

    def __init__(self, *, repair: bool = True) -> None:
        """Takes whether a miss is also judged after JSON repair, as a second number."""
        self._repair = repair

    @classmethod
    def from_context(cls, context: ScorerContext) -> "ReplayScorer":
        """As for any scorer's class."""
        return cls(repair=context.scoring.repair)

    def score(self, sample: Sample, reply: Reply, protocol: Protocol, trial: int = 0) -> Score:
        """The verdict on a reply, the best over the references.

        Parts: `decoded`, `decision` (where the references agree in it), `tools`, `arguments` (share), `exact` (the
        same without any allowance for free text), `text` (0..1).
        """
        target = target_of(sample, ReplayTarget)
        decoded = decoded_step(reply, protocol, sample)
        cut = reply.finish_reason == "length"
        step = judge_step(decoded, target, sample.tools, cut=cut)
        return Score(
            sample=sample.id,
            category=sample.category,
            trial=trial,
            scorer=self.name,
            value=step.value,
            parts=step.parts,
            miss=step.miss,
            boundary="model" if step.miss else None,
            why=step.why,
            repaired=self._repaired(sample, target, reply, decoded, step),
            extracted=plain_json([{"name": one.name, "arguments": one.arguments} for one in decoded.calls]),
        )

    def _repaired(
        self, sample: Sample, target: ReplayTarget, reply: Reply, decoded: Decoded, step: Step
    ) -> float | None:
        if not self._repair or not sample.tools or step.miss in {None, "length"}:
            return None
        calls = repaired_calls(reply, sample.tools)
        if calls is None or [(one.name, one.arguments) for one in calls] == [
            (one.name, one.arguments) for one in decoded.calls
        ]:
            return None
        return judge_step(Decoded(calls, None, decoded.text), target, sample.tools, cut=False).value

    def cases(self, sample: Sample) -> Iterator[Case]:
        """Each reference; of a single one a call more, a call less, another tool, another argument, other words."""
        target = target_of(sample, ReplayTarget)
        for one in target.references:
            yield Case("gold", "an answer on record", reply_of(one.calls, one.text))
        first = target.references[0]
        if target.wants == "call":
            renamed = [ToolCall(name=f"{first.calls[0].name}_", arguments=first.calls[0].arguments), *first.calls[1:]]
            yield Case("near_miss", "a tool that is not there", reply_of(renamed))
            invented = {**first.calls[0].arguments, "invented_": 1}
            added = [ToolCall(name=first.calls[0].name, arguments=invented), *first.calls[1:]]
            yield Case("near_miss", "an invented argument", reply_of(added))
            yield Case("near_miss", "words in place of calls", Reply(content="I will do that.", finish_reason="stop"))
            if len(target.references) == 1:
                yield Case("near_miss", "a call twice", reply_of([*first.calls, first.calls[-1]]))
                if len(first.calls) > 1:
                    yield Case("near_miss", "the last call left out", reply_of(first.calls[:-1]))
        elif target.wants == "words":
            if sample.tools:
                yield Case("near_miss", "a call", reply_of([ToolCall(name=sample.tools[0].name, arguments={})]))
            if target.text != "decision":
                yield Case("near_miss", "other words", Reply(content="⊘ xyzzy plugh ⊘", finish_reason="stop"))


def reply_of(calls: Sequence[ToolCall], text: str | None = None) -> Reply:
    """A reply that makes these calls, or says these words."""
    raw = tuple(RawToolCall(name=one.name, arguments=json.dumps(one.arguments)) for one in calls)
    return Reply(content=text, tool_calls=raw, finish_reason="tool_calls" if raw else "stop")


def decoded_step(reply: Reply, protocol: Protocol, sample: Sample) -> Decoded:
    """Calls and words of a reply; where no tool is offered, or the words are those on record, words alone."""
    text = said(reply.content)
    if not reply.tool_calls and protocol == "native":
        target = target_of(sample, ReplayTarget)
        if not sample.tools or any(not one.calls and said(one.text) == text for one in target.references):
            return Decoded((), None, text or None)
    if not sample.tools and not reply.tool_calls:
        return Decoded((), None, text or None)
    decoded = decode(reply, protocol, sample.tools)
    if decoded.error is None and not decoded.calls and protocol != "native" and text:
        return Decoded((), None, decoded.text or _DECLINED)
    return decoded


_DECLINED = "(declined by name)"
"""Stands for the words of a reply that says, in the form asked for, that nothing is to be called."""


def judge_step(decoded: Decoded, target: ReplayTarget, tools: Sequence[Tool], *, cut: bool) -> Step:
    """The best verdict over the references: pure, and total over whatever a model may say.

    cut: the reply ended at the limit of tokens. An attempt to call that cannot be read is no call, and is never right.
    """
    called = bool(decoded.calls)
    parts = {"decoded": float(decoded.error is None)}
    if tools and target.wants != "either":
        parts["decision"] = float(called == (target.wants == "call"))
    best = max((_judged(decoded, one, target, tools) for one in target.references), key=lambda step: step.rank)
    parts |= best.parts
    if best.miss is None:
        return Step(best.value, parts)
    if decoded.error is not None:
        what = " ".join(str(plain_json(decoded.error)).split())[:300]
        miss: MissClass = "length" if cut else "decode"
        return Step(0.0, parts, miss, f"the call {'was cut off' if cut else 'could not be read'}: {what}")
    if cut and not called and not decoded.text:
        return Step(0.0, parts, "length", "the reply reached the limit of tokens before anything was said")
    return Step(0.0, parts, best.miss, best.why)


def _judged(decoded: Decoded, reference: ReplayReference, target: ReplayTarget, tools: Sequence[Tool]) -> Step:
    if not reference.calls:
        return _words(decoded, reference.text or "", target)
    if not decoded.calls:
        wanted = ", ".join(one.name for one in reference.calls[:3])
        nothing = {"tools": 0.0, "arguments": 0.0, "exact": 0.0}
        return Step(0.0, nothing, "should_have_called", f"no call was made, on record: {wanted}")
    return _calls(decoded.calls, reference.calls, target, tools)


def _words(decoded: Decoded, reference: str, target: ReplayTarget) -> Step:
    if decoded.calls:
        name = shown(decoded.calls[0].name)
        missed = {"exact": 0.0, "text": 0.0}
        return Step(0.0, missed, "should_not_have_called", f"{name} was called, on record: words and no call")
    text = (decoded.text or "")[:_READ_CHARS]
    if decoded.error is not None:
        return Step(0.0, {"exact": 0.0, "text": 0.0}, "decode", "an attempt to call that cannot be read")
    if not text.strip():
        return Step(0.0, {"exact": 0.0, "text": 0.0}, "no_answer", "the reply says nothing")
    wanted = said(reference)[:_READ_CHARS]
    exact = float(text.strip() == wanted.strip() or _same_form(text, wanted))
    if target.text == "decision":
        similar = {} if text == _DECLINED else {"exact": exact, "text": token_f1(text, wanted)}
        return Step(1.0, similar)
    measure = {"normalised": exact, "json": _json(text, wanted)}.get(target.text)
    similarity = max(exact, rouge(text, wanted).rouge_l) if measure is None else measure
    parts = {"exact": exact, "text": similarity}
    if similarity >= (target.threshold if target.text == "rouge" else 1.0):
        return Step(1.0, parts)
    need = f", {target.threshold:g} is wanted" if target.text == "rouge" else ""
    why = f"the words are {shown(text)}, on record: {shown(wanted)} ({target.text} {similarity:.3f}{need})"
    return Step(0.0, parts, "wrong_answer", why)


def _same_form(text: str, wanted: str) -> bool:
    form = normal_form(wanted)
    return bool(form) and form == normal_form(text)


def _json(text: str, wanted: str) -> float:
    try:
        return float(same_json(read(_unfenced(text)), read(_unfenced(wanted))))
    except (NotJson, RecursionError):
        return float(text.strip() == wanted.strip())


def _unfenced(text: str) -> str:
    """JSON without the fence that chat models put around it."""
    lines = text.strip().splitlines()
    fenced = len(lines) > 2 and lines[0].startswith("```") and lines[-1].strip() == "```"
    return "\n".join(lines[1:-1]) if fenced else text


def _calls(calls: Sequence[ToolCall], wanted: Sequence[ToolCall], target: ReplayTarget, tools: Sequence[Tool]) -> Step:
    schemas = {tool.name: tool.parameters for tool in tools}
    rules = Rules(target.tolerance, target.free_text)
    pairs = [[_held(call, one, schemas.get(one.name), rules) for one in wanted] for call in calls[:_MOST_CALLS]]
    chosen = [(row, column, pairs[row][column]) for row, column in pair([[one.worth for one in row] for row in pairs])]
    matched = [one for _, _, one in chosen]
    lonely = sum(len(call.arguments) for at, call in enumerate(calls) if at not in {row for row, _, _ in chosen})
    lonely += sum(len(one.arguments) for at, one in enumerate(wanted) if at not in {column for _, column, _ in chosen})
    same_count = len(calls) == len(wanted)
    total = lonely + sum(one.all for one in matched)
    named = same_count and all(one.named for one in matched)
    common = Counter(call.name for call in calls) & Counter(one.name for one in wanted)
    parts = {
        "tools": common.total() / max(len(calls), len(wanted)),
        "arguments": sum(one.right for one in matched) / total if total else float(named),
        "exact": float(named and all(one.exact == one.all for one in matched)),
    }
    if named and all(one.right == one.all for one in matched):
        return Step(1.0, parts)
    return _missed(calls, wanted, chosen, parts, {tool.name for tool in tools})


def _missed(
    calls: Sequence[ToolCall],
    wanted: Sequence[ToolCall],
    chosen: Sequence[tuple[int, int, _Pair]],
    parts: dict[str, float],
    offered: set[str],
) -> Step:
    """The first miss of the waterfall, in words."""
    if len(calls) != len(wanted):
        names = ", ".join(one.name for one in wanted[:5])
        return Step(0.0, parts, "wrong_count", f"{len(calls)} calls made, {len(wanted)} on record: {names}")
    for row, column, one in chosen:
        if not one.named:
            unknown = "" if calls[row].name in offered else ", which is not offered"
            why = f"{shown(calls[row].name)} was called{unknown}, on record: {wanted[column].name}"
            return Step(0.0, parts, "wrong_tool", why)
    faults = [(fault, wanted[at].name) for _, at, one in chosen for fault in one.faults if fault.f1 is None]
    fault, tool = min(faults, key=lambda found: _WATERFALL.index(found[0].miss))
    return Step(0.0, parts, fault.miss, f"in {tool}, {fault.why}")


def _held(call: ToolCall, wanted: ToolCall, schema: JsonValue, rules: Rules) -> _Pair:
    names = set(call.arguments) | set(wanted.arguments)
    if call.name != wanted.name:
        return _Pair(named=False, right=0, exact=0, all=len(names))
    faults = tuple(differences(dict(call.arguments), dict(wanted.arguments), schema, rules))
    wrong = {fault.place[0] for fault in faults if fault.f1 is None}
    near = {fault.place[0] for fault in faults} - wrong
    every = len(names | wrong | near)
    return _Pair(True, every - len(wrong), every - len(wrong) - len(near), every, faults)
