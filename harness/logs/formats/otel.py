"""OpenTelemetry spans with GenAI or OpenInference attributes: OTLP as JSON (document or lines) and as protobuf."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from harness.logs.exchange import flawed
from harness.logs.formats.base import Item, JsonFormat, Place, Skip, identify, of_lines, paths_of
from harness.logs.formats.otlp import is_protobuf, messages_in
from harness.logs.pick import Unreadable, first, inner, items, kind, mapping, text, when
from harness.logs.source import BROKEN, Line, Source
from harness.logs.spans import call_of, rule_of, ttft_of
from harness.records.logs import LogFailure, LogRecord

__all__ = ["OpenTelemetry", "Span"]

_DEEPEST = 60
_SESSION = ("gen_ai.conversation.id", "session.id", "langfuse.session.id", "ai.telemetry.metadata.sessionId",
            "traceloop.association.properties.session_id")  # fmt: skip
_AGENT = ("gen_ai.agent.name", "agent.name", "ai.telemetry.functionId", "langgraph_node")
_PLUMBING = (
    "gen_ai.",
    "llm.",
    "input.",
    "output.",
    "openinference.",
    "ai.prompt",
    "ai.response",
    "ai.usage",
    "events",
    "gcp.vertex.",
)
_EXPORTS = ("resourceSpans", "resourceLogs", "resource_spans", "resource_logs")
_DETAILS = "gen_ai.client.inference.operation.details"


@dataclass(frozen=True, slots=True)
class Span:
    """A span as the exporters write it, its attributes as plain values."""

    trace: str | None
    span: str | None
    parent: str | None
    name: str
    attributes: dict[str, Any]
    events: tuple[tuple[float | None, str, dict[str, Any]], ...] = ()
    start: float | None = None
    end: float | None = None
    server: bool = False
    failed: bool = False
    why: str | None = None
    resource: dict[str, Any] = field(default_factory=dict)
    session: str | None = None
    """Of its trace, where any span of it names one."""
    agent: str | None = None
    """The nearest agent around it."""


class OpenTelemetry(JsonFormat):
    """Spans of model calls; others are skipped by what they are. The session is the conversation, else the trace."""

    name: ClassVar[str] = "otel"

    def sniff(self, head: bytes, name: str) -> float:
        """By OTLP's own keys, the console exporter's, or the first bytes of a protobuf message."""
        if is_protobuf(head):
            return 0.9 if name.endswith((".pb", ".binpb", ".proto", ".otlp", ".bin")) else 0.7
        paths = paths_of(head)
        if not paths.isdisjoint(_EXPORTS):
            return 0.98
        return 0.85 if {"context.trace_id", "attributes"} <= paths else 0.0

    def cuttable(self, source: Source) -> bool:
        """Whether each line is an export of its own."""
        return not is_protobuf(source.head()) and of_lines(source)

    def read(self, source: Source) -> Iterator[Item]:
        """The file's spans in order."""
        if source.piece is None and is_protobuf(source.head()):
            yield from self._binary(source)
            return
        yield from super().read(source)

    def places(self, source: Source) -> Iterator[Place | None]:
        """Session and start of each span of a call."""
        if source.piece is not None or not is_protobuf(source.head()):
            yield from super().places(source)
            return
        with closing(source.open()) as stream:
            try:
                for message in messages_in(stream):
                    yield from self._places(message.data) if message.data is not None else ()
            except BROKEN:
                return

    def split(self, data: Any) -> Sequence[Any]:
        """The spans of an export, and the log records that hold a call."""
        if not isinstance(data, Mapping):
            raise Unreadable(f"the line is {kind(data)}, not an object")
        groups = items(data, "resourceSpans", "resource_spans")
        logs = items(data, "resourceLogs", "resource_logs")
        if not any(key in data for key in _EXPORTS):
            if "context" not in data:
                raise Unreadable("there are neither resourceSpans nor a span's context")
            return _placed([_console(data)])
        spans = [span for group in groups for span in _spans(group)]
        return _placed([*spans, *(span for group in logs for span in _logged(group))])

    def entry(self, data: Any, mark: bytes) -> LogRecord | Skip:
        """The record of a span."""
        if not isinstance(data, Span):
            raise Unreadable(f"the entry is {kind(data)}, not a span")
        if (rule := rule_of(data.attributes, data.name)) is not None and not _has_events(data):
            return Skip(rule)
        question, answer = call_of(data.attributes, [(name, told) for _, name, told in data.events])
        failure = _failure(data) or answer.failure
        if not question.messages:
            return Skip("a call whose content was not captured")
        took = (
            data.end - data.start
            if data.start is not None and data.end is not None and data.end >= data.start
            else None
        )
        known = data.trace is not None and data.span is not None
        return LogRecord(
            id=identify(self.name, data.trace or "", data.span or "") if known else identify(self.name, mark),
            source=self.name,
            messages=question.messages,
            tools=question.tools,
            params=question.params,
            reply=answer.reply,
            more_replies=answer.more,
            failure=flawed(answer.reply, failure),
            at=data.start,
            session=data.session,
            span=data.span,
            parent=data.parent,
            agent=data.agent,
            user=question.user,
            model=question.model,
            answered_by=answer.model,
            provider=text(
                data.attributes,
                "gen_ai.provider.name",
                "gen_ai.system",
                "llm.provider",
                "llm.system",
                "ai.model.provider",
            ),
            usage=answer.usage,
            latency_s=took,
            latency_kind=None if took is None else "service" if data.server else "end_to_end",
            ttft_s=_first_token(data),
            cost_usd=answer.cost_usd,
            streamed=question.streamed,
            extra=_extra(data),
        )

    def place(self, data: Any) -> Place | None:
        """Session and start of a call's span."""
        if not isinstance(data, Span) or rule_of(data.attributes, data.name) is not None:
            return None
        return (data.session, data.start) if data.session is not None and data.start is not None else None

    def _binary(self, source: Source) -> Iterator[Item]:
        number, done = 0, 0
        with closing(source.open()) as stream:
            try:
                for message in messages_in(stream):
                    number += 1
                    start, done = done, message.end
                    if done <= source.after:
                        continue
                    if message.data is None:
                        yield Item(number, start, done, problem=message.problem, raw=message.raw)
                    else:
                        yield from self._entries(message.data, Line(number, start, done, message.raw), document=False)
            except BROKEN as error:
                yield Item(number + 1, done, done, problem=f"the file cannot be read further ({error})", raw=b"")


