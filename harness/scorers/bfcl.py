"""The tool-call scorer: right or wrong by the rules of BFCL, and why."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import get_args

from pydantic import JsonValue

from harness.protocols import Case
from harness.records import (
    AcceptedCall,
    MissClass,
    Protocol,
    RawToolCall,
    Reply,
    Sample,
    Score,
    Tool,
    ToolCall,
    ToolTarget,
)
from harness.scorers.context import ScorerContext
from harness.scorers.gold import gold_calls
from harness.scorers.matching import pair
from harness.scorers.values import ArgumentFault, judge_argument
from harness.scorers.wording import plain_json, shown, shown_any
from harness.toolcalling.decode import Decoded, decode
from harness.toolcalling.repair import repaired_calls

__all__ = ["BfclScorer", "Verdict", "judge", "judge_decoded"]

_WATERFALL: tuple[MissClass, ...] = get_args(MissClass)
_RIGHT = 1_000.0
"""Worth of a pair that is right in full: more than all partly right ones together, each of which is below 1."""
_MOST_CALLS = 200
"""Replies with more calls than this are not matched call by call: no target has that many."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the calls are those that were wanted."""

    value: float
    """1 or 0."""
    parts: dict[str, float]
    """`decision`, and where calls were wanted `tools` and `arguments`, each 0..1."""
    miss: MissClass | None
    why: str


_Fault = tuple[MissClass, Callable[[], str]]
"""A miss with what makes its sentence: of many, one is told."""


@dataclass(frozen=True, slots=True)
class _Match:
    """One call held against one that is wanted."""

    named: bool
    right: int
    """Arguments that are right."""
    all: int
    """Arguments that are wanted or given."""
    faults: tuple[_Fault, ...] = field(default=())

    @property
    def worth(self) -> float:
        if not self.faults:
            return _RIGHT
        return (1 + (self.right / self.all if self.all else 0.0)) / 3 if self.named else 0.0


class BfclScorer:
    """Judges replies against a ToolTarget."""

    name = "bfcl"

    def __init__(self, *, repair: bool = True) -> None:
        """Takes whether a reply that is not right, or cannot be read, is also judged after JSON repair."""
        self._repair = repair

    @classmethod
    def from_context(cls, context: ScorerContext) -> "BfclScorer":
        """As for any scorer's class."""
        return cls(repair=context.scoring.repair)

    def score(self, sample: Sample, reply: Reply, protocol: Protocol, trial: int = 0) -> Score:
        """The verdict on a reply, 1 or 0; a reply that cannot be read is 0 where calls are wanted."""
        decoded = decode(reply, protocol, sample.tools)
        verdict = judge_decoded(decoded, sample.tool_target, sample.tools, cut=reply.finish_reason == "length")
        return Score(
            sample=sample.id,
            category=sample.category,
            trial=trial,
            scorer=self.name,
            value=verdict.value,
            parts=verdict.parts,
            miss=verdict.miss,
            boundary="model" if verdict.miss else None,
            why=verdict.why,
            repaired=self._repaired(sample, reply, decoded, verdict),
            extracted=plain_json([{"name": one.name, "arguments": one.arguments} for one in decoded.calls]),
        )

    def _repaired(self, sample: Sample, reply: Reply, decoded: Decoded, verdict: Verdict) -> float | None:
        """The value after repair; None where the reply was right and readable, was cut off, or repair finds no more.

        A reply that passes only because nobody can read its call is worth less after repair.
        """
        if not self._repair or verdict.miss == "length" or (verdict.miss is None and decoded.error is None):
            return None
        calls = repaired_calls(reply, sample.tools)
        if calls is None or _same(calls, decoded.calls):
            return None
        return judge(calls, sample.tool_target, sample.tools).value

    def cases(self, sample: Sample) -> Iterator[Case]:
        """The accepted calls; one call less, one argument less, one too many, another tool."""
        target = sample.tool_target
        calls = gold_calls(target)
        if target.expect == "no_call":
            yield Case("gold", "no call", Reply(content="None of the tools can do this.", finish_reason="stop"))
            extra = [ToolCall(name=tool.name, arguments={}) for tool in sample.tools[:1]]
            yield from (Case("near_miss", "a call where none is wanted", _native([call])) for call in extra)
            return
        if target.expect == "any_call":
            yield Case("gold", "a call", _native([ToolCall(name=sample.tools[0].name, arguments={})]))
            yield Case("near_miss", "no call", Reply(content="No.", finish_reason="stop"))
            return
        yield Case("gold", "the accepted calls", _native(calls))
        yield Case("near_miss", "the last call left out", _native(calls[:-1]))
        yield Case("near_miss", "a call twice", _native([*calls, calls[-1]]))
        named = [ToolCall(name=f"{calls[0].name}_", arguments=calls[0].arguments), *calls[1:]]
        yield Case("near_miss", "a tool that is not there", _native(named))
        invented = calls[0].model_copy(update={"arguments": {**calls[0].arguments, "invented_": 1}})
        yield Case("near_miss", "an invented argument", _native([invented, *calls[1:]]))


