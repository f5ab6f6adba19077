"""From a raw exchange to reply, marks, usage and blame: pure, and never on the clock."""

import re
from dataclasses import dataclass, field
from typing import Final

import orjson

from harness.backends.blame import attribute, error_status, hushed, redirected
from harness.backends.client import Exchange
from harness.records import Certainty, Failure, FailureKind, RawToolCall, RecordedBy, Reply, ServerTiming, Timing, Usage

__all__ = ["Kept", "Reading", "Told", "read_exchange"]


_LONE_SURROGATE: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_MOST = 2**63
"""Counts beyond what any column or program holds are no counts."""


@dataclass(slots=True)
class Reading:
    """An exchange after reading. `failure` None: the reply can be scored."""

    reply: Reply | None
    timing: Timing
    usage: Usage
    server: ServerTiming | None
    failure: Failure | None
    told: "Told | None" = None
    """None where the server says nothing of it."""
    cached: "Kept | None" = None
    """Set where this was read from the cache of replies, and nobody was asked."""


@dataclass(frozen=True, slots=True)
class Told:
    """What came with the token counts: who answered, by its own name, and what somebody says that it cost."""

    model: str | None = None
    fingerprint: str | None = None
    cost_usd: float | None = None
    cost_by: RecordedBy | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What was noted of an answer when it was put into the cache of replies."""

    cost_usd: float | None
    """At the list price of then."""


@dataclass(slots=True)
class _ToolParts:
    name: str = ""
    id: str | None = None
    arguments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Assembly:
    """What the events add up to."""

    content: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    tools: dict[int, _ToolParts] = field(default_factory=dict)
    finish_reason: str | None = None
    usage: dict[str, object] | None = None
    counted: dict[str, object] | None = None
    """The event that the counts came in."""
    timings: dict[str, object] | None = None
    error: object = None
    done: bool = False
    any_choice: bool = False
    first_content_ns: int | None = None
    first_reasoning_ns: int | None = None
    first_tool_ns: int | None = None
    chunks_ns: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)


def read_exchange(exchange: Exchange, intended_ns: int | None = None) -> Reading:
    """Reply, timing, usage and failure of an exchange.

    intended_ns: `perf_counter_ns` at which the schedule wanted the request out; None: when it was sent.
    """
    parts = _Assembly()
    failure = exchange.failure
    if failure is None and exchange.status != 200:
        failure = _refusal(exchange)
    elif exchange.status == 200 and exchange.content_type == "text/event-stream":
        broken = _read_events(exchange, parts)
        if parts.done and parts.finish_reason and broken is None:  # whatever became of the connection afterwards
            exchange.end_ns, failure = exchange.marks_ns[-1], None
        failure = failure or broken or _ending(parts)
    elif failure is None:
        failure = _no_stream(exchange)
    reply = _reply(parts) if parts.any_choice else None
    if failure is None and reply is not None:
        failure = _model_failure(reply)
    if failure is not None:
        failure = hushed(failure, exchange.hidden)
    timing = _timing(exchange, parts, intended_ns)
    return Reading(reply, timing, _usage(parts), _server_timing(parts), failure, _told(parts))


def _refusal(exchange: Exchange) -> Failure:
    status = exchange.status or 0
    if 300 <= status < 400:
        return redirected(status, exchange.location)
    return attribute(status, b"".join(exchange.pieces), exchange.retry_after)


def _no_stream(exchange: Exchange) -> Failure:
    """The failure of a 200 that is no event stream: an error in words, a reply in one piece, or a stray page."""
    body = b"".join(exchange.pieces)
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        said = None
    if isinstance(said, dict) and said.get("error"):
        return attribute(error_status(said["error"]), body, exchange.retry_after)
    kind = exchange.content_type or "no content type"
    message = f"the server answered with {kind} instead of text/event-stream"
    if isinstance(said, dict) and "choices" in said:
        message += ": it ignored stream=true, and without a stream there is nothing to time"
    return Failure(boundary="infrastructure", kind="wrong_content_type", message=message, status=exchange.status)


def _read_events(exchange: Exchange, parts: _Assembly) -> Failure | None:
    """Feeds every event to the assembly, with the arrival of the piece that completed it."""
    partial: list[bytes] = []
    data: list[bytes] = []
    origin = exchange.sent_ns
    for piece, mark in zip(exchange.pieces, exchange.marks_ns, strict=True):
        lines = piece.split(b"\n")
        if len(lines) == 1:
            partial.append(piece)
            continue
        if partial:
            lines[0] = b"".join((*partial, lines[0]))
            partial.clear()
        if rest := lines.pop():
            partial.append(rest)
        for line in lines:
            if line.startswith(b"data:"):
                data.append(line[5:].strip())
            elif data and not (line and line.strip(b"\r")):
                failure = _event(data[0] if len(data) == 1 else b"\n".join(data), mark - origin, parts)
                if failure is not None:
                    return failure
                data.clear()
            elif line.startswith(b"error:"):  # llama.cpp before its errors came as data
                return attribute(500, line[6:], None)
    return None if exchange.failure else _unended(b"".join(partial), data, exchange, parts)


def _unended(rest: bytes, data: list[bytes], exchange: Exchange, parts: _Assembly) -> Failure | None:
    """The last event of a stream that ended in order but without a blank line."""
    tail = rest.strip()
    if tail.startswith(b"data:"):
        data.append(tail[5:].strip())
    return _event(b"\n".join(data), exchange.marks_ns[-1] - exchange.sent_ns, parts) if data else None


def _event(data: bytes, mark_ns: int, parts: _Assembly) -> Failure | None:
    if data == b"[DONE]":
        parts.done = True
        return None
    try:
        event = orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            event = orjson.loads(_mended(data))
        except orjson.JSONDecodeError as error:
            return _broken(f"an event of the stream is not JSON ({error}): {data[:80].decode('utf-8', 'replace')}")
    if not isinstance(event, dict):
        return _broken("an event of the stream is no JSON object")
    said = event if event.get("object") == "error" else event.get("error")
    if said:
        return attribute(error_status(said), data, None)
    if event.get("usage"):
        parts.usage, parts.counted = event["usage"], event
    timings = event.get("timings") or event.get("metrics")
    if timings:
        parts.timings = timings
    choices = event.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and choice.get("index", 0) == 0:
            _choice(choice, mark_ns, parts)
    return None


def _mended(data: bytes) -> bytes:
    """Text with a replacement character for each piece that no Unicode is.

    A model can generate such pieces (a token may be part of a character), and servers pass them on. An event stream is
    to be decoded with replacement (WHATWG HTML, "event stream interpretation"), so this is the reply and no fault.
    """
    return _LONE_SURROGATE.sub(rb"\\ufffd", data.decode("utf-8", "replace").encode())


def _broken(message: str, kind: FailureKind = "malformed_stream") -> Failure:
    return Failure(boundary="infrastructure", kind=kind, message=message, status=200)


def _choice(choice: dict[str, object], mark_ns: int, parts: _Assembly) -> None:
    parts.any_choice = True
    if choice.get("finish_reason"):
        parts.finish_reason = str(choice["finish_reason"])
    delta = choice.get("delta")
    if isinstance(delta, dict):
        _delta(delta, mark_ns, parts)
    told = choice.get("logprobs")
    if isinstance(told, dict):
        _logprobs(told.get("content"), parts)


def _logprobs(told: object, parts: _Assembly) -> None:
    """Notes what OpenAI's `logprobs.content` tells; a server's −9999 for "no chance" is a number like any other."""
    for one in told if isinstance(told, list) else ():
        value = one.get("logprob") if isinstance(one, dict) else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            parts.logprobs.append(min(0.0, float(value)))


def _delta(delta: dict[str, object], mark_ns: int, parts: _Assembly) -> None:
    carried = False
    content = delta.get("content")
    if isinstance(content, str) and content:
        parts.content.append(content)
        carried = True
        if parts.first_content_ns is None:
            parts.first_content_ns = mark_ns
    reasoning = delta.get("reasoning_content") or delta.get("reasoning")
    if isinstance(reasoning, str) and reasoning:
        parts.reasoning.append(reasoning)
        carried = True
        if parts.first_reasoning_ns is None:
            parts.first_reasoning_ns = mark_ns
    calls = delta.get("tool_calls")
    if isinstance(calls, list) and calls:
        for position, call in enumerate(calls):
            if isinstance(call, dict):
                _tool_fragment(call, position, parts)
                carried = True
        if parts.first_tool_ns is None:
            parts.first_tool_ns = mark_ns
    if carried:
        parts.chunks_ns.append(mark_ns)


def _tool_fragment(call: dict[str, object], position: int, parts: _Assembly) -> None:
    index = call.get("index")
    tool = parts.tools.setdefault(index if isinstance(index, int) else position, _ToolParts())
    if isinstance(call.get("id"), str) and call["id"]:
        tool.id = str(call["id"])
    function = call.get("function")
    if isinstance(function, dict):
        if isinstance(function.get("name"), str):
            tool.name += function["name"]
        arguments = function.get("arguments")
        if isinstance(arguments, str):
            tool.arguments.append(arguments)
        elif arguments is not None:  # some servers send an object
            tool.arguments.append(orjson.dumps(arguments).decode())


def _reply(parts: _Assembly) -> Reply:
    return Reply(
        content="".join(parts.content) or None,
        reasoning="".join(parts.reasoning) or None,
        tool_calls=tuple(
            RawToolCall(name=tool.name, arguments="".join(tool.arguments), id=tool.id)
            for _, tool in sorted(parts.tools.items())
        ),
        finish_reason=parts.finish_reason,
        certainty=Certainty.of(parts.logprobs),
    )


def _ending(parts: _Assembly) -> Failure | None:
    """A stream that ended without saying so was cut; one that never had a choice is no reply."""
    if parts.finish_reason is None and not parts.done:
        return _broken("the stream ended without finish_reason and without [DONE]", "truncated_stream")
    if not parts.any_choice:
        return _broken("the stream held no choice")
    if parts.finish_reason == "error":
        return _broken("the server gave the reply up: finish_reason error", "server_error")
    return None


def _model_failure(reply: Reply) -> Failure | None:
    if reply.finish_reason == "content_filter":
        return Failure(boundary="model", kind="content_filter", message="the provider's filter ended the reply")
    if not (reply.content or reply.tool_calls or reply.reasoning):
        return Failure(boundary="model", kind="empty_reply", message="the reply is empty")
    return None


def _timing(exchange: Exchange, parts: _Assembly, intended_ns: int | None) -> Timing:
    sent = exchange.sent_ns
    return Timing(
        at=exchange.at,
        intended_ns=0 if intended_ns is None else min(0, intended_ns - sent),
        headers_ns=None if exchange.headers_ns is None else exchange.headers_ns - sent,
        first_byte_ns=exchange.marks_ns[0] - sent if exchange.marks_ns else None,
        first_content_ns=parts.first_content_ns,
        first_reasoning_ns=parts.first_reasoning_ns,
        first_tool_ns=parts.first_tool_ns,
        last_ns=parts.chunks_ns[-1] if parts.chunks_ns else None,
        end_ns=exchange.end_ns - sent,
        chunks_ns=tuple(parts.chunks_ns),
    )


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST else None


def _seconds(value: object) -> float | None:
    return (
        value / 1000 if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _MOST else None
    )


def _usage(parts: _Assembly) -> Usage:
    """The server's counts; where it is silent, the streamed events as an estimate of output tokens."""
    usage = parts.usage
    if not isinstance(usage, dict):
        if parts.chunks_ns:
            return Usage(output_tokens=len(parts.chunks_ns), counted_by="chunks")
        return Usage()
    prompt_details = usage.get("prompt_tokens_details")
    output_details = usage.get("completion_tokens_details")
    return Usage(
        prompt_tokens=_whole(usage.get("prompt_tokens")),
        cached_tokens=_whole(prompt_details.get("cached_tokens")) if isinstance(prompt_details, dict) else None,
        cache_write_tokens=_whole(prompt_details.get("cache_write_tokens"))
        if isinstance(prompt_details, dict)
        else None,
        output_tokens=_whole(usage.get("completion_tokens")),
        reasoning_tokens=_whole(output_details.get("reasoning_tokens")) if isinstance(output_details, dict) else None,
        counted_by="server",
    )


