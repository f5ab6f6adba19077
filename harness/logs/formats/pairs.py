"""Lines of a request and its response, in whichever protocol each is, with what was logged around them."""

from collections.abc import Mapping
from typing import Any, ClassVar

from harness.logs.apis import answered, asked
from harness.logs.exchange import Answered, Asked, api_of, failed, usage_of
from harness.logs.formats.base import JsonFormat, Place, Skip, identify
from harness.logs.pick import Unreadable, amount, count, first, flag, inner, kind, text, when
from harness.records.logs import LatencyKind, LogRecord, Payload

__all__ = ["SOURCES", "Pairs"]

SOURCES = {"chat": "openai", "responses": "responses", "anthropic": "anthropic", "gemini": "gemini"}
_AT = (
    "timestamp",
    "start_time",
    "startTime",
    "started_at",
    "requested_at",
    "request_time",
    "created_at",
    "time",
    "created",
)
_SESSION = (
    "session",
    "session_id",
    "conversation_id",
    "trace_id",
    "thread_id",
    "trajectory_id",
    "sessionId",
    "traceId",
)
_SPAN = ("span_id", "span", "call_id", "request_id", "custom_id")
_PARENT = ("parent_id", "parent_span_id", "parent")
_LATENCY = ("latency_s", "latency", "duration_s", "duration", "latency_ms", "duration_ms", "processing_ms")
_TTFT = ("ttft_s", "time_to_first_token", "ttft_ms")
_COST = ("cost_usd", "cost", "response_cost", "total_cost")
_USER = ("user", "user_id", "end_user")
_AGENT = ("agent", "agent_name", "workload_id", "node")
_PARTS = frozenset(
    {"request", "response", "kind", "status", "status_code", "model", "step", "outcome", "error", "usage", "human_chat"}
)
_BESIDE = ("cached", "cache_hit", "provider", "latency_kind", "latency_source")
_READ = _PARTS.union(_AT, _SESSION, _SPAN, _PARENT, _LATENCY, _TTFT, _COST, _USER, _AGENT, _BESIDE)
_SERVICE = ("processing", "server", "service", "upstream")


class Pairs(JsonFormat):
    """Base of the three formats of plain pairs: which protocol a line is in, each line says itself."""

    name: ClassVar[str]
    api: ClassVar[str]

    def entry(self, data: Any, mark: bytes) -> LogRecord | Skip:
        """The record of a line."""
        if not isinstance(data, dict):
            raise Unreadable(f"the line is {kind(data)}, not an object")
        request, response, around = _halves(data)
        status = count(around, "status", "status_code") if not isinstance(around.get("status"), str) else None
        told = first(around, "kind", "endpoint", "url", "call_type")
        api = api_of(request, response, told)
        if api not in SOURCES:
            return Skip(api)
        question = asked(api, request)  # type: ignore[arg-type]
        answer = answered(api, response, status)  # type: ignore[arg-type]
        if not question.messages and answer.reply is None and answer.failure is None:
            raise Unreadable("the line holds neither messages nor a reply")
        return _record(identify(SOURCES[api], mark), SOURCES[api], around, question, answer)

    def place(self, data: Any) -> Place | None:
        """Session and time, where there is no step."""
        if not isinstance(data, dict) or data.get("step") is not None:
            return None
        session = text(data, *_SESSION)
        at = when(data, *_AT) if session is not None else None
        return (session, at) if session is not None and at is not None else None


def _halves(data: dict[str, Any]) -> tuple[Mapping[str, Any], Any, dict[str, Any]]:
    """Request, response and what stands around them, from the variants that are in use."""
    request: Any = inner(data.get("request"))
    response = inner(data.get("response"))
    if isinstance(request, Mapping):
        request, response = request.get("body", request), _body(response)
        if not isinstance(request, Mapping):
            raise Unreadable(f"the body of the request is {kind(request)}")
        if "model" in data and "model" not in request:
            request = {**request, "model": data["model"]}
        return request, response, data
    if request is not None:
        raise Unreadable(f"the request is {kind(request)}, not an object")
    if "messages" in data:
        return _flat(data)
    if "input" in data and ("output" in data or "object" not in data):
        return _input_output(data)
    if "response" in data or "choices" in data:
        raise Unreadable("there is a response, but no request")
    raise Unreadable(f"neither a request nor messages; keys: {', '.join(sorted(data)[:8]) or 'none'}")


def _body(response: Any) -> Any:
    """A batch's response holds the provider's own under `body`."""
    return response["body"] if isinstance(response, Mapping) and "body" in response else response


def _flat(data: dict[str, Any]) -> tuple[Mapping[str, Any], Any, dict[str, Any]]:
    """{messages, completion}, a request with its response beside it, or a conversation that ends in the reply."""
    messages = inner(data["messages"])
    answer = first(data, "completion", "response", "output", "reply")
    request = {key: value for key, value in data.items() if key not in _READ or key == "model"}
    for key in ("completion", "output", "reply", "choices", "object", "id", "metadata"):
        request.pop(key, None)
    around = {key: value for key, value in data.items() if key in _READ or key in ("id", "metadata")}
    around.pop("response", None)
    if answer is None and "choices" in data:
        answer = {key: data[key] for key in ("id", "choices", "usage", "created", "error") if key in data}
    elif answer is None and isinstance(messages, list) and len(messages) > 1 and _is_assistant(messages[-1]):
        messages, answer = messages[:-1], messages[-1]
    if isinstance(answer, Mapping) and "usage" in data and "usage" not in answer:
        answer = {**answer, "usage": data["usage"]}
    return {**request, "messages": messages}, answer, around


