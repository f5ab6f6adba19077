"""Who is to blame for what a server said: a table of statuses and words, and the reading of Retry-After."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Final

import orjson

from harness.records import Boundary, Failure, FailureKind

__all__ = ["RETRYABLE", "attribute", "error_status", "redirected", "retry_after_s"]

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


# The first rule that fits decides. Sources of the words: llama.cpp issues 22072, 22948, 25510 and 28478, the error
# codes and messages of OpenAI, Azure, Anthropic, Mistral, vLLM, SGLang, TGI and Ollama. Words narrow enough not to be
# met in a prompt that a server quotes.
_CONTEXT = (
    r"exceed_context_size|context_length_exceeded|model_context_window_exceeded|maximum context length"
    r"|(exceeds?|longer than|greater than|larger than|overflows?)[^.]{0,60}"
    r"(context (size|length|window)|maximum model length|max_model_len|maximum number of tokens)"
    r"|prompt is too long|`?inputs`? tokens \+ `?max_new_tokens`? must be <="
)
_FILTERED = r"content_filter|content management policy|ResponsibleAIPolicyViolation|content_policy_violation|moderation"
_UNSUPPORTED = (
    r"(not supported|unsupported|cannot (be )?use).*(stream|tools|logprobs|param|response_format)"
    r"|unrecognized request argument|unsupported[_ ](parameter|value)|unknown (parameter|field|name)"
    r"|extra inputs are not permitted|extra_forbidden|tool choice requires|does not support tools|requires --jinja"
)
_GENERATED_CALL = r"failed to parse (tool call|input|generated)|parse tool call arguments|tool_use_failed"
_GRAMMAR = (
    r"failed to (initialize samplers|parse grammar|compile (the )?grammar)|invalid schema|xgrammar"
    r"|(grammar|json[ _]schema|guided_\w+|structured outputs?)[^.]{0,80}(error|invalid|fail)"
    r"|(error|invalid|fail\w*)[^.]{0,40}(grammar|json[ _]schema|guided_\w+)"
)
_RULES: Final = (
    _rule({400, 413, 422, 500}, _CONTEXT, "model", "context_overflow"),
    _rule(set(), r"parse tool call arguments.*(messages?\[|history|input)", "harness", "bad_history"),
    _rule({400, 500}, _GENERATED_CALL, "model", "malformed_tool_call"),
    _rule({400, 403, 451}, _FILTERED, "model", "content_filter"),
    _rule({400, 422, 500}, _GRAMMAR, "infrastructure", "grammar_rejected"),
    _rule({400, 422, 500}, _UNSUPPORTED, "harness", "unsupported_request"),
    _rule({401, 402, 403, 407}, r"", "infrastructure", "auth"),
    _rule({404, 405, 410}, r"", "infrastructure", "not_found"),
    _rule({408}, r"", "infrastructure", "timeout"),
    _rule({409}, r"", "infrastructure", "conflict"),
    _rule({413}, r"", "infrastructure", "too_large"),
    _rule({429}, r"", "infrastructure", "rate_limit"),
    _rule({503}, r"loading", "infrastructure", "loading"),
)
_LIMIT = re.compile(r"maximum context length (?:is|of) (\d+)", re.IGNORECASE)
_ASKED = re.compile(r"(?:too large: |, )(\d+)(?: in the completion|\. This model)", re.IGNORECASE)


def attribute(status: int, body: bytes, retry_after: str | None) -> Failure:
    """Who is to blame for an error that the server put into words, by status and text."""
    text = body[:4000].decode("utf-8", "replace")
    boundary: Boundary = "infrastructure"
    kind: FailureKind = "server_error" if status >= 500 or status == 0 else "bad_request"
    for rule in _RULES:
        if (not rule.statuses or status in rule.statuses) and re.search(rule.words, text, re.IGNORECASE):
            boundary, kind = rule.boundary, rule.kind
            break
    if kind == "context_overflow" and _asked_too_much(text):
        boundary, kind = "harness", "unsupported_request"
    return Failure(
        boundary=boundary,
        kind=kind,
        message=f"HTTP {status}: {_said(text)}",
        status=status or None,
        retry_after_s=retry_after_s(retry_after),
    )


def _asked_too_much(text: str) -> bool:
    """Whether the room asked for the reply alone fills the context: then no prompt fits, and the model is not to blame.

    >>> _asked_too_much("maximum context length is 409. You asked for 412 (3 in the messages, 409 in the completion)")
    True
    """
    limit, asked = _LIMIT.search(text), _ASKED.search(text)
    return limit is not None and asked is not None and int(asked[1]) >= int(limit[1])


def redirected(status: int, location: str | None) -> Failure:
    """A redirect: followed, each call would be timed twice and some would turn into a GET, so it is not."""
    target = re.sub(r"[?#].*", "", location or "")
    base = target.removesuffix("/").removesuffix("/chat/completions")
    where = f"to {target}; ask there: model.url={base}" if target else "without saying where to"
    message = f"HTTP {status}: the server redirects {where}"
    return Failure(boundary="infrastructure", kind="not_found", message=message[:300], status=status)


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
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if isfinite(seconds) else None
