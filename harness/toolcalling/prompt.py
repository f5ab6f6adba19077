"""The text that tells a model of its tools and how to call them, for the protocols `prompted` and `constrained`.

Both get the same text, so that what lies between their scores is the grammar alone.

The default is the shorter prompt, since accuracy did not tell them apart. SmolLM2 135M, two draws of 24 BFCL samples
(the first with several calls as a bare list): signatures and JSON Schema 6 exact calls each of 36, signatures with 17
to 20 % fewer prompt tokens. Gemma 3 270M (base), two draws of 12: 2 and 1 exact of 18; with JSON Schema, whose
`{"name"` it continues, it found more of the right names (13 of 18 against 8) and ran on less often (1 of 24 against
5), but never declined (0 of 6 against 2). Three examples made Gemma's prompts 42 % longer and no call more exact on
either model, so there are none by default.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from harness.errors import ConfigError
from harness.records import Tool, ToolCall
from harness.toolcalling.schema import json_type
from harness.toolcalling.shape import decline_name

__all__ = ["EXAMPLES", "PromptOptions", "answer_text", "instructions"]

EXAMPLES: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("How warm is it in Oslo?", (("get_weather", "Oslo"),)),
    ("Compare the weather in Lima and Quito.", (("get_weather", "Lima"), ("get_weather", "Quito"))),
    ("Book a table for two.", ()),
)
"""Requests with the cities they ask the weather of: one call, two calls, none that fits."""


@dataclass(frozen=True, slots=True)
class PromptOptions:
    """How tools are written into a prompt. Raises ConfigError for more examples than there are."""

    style: Literal["signature", "json"] = "signature"
    """`signature`: `name(parameter: type, optional?: type)` with a line for each parameter. `json`: JSON Schema."""
    examples: int = 0
    """How many of EXAMPLES stand before the tools."""

    def __post_init__(self) -> None:
        if not 0 <= self.examples <= len(EXAMPLES):
            allowed = f"0 to {len(EXAMPLES)} are allowed"
            raise ConfigError(f"model.prompt.examples={self.examples}: {allowed}; type model.prompt.examples=0")


def instructions(tools: Sequence[Tool], options: PromptOptions) -> str:
    """What a model is told: how to call one tool, several, none; examples if wanted; the tools."""
    decline = decline_name(tools)
    lines = [
        "You answer by calling functions. Reply with one JSON object and nothing else.",
        'To call a function: {"name": "function name", "arguments": {"parameter": value}}',
        'If several calls are needed: {"calls": [{"name": ..., "arguments": ...}, {"name": ..., "arguments": ...}]}',
        f"If none of the functions can do what is asked: {answer_text((), decline)}",
        "",
    ]
    if options.examples:
        lines.append("Examples, with a function get_weather(city: string):")
        for request, cities in EXAMPLES[: options.examples]:
            calls = tuple(ToolCall(name=name, arguments={"city": city}) for name, city in cities)
            lines += [f"Request: {request}", f"Reply: {answer_text(calls, decline)}"]
        lines.append("")
    write = _signature if options.style == "signature" else _as_json
    return "\n".join([*lines, "Functions:", *(write(tool) for tool in tools)])


def answer_text(calls: Sequence[ToolCall], decline: str) -> str:
    """The answer that makes these calls, as the instructions ask for it.

    >>> answer_text((), "no_call")
    '{"name": "no_call"}'
    """
    written: list[JsonValue] = [{"name": call.name, "arguments": call.arguments} for call in calls]
    answer = {"name": decline} if not written else written[0] if len(written) == 1 else {"calls": written}
    return json.dumps(answer, ensure_ascii=False)


def _as_json(tool: Tool) -> str:
    shown = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":"))


def _signature(tool: Tool) -> str:
    properties = tool.parameters.get("properties")
    named = properties if isinstance(properties, dict) else {}
    lines = [f"{tool.name}({_fields(tool.parameters)}): {tool.description}".rstrip(": ")]
    for name, schema in named.items():
        if note := _note(schema):
            lines.append(f"  {name}: {note}")
    return "\n".join(lines)


def _fields(schema: dict[str, JsonValue]) -> str:
    """`a: type, b?: type`, required ones first, as the grammar asks for them."""
    properties, wanted = schema.get("properties"), schema.get("required")
    if not isinstance(properties, dict):
        return ""
    required = [name for name in properties if isinstance(wanted, list) and name in wanted]
    optional = [name for name in properties if name not in required]
    marked = [(name, name) for name in required] + [(name, f"{name}?") for name in optional]
    return ", ".join(f"{shown}: {_type(properties[name])}" for name, shown in marked)


def _type(schema: JsonValue) -> str:
    if not isinstance(schema, dict):
        return "any"
    kind, enum = json_type(schema.get("type")), schema.get("enum")
    if isinstance(enum, list) and enum and kind != "array":
        return " | ".join(json.dumps(one, ensure_ascii=False) for one in enum)
    if kind == "array":
        item = _type({**schema, "type": None}) if isinstance(enum, list) and enum else _type(schema.get("items"))
        return f"({item})[]" if " | " in item else f"{item}[]"
    if kind == "object" and schema.get("properties"):
        return f"{{{_fields(schema)}}}"
    return kind or _choices(schema) or "any"


def _choices(schema: dict[str, JsonValue]) -> str:
    declared = schema.get("type")
    if isinstance(declared, list):
        return " | ".join(json_type(name) or "any" for name in declared)
    for key in ("anyOf", "oneOf"):
        if isinstance(choices := schema.get(key), list):
            return " | ".join(_type(choice) for choice in choices)
    return ""


def _note(schema: JsonValue) -> str:
    """What is said of a parameter: its description, its default, and the descriptions of what is inside it."""
    if not isinstance(schema, dict):
        return ""
    said = schema.get("description")
    parts = [" ".join(said.split())] if isinstance(said, str) and said.strip() else []
    if "default" in schema:
        parts.append(f"Default: {json.dumps(schema['default'], ensure_ascii=False)}.")
    inner = schema
    while isinstance(items := inner.get("items"), dict):
        inner = items
    properties = inner.get("properties")
    if isinstance(properties, dict):
        parts += [f"{name}: {note}" for name, one in properties.items() if (note := _note(one))]
    return " ".join(parts)
