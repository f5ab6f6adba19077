"""A checker for the few JSON Schema keywords that harness.toolcalling.schema writes; refuses any other keyword."""

from typing import Any

__all__ = ["accepts", "keywords"]

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
_KNOWN = {"type", "enum", "properties", "required", "additionalProperties", "items", "minItems", "maxItems", "anyOf"}


def keywords(schema: Any) -> set[str]:
    """All keywords that a schema uses, at any depth."""
    if not isinstance(schema, dict):
        return set()
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", ())]
    inner += [schema.get("items"), schema.get("additionalProperties")]
    return set(schema).union(*(keywords(one) for one in inner))


def accepts(schema: Any, value: Any) -> bool:
    """Whether a value fits a schema. Raises AssertionError on a keyword that is not known here."""
    if isinstance(schema, bool):
        return schema
    assert set(schema) <= _KNOWN, set(schema) - _KNOWN
    if "anyOf" in schema and not any(accepts(one, value) for one in schema["anyOf"]):
        return False
    if "type" in schema and not _has_type(value, schema["type"]):
        return False
    if "enum" in schema and not any(type(one) is type(value) and one == value for one in schema["enum"]):
        return False
    if isinstance(value, dict):
        return _accepts_object(schema, value)
    if isinstance(value, list):
        enough = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        return enough and all(accepts(schema.get("items", {}), one) for one in value)
    return True


def _has_type(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, _TYPES[name])


def _accepts_object(schema: Any, value: dict[str, Any]) -> bool:
    properties = schema.get("properties", {})
    if any(name not in value for name in schema.get("required", ())):
        return False
    return all(
        accepts(properties.get(name, schema.get("additionalProperties", {})), one) for name, one in value.items()
    )
