"""What can be seen in a reply without knowing the right answer: the ground that a hybrid stands on."""

from functools import lru_cache
from typing import TYPE_CHECKING

import orjson
from pydantic import JsonValue

from harness.config import Signal
from harness.records import Attempt, Sample, Score, TextTarget, Tool, ToolCall
from harness.toolcalling.decode import Decoded, decode
from harness.toolcalling.schema import argument_schema

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

__all__ = ["FORM", "action_of", "has_form", "signal_of"]

FORM: frozenset[Signal] = frozenset({"no_reply", "cut_off", "unreadable", "unknown_tool", "schema"})
"""Signals that say that a reply has not the form that was asked for."""

_FROM_MISS: dict[str, Signal] = {"schema": "schema", "decode": "unreadable", "no_answer": "no_answer"}
"""Misses of scorers that are found without the target's answer."""


def has_form(sample: Sample) -> bool:
    """Whether a form is asked for that a reply can break: tools, or JSON."""
    wanted = sample.params.get("response_format")
    if isinstance(wanted, dict) and wanted.get("type") in {"json_object", "json_schema"}:
        return True
    return bool(sample.tools) or (isinstance(sample.target, TextTarget) and sample.target.match == "json")


def signal_of(sample: Sample, attempt: Attempt, score: Score) -> Signal | None:
    """The first sign that something is wrong with a reply; None where there is none.

    In this order: no reply by the model's own fault, cut off at the limit of tokens, unreadable, a tool that was not
    offered, arguments against the tool's schema, no answer found in the text, no call though tools were offered.
    """
    reply = attempt.reply
    if reply is None:
        return "no_reply"
    if attempt.steps:  # an agent's task: what it did in between was answered by its tools
        return None
    if reply.finish_reason == "length":
        return "cut_off"
    if not sample.tools:
        if has_form(sample) and reply.content and not isinstance(sample.target, TextTarget):
            return None if _is_json(reply.content) else "unreadable"
        if not (reply.content or reply.tool_calls):
            return "no_reply"
        return _FROM_MISS.get(score.miss or "")
    return _of_calls(decode(reply, attempt.protocol, sample.tools), sample.tools)


def _of_calls(decoded: Decoded, tools: tuple[Tool, ...]) -> Signal | None:
    if decoded.error is not None:
        return "unreadable"
    known = {tool.name: tool for tool in tools}
    if any(call.name not in known for call in decoded.calls):
        return "unknown_tool"
    if any(not _fits(call, known[call.name]) for call in decoded.calls):
        return "schema"
    return None if decoded.calls else "no_call"


def _fits(call: ToolCall, tool: Tool) -> bool:
    """Whether the arguments keep to the tool's schema: keys, required ones, types and enums, as a grammar holds them.

    A key that may be left out may also be null.
    """
    schema = argument_schema(tool.parameters)
    wanted = schema.get("required")
    required = wanted if isinstance(wanted, list) else []
    arguments = {name: value for name, value in call.arguments.items() if value is not None or name in required}
    return bool(_validator(orjson.dumps(schema)).is_valid(arguments))


@lru_cache(maxsize=4096)
def _validator(schema: bytes) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator  # a fifth of a second to import: only where calls are looked at

    return Draft202012Validator(orjson.loads(schema))


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def action_of(sample: Sample, attempt: Attempt, score: Score) -> str | None:
    """What a reply comes to, so that two that do the same are equal; None where it has no vote.

    Calls in any order; no call where tools were offered; else what the scorer read out of the text, or the text itself
    without case and extra space. A reply that cannot be read has no vote.
    """
    reply = attempt.reply
    if reply is None or attempt.steps:
        return None
    if sample.tools:
        decoded = decode(reply, attempt.protocol, sample.tools)
        if decoded.error is not None:
            return None
        calls = sorted(_canonical([call.name, call.arguments]) for call in decoded.calls)
        return "calls " + "\n".join(calls)
    if score.extracted is not None:
        return "answer " + _canonical(score.extracted)
    return "text " + " ".join((reply.content or "").casefold().split())


def _canonical(value: JsonValue) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
