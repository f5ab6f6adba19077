"""litellm's StandardLoggingPayload, as its S3, GCS and generic-API loggers write it: one payload a line or file."""

from collections.abc import Mapping
from typing import Any, ClassVar

from harness.logs.apis import answered, asked
from harness.logs.exchange import Answered, Asked, api_of, failed, flawed, other_call
from harness.logs.formats.base import JsonFormat, Place, Skip, identify, paths_of
from harness.logs.formats.pairs import SOURCES
from harness.logs.pick import Unreadable, amount, count, first, flag, inner, kind, mapping, text, when
from harness.records.attempt import Usage
from harness.records.logs import LogFailure, LogRecord, Payload

__all__ = ["Litellm"]

_REDACTED = "redacted-by-litellm"
_NO_PARAMETERS = frozenset({"messages", "model"})
_EXTRA = (
    "request_tags", "metadata", "requester_ip_address", "user_agent", "api_base", "model_group", "model_id",
    "cost_breakdown",
    "saved_cache_cost", "guardrail_information", "litellm_call_id", "call_type", "error_information",
)  # fmt: skip
"""What is kept beside the call. Names and addresses of persons stand here and in `user`, nowhere else."""


class Litellm(JsonFormat):
    """Calls that went through litellm.

    `response_time` is the time to the first token where the call was streamed, and the whole time where not: the
    latency is therefore taken from `startTime` and `endTime`. An answer from the cache has no latency of the model's.
    """

    name: ClassVar[str] = "litellm"

    def sniff(self, head: bytes, name: str) -> float:
        """By the keys that only this payload has."""
        del name
        paths = paths_of(head)
        known = {"startTime", "endTime", "call_type", "model_parameters", "hidden_params", "response_cost", "cache_hit"}
        return min(0.97, 0.2 * len(known & paths)) if "messages" in paths or "call_type" in paths else 0.0

    def entry(self, data: Any, mark: bytes) -> LogRecord | Skip:
        """The record of a payload."""
        if not isinstance(data, Mapping):
            raise Unreadable(f"the line is {kind(data)}, not an object")
        what = other_call(data.get("call_type"))
        if what is not None:
            return Skip(what)
        if data.get("messages") is None and data.get("response") is None:
            raise Unreadable("the payload holds neither messages nor a response")
        request, response = _request(data), inner(data.get("response"))
        api = api_of(request, response)
        if api not in SOURCES:
            return Skip(api)
        question = asked(api, request)  # type: ignore[arg-type]
        answer = answered(api, response)  # type: ignore[arg-type]
        if question.messages and all(one.get("content") == _REDACTED for one in question.messages):
            return Skip("a call whose content litellm was told not to log")
        return _record(identify(self.name, mark), data, question, answer)

    def place(self, data: Any) -> Place | None:
        """Trace and start of the call."""
        if not isinstance(data, Mapping) or (session := _session(data)) is None:
            return None
        at = when(data, "startTime")
        return (session, at) if at is not None else None


def _request(data: Mapping[str, Any]) -> Payload:
    """The request put together again: the parameters, tools among them, stand apart from the messages.

    Rows of the proxy's spend log hold it under `proxy_server_request`.
    """
    params = mapping(data, "model_parameters")
    request: Payload = {key: value for key, value in params.items() if key not in _NO_PARAMETERS}
    logged = inner(data.get("messages"))
    if logged in (None, "", [], {}):
        logged = inner(data.get("proxy_server_request")) or []
    if isinstance(logged, Mapping) and "messages" in logged:
        request |= {key: value for key, value in logged.items() if key not in request}
        logged = inner(logged["messages"])
    whole = str(data.get("call_type")) in ("responses", "aresponses")
    request["input" if whole else "messages"] = logged if logged is not None else []
    request.setdefault("tools", data.get("tools"))
    request["model"] = first(data, "model_group", "model")
    return request


def _record(ident: str, data: Mapping[str, Any], question: Asked, answer: Answered) -> LogRecord:
    start, end, begun = when(data, "startTime"), when(data, "endTime"), when(data, "completionStartTime")
    cached, streamed = flag(data, "cache_hit"), flag(data, "stream")
    whole = end - start if start is not None and end is not None and end >= start else None
    if whole is None and not streamed:
        whole = amount(data, "response_time")
    waited = begun - start if begun is not None and start is not None and begun >= start else None
    if waited is None:
        waited = amount(data, "response_time")
    timed = whole is not None and cached is not True
    metadata = mapping(data, "metadata")
    return LogRecord(
        id=ident,
        source=Litellm.name,
        messages=question.messages,
        tools=question.tools,
        params=question.params,
        reply=answer.reply,
        more_replies=answer.more,
        failure=flawed(answer.reply, _failure(data) or answer.failure),
        at=start,
        session=_session(data),
        span=text(data, "id", "request_id", "litellm_call_id"),
        agent=text(data, "agent") or text(metadata, "agent_name", "user_api_key_alias"),
        user=text(data, "end_user", "user") or text(metadata, "user_api_key_end_user_id") or question.user,
        model=text(data, "model_group", "model"),
        answered_by=answer.model or text(data, "model"),
        provider=text(data, "custom_llm_provider"),
        usage=_usage(data, answer.usage),
        latency_s=whole if timed else None,
        latency_kind="end_to_end" if timed else None,
        ttft_s=waited if streamed and cached is not True else None,
        cost_usd=amount(data, "response_cost", "spend"),
        cached=cached,
        streamed=streamed if streamed is not None else question.streamed,
        human_chat=flag(data, "human_chat"),
        extra={key: data[key] for key in _EXTRA if data.get(key) not in (None, "", [], {})},
    )


def _session(data: Mapping[str, Any]) -> str | None:
    metadata = mapping(data, "metadata")
    requester = mapping(metadata, "requester_metadata")
    return (
        text(data, "session_id")
        or text(requester, "session_id")
        or text(metadata, "session_id")
        or text(data, "trace_id")
    )


def _failure(data: Mapping[str, Any]) -> LogFailure | None:
    """Why it failed; a success has none, whatever its error fields hold."""
    if data.get("status") != "failure":
        return None
    told = mapping(data, "error_information")
    message = text(told, "error_message") or text(data, "error_str")
    name = text(told, "error_class") or text(told, "error_code") or "failure"
    found = failed({"type": name, "message": message, "code": told.get("error_code")})
    return found or LogFailure(name, message)


def _usage(data: Mapping[str, Any], counted: Usage) -> Usage:
    """The response's own counts, or those that litellm put on the payload."""
    if counted.prompt_tokens is not None or counted.output_tokens is not None:
        return counted
    prompt, output = count(data, "prompt_tokens"), count(data, "completion_tokens")
    if not prompt and not output:
        return counted
    return Usage(prompt_tokens=prompt, output_tokens=output, counted_by="server")
