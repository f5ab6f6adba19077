"""The shapes of a chat: messages, tools and calls, as the OpenAI protocol knows them."""

from typing import Literal

from pydantic import Field, JsonValue

from harness.records.base import Record

__all__ = ["Message", "Role", "Tool", "ToolCall"]

Role = Literal["system", "user", "assistant", "tool"]


def _no_parameters() -> dict[str, JsonValue]:
    return {"type": "object", "properties": {}}


class ToolCall(Record):
    """A decoded call: a tool's name with its arguments as a JSON object."""

    name: str
    arguments: dict[str, JsonValue]
    id: str | None = None


class Message(Record):
    """One chat message in the OpenAI shape, content as plain text."""

    role: Role
    content: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None


class Tool(Record):
    """A function that the model may call; `parameters` is a JSON Schema of type object."""

    name: str
    """Letters, digits, underscore and dash only: providers refuse the rest."""
    description: str = ""
    parameters: dict[str, JsonValue] = Field(default_factory=_no_parameters)
