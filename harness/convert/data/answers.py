"""Which answer of a sample is learned, and how it is written so that the protocol's reader finds it right."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from harness.records import Protocol, RawToolCall, ReplayTarget, Reply, Sample, TextTarget, ToolCall, ToolTarget
from harness.scorers.gold import gold_calls
from harness.suite.examples import ANSWERABLE, NO_TOOL_FITS
from harness.toolcalling.prompt import answer_text
from harness.toolcalling.shape import decline_name

__all__ = ["Answer", "Unfit", "answer_on_record", "message_of", "reply_of"]

_SOURCES = {"human": "human", "outcome-verified": "outcome_verified", "incumbent": "incumbent"}


class Unfit(Exception):  # a reason to leave a sample out, no error
    """Why a sample makes no row; the message is a clause that is counted."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is to be learned: calls, or words, or neither where nothing is to be called."""

    calls: tuple[ToolCall, ...]
    text: str | None
    source: str


def answer_on_record(sample: Sample, label: str) -> Answer | None:
    """The answer that a sample has by one label; None where it has none by it.

    Raises Unfit for a sample that no single reply answers.
    """
    target = sample.target
    if isinstance(target, ReplayTarget):
        found = [one for one in target.references if one.label == label]
        if not found:
            return None
        best = max(found, key=lambda one: one.count)  # the first of equals
        return Answer(best.calls, best.text, _SOURCES[label])
    if target.kind in {"agent", "trajectory"}:
        raise Unfit("a whole task in steps: build a suite of calls")
    if label != "suite":
        return None
    if isinstance(target, ToolTarget):
        if target.expect == "any_call":
            return None
        return Answer(gold_calls(target), None, "suite")
    if isinstance(target, TextTarget) and target.match in ANSWERABLE and target.accepted:
        return Answer((), target.accepted[0], "suite")
    if isinstance(target, TextTarget) and target.example:
        return Answer((), target.example, "suite")
    return None


def message_of(answer: Answer, sample: Sample, protocol: Protocol, *, say: bool) -> dict[str, JsonValue]:
    """The assistant's message that is learned, in the OpenAI shape.

    say: under `prompted`, words stay words where tools are offered; else they are written as declining by name, which
    is what the prompt asks for. Raises Unfit where the protocol has no way to say it.
    """
    if answer.calls and not sample.tools:
        raise Unfit("its answer calls a tool, and none is offered")
    if not sample.tools:
        return {"role": "assistant", "content": _words(answer)}
    if protocol == "native":
        return _native(answer)
    if answer.calls or not (say and protocol == "prompted" and answer.text):
        return {"role": "assistant", "content": answer_text(answer.calls, decline_name(sample.tools))}
    return {"role": "assistant", "content": answer.text}


def _words(answer: Answer) -> str:
    if not (answer.text or "").strip():
        raise Unfit("its answer says nothing")
    return answer.text or ""


def _native(answer: Answer) -> dict[str, JsonValue]:
    if not answer.calls:
        return {"role": "assistant", "content": answer.text or NO_TOOL_FITS}
    calls: list[JsonValue] = [_native_call(call, number) for number, call in enumerate(answer.calls)]
    return {"role": "assistant", "content": answer.text, "tool_calls": calls}


def _native_call(call: ToolCall, number: int) -> JsonValue:
    """A call with an id of its place: those of the log are drawn at random, and nothing is to be learned from them."""
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    return {"id": f"call_{number}", "type": "function", "function": {"name": call.name, "arguments": arguments}}


def reply_of(message: dict[str, JsonValue]) -> Reply:
    """The reply that a model which says exactly this is read as."""
    content, calls = message.get("content"), message.get("tool_calls")
    raw = tuple(_raw(one) for one in calls) if isinstance(calls, Sequence) and not isinstance(calls, str) else ()
    return Reply(
        content=content if isinstance(content, str) else None,
        tool_calls=raw,
        finish_reason="tool_calls" if raw else "stop",
    )


def _raw(call: JsonValue) -> RawToolCall:
    assert isinstance(call, dict)
    function = call["function"]
    assert isinstance(function, dict)
    return RawToolCall(name=str(function["name"]), arguments=str(function["arguments"]), id=str(call["id"]))
