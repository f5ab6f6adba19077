"""What was answered, when, at what price, and who is to blame if nothing was."""

from typing import Literal, get_args

from pydantic import Field

from harness.records.base import Record

__all__ = [
    "Attempt",
    "Boundary",
    "Failure",
    "FailureKind",
    "Protocol",
    "RawToolCall",
    "Reply",
    "ServerTiming",
    "Timing",
    "Usage",
    "attempt_key",
]

Protocol = Literal["native", "prompted", "constrained"]
"""How a model is told of its tools and how its calls come back."""

Boundary = Literal["model", "infrastructure", "harness"]
"""Whose fault a failure is: the model's score 0, the infrastructure's are unscored, the harness's stop the run."""

FailureKind = Literal[
    # model
    "context_overflow",
    "malformed_tool_call",
    "content_filter",
    "empty_reply",
    # infrastructure
    "dns",
    "connect",
    "tls",
    "auth",
    "not_found",
    "timeout",
    "conflict",
    "too_large",
    "rate_limit",
    "server_error",
    "loading",
    "reset",
    "truncated_stream",
    "malformed_stream",
    "wrong_content_type",
    "stalled",
    "grammar_rejected",
    "bad_request",
    # harness
    "unsupported_request",
    "bad_history",
]


class Failure(Record):
    """Why an attempt has no reply that could be scored on its merits."""

    boundary: Boundary
    kind: FailureKind
    message: str
    """One line, without keys and without the prompt."""
    status: int | None = None
    """HTTP status, where one was received."""
    retry_after_s: float | None = None


class RawToolCall(Record):
    """A tool call as the server sent it: `arguments` is text that may or may not be JSON."""

    name: str
    arguments: str
    id: str | None = None


class Reply(Record):
    """The assistant's message, assembled from the stream."""

    content: str | None = None
    reasoning: str | None = None
    tool_calls: tuple[RawToolCall, ...] = ()
    finish_reason: str | None = None


class Timing(Record):
    """Raw marks in nanoseconds of one monotonic clock, relative to `sent`; None where the event did not happen."""

    at: float
    """Wall-clock time of `sent`, seconds since the epoch: for ordering and for people, never for durations."""
    intended_ns: int = 0
    """When the schedule wanted the request out (0 or negative: before it was sent). Closed loop: 0."""
    headers_ns: int | None = None
    first_byte_ns: int | None = None
    """First byte of the body."""
    first_content_ns: int | None = None
    first_reasoning_ns: int | None = None
    first_tool_ns: int | None = None
    last_ns: int | None = None
    """Last content, reasoning or tool-call token."""
    end_ns: int | None = None
    """Last byte of the body, or the moment of failure."""
    chunks_ns: tuple[int, ...] = ()
    """Arrival of every event that carried content, reasoning or tool-call text."""


class ServerTiming(Record):
    """What the server says of itself, in seconds (llama.cpp `timings`, vLLM `metrics`); None where it is silent."""

    queue_s: float | None = None
    prompt_s: float | None = None
    predicted_s: float | None = None
    prompt_tokens: int | None = None
    """Prompt tokens really computed, the cached ones left out."""
    predicted_tokens: int | None = None


class Usage(Record):
    """Token counts with who counted them; None where nobody did."""

    prompt_tokens: int | None = None
    """All prompt tokens, cached ones included."""
    cached_tokens: int | None = None
    output_tokens: int | None = None
    """Generated tokens, reasoning included."""
    reasoning_tokens: int | None = None
    counted_by: Literal["server", "chunks"] | None = None
    """`server`: its usage block. `chunks`: one token for each streamed event, an estimate."""


class Attempt(Record):
    """One request for one sample, as it ended after its retries."""

    sample: str
    model: str
    protocol: Protocol
    trial: int = Field(default=0, ge=0)
    backend: str
    seed: int | None = None
    reply: Reply | None = None
    timing: Timing
    usage: Usage = Usage()
    server: ServerTiming | None = None
    cost_usd: float | None = None
    """Of the try that was answered, at list price; None where no price is known. What failed tries cost is unknown."""
    failure: Failure | None = None
    tries: int = Field(default=1, ge=1)
    failed_tries: tuple[Failure, ...] = ()
    """Failures that were retried before this outcome."""

    @property
    def key(self) -> str:
        """Identity within a run: sample and trial."""
        return attempt_key(self.sample, self.trial)


def attempt_key(sample: str, trial: int) -> str:
    """Identity of an attempt within a run folder.

    >>> attempt_key("simple_python_0", 1)
    'simple_python_0#1'
    """
    return f"{sample}#{trial}"


PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
