"""Who is to blame for what a server said: a table of statuses and words, and the reading of Retry-After."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Final

import orjson

from harness.backends.litellm_child import without_keys
from harness.records import Boundary, Failure, FailureKind

__all__ = [
    "RETRYABLE",
    "attribute",
    "error_status",
    "hushed",
    "redirected",
    "retry_after_s",
    "sent_keys",
    "without_secrets",
    "without_shapes",
]

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
_SHAPES: Final = (
    re.compile(r"(?P<before>[?&](?:key|api[-_]?key|access[-_]?token|token|sig|signature)=)[^&\s\"'<>]+", re.IGNORECASE),
    re.compile(r"(?P<before>\bBearer\s+)[^\s\"',}]{8,}", re.IGNORECASE),
    re.compile(
        r"(?P<before>\b(?:x-)?(?:goog-)?(?:api[-_ ]?key|authorization|access[-_ ]token)\"?'?\s*(?:is|[:=])\s*[\"']?)"
        r"(?!\[key\]|Bearer\b)(?=[^\s\"',}]*\d)[^\s\"',}]{8,}",
        re.IGNORECASE,
    ),
    re.compile(
        r"\b(?:(?:sk|pk|key|hf|gsk|xai|nvapi|pplx|ghp|r8|fw|csk)[-_][A-Za-z0-9*_-]{6,}"
        r"|AIza[A-Za-z0-9_-]{8,}|AKIA[A-Z0-9]{12,}|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]+)?)"
    ),
)
"""What keys look like: in a query, behind a header's name, or by the beginning that a provider gives its own."""
_HOLDS_KEY: Final = re.compile(r"key|token|secret|authorization", re.IGNORECASE)
_KEY_CHARS = 8
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
    return without_shapes(" ".join(text.split()))[:300] or "no message"


def without_shapes(text: str) -> str:
    """Text with `[key]` for all that looks like a key: by its beginning, in an address, or behind a header's name.

    >>> without_shapes("no such key: sk-0123456789, at https://x/v1?key=AIzaSyA0123 with api-key: 5f0e9a1b2c3d")
    'no such key: [key], at https://x/v1?key=[key] with api-key: [key]'
    """
    for shape in _SHAPES:
        text = shape.sub(lambda hit: f"{hit.groupdict().get('before') or ''}[key]", text)
    return text


def sent_keys(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The keys among the headers of a request, longest first; short words that stand for none are left out.

    >>> sent_keys({"Authorization": "Bearer sk-0123456789", "Accept": "*/*", "api-key": "none"})
    ('sk-0123456789',)
    """
    values = (value.split()[-1] for name, value in headers.items() if value.strip() and _HOLDS_KEY.search(name))
    return tuple(sorted({value for value in values if len(value) >= _KEY_CHARS}, key=len, reverse=True))


def without_secrets(text: str, headers: Mapping[str, str]) -> str:
    """Text of a server's without anything of the keys in these headers, and without anything that looks like one."""
    return without_shapes(without_keys(text, sent_keys(headers)))


def hushed(failure: Failure, hidden: tuple[str, ...]) -> Failure:
    """The failure without anything of the keys that were sent, and without anything that looks like one."""
    message = without_shapes(without_keys(failure.message, hidden))
    return failure if message == failure.message else failure.model_copy(update={"message": message})


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
