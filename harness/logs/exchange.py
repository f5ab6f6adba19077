"""What was asked and what was answered, read from a request and a response of one of the providers' protocols."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.logs.pick import Unreadable, amount, count, first, inner, kind, mapping, text
from harness.records.attempt import Usage
from harness.records.logs import LogFailure, Payload

__all__ = ["Answered", "Api", "Asked", "api_of", "failed", "flawed", "params_of", "usage_of"]

Api = Literal["chat", "responses", "anthropic", "gemini"]
_OTHERS = {
    "embedding": "embedding call", "aembedding": "embedding call", "embeddings": "embedding call",
    "moderation": "moderation call", "amoderation": "moderation call", "moderations": "moderation call",
    "image_generation": "image call", "aimage_generation": "image call", "images": "image call",
    "transcription": "audio call", "atranscription": "audio call", "speech": "audio call", "aspeech": "audio call",
    "audio": "audio call", "rerank": "rerank call", "arerank": "rerank call",
}  # fmt: skip
_BLOCKS = (
    "tool_use", "tool_result", "thinking", "redacted_thinking", "server_tool_use", "document", "image",
    "container_upload",
    "mcp_tool_use",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """A request in normal form."""

    messages: tuple[Payload, ...]
    tools: tuple[Payload, ...] = ()
    params: Payload = field(default_factory=dict)
    model: str | None = None
    streamed: bool | None = None
    user: str | None = None
    metadata: Payload = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answered:
    """A response in normal form."""

    reply: Payload | None = None
    more: tuple[Payload, ...] = ()
    failure: LogFailure | None = None
    model: str | None = None
    usage: Usage = field(default_factory=Usage)
    at: float | None = None
    cost_usd: float | None = None
    span: str | None = None


def other_call(what: object) -> str | None:
    """Why a call is none of a chat model, by the name or address that it was logged with."""
    if not isinstance(what, str):
        return None
    return next((_OTHERS[word] for word in what.lower().strip("/").split("/") if word in _OTHERS), None)


def api_of(request: Mapping[str, Any], response: object, told: object = None) -> Api | str:
    """The protocol of a call, or (as another text) why it is none of a chat model."""
    if isinstance(told, str):
        known: dict[str, Api] = {
            "anthropic.messages": "anthropic",
            "openai.responses": "responses",
            "openai.chat": "chat",
        }
        if told in known:
            return known[told]
        if (other := other_call(told)) is not None:
            return other
    answer = response if isinstance(response, Mapping) else {}
    if "contents" in request or "candidates" in answer:
        return "gemini"
    if "messages" in request or ("choices" in answer and "input" not in request):
        return "anthropic" if _is_anthropic(request, answer) else "chat"
    return _without_messages(request, answer)


def _without_messages(request: Mapping[str, Any], answer: Mapping[str, Any]) -> Api | str:
    data, results = answer.get("data"), answer.get("results")
    if isinstance(data, list) and answer.get("object") == "list":
        return "embedding call"
    if isinstance(results, list) and "input" in request:
        return "moderation call"
    if "input" in request or answer.get("object") == "response" or "previous_response_id" in request:
        return "responses"
    return "chat"


def _is_anthropic(request: Mapping[str, Any], answer: Mapping[str, Any]) -> bool:
    if "choices" in answer:
        return False
    if answer.get("type") in ("message", "error") or "stop_reason" in answer:
        return True
    if "system" in request or any("input_schema" in tool for tool in _objects(request.get("tools"))):
        return True
    return any(
        block.get("type") in _BLOCKS
        for message in _objects(request.get("messages"))
        for block in _objects(message.get("content"))
    )


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def params_of(request: Mapping[str, Any], without: frozenset[str]) -> Payload:
    """What else was asked for: the keys that have a value, without those named."""
    return {key: value for key, value in request.items() if value is not None and key not in without}


def failed(error: object, status: int | None = None) -> LogFailure | None:
    """An error as it was logged: a text, or an object with `type` or `code` and `message`; None where there is none."""
    error = inner(error)
    if error is None or error in ("", {}, [], False):
        return None
    if isinstance(error, Mapping):
        inside = error.get("error")
        if isinstance(inside, Mapping):
            error = inside
        name = first(error, "type", "error_class", "code", "error_code", "name", "kind")
        said = first(error, "message", "error_message", "detail", "error")
        code = first(error, "status", "status_code", "code", "error_code")
        status = status if status is not None else _status(code)
        return LogFailure(
            str(name) if isinstance(name, str | int) else "error", said if isinstance(said, str) else None, status
        )
    if isinstance(error, str):
        return LogFailure("error", error, status)
    raise Unreadable(f"the error is {kind(error)}")


def _status(code: object) -> int | None:
    if isinstance(code, str) and code.isdecimal() and len(code) == 3:
        code = int(code)
    return code if isinstance(code, int) and not isinstance(code, bool) and 100 <= code <= 599 else None


def flawed(reply: Payload | None, failure: LogFailure | None) -> LogFailure | None:
    """The failure of a call, which a reply cut by a content filter is too."""
    if failure is None and reply is not None and reply.get("finish_reason") == "content_filter":
        return LogFailure("content_filter")
    return failure


_NO_USAGE = Usage()


def usage_of(data: Mapping[str, Any]) -> Usage:
    """The usage block of any protocol. Anthropic's `input_tokens` leave out the cached ones: they are added."""
    usage = mapping(data, "usage", "usage_metadata", "usageMetadata")
    if not usage:
        return _NO_USAGE
    into = mapping(usage, "prompt_tokens_details", "input_tokens_details", "input_token_details")
    out = mapping(usage, "completion_tokens_details", "output_tokens_details", "output_token_details")
    prompt = count(usage, "prompt_tokens", "input_tokens", "prompt_token_count", "promptTokenCount")
    output = count(usage, "completion_tokens", "output_tokens", "candidates_token_count", "candidatesTokenCount")
    thought = count(usage, "thoughts_token_count", "thoughtsTokenCount")
    read = count(usage, "cache_read_input_tokens")
    written = count(usage, "cache_creation_input_tokens")
    if "prompt_tokens" not in usage and prompt is not None:
        prompt += (read or 0) + (written or 0)
    cached = count(into, "cached_tokens", "cache_read") if read is None else read
    return Usage(
        prompt_tokens=prompt,
        cached_tokens=cached if cached is not None else count(usage, "cached_content_token_count", "cached_tokens"),
        cache_write_tokens=written if written is not None else count(into, "cache_creation", "cache_write_tokens"),
        output_tokens=output + thought if output is not None and thought is not None else output,
        reasoning_tokens=thought
        if thought is not None
        else count(out, "reasoning_tokens", "reasoning", "thinking_tokens"),
        counted_by="server",
    )


def cost_of(data: Mapping[str, Any]) -> float | None:
    """What a provider wrote into its own usage block (OpenRouter: `usage.cost`)."""
    usage = data.get("usage")
    return amount(usage, "cost") if isinstance(usage, Mapping) and not isinstance(usage.get("cost"), Mapping) else None


def named(data: Mapping[str, Any], *keys: str) -> str | None:
    """A name that may also stand in an object as its `id`."""
    value = first(data, *keys)
    return text(value, "id") if isinstance(value, Mapping) else text(data, *keys)