def _native(calls: Sequence[ToolCall]) -> Reply:
    raw = tuple(RawToolCall(name=call.name, arguments=json.dumps(call.arguments)) for call in calls)
    return Reply(tool_calls=raw, finish_reason="tool_calls")


def _same(left: Sequence[ToolCall], right: Sequence[ToolCall]) -> bool:
    return [(one.name, one.arguments) for one in left] == [(one.name, one.arguments) for one in right]


def judge_decoded(decoded: Decoded, target: ToolTarget, tools: tuple[Tool, ...], *, cut: bool) -> Verdict:
    """The verdict on what was read out of a reply, with the part `decoded`.

    An attempt that cannot be read is no call: it passes where none is wanted, as in the reference.
    cut: the reply ended at the limit of tokens.
    """
    if decoded.error is None:
        verdict = judge(decoded.calls, target, tools)
        unsaid = cut and not decoded.calls and not (decoded.text or "").strip()
        if not (unsaid and verdict.miss):
            return Verdict(verdict.value, {"decoded": 1.0, **verdict.parts}, verdict.miss, verdict.why)
        why = "the reply reached the limit of tokens before anything was said"
        return Verdict(0.0, {"decoded": 0.0, **verdict.parts}, "length", why)
    if target.expect == "no_call":
        why = f"an attempt to call that cannot be read counts as no call: {_clause(decoded.error)}"
        return Verdict(1.0, {"decoded": 0.0, "decision": 1.0}, None, why)
    parts = {"decoded": 0.0, **judge((), target, tools).parts}
    if cut:
        return Verdict(0.0, parts, "length", f"the call was cut off at the limit of tokens: {_clause(decoded.error)}")
    return Verdict(0.0, parts, "decode", f"the call could not be read: {_clause(decoded.error)}")


def judge(calls: Sequence[ToolCall], target: ToolTarget, tools: Sequence[Tool]) -> Verdict:
    """The verdict on decoded calls: pure, and total over whatever a model may put into a call.

    Parallel calls are paired with the wanted ones so that as many as possible are right in full (the reference takes
    the first that fits). Source of the rules: bfcl-eval 2026.3.23, `ast_eval/ast_checker.py` and `eval_runner.py`.
    """
    if target.expect == "no_call":
        return _verdict_on_silence(calls)
    if not calls:
        wanted = ", ".join(one.name for one in target.calls[:3]) or "any tool"
        parts = {"decision": 0.0} | ({"tools": 0.0, "arguments": 0.0} if target.expect == "calls" else {})
        return Verdict(0.0, parts, "should_have_called", f"no call was made, wanted: {wanted}")
    if target.expect == "any_call":
        return Verdict(1.0, {"decision": 1.0}, None, "")
    return _verdict_on_calls(calls, target, tools)


def _verdict_on_silence(calls: Sequence[ToolCall]) -> Verdict:
    if not calls:
        return Verdict(1.0, {"decision": 1.0}, None, "")
    why = f"{_name(calls[0].name)} was called, accepted: no call, since no tool fits the question"
    return Verdict(0.0, {"decision": 0.0}, "should_not_have_called", why)


def _verdict_on_calls(calls: Sequence[ToolCall], target: ToolTarget, tools: Sequence[Tool]) -> Verdict:
    if len(calls) == len(target.calls) and all(
        _is_right(call, wanted, target) for call, wanted in zip(calls, target.calls, strict=True)
    ):  # right in the order of the target: no pairing is better
        return Verdict(1.0, {"decision": 1.0, "tools": 1.0, "arguments": 1.0}, None, "")
    offered = {tool.name for tool in tools}
    considered = calls[:_MOST_CALLS]
    matches = [[_match(call, wanted, target, offered) for wanted in target.calls] for call in considered]
    pairs = pair([[match.worth for match in row] for row in matches])
    chosen = [matches[row][column] for row, column in pairs]
    lonely = _arguments_of_lonely(calls, target.calls, pairs)
    parts = {
        "decision": 1.0,
        "tools": _tools_part(calls, target.calls),
        "arguments": _arguments_part(chosen, lonely, same_count=len(calls) == len(target.calls)),
    }
    if len(calls) != len(target.calls):
        wanted = ", ".join(one.name for one in target.calls[:5])
        why = f"{_counted(len(calls))} made, {len(target.calls)} wanted: {wanted}"
        return Verdict(0.0, parts, "wrong_count", why)
    faults = [fault for match in chosen for fault in match.faults]
    if not faults:
        return Verdict(1.0, parts, None, "")
    miss, words = min(faults, key=lambda fault: _WATERFALL.index(fault[0]))
    return Verdict(0.0, parts, miss, words())