def _has_events(span: Span) -> bool:
    return any(
        name.startswith("gen_ai.") and name.endswith((".message", ".choice", ".details")) for _, name, _ in span.events
    )


def _spans(group: Any) -> Iterator[Span]:
    """The spans of one resource."""
    if not isinstance(group, Mapping):
        raise Unreadable(f"an entry of resourceSpans is {kind(group)}")
    resource = _attributes(mapping(group, "resource").get("attributes"))
    for scope in items(group, "scopeSpans", "scope_spans", "instrumentationLibrarySpans"):
        if not isinstance(scope, Mapping):
            raise Unreadable(f"an entry of scopeSpans is {kind(scope)}")
        for raw in items(scope, "spans"):
            yield _span(raw, resource)


def _span(raw: Any, resource: dict[str, Any]) -> Span:
    if not isinstance(raw, Mapping):
        raise Unreadable(f"a span is {kind(raw)}")
    status = mapping(raw, "status")
    return Span(
        trace=text(raw, "traceId", "trace_id"),
        span=text(raw, "spanId", "span_id"),
        parent=text(raw, "parentSpanId", "parent_span_id"),
        name=text(raw, "name") or "",
        attributes=_attributes(raw.get("attributes")),
        events=tuple(_event(one) for one in items(raw, "events")),
        start=when(raw, "startTimeUnixNano", "start_time_unix_nano"),
        end=when(raw, "endTimeUnixNano", "end_time_unix_nano"),
        server=raw.get("kind") in (2, "SPAN_KIND_SERVER"),
        failed=status.get("code") in (2, "STATUS_CODE_ERROR"),
        why=text(status, "message"),
        resource=resource,
    )


def _event(raw: Any) -> tuple[float | None, str, dict[str, Any]]:
    if not isinstance(raw, Mapping):
        raise Unreadable(f"an event is {kind(raw)}")
    at = when(raw, "timeUnixNano", "time_unix_nano", "timestamp")
    return at, text(raw, "name") or "", _attributes(raw.get("attributes"))


def _console(raw: Mapping[str, Any]) -> Span:
    """A span as the SDK's console exporter writes it."""
    context, status = mapping(raw, "context"), mapping(raw, "status")
    return Span(
        trace=_hex(text(context, "trace_id")),
        span=_hex(text(context, "span_id")),
        parent=_hex(text(raw, "parent_id")),
        name=text(raw, "name") or "",
        attributes=_attributes(raw.get("attributes")),
        events=tuple(_event(one) for one in items(raw, "events")),
        start=when(raw, "start_time"),
        end=when(raw, "end_time"),
        server=raw.get("kind") == "SpanKind.SERVER",
        failed=status.get("status_code") in ("ERROR", "StatusCode.ERROR"),
        why=text(status, "description"),
        resource=_attributes(mapping(raw, "resource").get("attributes")),
    )


def _hex(value: str | None) -> str | None:
    return value.removeprefix("0x") if value else None


