"""Calls that a target accepts, written as a model would write them."""

from collections.abc import Sequence

import orjson
from pydantic import JsonValue

from harness.records import AcceptedCall, Language, ToolCall, ToolTarget

__all__ = ["gold_calls"]

_JAVA_SUFFIX = {"long": "L", "float": "f"}


def gold_calls(target: ToolTarget) -> tuple[ToolCall, ...]:
    """One right call for each wanted one, with the first accepted value of every argument; empty if none is wanted.

    Arguments without an accepted value are left out. For Java and JavaScript the values are rendered as source text.
    """
    return tuple(_gold_call(one, target) for one in target.calls)


def _gold_call(wanted: AcceptedCall, target: ToolTarget) -> ToolCall:
    declared = target.types.get(wanted.name, {})
    arguments: dict[str, JsonValue] = {}
    for name, values in wanted.arguments.items():
        said = [one for one in values if one != ""] or list(values)
        if said:
            arguments[name] = _written(_chosen(said[0]), declared.get(name, ""), target.language)
    return ToolCall(name=wanted.name, arguments=arguments)


def _chosen(value: JsonValue) -> JsonValue:
    """An accepted value with one value picked for each key of the objects in it."""
    if isinstance(value, dict):
        picked = {key: _first(one) for key, one in value.items() if isinstance(one, list)}
        return {key: one for key, one in picked.items() if one != ""}
    if isinstance(value, list):
        return [_chosen(one) if isinstance(one, dict) else one for one in value]
    return value


def _first(values: Sequence[JsonValue]) -> JsonValue:
    return next((one for one in values if one != ""), "")


def _written(value: JsonValue, declared: str, language: Language) -> JsonValue:
    base, _, rest = declared.partition("<")
    if language == "python":
        return value
    if isinstance(value, str):
        return value
    if language == "java":
        return _java(value, base, rest.removesuffix(">"))
    return _plain(value) + ("n" if base == "Bigint" else "")


def _java(value: JsonValue, base: str, inner: str) -> str:
    if isinstance(value, dict):
        puts = " ".join(f"put({_plain(key)}, {_plain(one)});" for key, one in value.items())
        return f"new HashMap<String, Object>() {{{{ {puts} }}}}"
    if isinstance(value, list):
        items = ", ".join(_plain(one) + _JAVA_SUFFIX.get(inner, "") for one in value)
        if base == "Array":
            return f"new {inner}[] {{{items}}}"
        return f"new ArrayList<>(Arrays.asList({items}))" if value else "new ArrayList<>()"
    return _plain(value) + _JAVA_SUFFIX.get(base, "")


def _plain(value: JsonValue) -> str:
    return orjson.dumps(value).decode()
