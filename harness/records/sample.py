"""What is asked: messages, tools and the target that a reply is scored against."""

from typing import Literal

from pydantic import Field, JsonValue

from harness.records.base import Record

__all__ = ["AcceptedCall", "Language", "Message", "Role", "Sample", "Tool", "ToolCall", "ToolTarget"]

Role = Literal["system", "user", "assistant", "tool"]
Language = Literal["python", "java", "javascript"]


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


class AcceptedCall(Record):
    """A call that counts as right, with the values accepted for each argument."""

    name: str
    arguments: dict[str, tuple[JsonValue, ...]]
    """Accepted values per argument. An object among them, alone or in a list, holds per key the list of values
    accepted there, with `""` in that list where the key may be left out."""
    optional: tuple[str, ...] = ()
    """Arguments that may be left out, sorted."""


class ToolTarget(Record):
    """What the model should have done with the tools."""

    kind: Literal["tool_calls"] = "tool_calls"
    expect: Literal["calls", "no_call", "any_call"]
    """`calls`: exactly those of `calls`, in any order. `no_call`: none. `any_call`: at least one, whatever it is."""
    calls: tuple[AcceptedCall, ...] = ()
    language: Language = "python"
    """Whose literals string arguments hold: BFCL's Java and JavaScript categories pass values as source text."""
    types: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Per tool and parameter, the type as the data set declares it (`float`, `array<float>`, `HashMap`): finer than
    JSON Schema, which knows no difference between 1 and 1.0 and no Java."""


class Sample(Record):
    """One question of a suite with its target."""

    id: str
    category: str
    """Stratum or cluster that the sample belongs to."""
    session: str | None = None
    """Unit of dependence: samples of one session are not independent. None: a session of its own."""
    weight: float = Field(default=1.0, gt=0)
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    target: ToolTarget
    scorer: str
    arrival_s: float | None = None
    """When the logged call came, in seconds on the log's own clock; None where no log is behind the sample."""
    split: Literal["train", "calibration", "test"] = "test"