def _logged(group: Any) -> Iterator[Span]:
    """Log records about calls: one with the details of a call, or those of a span's messages together."""
    if not isinstance(group, Mapping):
        raise Unreadable(f"an entry of resourceLogs is {kind(group)}")
    resource = _attributes(mapping(group, "resource").get("attributes"))
    gathered: dict[tuple[str | None, str | None], list[tuple[float | None, str, dict[str, Any]]]] = {}
    for scope in items(group, "scopeLogs", "scope_logs"):
        for raw in items(scope, "logRecords", "log_records") if isinstance(scope, Mapping) else []:
            if not isinstance(raw, Mapping):
                raise Unreadable(f"a log record is {kind(raw)}")
            told = _attributes(raw.get("attributes"))
            body = _value(raw["body"], 0) if isinstance(raw.get("body"), Mapping) else None
            if body is not None:
                told["body"] = body
            name = text(raw, "eventName", "event_name") or text(told, "event.name") or ""
            at = when(raw, "timeUnixNano", "time_unix_nano", "observedTimeUnixNano")
            key = (text(raw, "traceId", "trace_id"), text(raw, "spanId", "span_id"))
            gathered.setdefault(key, []).append((at, name, told))
    for (trace, span), events in gathered.items():
        plain: dict[str, Any] = {}
        for _, name, told in events:
            held = told["body"] if isinstance(told.get("body"), Mapping) and name == _DETAILS else {}
            plain |= {key: value for key, value in {**told, **held}.items() if key.startswith("gen_ai.")}
        yield Span(trace, span, None, "log record", plain, tuple(events), start=events[0][0], resource=resource)


def _placed(spans: list[Span]) -> list[Span]:
    """The spans with the session of their trace and the nearest agent around them."""
    sessions: dict[str | None, str] = {}
    known: dict[str | None, Span] = {}
    for span in spans:
        known.setdefault(span.span, span)
        found = text(span.attributes, *_SESSION) if span.attributes else None
        if found is not None:
            sessions.setdefault(span.trace, found)
    return [replace(span, session=sessions.get(span.trace) or span.trace, agent=_agent(span, known)) for span in spans]


def _agent(span: Span, known: Mapping[str | None, Span]) -> str | None:
    at: Span | None = span
    for _ in range(_DEEPEST):
        if at is None:
            break
        if isinstance(name := first(at.attributes, *_AGENT), str):
            return name
        at = known.get(at.parent) if at.parent is not None else None
    service = span.resource.get("service.name")
    return service if isinstance(service, str) and not service.startswith("unknown_service") else None


def _failure(span: Span) -> LogFailure | None:
    told = span.attributes.get("error.type")
    if not span.failed and told is None:
        return None
    raised = next((data for _, name, data in span.events if name == "exception"), {})
    name = first({"type": told}, "type") or first(raised, "exception.type") or "error"
    said = span.why or first(raised, "exception.message")
    status = span.attributes.get("http.response.status_code")
    code = status if isinstance(status, int) and not isinstance(status, bool) else None
    return LogFailure(str(name), said if isinstance(said, str) else None, code)


def _first_token(span: Span) -> float | None:
    """Seconds to the first token: an attribute's, or those of OpenInference's event."""
    seconds = ttft_of(span.attributes)
    if seconds is None and span.start is not None:
        at = next(
            (at for at, name, _ in span.events if name in ("First Token Stream Event", "ai.stream.firstChunk")), None
        )
        return at - span.start if at is not None and at >= span.start else None
    return seconds


def _extra(span: Span) -> dict[str, Any]:
    kept = {key: value for key, value in span.attributes.items() if not key.startswith(_PLUMBING)}
    out: dict[str, Any] = {"name": span.name} if span.name else {}
    out |= {"attributes": kept} if kept else {}
    out |= {"resource": span.resource} if span.resource else {}
    out |= {"trace": span.trace} if span.trace is not None and span.trace != span.session else {}
    return out


def _attributes(raw: Any) -> dict[str, Any]:
    """Attributes as plain values: OTLP's list of {key, value}, or an object."""
    raw = inner(raw)
    if raw is None:
        return {}
    if isinstance(raw, Mapping):
        return {key: value for key, value in raw.items() if value is not None}
    if not isinstance(raw, list):
        raise Unreadable(f"attributes are {kind(raw)}, not a list")
    out: dict[str, Any] = {}
    for pair in raw:
        if not isinstance(pair, Mapping) or not isinstance(pair.get("key"), str):
            raise Unreadable("an attribute has no key")
        value = _value(pair.get("value"), 0)
        if value is not None:
            out[pair["key"]] = value
    return out


def _value(raw: Any, depth: int) -> Any:
    """An AnyValue of OTLP as a plain value."""
    if depth > _DEEPEST:
        raise Unreadable("an attribute is nested too deeply")
    if not isinstance(raw, Mapping):
        return raw
    what, held = next(iter(raw.items()), ("", None))
    if what in ("intValue", "int_value"):
        return _whole(held)
    if what in ("arrayValue", "array_value"):
        return [_value(one, depth + 1) for one in items(held, "values")] if isinstance(held, Mapping) else None
    if what in ("kvlistValue", "kvlist_value"):
        pairs = items(held, "values") if isinstance(held, Mapping) else []
        return {str(one.get("key")): _value(one.get("value"), depth + 1) for one in pairs if isinstance(one, Mapping)}
    return held


def _whole(held: Any) -> Any:
    """OTLP's JSON writes 64-bit numbers as texts."""
    if isinstance(held, str):
        try:
            return int(held[:20])
        except ValueError:
            raise Unreadable(f"{held[:40]!r} is not a whole number") from None
    return held
