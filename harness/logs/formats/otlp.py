"""OTLP messages out of a protobuf file, as the objects of its JSON form: read with `opentelemetry-proto`.

A file holds one message (ExportTraceServiceRequest, TracesData), or several, each after its length in four bytes, most
significant first, as the collector's file exporter writes them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

__all__ = ["Message", "is_protobuf", "messages_in"]

_LARGEST = 1 << 30
_FIRST = 0x0A
"""Field 1, a message: `resource_spans` and `resource_logs` alike."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a file: its bytes, where it ends, and what it holds or why it cannot be read."""

    raw: bytes
    end: int
    data: dict[str, Any] | None = None
    problem: str | None = None


def is_protobuf(head: bytes) -> bool:
    """Whether a file that begins so is OTLP in protobuf: its first field is an OTLP resource, framed or not."""
    if not head or head.lstrip()[:1] in (b"{", b"["):
        return _framed(head) and _field(head[4:])
    return _field(head) or (_framed(head) and _field(head[4:]))


def _framed(head: bytes) -> bool:
    return len(head) > 6 and 2 <= int.from_bytes(head[:4], "big") <= _LARGEST and head[4] == _FIRST


def _field(head: bytes) -> bool:
    """Whether the bytes begin with field 1 of a plausible length, in which a field 1 or 2 begins."""
    if head[:1] != bytes([_FIRST]):
        return False
    for place in range(1, min(6, len(head) - 1)):
        if head[place] < 0x80:
            return place + 1 < len(head) and head[place + 1] in (0x0A, 0x12) and head[:2] != b"\n{"
    return False


def messages_in(stream: BinaryIO) -> Iterator[Message]:
    """The messages of a file."""
    head = stream.read(4)
    rest = stream.read(3)
    if not (_framed(head + rest) and not _field(head + rest)):
        raw = head + rest + stream.read()
        yield _decoded(raw, len(raw))
        return
    end = 0
    pending = head + rest
    while pending:
        while len(pending) < 4 and (more := stream.read(4 - len(pending))):
            pending += more
        length = int.from_bytes(pending[:4], "big")
        raw = pending[4:]
        if len(pending) < 4 or length > _LARGEST:
            yield Message(pending, end + len(pending), problem="no length of a message where one must be")
            return
        if len(raw) < length:
            raw += stream.read(length - len(raw))
        raw, pending = raw[:length], raw[length:]
        end += 4 + len(raw)
        if len(raw) < length:
            yield Message(raw, end, problem=f"the file ends in a message: {len(raw)} of {length} bytes")
            return
        yield _decoded(raw, end)
        pending = pending or stream.read(4)


def _decoded(raw: bytes, end: int) -> Message:
    from google.protobuf.message import DecodeError  # here, as every import of logs loads every format to ask it
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    try:
        spans = ExportTraceServiceRequest.FromString(raw)
        found = {"resourceSpans": [_plain(group, 0) for group in spans.resource_spans]}
        if any(scope.spans for group in spans.resource_spans for scope in group.scope_spans) and _named(spans):
            return Message(raw, end, found)
        logs = ExportLogsServiceRequest.FromString(raw)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Message(raw, end, problem=f"no OTLP message: {error}")
    return Message(raw, end, {"resourceLogs": [_plain(group, 0) for group in logs.resource_logs]})


def _named(spans: Any) -> bool:
    """Whether a message read as spans is one: a log record read so has no name and ids of other lengths."""
    return any(
        span.name or len(span.trace_id) == 16
        for group in spans.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    )


def _plain(message: Any, depth: int) -> Any:
    """A protobuf message as its JSON form: camel case left to snake case, bytes in hex, fields unset left out."""
    if depth > 200:
        return None
    if isinstance(message, bytes):
        return message.hex()
    if not hasattr(message, "ListFields"):
        return message
    out: dict[str, Any] = {}
    for field, value in message.ListFields():
        if hasattr(value, "ListFields") or isinstance(value, str | bytes | int | float | bool):
            out[field.name] = _plain(value, depth + 1)
        else:
            out[field.name] = [_plain(one, depth + 1) for one in value]
    return out
