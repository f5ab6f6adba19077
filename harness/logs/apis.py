"""Requests and responses of four protocols: OpenAI chat completions and Responses, Anthropic Messages, Gemini."""

from collections.abc import Mapping
from typing import Any

from harness.logs.chunks import merged
from harness.logs.exchange import Answered, Api, Asked, cost_of, failed, flawed, params_of, usage_of
from harness.logs.normal import messages_of, reply_of
from harness.logs.pick import Unreadable, first, flag, inner, items, kind, mapping, text, when
from harness.logs.tools import OF_PROVIDER, tool_choice, tools_of
from harness.records.logs import Payload

__all__ = ["answered", "asked"]

_COMMON = frozenset(
    {"messages", "model", "tools", "stream", "user", "metadata", "tool_choice", "extra_headers", "extra_query"}
)
_CHAT = _COMMON | {"functions", "function_call", "prompt", "timeout", "extra_body"}
_RESPONSES = _COMMON | {"input", "instructions", "text", "max_output_tokens", "conversation", "previous_response_id"}
_ANTHROPIC = _COMMON | {"system", "stop_sequences"}
_GEMINI = _COMMON | {"contents", "config", "generationConfig", "generation_config", "system_instruction",
                     "systemInstruction", "labels", "toolConfig", "tool_config"}  # fmt: skip


def asked(api: Api, request: Mapping[str, Any]) -> Asked:
    """A request in normal form. Raises Unreadable."""
    reader = {"chat": _ask_chat, "responses": _ask_responses, "anthropic": _ask_anthropic, "gemini": _ask_gemini}[api]
    return reader(request)


def answered(api: Api, response: object, status: int | None = None) -> Answered:
    """A response in normal form; an empty `Answered` where none was logged. Raises Unreadable."""
    response = merged(inner(response))
    if response is None or response == "":
        return Answered(
            failure=failed({"type": "http_error"}, status) if status is not None and status >= 400 else None
        )
    if isinstance(response, str):
        if status is not None and status >= 400:
            return Answered(failure=failed(response, status))
        return Answered(reply=reply_of(response))
    if not isinstance(response, Mapping):
        raise Unreadable(f"the response is {kind(response)}, not an object")
    reader = {"chat": _chat, "responses": _responses, "anthropic": _anthropic, "gemini": _gemini}[api]
    return reader(response, status)


def _asked(request: Mapping[str, Any], messages: list[Payload], tools: object, params: Payload) -> Asked:
    functions, others = tools_of(tools)
    if others:
        params[OF_PROVIDER] = others
    choice = request.get("tool_choice")
    if choice is not None:
        params["tool_choice"] = tool_choice(choice)
    metadata = mapping(request, "metadata")
    return Asked(
        messages=tuple(messages),
        tools=functions,
        params=params,
        model=text(request, "model"),
        streamed=flag(request, "stream"),
        user=text(request, "user") or text(metadata, "user_id"),
        metadata=metadata,
    )


def _ask_chat(request: Mapping[str, Any]) -> Asked:
    logged = request.get("messages")
    if logged is None and isinstance(prompt := request.get("prompt"), str | list):
        logged = prompt if isinstance(prompt, str) else [{"role": "user", "content": one} for one in prompt]
    if logged is None:
        raise Unreadable("the request has no messages")
    params = params_of(request, _CHAT)
    choice = request.get("function_call")
    if choice is not None:
        params["tool_choice"] = {"type": "function", "function": choice} if isinstance(choice, Mapping) else choice
    return _asked(request, messages_of(logged), first(request, "tools", "functions"), params)


def _ask_responses(request: Mapping[str, Any]) -> Asked:
    messages = messages_of(first(request, "input") or [])
    if (told := text(request, "instructions")) is not None:
        messages.insert(0, {"role": "system", "content": told})
    params = params_of(request, _RESPONSES)
    if (form := mapping(request, "text")) and isinstance(wanted := form.pop("format", None), Mapping):
        params["response_format"] = _format(wanted)
    if form:
        params["text"] = form
    for key in ("conversation", "previous_response_id"):
        if request.get(key) is not None:
            params[key] = request[key]
    if request.get("max_output_tokens") is not None:
        params["max_completion_tokens"] = request["max_output_tokens"]
    return _asked(request, messages, request.get("tools"), params)


def _format(wanted: Mapping[str, Any]) -> Payload:
    """The Responses protocol's format of a text as `response_format`."""
    if wanted.get("type") != "json_schema":
        return dict(wanted)
    return {"type": "json_schema", "json_schema": {key: value for key, value in wanted.items() if key != "type"}}


def _ask_anthropic(request: Mapping[str, Any]) -> Asked:
    if request.get("messages") is None:
        raise Unreadable("the request has no messages")
    messages = messages_of(request["messages"])
    system = request.get("system")
    if system:
        messages[:0] = messages_of([{"role": "system", "content": system}])
    params = params_of(request, _ANTHROPIC)
    if request.get("stop_sequences") is not None:
        params["stop"] = request["stop_sequences"]
    choice = request.get("tool_choice")
    if isinstance(choice, Mapping) and isinstance(alone := choice.get("disable_parallel_tool_use"), bool):
        params["parallel_tool_calls"] = not alone
    return _asked(request, messages, request.get("tools"), params)


