"""Puts a sample to a model by one of the three tool protocols."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from harness.records import Message, Protocol, Sample, Tool, ToolCall
from harness.toolcalling.prompt import PromptOptions, answer_text, instructions
from harness.toolcalling.schema import calls_schema
from harness.toolcalling.shape import decline_name

__all__ = ["ChatRequest", "PromptOptions", "encode"]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """The fields of an OpenAI chat completion that a protocol decides; None is not sent."""

    messages: list[dict[str, JsonValue]]
    tools: list[dict[str, JsonValue]] | None = None
    tool_choice: str | None = None
    response_format: dict[str, JsonValue] | None = None


def encode(sample: Sample, protocol: Protocol, options: PromptOptions) -> ChatRequest:
    """The request that puts a sample's messages and tools to a model.

    native: the tools go to the server, which tells the model in its own way; the messages stay as they are.
    prompted: the tools stand in the system message, after the sample's own; calls and results of earlier turns become
      text in the form that is asked for. A sample without tools keeps its messages.
    constrained: the messages of `prompted`, and the schema of the answer as `response_format`.
    """
    if not sample.tools:
        return ChatRequest(messages=_native_messages(sample.messages))
    if protocol == "native":
        tools = [_function(tool) for tool in sample.tools]
        return ChatRequest(messages=_native_messages(sample.messages), tools=tools, tool_choice="auto")
    messages = _prompted_messages(sample, options)
    if protocol == "prompted":
        return ChatRequest(messages=messages)
    schema: JsonValue = {"name": "calls", "strict": True, "schema": calls_schema(sample.tools)}
    return ChatRequest(messages=messages, response_format={"type": "json_schema", "json_schema": schema})


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


def _prompted_messages(sample: Sample, options: PromptOptions) -> list[dict[str, JsonValue]]:
    rest = list(sample.messages)
    told = instructions(sample.tools, options)
    if rest and rest[0].role == "system":
        own = (rest.pop(0).content or "").strip()
        told = f"{own}\n\n{told}" if own else told
    decline = decline_name(sample.tools)
    shown: list[dict[str, JsonValue]] = [{"role": "system", "content": told}]
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


def _said(message: Message, decline: str) -> str:
    said = (message.content or "").strip() if message.tool_calls else message.content or ""
    calls = answer_text(message.tool_calls, decline) if message.tool_calls else ""
    return f"{said}\n{calls}" if said and calls else said or calls


def _result(message: Message) -> str:
    return f"Result of {message.name or 'the call'}: {message.content or ''}"
