"""Reads a reply as generously as can be defended: what a broken form hid, kept apart from what the model cannot do.

The verdict of a run never rests on this. It is the second number beside it: what the same reply would have been worth
had its form been right. Nothing is made up: values are only re-quoted, re-typed or unwrapped, and no tool is guessed.
"""

import ast
import json
import re
from collections.abc import Mapping

import orjson
from pydantic import JsonValue, ValidationError

from harness.records import Reply, Tool, ToolCall
from harness.toolcalling.decode import said
from harness.toolcalling.shape import decline_name

__all__ = ["repaired_calls", "repaired_json"]

_MOST_CHARS = 20_000
_FENCE = re.compile(r"```[a-zA-Z]*\n?|```")
_NAME_KEYS = ("name", "tool", "function", "tool_name", "function_name", "action")
_ARGUMENT_KEYS = ("arguments", "parameters", "args", "input", "action_input", "kwargs")
_LIST_KEYS = ("calls", "tool_calls", "function_calls", "functions", "tools")
_WORDS: Mapping[str, bool] = {"true": True, "false": False}


def repaired_json(text: str) -> JsonValue:
    """The JSON value that a text most likely meant; None if there is no trace of one.

    By the library json-repair: open ends, quotes, commas, comments, fences and words around it. At most 20,000
    characters are read.
    """
    cut = _FENCE.sub("", text[:_MOST_CHARS])
    start = min((at for at in (cut.find("{"), cut.find("[")) if at >= 0), default=-1)
    if start < 0:
        return None
    from json_repair import loads  # 20 ms to load, and needed for misses only

    try:
        value: JsonValue = orjson.loads(orjson.dumps(loads(cut[start:])))
    except (ValueError, TypeError, RecursionError):
        return None
    return None if value == "" else value


def repaired_calls(reply: Reply, tools: tuple[Tool, ...]) -> tuple[ToolCall, ...] | None:
    """The calls that a reply most likely meant, in order; None if no trace of a call is in it.

    Read are: native calls whose arguments are broken JSON; JSON anywhere in the text, under the names that other
    formats have for a call's parts; Python calls of offered tools (`f(a=1)`). Arguments given as JSON text become
    objects, and texts become the numbers and truth values that the tool's schema declares.
    """
    known = {tool.name: tool for tool in tools}
    found: list[ToolCall] = []
    if reply.tool_calls:
        for raw in reply.tool_calls:
            arguments = repaired_json(raw.arguments) if raw.arguments.strip() else {}
            found += _call(raw.name, arguments, known)
        return tuple(found) or None
    text = said(reply.content)
    found = _from_json(repaired_json(text), known, decline_name(tools)) or _from_python(text, known)
    return tuple(found) or None


def _from_json(value: JsonValue, known: Mapping[str, Tool], decline: str, depth: int = 0) -> list[ToolCall]:
    if depth > 4:
        return []
    if isinstance(value, list):
        return [call for one in value for call in _from_json(one, known, decline, depth + 1)]
    if not isinstance(value, dict):
        return []
    for key in _LIST_KEYS:
        if isinstance(inner := value.get(key), list):
            return _from_json(inner, known, decline, depth + 1)
    name = next((value[key] for key in _NAME_KEYS if isinstance(value.get(key), str)), None)
    if name is None and isinstance(inner := value.get("function"), dict):
        return _from_json(inner, known, decline, depth + 1)
    if isinstance(name, str) and name != decline:
        arguments = next((value[key] for key in _ARGUMENT_KEYS if key in value), None)
        if arguments is None:
            arguments = {key: one for key, one in value.items() if key not in {*_NAME_KEYS, "id", "type"}}
        return _call(name, arguments, known)
    if len(value) == 1 and (only := next(iter(value))) in known:  # {"get_weather": {"city": "Oslo"}}
        return _call(only, value[only], known)
    return []


def _from_python(text: str, known: Mapping[str, Tool]) -> list[ToolCall]:
    """Calls written as Python, each on offered names only, with literal arguments."""
    found: list[ToolCall] = []
    for name, tool in known.items():
        position = 0
        while (start := text.find(f"{name}(", position)) >= 0:
            position = start + 1
            if start and (text[start - 1].isalnum() or text[start - 1] == "_"):
                continue
            call = _python_call(text[start : start + 2_000], tool)
            found += [call] if call else []
    return found


def _python_call(text: str, tool: Tool) -> ToolCall | None:
    end = text.find(")")
    while end >= 0:
        try:
            parsed = ast.parse(text[: end + 1], mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            end = text.find(")", end + 1)
            continue
        return _literal_call(parsed, tool)
    return None


def _literal_call(parsed: ast.expr, tool: Tool) -> ToolCall | None:
    if not isinstance(parsed, ast.Call):
        return None
    properties = tool.parameters.get("properties")
    names = list(properties) if isinstance(properties, dict) else []
    try:
        arguments = dict(zip(names, (ast.literal_eval(one) for one in parsed.args), strict=False))
        arguments |= {one.arg: ast.literal_eval(one.value) for one in parsed.keywords if one.arg}
        made = orjson.loads(orjson.dumps(arguments))
    except (ValueError, TypeError, RecursionError, MemoryError):
        return None
    calls = _call(tool.name, made, {tool.name: tool})
    return calls[0] if calls else None


def _call(name: str, arguments: JsonValue, known: Mapping[str, Tool]) -> list[ToolCall]:
    if isinstance(arguments, str):
        arguments = repaired_json(arguments)
    if not isinstance(arguments, dict):
        return []
    tool = known.get(name)
    properties = tool.parameters.get("properties") if tool else None
    typed = (
        {key: _typed(value, properties.get(key)) for key, value in arguments.items()}
        if isinstance(properties, dict)
        else arguments
    )
    try:
        json.dumps([name, typed], ensure_ascii=False).encode()
        return [ToolCall(name=name, arguments=typed)]
    except (UnicodeEncodeError, ValueError, RecursionError, ValidationError):
        return []


def _typed(value: JsonValue, schema: JsonValue) -> JsonValue:
    """A text as the number or truth value that its schema declares; anything else as it is."""
    if not isinstance(schema, dict) or not isinstance(value, str):
        return value
    declared, text = schema.get("type"), value.strip()
    if declared == "boolean":
        return _WORDS.get(text.lower(), value)
    if declared in {"integer", "number"} and re.fullmatch(r"[+-]?\d{1,18}(\.\d{1,18})?", text):
        whole = "." not in text
        return int(text) if whole else value if declared == "integer" else float(text)
    if declared in {"array", "object"} and text[:1] in {"[", "{"}:
        inner = repaired_json(text)
        return inner if isinstance(inner, list | dict) else value
    return value
