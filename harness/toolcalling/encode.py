"""Puts a sample to a model by one of the three tool protocols."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from harness.records import Message, Protocol, Sample, TextTarget, Tool, ToolCall
from harness.toolcalling.prompt import PromptOptions, answer_text, instructions
from harness.toolcalling.schema import calls_schema
from harness.toolcalling.shape import decline_name
from harness.toolcalling.strict_json import NotJson, read
from harness.toolcalling.turns import with_turns

__all__ = ["ChatRequest", "PromptOptions", "answer_format", "encode"]

_JSON_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),  # before the numbers: to Python it is one
    (dict, "object"),
    (list, "array"),
    (str, "string"),
    (int, "number"),
    (float, "number"),
)


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """The fields of an OpenAI chat completion that a protocol decides; None is not sent."""

    messages: list[dict[str, JsonValue]]
    tools: list[dict[str, JsonValue]] | None = None
    tool_choice: JsonValue = None
    response_format: dict[str, JsonValue] | None = None


def encode(sample: Sample, protocol: Protocol, options: PromptOptions) -> ChatRequest:
    """The request that puts a sample's messages and tools to a model.

    native: the tools go to the server, which tells the model in its own way; the messages stay as they are.
    prompted: the tools stand in the system message, after the sample's own; calls and results of earlier turns become
      text in the form that is asked for, of a sample without tools too, since a template may have no place for them.
    constrained: the messages of `prompted`, and the schema of the answer as `response_format`: of a call where tools
      are offered, of the JSON that a text target with match `json` wants. Other answers have no grammar.
    """
    if sample.examples:
        sample = with_turns(sample, protocol)
    if not sample.tools:
        schema = answer_format(sample) if protocol == "constrained" else None
        acted = any(message.role == "tool" or message.tool_calls for message in sample.messages)
        shown = _prompted_messages if acted and protocol != "native" else _plain_messages
        return ChatRequest(messages=shown(sample, options), response_format=schema)
    if protocol == "native":
        tools = [_function(tool) for tool in sample.tools]
        return ChatRequest(messages=_native_messages(sample.messages), tools=tools, tool_choice="auto")
    messages = _prompted_messages(sample, options)
    if protocol == "prompted":
        return ChatRequest(messages=messages)
    return ChatRequest(messages=messages, response_format=_held_to("calls", calls_schema(sample.tools), strict=True))


def _held_to(name: str, schema: JsonValue, *, strict: bool) -> dict[str, JsonValue]:
    return {"type": "json_schema", "json_schema": {"name": name, "strict": strict, "schema": schema}}


def answer_format(sample: Sample) -> dict[str, JsonValue] | None:
    """The form of an answer in JSON, as `response_format`; None where none is wanted or tools are offered.

    The target's schema as it is, strictly. Without one any JSON of the accepted answers' types (an object, a list, …):
    their keys would tell the model a part of the answer. That schema cannot be closed, which services demand of a
    strict one, so it is not called strict; engines with a grammar hold to it all the same.
    """
    target = sample.target
    if sample.tools or not isinstance(target, TextTarget) or target.match != "json":
        return None
    if target.schema_:
        return _held_to("answer", target.schema_, strict=True)
    types = list(dict.fromkeys(filter(None, map(_json_type, target.accepted)))) or ["object"]
    choices: list[JsonValue] = [{"type": one} for one in types]
    return _held_to("answer", choices[0] if len(choices) == 1 else {"anyOf": choices}, strict=False)


def _json_type(text: str) -> str | None:
    """JSON Schema's name for the type of a JSON text; None where it is none, which its scorer complains of."""
    try:
        value = read(text)
    except NotJson:
        return None
    return next((name for kind, name in _JSON_TYPES if isinstance(value, kind)), "null")


def _function(tool: Tool) -> dict[str, JsonValue]:
    function: JsonValue = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def _native_messages(messages: Sequence[Message]) -> list[dict[str, JsonValue]]:
    """Messages in the OpenAI shape; calls without an id get one, and results take the ids in the order of the calls."""
    shown: list[dict[str, JsonValue]] = []
    open_ids: list[str] = []
    for turn, message in enumerate(messages):
        one: dict[str, JsonValue] = {"role": message.role, "content": message.content}
        if message.name is not None:
            one["name"] = message.name
        if message.tool_calls:
            ids = [call.id or f"call_{turn}_{index}" for index, call in enumerate(message.tool_calls)]
            one["tool_calls"] = [_native_call(call, of) for call, of in zip(message.tool_calls, ids, strict=True)]
            open_ids = ids
        if message.role == "tool":
            answered = message.tool_call_id or (open_ids[0] if open_ids else f"call_{turn}")
            open_ids = [identity for identity in open_ids if identity != answered]
            one["tool_call_id"] = answered
        shown.append(one)
    return shown


def _native_call(call: ToolCall, identity: str) -> dict[str, JsonValue]:
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    return {"id": identity, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _plain_messages(sample: Sample, _: PromptOptions) -> list[dict[str, JsonValue]]:
    return _native_messages(sample.messages)


def _prompted_messages(sample: Sample, options: PromptOptions) -> list[dict[str, JsonValue]]:
    rest = _with_names(sample.messages)
    told = instructions(sample.tools, options) if sample.tools else ""
    if rest and rest[0].role == "system":
        own = (rest.pop(0).content or "").strip()
        told = f"{own}\n\n{told}".strip() if own else told
    decline = decline_name(sample.tools)
    shown: list[dict[str, JsonValue]] = [{"role": "system", "content": told}] if told else []
    previous = ""
    for message in rest:
        if message.role == "tool" and previous == "tool":  # results of parallel calls are one turn: roles alternate
            shown[-1]["content"] = f"{shown[-1]['content']}\n{_result(message)}"
        elif message.role == "tool":
            shown.append({"role": "user", "content": _result(message)})
        else:
            shown.append({"role": message.role, "content": _said(message, decline)})
        previous = message.role
    return shown


def _with_names(messages: Sequence[Message]) -> list[Message]:
    """The messages, each result with the name of the tool where only the id of its call tells it."""
    names: dict[str, str] = {}
    told = []
    for message in messages:
        names |= {call.id: call.name for call in message.tool_calls if call.id is not None}
        name = names.get(message.tool_call_id or "") if message.role == "tool" and message.name is None else None
        told.append(message if name is None else message.model_copy(update={"name": name}))
    return told


def _said(message: Message, decline: str) -> str:
    said = (message.content or "").strip() if message.tool_calls else message.content or ""
    calls = answer_text(message.tool_calls, decline) if message.tool_calls else ""
    return f"{said}\n{calls}" if said and calls else said or calls


def _result(message: Message) -> str:
    return f"Result of {message.name or 'the call'}: {message.content or ''}"
