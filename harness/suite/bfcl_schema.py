"""BFCL's function documents as tools with JSON Schema, and the types that JSON Schema cannot say."""

import json
import re
from collections.abc import Iterable, Mapping

from pydantic import JsonValue

from harness.errors import DataError
from harness.records import Language, Tool

__all__ = ["declared_types", "tool_names", "tool_of"]

_Object = Mapping[str, JsonValue]

_JSON_TYPES = {
    "dict": "object",
    "float": "number",
    "tuple": "array",
    "string": "string",
    "integer": "integer",
    "boolean": "boolean",
    "array": "array",
}
"""`any` and what is not listed get no type: every value is allowed."""

_KEPT = ("description", "default", "format", "maximum", "minItems", "maxItems")
"""Keywords that are taken over as they are; BFCL's own `optional` is none of JSON Schema's."""

_FITS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}

_SOURCE_NAMES: dict[Language, str] = {"python": "Python", "java": "Java", "javascript": "JavaScript"}


def tool_names(names: Iterable[str]) -> dict[str, str]:
    """Per name in the data the name that is offered: what providers refuse becomes `_`, and clashes get a number.

    >>> tool_names(["math.gcd", "math_gcd"])
    {'math.gcd': 'math_gcd_2', 'math_gcd': 'math_gcd'}
    """
    listed = list(dict.fromkeys(names))
    offered = {name: name for name in listed if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name)}
    taken = set(offered)
    for name in listed:
        if name in offered:
            continue
        plain = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64] or "_"
        candidate, number = plain, 2
        while candidate in taken:
            candidate, number = f"{plain[: 64 - len(str(number)) - 1]}_{number}", number + 1
        offered[name] = candidate
        taken.add(candidate)
    return {name: offered[name] for name in listed}


def tool_of(document: _Object, name: str, language: Language) -> Tool:
    """The function as it is offered to a model under the given name.

    Parameters of Java and JavaScript functions are strings that hold source text, as in the reference's handling of
    function-calling models (bfcl-eval 2026.3.23, `utils.py`); the wording of the hints is ours.
    """
    parameters = _object(document["parameters"], "parameters")
    schema = _python_schema(parameters) if language == "python" else _source_schema(parameters, language)
    said = str(document.get("description", ""))
    hint = {"python": "", "java": " The function is a Java 8 one.", "javascript": " The function is a JavaScript one."}
    return Tool(name=name, description=said + hint[language], parameters={**schema, "type": "object"})


def declared_types(document: _Object) -> dict[str, str]:
    """Per parameter the type as declared, with that of its elements: `array<float>`."""
    properties = _object(_object(document["parameters"], "parameters")["properties"], "properties")
    return {name: _declared(_object(one, name)) for name, one in properties.items()}


def _declared(node: _Object) -> str:
    items = node.get("items")
    inner = f"<{_object(items, 'items').get('type', '')}>" if items is not None else ""
    return f"{node.get('type', '')}{inner}"


def _python_schema(node: _Object) -> dict[str, JsonValue]:
    kind = _JSON_TYPES.get(str(node.get("type")))
    schema: dict[str, JsonValue] = {"type": kind} if kind else {}
    schema |= {key: node[key] for key in _KEPT if key in node}
    if "items" in node:
        schema["items"] = _python_schema(_object(node["items"], "items"))
    if "properties" in node:
        properties = _object(node["properties"], "properties")
        schema["properties"] = {name: _python_schema(_object(one, name)) for name, one in properties.items()}
        schema["required"] = _required(node, properties)
    _add_enum(schema, node.get("enum"))
    return schema


def _required(node: _Object, properties: _Object) -> JsonValue:
    """The required names that exist: one document requires some that it does not describe."""
    listed = node.get("required")
    return [name for name in listed if name in properties] if isinstance(listed, list) else []


def _add_enum(schema: dict[str, JsonValue], enum: JsonValue) -> None:
    """Adds the allowed values where they fit the type.

    Some documents list texts for a boolean or an integer, which nothing could satisfy: those are left out. For a list
    they describe its elements.
    """
    if not isinstance(enum, list) or not enum:
        return
    items = schema.get("items")
    if schema.get("type") == "array" and isinstance(items, dict):
        _add_enum(items, [one for one in enum if not isinstance(one, list)])
        return
    allowed = _FITS.get(str(schema.get("type")))
    fitting = [one for one in enum if allowed is None or type(one) in allowed]
    if fitting:
        schema["enum"] = fitting


def _source_schema(parameters: _Object, language: Language) -> dict[str, JsonValue]:
    properties = _object(parameters["properties"], "properties")
    offered: dict[str, JsonValue] = {}
    for name, one in properties.items():
        node = _object(one, name)
        schema: dict[str, JsonValue] = {"type": "string", "description": _source_description(node, language)}
        if "default" in node:
            schema["default"] = node["default"]
        _add_enum(schema, node.get("enum"))
        offered[name] = schema
    return {"properties": offered, "required": _required(parameters, properties)}


def _source_description(node: _Object, language: Language) -> str:
    kind, source = str(node.get("type", "any")), _SOURCE_NAMES[language]
    what = f"any {source} value" if kind == "any" else f"a {source} value of type {kind}"
    said = f"{str(node.get('description', '')).strip()} Given as a string that holds the source text of {what}."
    if "items" in node:
        said += f" Its elements are of type {_object(node['items'], 'items').get('type', 'any')}."
    if isinstance(node.get("properties"), dict):
        said += f" Its entries: {json.dumps(node['properties'], ensure_ascii=False)}"
    return said.strip()


def _object(value: JsonValue, what: str) -> dict[str, JsonValue]:
    if not isinstance(value, dict):
        raise DataError(f"{what} of a function document is {type(value).__name__}, it must be an object")
    return value