def _ask_gemini(request: Mapping[str, Any]) -> Asked:
    settings = mapping(request, "config", "generationConfig", "generation_config")
    system = first(request, "system_instruction", "systemInstruction") or first(
        settings, "system_instruction", "systemInstruction"
    )
    messages = messages_of(first(request, "contents", "messages") or [])
    if system:
        told = system if isinstance(system, Mapping) and "parts" in system else {"content": system}
        messages[:0] = messages_of([{**told, "role": "system"}])
    params = params_of(request, _GEMINI)
    params |= params_of(settings, frozenset({"tools", "system_instruction", "systemInstruction", "http_options"}))
    for ours, theirs in {"max_tokens": "max_output_tokens", "stop": "stop_sequences"}.items():
        if params.get(theirs) is not None:
            params[ours] = params.pop(theirs)
    return _asked(request, messages, request.get("tools") or settings.get("tools"), params)


def _chat(response: Mapping[str, Any], status: int | None) -> Answered:
    error = response.get("error")
    choices = items(response, "choices")
    replies: list[Payload] = []
    for choice in choices:
        if not isinstance(choice, Mapping):
            raise Unreadable(f"a choice is {kind(choice)}")
        error = error or choice.get("error")
        logged = first(choice, "message", "text", "delta")
        reply = reply_of(_spoken(logged), choice.get("finish_reason"))
        if reply is not None:
            replies.append(reply)
    if not choices and not error:
        logged = first(response, "message", "content", "text", "completion", "generated_text") or _bare(response)
        reply = reply_of(_spoken(logged), first(response, "finish_reason", "done_reason"))
        replies += [reply] if reply is not None else []
    if not replies and not error and status is not None and status >= 400:
        error = response
    return Answered(
        reply=replies[0] if replies else None,
        more=tuple(replies[1:]),
        failure=flawed(replies[0] if replies else None, failed(error, status)),
        model=text(response, "model"),
        usage=usage_of(response),
        at=when(response, "created"),
        cost_usd=cost_of(response),
        span=text(response, "id"),
    )


def _bare(response: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A message that was logged in place of a response."""
    return response if "role" in response or "tool_calls" in response or "function_call" in response else None


def _spoken(logged: object) -> object:
    return {"role": "assistant", **logged} if isinstance(logged, Mapping) and "parts" not in logged else logged


def _responses(response: Mapping[str, Any], status: int | None) -> Answered:
    detail = response.get("incomplete_details")
    reason = first(detail, "reason") if isinstance(detail, Mapping) else None
    state = text(response, "status")
    output = items(response, "output")
    ended = reason or ("completed" if state in ("completed", "complete") else None)
    if not reason and any(isinstance(one, Mapping) and one.get("type") == "function_call" for one in output):
        ended = "tool_calls"
    reply = reply_of(output, ended)
    error = response.get("error")
    if not error and status is not None and status >= 400:
        error = response
    return Answered(
        reply=reply,
        failure=flawed(
            reply, failed(error, status) or (failed({"type": state}) if state in ("failed", "cancelled") else None)
        ),
        model=text(response, "model"),
        usage=usage_of(response),
        at=when(response, "created_at"),
        cost_usd=cost_of(response),
        span=text(response, "id"),
    )


def _anthropic(response: Mapping[str, Any], status: int | None) -> Answered:
    error = response.get("error")
    content = response.get("content")
    reply = reply_of({"role": "assistant", "content": content}, response.get("stop_reason")) if content else None
    if not error and status is not None and status >= 400:
        error = response
    return Answered(
        reply=reply,
        failure=flawed(reply, failed(error, status)),
        model=text(response, "model"),
        usage=usage_of(response),
        span=text(response, "id"),
    )


def _gemini(response: Mapping[str, Any], status: int | None) -> Answered:
    candidates = items(response, "candidates") or ([response] if "content" in response else [])
    replies: list[Payload] = []
    for one in candidates:
        if not isinstance(one, Mapping):
            raise Unreadable(f"a candidate is {kind(one)}")
        logged = one.get("content")
        reply = reply_of({**logged, "role": "model"} if isinstance(logged, Mapping) else logged, _ended(one))
        replies += [reply] if reply is not None else []
    reply = replies[0] if replies else None
    if reply is not None and reply.get("tool_calls") and reply.get("finish_reason") == "stop":
        reply = {**reply, "finish_reason": "tool_calls"}
    return Answered(
        reply=reply,
        more=tuple(replies[1:]),
        failure=flawed(reply, failed(response.get("error"), status)),
        model=text(response, "model_version", "modelVersion"),
        usage=usage_of(response),
    )


def _ended(candidate: Mapping[str, Any]) -> object:
    """Why a candidate ended; google-genai writes its enumeration's name or number."""
    reason = first(candidate, "finish_reason", "finishReason")
    return reason.removeprefix("FinishReason.") if isinstance(reason, str) else reason
