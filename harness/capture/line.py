"""A passed call as a line that `do=collect` reads: request, response, times and where it belongs."""

import gzip
import zlib
from typing import Any

import orjson

from harness.capture.passing import Passing
from harness.capture.streams import assembled

__all__ = ["line_of"]

_KINDS = (
    ("/chat/completions", "openai.chat"),
    ("/responses", "openai.responses"),
    ("/messages", "anthropic.messages"),
    ("enerateContent", "gemini.generate"),
)


def line_of(call: Passing, step: int | None) -> bytes | None:
    """One JSON object; None for a call whose request was not seen or is not JSON (a file that was uploaded).

    `latency_s` is the caller's, to the last byte; `ttft_s` to the first piece of the answer, of streamed replies only.
    """
    request = _json(call.body)
    if not isinstance(request, dict):
        return None
    kind = next((kind for end, kind in _KINDS if call.path.endswith(end)), "openai.chat")
    response, first_ns, whole = _response(call, kind)
    fields: dict[str, Any] = {
        "timestamp": call.at,
        "kind": kind,
        "model": request.get("model"),
        "request": request,
        "response": response,
        "status": call.status,
        "provider": call.host,
        "session_id": call.context.session,
        "step": step,
        "parent_id": call.context.parent,
        "agent": call.context.agent or call.agent,
        "latency_s": None if call.ended_ns is None else call.ended_ns / 1e9,
        "latency_kind": "end_to_end",
        "ttft_s": None if first_ns is None else first_ns / 1e9,
        "human_chat": call.context.human,
    }
    if call.broke is not None and not whole:
        fields["error"] = {"type": call.broke, "message": f"the call did not come to its end: {call.broke}"}
    return orjson.dumps({name: value for name, value in fields.items() if value is not None})


def _response(call: Passing, kind: str) -> tuple[Any, int | None, bool]:
    """The response as the provider would have sent it in one piece, when its first piece came, and if it is whole."""
    raw = _decoded(b"".join(chunk for _, chunk in call.chunks), call.headers.get("content-encoding", ""))
    if raw is None:
        return _error("the reply's compression is not one that is read here"), None, True
    if "event-stream" in call.headers.get("content-type", ""):
        found = assembled(raw, kind)
        return found.response, _when(call, found.first_at), found.whole
    body = _json(raw)
    return body if body is not None or not raw else _error(raw[:500].decode(errors="replace")), None, False


def _error(message: str) -> dict[str, Any]:
    return {"error": {"type": "unreadable", "message": message}}


def _when(call: Passing, place: int | None) -> int | None:
    """When the byte at a place of the body came; None for compressed bodies, whose places are others."""
    if place is None or call.headers.get("content-encoding", "identity") not in ("", "identity"):
        return None
    seen = 0
    for at_ns, chunk in call.chunks:
        seen += len(chunk)
        if place < seen:
            return at_ns
    return None


def _decoded(raw: bytes, encoding: str) -> bytes | None:
    try:
        if encoding in ("", "identity"):
            return raw
        if encoding == "gzip":
            return gzip.decompress(raw)
        if encoding == "deflate":
            return zlib.decompress(raw)
    except (OSError, EOFError, zlib.error):
        return b""
    return _by_httpx(raw, encoding)


def _by_httpx(raw: bytes, encoding: str) -> bytes | None:
    """Br and zstd, if the program has what httpx needs for them."""
    import httpx

    try:
        response = httpx.Response(200, headers={"content-encoding": encoding}, content=raw)
    except httpx.DecodingError:
        return b""
    return None if response.content == raw else response.content


def _json(raw: bytes | None) -> Any:
    try:
        return orjson.loads(raw) if raw else None
    except orjson.JSONDecodeError:
        return None
