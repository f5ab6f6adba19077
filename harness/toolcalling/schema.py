"""The JSON Schema that holds a constrained reply to the offered tools, in keywords that every grammar compiler knows.

Kept: names, keys, which keys are required, types, enums. Left out: ranges, lengths, patterns, formats and defaults. The
grammar takes the *form* off the model's hands; which value is right stays its own work, and a compiler that meets a
keyword it cannot turn into a grammar answers 400, which would cost the sample. Strings, numbers and lists have no upper
bound: a model that runs on is stopped by `generation.max_tokens` and shows as `length`, not as a wrong value.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from pydantic import JsonValue

from harness.records import Tool
from harness.toolcalling.shape import MAX_CALLS, decline_name

__all__ = ["argument_schema", "calls_schema", "json_type"]

JsonObject: TypeAlias = dict[str, JsonValue]

_DEEPEST = 8
"""Levels of a parameter's schema that are followed, references included; below, any value passes."""
_TYPES: Mapping[str, str] = {
    **{name: name for name in ("string", "integer", "number", "boolean", "array", "object", "null")},
    **{"str": "string", "char": "string", "int": "integer", "long": "integer", "float": "number", "double": "number"},
    **{"bool": "boolean", "list": "array", "tuple": "array", "arraylist": "array"},
    **{"dict": "object", "hashmap": "object"},
}
"""JSON Schema's types, and the names that data sets write in their place."""


def json_type(name: JsonValue) -> str | None:
    """JSON Schema's name of a type, or None where any value passes.

    >>> json_type("dict"), json_type("Boolean"), json_type("any")
    ('object', 'boolean', None)
    """
    return _TYPES.get(name.lower()) if isinstance(name, str) else None


def calls_schema(tools: Sequence[Tool], max_calls: int = MAX_CALLS) -> JsonObject:
    """The schema of an answer: one call, or `calls` with two to `max_calls` of them, or declining by name."""
    calls: list[JsonValue] = [
        _closed({"name": {"type": "string", "enum": [tool.name]}, "arguments": argument_schema(tool.parameters)})
        for tool in tools
    ]
    decline: JsonObject = _closed({"name": {"type": "string", "enum": [decline_name(tools)]}})
    if not calls:
        return decline
    one: JsonValue = {"anyOf": calls} if len(calls) > 1 else calls[0]
    several: JsonObject = {"type": "array", "items": one, "minItems": 2, "maxItems": max_calls}
    return {"anyOf": [*calls, decline, _closed({"calls": several})]}


def argument_schema(parameters: JsonObject) -> JsonObject:
    """The schema of a tool's `arguments`, required keys first: llama.cpp's grammar asks for them in that order."""
    properties = parameters.get("properties")
    if not isinstance(properties, dict) or not properties:
        return _closed({})
    return _object(parameters, _Root(parameters), 0)


