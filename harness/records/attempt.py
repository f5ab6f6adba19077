"""What was answered, when, at what price, and who is to blame if nothing was."""

from collections.abc import Sequence
from typing import Literal, get_args

from pydantic import Field

from harness.records.base import Record
from harness.records.chat import ToolCall

__all__ = [
    "Attempt",
    "Boundary",
    "Certainty",
    "Disturbance",
    "Failure",
    "FailureKind",
    "Origin",
    "Protocol",
    "RawToolCall",
    "RecordedBy",
    "Reply",
    "ServerTiming",
    "Step",
    "Timing",
    "ToolResult",
    "Usage",
    "attempt_key",
]

Protocol = Literal["native", "prompted", "constrained"]
"""How a model is told of its tools and how its calls come back."""

Boundary = Literal["model", "infrastructure", "harness"]
"""Whose fault a failure is: the model's score 0, the infrastructure's are unscored, the harness's stop the run."""

Origin = Literal["measured", "recorded", "cached"]
"""Where an answer is from: asked and timed in this run, taken from a log or file, or from the cache of replies."""

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
    "task_error",
    # harness
    "unsupported_request",
    "bad_history",
]


RecordedBy = Literal["provider", "litellm", "log"]
"""Who says what an answer cost: the provider beside the reply, litellm, or the log that it was read from."""


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


class Certainty(Record):
    """How likely a model held its own tokens to be, by the probabilities that the server told with them.

    Natural logarithms, of the tokens as drawn; before or after a grammar or a temperature changed them is the server's
    choice (llama.cpp and vLLM: before).
    """

    tokens: int = Field(ge=1)
    """Tokens of which a probability was told."""
    mean_logprob: float = Field(le=0)
    least_logprob: float = Field(le=0)
    """Of the least likely token."""
    first_logprob: float = Field(le=0)
    """Of the first one, in which a model often decides whether to call."""

    @classmethod
    def of(cls, logprobs: Sequence[float]) -> "Certainty | None":
        """What the tokens' logarithms come to; None without any."""
        if not logprobs:
            return None
        return cls(
            tokens=len(logprobs),
            mean_logprob=sum(logprobs) / len(logprobs),
            least_logprob=min(logprobs),
            first_logprob=logprobs[0],
        )


class Reply(Record):
    """The assistant's message, assembled from the stream."""

    content: str | None = None
    reasoning: str | None = None
    tool_calls: tuple[RawToolCall, ...] = ()
    finish_reason: str | None = None
    certainty: Certainty | None = None
    """Where `model.generation.logprobs` asked for it, and the server tells."""


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
    """Those read from a prompt cache."""
    cache_write_tokens: int | None = None
    """Those written to a prompt cache, where the provider counts them: part of `prompt_tokens`, not of the cached."""
    output_tokens: int | None = None
    """Generated tokens, reasoning included."""
    reasoning_tokens: int | None = None
    counted_by: Literal["server", "chunks"] | None = None
    """`server`: its usage block. `chunks`: one token for each streamed event, an estimate."""


Disturbance = Literal["error", "nonsense", "timeout"]
"""What a run may do on purpose to one call of a tool, to see whether the model recovers."""


class ToolResult(Record):
    """One call that an agent made, and what its tool gave back."""

    call: ToolCall
    content: str
    """What the model is told."""
    error: bool = False
    """Whether the tool refused or failed, by its own fault, the call's, or on purpose."""
    disturbed: Disturbance | None = None
    """What was done to the call on purpose; the tool itself did not run then."""
    ran: bool = True
    """Whether the tool came to its end, so that the world may have changed."""
    took_ns: int = 0


class Step(Record):
    """One reply of an agent with the results of the tools that it called."""

    turn: int = Field(ge=0)
    reply: Reply
    timing: Timing
    usage: Usage = Usage()
    server: ServerTiming | None = None
    cost_usd: float | None = None
    recorded_cost_usd: float | None = None
    origin: Origin = "measured"
    unreadable: str | None = None
    """Why the reply's attempt to call could not be read; the model was told."""
    results: tuple[ToolResult, ...] = ()
    tries: int = Field(default=1, ge=1)


class Attempt(Record):
    """One sample put to one model, as it ended after its retries: one request, or all steps of an agent's task.

    Of an agent's task `reply` is the last one, `timing` spans the whole of it with the tools' time (without marks of
    tokens: those are in the steps), and `usage` and `cost_usd` are sums over the steps.
    """

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
    recorded_cost_usd: float | None = None
    """What somebody else says that it cost: never computed here, never added to `cost_usd`."""
    recorded_cost_by: RecordedBy | None = None
    origin: Origin = "measured"
    """Of a `cached` answer times, tokens and costs are those of when it was made, and nothing was paid for it now. An
    agent's task counts as cached if any of its replies is."""
    latency_source: str | None = None
    """Of a `recorded` answer: what its log says that its latency was taken from."""
    failure: Failure | None = None
    tries: int = Field(default=1, ge=1)
    failed_tries: tuple[Failure, ...] = ()
    """Failures that were retried before this outcome."""
    steps: tuple[Step, ...] = ()
    """Of an agent's task, in order; empty for a single request."""
    ended: Literal["answered", "step_limit", "off_record"] | None = None
    """How an agent's task came to its end; None for a single request and for a failure. `off_record`: of a replayed
    session, a reply that the record does not go on from."""
    feedback_at: int | None = None
    """Number of the first step after the checker's message, where one more try was given."""

    @property
    def spent_usd(self) -> float | None:
        """What this run paid at list price: 0 for an answer from the cache, as for one on record."""
        if self.origin == "recorded":
            return 0.0
        if self.steps:
            known = [0.0 if step.origin == "cached" else step.cost_usd for step in self.steps]
            return None if None in known else sum(one for one in known if one is not None)
        return 0.0 if self.origin == "cached" else self.cost_usd

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
