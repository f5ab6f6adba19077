"""Every fault that an endpoint can show, as a script for the test server, with what has to be made of it."""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass

from tests.support import openai_server as fake
from tests.support.openai_server import DONE, END, SSE_HEAD, Close, Raw, Reset, Step, Wait, chunked, delta

LONG_S, SHORT_S = 5.0, 0.3


def said(status: int, message: str, headers: str = "", **more: object) -> list[Step]:
    return fake.error(status, {"error": {"message": message, **more}}, headers)


def http(head: bytes, body: bytes, *, end: Step | None = None) -> list[Step]:
    return [Raw(b"HTTP/1.1 " + head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body), *([end] if end else [])]


def sse(*events: bytes, end: Step = END) -> list[Step]:
    return [Raw(SSE_HEAD), *(chunked(one) for one in events), end]


WORD = delta(content="a")
STOP = delta(finish="stop")
WHOLE = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}]}
PAGE = b"<html><body>502 Bad Gateway</body></html>"
OPENAI_OVERFLOW = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens."
VLLM_OVERFLOW = "The decoder prompt (length 5000) is longer than the maximum model length of 4096."
VLLM_TOO_MUCH = (
    "'max_tokens' or 'max_completion_tokens' is too large: 8192. This model's maximum context length is 4096 tokens "
    "and your request has 100 input tokens (8192 > 4096 - 100)."
)


@dataclass(frozen=True)
class Case:
    """A fault, and what has to be made of it. `kind` None: no failure, the reply is judged as it stands."""

    name: str
    steps: Sequence[Step]
    boundary: str | None
    kind: str | None
    retried: bool = False
    stall_s: float = LONG_S
    deadline_s: float = LONG_S
    words: str = ""


