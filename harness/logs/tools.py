"""Tools in the normal form of `LogRecord`, from the dialects that logs are written in."""

from collections.abc import Mapping
from typing import Any

from harness.logs.pick import Unreadable, inner, kind
from harness.records.logs import Payload

__all__ = ["OF_PROVIDER", "tool_choice", "tools_of"]

OF_PROVIDER = "provider_tools"
"""Parameter that holds the tools which a provider runs itself (web search, code interpreter, …), as logged."""
_SCHEMAS = (
    "parameters",
    "input_schema",
    "inputSchema",
    "json_schema",
    "parametersJsonSchema",
    "parameters_json_schema",
)


def tools_of(logged: object) -> tuple[tuple[Payload, ...], list[Any]]:
    """The functions of a tool list in normal form, and the tools of the provider's own as logged."""
    logged = inner(logged)
    if logged is None or logged == "":
        return (), []
    if isinstance(logged, Mapping):
        logged = [{"name": name, **tool} for name, tool in logged.items() if isinstance(tool, Mapping)]
    if not isinstance(logged, list):
        raise Unreadable(f"tools is {kind(logged)}, not a list")
    functions: list[Payload] = []
    others: list[Any] = []
    for raw in logged:
        tool = inner(raw)
        if not isinstance(tool, Mapping):
            raise Unreadable(f"a tool is {kind(tool)}")
        declared = tool.get("function_declarations") or tool.get("functionDeclarations")
        if isinstance(declared, list):
            functions += [_function(one) for one in declared if isinstance(one, Mapping)]
        elif _is_function(tool):
            functions.append(_function(tool))
        else:
            others.append(tool)
    return tuple(functions), others


def tool_choice(logged: object) -> object:
    """A tool choice as the OpenAI protocol writes it."""
    if not isinstance(logged, Mapping):
        return {"any": "required", "ANY": "required", "AUTO": "auto", "NONE": "none"}.get(str(logged), logged)
    what, name = logged.get("type"), logged.get("name")
    if what in ("auto", "none", "any") and name is None:
        return "required" if what == "any" else what
    if what in ("tool", "function") and isinstance(name, str):
        return {"type": "function", "function": {"name": name}}
    return logged


def _is_function(tool: Mapping[str, Any]) -> bool:
    what = tool.get("type")
    if isinstance(tool.get("function"), Mapping | str):
        return True
    return isinstance(tool.get("name"), str) and (
        what in (None, "function", "custom", "object") or "input_schema" in tool
    )


def _function(tool: Mapping[str, Any]) -> Payload:
    inside = inner(tool.get("function"))
    data = inside if isinstance(inside, Mapping) else tool
    name = data.get("name")
    if not isinstance(name, str):
        raise Unreadable("a tool has no name")
    out: Payload = {"name": name}
    if isinstance(told := data.get("description"), str) and told:
        out["description"] = told
    schema = next((inner(data[key]) for key in _SCHEMAS if data.get(key) is not None), None)
    if isinstance(schema, Mapping):
        out["parameters"] = schema
    elif schema is not None:
        raise Unreadable(f"the parameters of tool {name[:40]!r} are {kind(schema)}")
    if isinstance(strict := data.get("strict", tool.get("strict")), bool):
        out["strict"] = strict
    return out