def _input_output(data: dict[str, Any]) -> tuple[Mapping[str, Any], Any, dict[str, Any]]:
    """OpenPipe's {input, output, tags}: a request or its messages, and a response or its message."""
    asked_for, got = inner(data["input"]), inner(data.get("output"))
    around = {key: value for key, value in data.items() if key not in ("input", "output")}
    if isinstance(asked_for, Mapping) and ("messages" in asked_for or "input" in asked_for):
        return asked_for, got, around
    if isinstance(asked_for, list) and "embedding" not in str(data.get("model", "")):
        request: dict[str, Any] = {key: data[key] for key in ("model", "tools", "tool_choice") if key in data}
        return {**request, "messages": asked_for}, got, around
    return {key: value for key, value in data.items() if key != "output"}, got, around


def _is_assistant(message: Any) -> bool:
    return isinstance(message, Mapping) and message.get("role") == "assistant"


def _record(ident: str, source: str, around: dict[str, Any], question: Asked, answer: Answered) -> LogRecord:
    around, beside = _sorted(around)
    outcome, outcome_by, about = outcome_of(around.get("outcome"))
    told = failed(around.get("error"), answer.failure.status if answer.failure is not None else None)
    failure = told if told is not None and not _says_more(answer) else answer.failure
    extra = {key: value for key, value in beside.items() if value is not None}
    if question.metadata:
        extra["request_metadata"] = question.metadata
    if about:
        extra["outcome"] = about
    latency, latency_kind = latency_of(around)
    at = when(around, *_AT)
    return LogRecord(
        id=ident,
        source=source,
        messages=question.messages,
        tools=question.tools,
        params=question.params,
        reply=answer.reply,
        more_replies=answer.more,
        failure=failure,
        at=at if at is not None else answer.at,
        session=text(around, *_SESSION),
        step=count(around, "step"),
        span=text(around, *_SPAN) or answer.span,
        parent=text(around, *_PARENT),
        agent=text(around, *_AGENT),
        user=question.user or text(around, *_USER),
        model=question.model or text(around, "model"),
        answered_by=answer.model,
        provider=text(around, "provider"),
        usage=answer.usage if answer.usage.counted_by is not None else usage_of(around),
        latency_s=latency,
        latency_kind=latency_kind,
        ttft_s=_seconds(around, _TTFT),
        cost_usd=first_of(amount(around, *_COST), answer.cost_usd),
        cached=flag(around, "cached", "cache_hit"),
        streamed=question.streamed,
        outcome=outcome,
        outcome_by=outcome_by,
        human_chat=flag(around, "human_chat"),
        extra=extra,
    )


def _sorted(around: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is read of the fields around a call, and the rest: a log's own `user` or `cost` may be an object."""
    read = {
        key: value
        for key, value in around.items()
        if key in _PARTS or (key in _READ and not isinstance(value, dict | list))
    }
    return read, {key: value for key, value in around.items() if key not in read}


def _says_more(answer: Answered) -> bool:
    """Whether the response itself says why it failed, and not only with which status."""
    return answer.failure is not None and answer.failure.message is not None


def first_of(one: float | None, other: float | None) -> float | None:
    """The first of two that is there: a logged 0 counts."""
    return other if one is None else one


def _seconds(around: Mapping[str, Any], keys: tuple[str, ...]) -> float | None:
    """A duration from the first of some keys; those that end in `_ms` are milliseconds."""
    for key in keys:
        value = amount(around, key)
        if value is not None and value >= 0:
            return value / 1000 if key.endswith("_ms") else value
    return None


def latency_of(around: Mapping[str, Any]) -> tuple[float | None, LatencyKind | None]:
    """A call's latency in seconds, and whose: a server's own count is `service`, all else the caller's."""
    latency = _seconds(around, _LATENCY)
    if latency is None:
        return None, None
    told = text(around, "latency_kind", "latency_source") or ("processing" if "processing_ms" in around else "")
    return latency, "service" if any(word in told for word in _SERVICE) else "end_to_end"


def outcome_of(logged: Any) -> tuple[float | None, str | None, Payload]:
    """How it ended, 0..1, who says so, and the rest of what was logged of it."""
    data: dict[str, Any] = dict(logged) if isinstance(logged, Mapping) else {"reward": logged}
    value = first(data, "reward", "resolved", "success", "passed", "score", "value")
    if isinstance(value, bool):
        value = float(value)
    elif value is not None:
        value = amount({"outcome": value}, "outcome")
    rest = {key: one for key, one in data.items() if one is not None}
    if value is not None and not 0 <= value <= 1:
        return None, None, rest
    by = text(data, "by", "outcome_by", "judge") or ("verified" if value is not None else None)
    return value, by, rest