class _Root:
    """Looks up the references of one tool's schema."""

    def __init__(self, schema: JsonObject) -> None:
        self._schema = schema

    def find(self, reference: JsonValue) -> JsonValue:
        """What a reference within the schema points to; None if there is no such place."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            return None
        place: JsonValue = self._schema
        for part in reference[1:].split("/")[1:]:
            place = place.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(place, dict) else None
        return place


def _closed(properties: JsonObject, required: Iterable[str] | None = None) -> JsonObject:
    names: list[JsonValue] = [*(properties if required is None else required)]
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}


def _value(schema: JsonValue, root: _Root, depth: int) -> JsonObject:
    """The schema of one value; empty where any value passes.

    A default that the declared type or enum refuses passes too: tools write null, or "dontcare", for "not given".
    """
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return {}
    declared = _declared(schema, root, depth)
    if "default" not in schema or not declared or _takes(declared, schema["default"]):
        return declared
    default: JsonObject = {"type": "null"} if schema["default"] is None else {"enum": [schema["default"]]}
    return _any_of([declared, default])


def _takes(schema: JsonObject, value: JsonValue) -> bool:
    """Whether a value has the type of a schema and stands in its enum; what is inside lists and objects is not read."""
    if isinstance(choices := schema.get("anyOf"), list):
        return any(isinstance(choice, dict) and _takes(choice, value) for choice in choices)
    kind, enum = schema.get("type"), schema.get("enum")
    if isinstance(enum, list) and json.dumps(value) not in {json.dumps(one) for one in enum}:
        return False
    return _fits(value, kind if isinstance(kind, str) else None)


def _declared(schema: JsonObject, root: _Root, depth: int) -> JsonObject:
    if "$ref" in schema:
        return _value(root.find(schema["$ref"]), root, depth + 1)
    if "const" in schema:
        return {"enum": [schema["const"]]}
    for key in ("anyOf", "oneOf"):
        if isinstance(choices := schema.get(key), list) and choices:
            return _any_of([_value(choice, root, depth + 1) for choice in choices])
    if isinstance(parts := schema.get("allOf"), list):
        return _value(parts[0], root, depth + 1) if len(parts) == 1 else {}
    declared = schema.get("type")
    names = declared if isinstance(declared, list) else [declared]
    if schema.get("nullable") is True:
        names = [*names, "null"]
    return _any_of([_typed(schema, json_type(name), root, depth) for name in names])


def _any_of(choices: list[JsonObject]) -> JsonObject:
    if not choices or {} in choices:
        return {}
    flat: list[JsonValue] = []
    for choice in choices:
        inner = choice.get("anyOf")
        flat += inner if isinstance(inner, list) else [choice]
    distinct = list({json.dumps(choice, sort_keys=True): choice for choice in flat}.values())
    only = distinct[0]
    return only if len(distinct) == 1 and isinstance(only, dict) else {"anyOf": distinct}


def _typed(schema: JsonObject, kind: str | None, root: _Root, depth: int) -> JsonObject:
    enum = schema.get("enum")
    if kind != "array" and isinstance(enum, list) and (fitting := [one for one in enum if _fits(one, kind)]):
        return {"type": kind, "enum": _distinct(fitting)} if kind else {"enum": _distinct(fitting)}
    if kind == "object":
        return _object(schema, root, depth)
    if kind == "array":
        return _array(schema, root, depth)
    return {"type": kind} if kind else {}


def _object(schema: JsonObject, root: _Root, depth: int) -> JsonObject:
    properties = schema.get("properties")
    if not isinstance(properties, dict) or not properties:
        values = _value(schema.get("additionalProperties"), root, depth + 1)
        return {"type": "object", "additionalProperties": values} if values else {"type": "object"}
    wanted = schema.get("required")
    required = [name for name in properties if isinstance(wanted, list) and name in wanted]
    order = [*required, *(name for name in properties if name not in required)]
    return _closed({name: _value(properties[name], root, depth + 1) for name in order}, required)


def _array(schema: JsonObject, root: _Root, depth: int) -> JsonObject:
    """An enum on a list is read as its items' (BFCL writes it so)."""
    given = schema.get("items")
    items = _value(given, root, depth + 1)
    enum = schema.get("enum")
    if isinstance(enum, list) and "enum" not in items and "anyOf" not in items:
        kind = items.get("type")
        fitting = [one for one in enum if _fits(one, kind if isinstance(kind, str) else None)]
        if fitting and not any(isinstance(one, list) for one in fitting):
            items = {**items, "enum": _distinct(fitting)}
    return {"type": "array", "items": items} if items else {"type": "array"}


def _fits(value: JsonValue, kind: str | None) -> bool:
    """Whether an enum's value has the type that stands beside it; some data sets write "true" beside boolean."""
    if kind in {"integer", "number"}:
        return not isinstance(value, bool) and isinstance(value, int if kind == "integer" else int | float)
    kinds: Mapping[str, type] = {"string": str, "boolean": bool, "array": list, "object": dict}
    return kind is None or (value is None if kind == "null" else isinstance(value, kinds[kind]))


def _distinct(values: list[JsonValue]) -> list[JsonValue]:
    return list({json.dumps(value, sort_keys=True): value for value in values}.values())