INFRA, MODEL, HARNESS = "infrastructure", "model", "harness"
DRIP = [Raw(SSE_HEAD), *(step for _ in range(60) for step in (chunked(WORD), Wait(0.05)))]
CASES = (
    Case("401", said(401, "Incorrect API key provided: sk-abcdefgh1234"), INFRA, "auth", words="[key]"),
    Case("402 no credit left", said(402, "Insufficient balance"), INFRA, "auth"),
    Case("403", said(403, "Country not supported"), INFRA, "auth"),
    Case("404 model", said(404, "The model `x` does not exist."), INFRA, "not_found", words="does not exist"),
    Case("404 page", http(b"404 Not Found\r\nContent-Type: text/html", b"<h1>no</h1>"), INFRA, "not_found"),
    Case("408", said(408, "timed out"), INFRA, "timeout", retried=True),
    Case("409", said(409, "try again"), INFRA, "conflict", retried=True),
    Case("413", said(413, "Payload Too Large"), INFRA, "too_large"),
    Case("400", said(400, "odd"), INFRA, "bad_request"),
    Case(
        "context, llama.cpp",
        said(
            400,
            "the request exceeds the available context size (256 tokens), try increasing it",
            type="exceed_context_size_error",
            code=400,
        ),
        MODEL,
        "context_overflow",
    ),
    Case("context, OpenAI", said(400, OPENAI_OVERFLOW, code="context_length_exceeded"), MODEL, "context_overflow"),
    Case("context, vLLM", said(400, VLLM_OVERFLOW, type="BadRequestError"), MODEL, "context_overflow"),
    Case(
        "context, Anthropic", said(400, "prompt is too long: 210000 tokens > 200000 maximum"), MODEL, "context_overflow"
    ),
    Case(
        "context in a stream",
        sse(fake.event({"error": {"code": 400, "message": OPENAI_OVERFLOW}})),
        MODEL,
        "context_overflow",
    ),
    Case("max_tokens beyond the context", said(400, VLLM_TOO_MUCH), HARNESS, "unsupported_request", words="too large"),
    Case("429", said(429, "slow down"), INFRA, "rate_limit", retried=True),
    Case("500", said(500, "boom"), INFRA, "server_error", retried=True),
    Case("500 without a body", http(b"500 Oops", b""), INFRA, "server_error", retried=True),
    Case("502 page", http(b"502 Bad Gateway\r\nContent-Type: text/html", PAGE), INFRA, "server_error", retried=True),
    Case("503 loading", said(503, "Loading model"), INFRA, "loading", retried=True),
    Case("503 overloaded", said(503, "overloaded"), INFRA, "server_error", retried=True),
    Case("529 overloaded", said(529, "Overloaded"), INFRA, "server_error", retried=True),
    Case("reset before the reply", [Reset()], INFRA, "reset", retried=True),
    Case("closed before the reply", [Close()], INFRA, "reset", retried=True),
    Case(
        "reset in the headers", [Raw(b"HTTP/1.1 200 OK\r\nContent-"), Wait(0.02), Reset()], INFRA, "reset", retried=True
    ),
    Case(
        "reset in the stream",
        [Raw(SSE_HEAD), chunked(WORD), Wait(0.02), Reset()],
        INFRA,
        "truncated_stream",
        retried=True,
    ),
    Case(
        "closed in the stream",
        [Raw(SSE_HEAD), chunked(WORD), Wait(0.02), Close()],
        INFRA,
        "truncated_stream",
        retried=True,
    ),
    Case("no finish", sse(WORD), INFRA, "truncated_stream", retried=True),
    Case("no event at all", sse(), INFRA, "truncated_stream", retried=True),
    Case("bad JSON", sse(b"data: {\n\n", STOP, DONE), INFRA, "malformed_stream", retried=True),
    Case(
        "bad chunk encoding",
        [Raw(SSE_HEAD), chunked(WORD), Raw(b"xyz\r\nnonsense"), Wait(0.05), Close()],
        INFRA,
        "malformed_stream",
        retried=True,
    ),
    Case(
        "bad chunk encoding later on",
        [Raw(SSE_HEAD), chunked(WORD), Wait(0.05), Raw(b"xyz\r\nnonsense"), Wait(0.05), Close()],
        INFRA,
        "malformed_stream",
        retried=True,
        words="does not keep to HTTP",
    ),
    Case(
        "less than the length promised",
        [Raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 999\r\n\r\n" + WORD), Close()],
        INFRA,
        "truncated_stream",
        retried=True,
    ),
    Case("an event that is no object", sse(b"data: 7\n\n", STOP, DONE), INFRA, "malformed_stream", retried=True),
    Case(
        "events of another protocol", sse(fake.event({"type": "ping"}), DONE), INFRA, "malformed_stream", retried=True
    ),
    Case("no HTTP", [Raw(b"SSH-2.0-nonsense\r\n\r\n"), Close()], INFRA, "malformed_stream", retried=True),
    Case(
        "headers without end",
        [Raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000)],
        INFRA,
        "malformed_stream",
        retried=True,
        stall_s=1,
    ),
    Case("silence before the reply", [Wait(LONG_S)], INFRA, "stalled", retried=True, stall_s=SHORT_S),
    Case(
        "silence in the stream",
        [Raw(SSE_HEAD), chunked(WORD), Wait(LONG_S)],
        INFRA,
        "stalled",
        retried=True,
        stall_s=SHORT_S,
    ),
    Case("slow drip", DRIP, INFRA, "timeout", retried=True, deadline_s=SHORT_S),
    Case(
        "a page for a reply",
        http(b"200 OK\r\nContent-Type: text/html", b"hi"),
        INFRA,
        "wrong_content_type",
        retried=True,
    ),
    Case(
        "stream=true ignored",
        fake.error(200, WHOLE),
        INFRA,
        "wrong_content_type",
        retried=True,
        words="ignored stream=true",
    ),
    Case(
        "an error with status 200",
        fake.error(200, {"error": {"code": 429, "message": "slow"}}),
        INFRA,
        "rate_limit",
        retried=True,
    ),
    Case("finish_reason error", sse(WORD, delta(finish="error"), DONE), INFRA, "server_error", retried=True),
    Case("grammar", said(400, "Failed to initialize samplers: failed to parse grammar"), INFRA, "grammar_rejected"),
    Case(
        "grammar, vLLM",
        said(400, "The provided JSON schema contains features not supported by xgrammar."),
        INFRA,
        "grammar_rejected",
    ),
    Case(
        "unsupported request",
        said(400, "logprobs is not supported with tools + stream"),
        HARNESS,
        "unsupported_request",
    ),
    Case(
        "unsupported parameter",
        said(400, "Unsupported parameter: 'max_tokens'", code="unsupported_parameter"),
        HARNESS,
        "unsupported_request",
    ),
    Case(
        "no tool parser, vLLM",
        said(400, '"auto" tool choice requires --enable-auto-tool-choice'),
        HARNESS,
        "unsupported_request",
    ),
    Case(
        "broken history",
        said(500, "Failed to parse tool call arguments as JSON in messages[2]"),
        HARNESS,
        "bad_history",
    ),
    Case(
        "redirect",
        http(b"307 X\r\nLocation: http://127.0.0.1:1/v1/chat/completions?key=1", b""),
        INFRA,
        "not_found",
        words="model.url=http://127.0.0.1:1/v1",
    ),
    Case("empty reply", sse(delta(role="assistant", content=""), STOP, DONE), MODEL, "empty_reply"),
    Case("content filter", sse(WORD, delta(finish="content_filter"), DONE), MODEL, "content_filter"),
    Case(
        "content filter on the prompt",
        said(400, "The response was filtered", code="content_filter"),
        MODEL,
        "content_filter",
    ),
    Case(
        "malformed call",
        said(500, "Failed to parse tool call arguments as JSON: [json.exception]"),
        MODEL,
        "malformed_tool_call",
    ),
    Case(
        "malformed call in a stream",
        sse(WORD, fake.event({"error": {"code": 500, "message": "Failed to parse input at pos 0"}})),
        MODEL,
        "malformed_tool_call",
    ),
    Case(
        "malformed call, old llama.cpp",
        sse(WORD, b'error: {"code":500,"message":"Failed to parse input"}\n\n'),
        MODEL,
        "malformed_tool_call",
    ),
    Case("finish_reason length", sse(WORD, delta(finish="length"), DONE), None, None),
    Case(
        "tool arguments that are no JSON",
        sse(
            delta(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": "{"}}]),
            delta(finish="tool_calls"),
            DONE,
        ),
        None,
        None,
    ),
    Case("invalid UTF-8", sse(b'data: {"choices":[{"delta":{"content":"caf\xc3"}}]}\n\n', STOP, DONE), None, None),
    Case(
        "half a surrogate pair", sse(b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}\n\n', STOP, DONE), None, None
    ),
    Case("reset after [DONE]", sse(WORD, STOP, DONE, end=Reset()), None, None),
    Case("no last chunk after [DONE]", sse(WORD, STOP, DONE, end=Close()), None, None),
    Case("left open after [DONE]", sse(WORD, STOP, DONE, end=Wait(LONG_S)), None, None, stall_s=SHORT_S),
    Case("comments and other fields", sse(b": ping\n\n", b"event: x\nid: 1\nretry: 5\n", WORD, STOP, DONE), None, None),
    Case("carriage returns", sse(*(one.replace(b"\n", b"\r\n") for one in (WORD, STOP, DONE))), None, None),
    Case(
        "HTTP/1.0",
        [Raw(b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + WORD + STOP + DONE), Close()],
        None,
        None,
    ),
    Case(
        "gzip unasked",
        http(b"200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip", gzip.compress(WORD + STOP + DONE)),
        None,
        None,
    ),
    Case(
        "broken gzip",
        http(b"200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip", b"no gzip"),
        INFRA,
        "malformed_stream",
        retried=True,
    ),
)
