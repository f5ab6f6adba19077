"""What a chat completion asks of the engine `transformers`: read and checked before anything is computed. No torch."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Ask", "RefusalError", "ask_of"]

_KNOWN = {
    "model", "messages", "tools", "tool_choice", "response_format", "max_tokens", "max_completion_tokens",
    "temperature", "top_p", "top_k", "min_p", "repeat_penalty", "repetition_penalty", "stop", "seed", "stream",
    "stream_options", "ignore_eos", "chat_template_kwargs", "reasoning_effort",
}  # fmt: skip
_INERT = {"n": 1, "logprobs": False, "frequency_penalty": 0, "presence_penalty": 0, "logit_bias": {}, "user": None}
"""Fields that are taken at the value which asks for nothing."""


class RefusalError(Exception):
    """A request that is answered with a status and words."""

    def __init__(self, status: int, message: str, code: str) -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, checked."""

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None
    template_options: dict[str, Any]
    schema: str | None
    """JSON Schema that the reply is held to, as JSON."""
    stops: tuple[str, ...]
    max_tokens: int | None
    temperature: float
    top_p: float
    top_k: int
    min_p: float
    repeat_penalty: float
    seed: int | None
    ignore_end: bool
    stream: bool


def ask_of(body: object) -> Ask:
    """The request in a JSON body. Raises RefusalError for what this engine does not do, rather than leaving it out."""
    if not isinstance(body, dict):
        raise _bad("the body is no JSON object")
    for name in body.keys() - _KNOWN:
        if name not in _INERT or body[name] not in (_INERT[name], None):
            raise RefusalError(400, f"unrecognized request argument: {name}", "unsupported_parameter")
    penalty = "repeat_penalty" if "repeat_penalty" in body else "repetition_penalty"
    most = "max_tokens" if body.get("max_tokens") is not None else "max_completion_tokens"
    options = body.get("chat_template_kwargs") or {}
    if not isinstance(options, dict):
        raise _bad("chat_template_kwargs is no object")
    if body.get("reasoning_effort") is not None:
        options = {**options, "reasoning_effort": body["reasoning_effort"]}
    return Ask(
        messages=_messages(body.get("messages")),
        tools=_tools(body),
        template_options=options,
        schema=_schema(body.get("response_format")),
        stops=_stops(body.get("stop")),
        max_tokens=None if body.get(most) is None else int(_number(body, most, 0, least=1)),
        temperature=_number(body, "temperature", 1.0),
        top_p=_number(body, "top_p", 1.0, most=1.0),
        top_k=int(_number(body, "top_k", 0)),
        min_p=_number(body, "min_p", 0.0, most=1.0),
        repeat_penalty=_number(body, penalty, 1.0, least=1e-3),
        seed=None if body.get("seed") is None else int(_number(body, "seed", 0, least=-(2.0**63))),
        ignore_end=bool(body.get("ignore_eos")),
        stream=bool(body.get("stream")),
    )


def _bad(message: str) -> RefusalError:
    return RefusalError(400, message, "invalid_request_error")


def _number(
    body: Mapping[str, Any], name: str, default: float, *, least: float = 0.0, most: float = float("inf")
) -> float:
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise _bad(f"{name}={value!r} is no number from {least:g} to {most:g}")
    return value


def _messages(given: object) -> list[dict[str, Any]]:
    """The messages as chat templates want them: text rather than parts or null, arguments as objects."""
    if not isinstance(given, list) or not given or not all(isinstance(one, dict) and "role" in one for one in given):
        raise _bad("messages is no list of at least one message with a role")
    return [_message(one) for one in given]


def _message(one: dict[str, Any]) -> dict[str, Any]:
    content = one.get("content")
    if isinstance(content, list):
        if any(not isinstance(part, dict) or part.get("type") != "text" for part in content):
            raise RefusalError(400, "content parts other than text are not supported (param content)", "unsupported")
        content = "".join(str(part.get("text", "")) for part in content)
    shown = {**one, "content": content if content is not None else ""}
    if one.get("tool_calls"):
        shown["tool_calls"] = [_call(call) for call in one["tool_calls"]]
    return shown


def _call(call: Any) -> Any:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("arguments"), str):
        return call
    try:
        arguments = json.loads(function["arguments"])
    except ValueError:
        return call
    return {**call, "function": {**function, "arguments": arguments}}


def _tools(body: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    tools, choice = body.get("tools") or None, body.get("tool_choice")
    if choice not in (None, "auto", "none"):
        raise RefusalError(400, f"unsupported value tool_choice={choice!r}: auto or none", "unsupported_value")
    return None if choice == "none" else tools


def _schema(wanted: Any) -> str | None:
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if wanted is None or kind == "text":
        return None
    if kind == "json_object":
        return '{"type": "object"}'
    schema = wanted.get("json_schema") if isinstance(wanted, dict) else None
    if kind == "json_schema" and isinstance(schema, dict) and isinstance(schema.get("schema"), dict):
        return json.dumps(schema["schema"])
    raise RefusalError(400, f"unsupported value response_format type {kind!r}", "unsupported_value")


def _stops(given: Any) -> tuple[str, ...]:
    stops = [given] if isinstance(given, str) else list(given or ())
    if not all(isinstance(one, str) for one in stops):
        raise _bad("stop is no text or list of texts")
    return tuple(one for one in stops if one)
