"""What can be seen in a reply without knowing the right answer: for replies on record and for live ones alike."""

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import orjson
from pydantic import JsonValue

from harness.records import Protocol, Reply, Tool, ToolCall
from harness.records.signal import Signal
from harness.toolcalling.decode import Decoded, decode
from harness.toolcalling.schema import argument_schema

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

__all__ = ["action_in", "calls_signal", "json_signal", "wants_json"]


def wants_json(params: Mapping[str, JsonValue]) -> bool:
    """Whether a request asks for an answer in JSON."""
    wanted = params.get("response_format")
    return isinstance(wanted, dict) and wanted.get("type") in {"json_object", "json_schema"}


def calls_signal(decoded: Decoded, tools: tuple[Tool, ...]) -> Signal | None:
    """The first sign that something is wrong with a reply where tools were offered; None where there is none.

    In this order: unreadable, a tool that was not offered, arguments against the tool's schema, no call.
    """
    if decoded.error is not None:
        return "unreadable"
    known = {tool.name: tool for tool in tools}
    if any(call.name not in known for call in decoded.calls):
        return "unknown_tool"
    if any(not _fits(call, known[call.name]) for call in decoded.calls):
        return "schema"
    return None if decoded.calls else "no_call"


def json_signal(text: str, schema: JsonValue = None) -> Signal | None:
    """Whether a text is no JSON, or breaks the schema where one is given."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return "unreadable"
    if not isinstance(schema, dict) or _validator(orjson.dumps(schema)).is_valid(value):
        return None
    return "schema"


def action_in(reply: Reply, protocol: Protocol, tools: tuple[Tool, ...], extracted: JsonValue = None) -> str | None:
    """What a reply comes to, so that two that do the same are equal; None where it has no vote.

    Calls in any order; no call where tools were offered; else what a scorer read out of the text (`extracted`), or the
    text itself without case and extra space. A reply that cannot be read has no vote.
    """
    if tools:
        decoded = decode(reply, protocol, tools)
        if decoded.error is not None:
            return None
        calls = sorted(_canonical([call.name, call.arguments]) for call in decoded.calls)
        return "calls " + "\n".join(calls)
    if extracted is not None:
        return "answer " + _canonical(extracted)
    return "text " + " ".join((reply.content or "").casefold().split())


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


def _canonical(value: JsonValue) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