def _is_right(call: ToolCall, wanted: AcceptedCall, target: ToolTarget) -> bool:
    """Whether a call is the wanted one in full."""
    same = _underscored(call.name) == _underscored(wanted.name)
    return same and not _argument_faults(call, wanted, target.types.get(wanted.name, {}), target)


def _match(call: ToolCall, wanted: AcceptedCall, target: ToolTarget, offered: set[str]) -> _Match:
    names = set(wanted.arguments) - set(wanted.optional) | set(call.arguments)
    if _underscored(call.name) != _underscored(wanted.name):
        words = partial(_say_other, call.name, wanted.name, offered)
        return _Match(named=False, right=0, all=len(names), faults=(("wrong_tool", words),))
    faults = _argument_faults(call, wanted, target.types.get(wanted.name, {}), target)
    return _Match(named=True, right=len(names) - len(faults), all=len(names), faults=tuple(faults))


def _argument_faults(
    call: ToolCall, wanted: AcceptedCall, declared: Mapping[str, str], target: ToolTarget
) -> list[_Fault]:
    """One fault for each argument that is not right."""
    faults: list[_Fault] = []
    for name, accepted in wanted.arguments.items():
        if name not in call.arguments:
            if name not in wanted.optional:
                faults.append(("missing_argument", partial(_say_missing, wanted, name)))
            continue
        fault = judge_argument(name, call.arguments[name], accepted, declared.get(name), target.language)
        if fault is not None:
            faults.append((fault.miss, partial(_say_wrong, wanted, fault)))
    for name, value in call.arguments.items():
        if name not in wanted.arguments:
            faults.append(("extra_argument", partial(_say_extra, wanted, name, value)))
    return faults


def _say_other(called: str, wanted: str, offered: set[str]) -> str:
    known = "" if called in offered else ", which is not offered"
    return f"{_name(called)} was called{known}, accepted: {wanted}"


def _say_missing(wanted: AcceptedCall, name: str) -> str:
    return f"{wanted.name} lacks {name}, accepted: {shown_any(wanted.arguments[name])}"


def _say_wrong(wanted: AcceptedCall, fault: ArgumentFault) -> str:
    return f"in {wanted.name}, {fault.why}"


def _say_extra(wanted: AcceptedCall, name: str, value: JsonValue) -> str:
    listed = ", ".join(wanted.arguments) or "no argument"
    return f"{wanted.name} was given {_name(name)}={shown(value)}, accepted: {listed}"


def _tools_part(calls: Sequence[ToolCall], wanted: Sequence[AcceptedCall]) -> float:
    """Calls with a wanted name, as multisets, over the larger of the two numbers of calls."""
    made = Counter(_underscored(call.name) for call in calls)
    common = made & Counter(_underscored(one.name) for one in wanted)
    return common.total() / max(len(calls), len(wanted), 1)


def _arguments_of_lonely(
    calls: Sequence[ToolCall], wanted: Sequence[AcceptedCall], pairs: Sequence[tuple[int, int]]
) -> int:
    """Number of arguments given in calls without a partner, and wanted in those that nobody made."""
    rows, columns = {row for row, _ in pairs}, {column for _, column in pairs}
    given = sum(len(call.arguments) for at, call in enumerate(calls) if at not in rows)
    return given + sum(
        len(set(one.arguments) - set(one.optional)) for at, one in enumerate(wanted) if at not in columns
    )


def _arguments_part(chosen: Sequence[_Match], lonely: int, *, same_count: bool) -> float:
    """Right arguments over those wanted or given; without any argument, whether the calls are right."""
    total = lonely + sum(match.all for match in chosen)
    if not total:
        return float(same_count and all(match.named for match in chosen))
    return sum(match.right for match in chosen) / total


def _underscored(name: str) -> str:
    """The name as providers allow it: BFCL's names have dots."""
    return name.replace(".", "_")


def _name(name: str) -> str:
    """A name that a model made up, fit for a sentence."""
    return shown(name).strip('"') or "a call without a name"


def _counted(number: int) -> str:
    return "1 call" if number == 1 else f"{number} calls"


def _clause(error: str) -> str:
    text = plain_json(" ".join(error.split()))
    return str(text)[:300]