def _told(parts: _Assembly) -> Told | None:
    event, usage = parts.counted, parts.usage
    if event is None or not isinstance(usage, dict):
        return None
    cost, by = usage.get("cost"), usage.get("cost_by")  # OpenRouter's name for it; `cost_by` is our relay's
    known = isinstance(cost, int | float) and not isinstance(cost, bool) and 0 <= cost < _MOST
    model, fingerprint = event.get("model"), event.get("system_fingerprint")
    return Told(
        model=model if isinstance(model, str) else None,
        fingerprint=fingerprint if isinstance(fingerprint, str) else None,
        cost_usd=float(cost) if known and isinstance(cost, int | float) else None,
        cost_by=None if not known else "litellm" if by == "litellm" else "provider",
    )


def _server_timing(parts: _Assembly) -> ServerTiming | None:
    timings = parts.timings
    if not isinstance(timings, dict):
        return None
    return ServerTiming(
        queue_s=_seconds(timings.get("queue_time_ms")),  # vLLM with --enable-per-request-metrics
        prompt_s=_seconds(timings.get("prompt_ms", timings.get("time_to_first_token_ms"))),
        predicted_s=_seconds(timings.get("predicted_ms", timings.get("generation_time_ms"))),
        prompt_tokens=_whole(timings.get("prompt_n")),
        predicted_tokens=_whole(timings.get("predicted_n")),
    )
