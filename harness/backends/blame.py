"""Who is to blame for what a server said: a table of statuses and words, and the reading of Retry-After."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import orjson

from harness.records import Boundary, Failure, FailureKind

__all__ = ["RETRYABLE", "attribute", "error_status", "retry_after_s"]

RETRYABLE: Final[frozenset[FailureKind]] = frozenset(
    {
        "dns", "connect", "timeout", "conflict", "rate_limit", "server_error", "loading", "reset",
        "truncated_stream", "malformed_stream", "wrong_content_type", "stalled",
    }
)  # fmt: skip
"""Infrastructure failures that may pass. A byte-identical retry helps none of the others."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """Statuses (empty: any) and words (a regular expression, case ignored) that mean a boundary and a kind."""

    statuses: frozenset[int]
    words: str
    boundary: Boundary
    kind: FailureKind


def _rule(statuses: set[int], words: str, boundary: Boundary, kind: FailureKind) -> _Rule:
    return _Rule(frozenset(statuses), words, boundary, kind)


# The first rule that fits decides. Sources of the words: llama.cpp issues 22072, 22948, 25510 and 28478, OpenAI's error
# codes, vLLM's messages.
_CONTEXT = r"exceed_context_size|context_length_exceeded|maximum context length|exceeds? the (available )?context"
_UNSUPPORTED = (
    r"(not supported|unsupported|cannot (be )?use).*(stream|tools|logprobs|param)|unrecognized request argument"
)
_GENERATED_CALL = r"failed to parse (tool call|input|generated)|parse tool call arguments"
_RULES: Final = (
    _rule(set(), _CONTEXT, "model", "context_overflow"),
    _rule(set(), r"parse tool call arguments.*(messages?\[|history|input)", "harness", "bad_history"),
    _rule({500}, _GENERATED_CALL, "model", "malformed_tool_call"),
    _rule({400, 500}, r"failed to (initialize samplers|parse grammar)|grammar", "infrastructure", "grammar_rejected"),
    _rule({400}, _UNSUPPORTED, "harness", "unsupported_request"),
    _rule({401, 403}, r"", "infrastructure", "auth"),
    _rule({404}, r"", "infrastructure", "not_found"),
    _rule({408}, r"", "infrastructure", "timeout"),
    _rule({409}, r"", "infrastructure", "conflict"),
    _rule({413}, r"", "infrastructure", "too_large"),
    _rule({429}, r"", "infrastructure", "rate_limit"),
    _rule({503}, r"loading", "infrastructure", "loading"),
)


def attribute(status: int, body: bytes, retry_after: str | None) -> Failure:
    """Who is to blame for an error that the server put into words, by status and text."""
    text = body[:4000].decode("utf-8", "replace")
    boundary: Boundary = "infrastructure"
    kind: FailureKind = "server_error" if status >= 500 or status == 0 else "bad_request"
    for rule in _RULES:
        if (not rule.statuses or status in rule.statuses) and re.search(rule.words, text, re.IGNORECASE):
            boundary, kind = rule.boundary, rule.kind
            break
    return Failure(
        boundary=boundary,
        kind=kind,
        message=f"HTTP {status}: {_said(text)}",
        status=status or None,
        retry_after_s=retry_after_s(retry_after),
    )


def _said(text: str) -> str:
    """The server's own words out of an error body, one line, at most 300 characters, without anything like a key."""
    try:
        said = orjson.loads(text)
        error = said.get("error", said) if isinstance(said, dict) else said
        text = str(error.get("message", error)) if isinstance(error, dict) else str(error)
    except orjson.JSONDecodeError:
        pass
    text = re.sub(r"\b(sk|pk|key|hf)[-_][A-Za-z0-9*_-]{6,}", "[key]", " ".join(text.split()))
    return text[:300] or "no message"


def error_status(error: object) -> int:
    """The HTTP status that an error event inside a stream stands for; 500 if it names none."""
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and 400 <= code < 600 else 500


def retry_after_s(value: str | None) -> float | None:
    """Seconds to wait from a Retry-After header: a number or an HTTP date; None if absent or unreadable.

    >>> retry_after_s("2.5")
    2.5
    """
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
