"""One logged call of an agent, in one shape whatever it was exported from.

Dataclasses over plain JSON values, not pydantic records: each call repeats its whole history, and checking every
message of it again would make reading a gigabyte of logs take an hour. Importers bring messages into the normal form.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson

from harness.records.attempt import Usage

__all__ = ["DELIVERY_PARAMS", "LatencyKind", "LogFailure", "LogRecord", "Payload", "canonical"]

Payload = dict[str, Any]
"""A JSON object in normal form; nobody changes it once it is in a record."""

DELIVERY_PARAMS: Final = frozenset(
    {
        "extra_headers", "metadata", "model", "prompt_cache_key", "request_timeout", "safety_identifier", "seed",
        "service_tier", "store", "stream", "stream_options", "timeout", "user",
    }
)  # fmt: skip
"""Parameters of a request that change how an answer is delivered, billed or drawn, not what is asked."""

LatencyKind = Literal["end_to_end", "service"]
"""`end_to_end`: as the caller saw it. `service`: as a server or proxy counted its own part."""


def canonical(value: object) -> bytes:
    """JSON with sorted keys and without spaces: equal for equal values, so that it can be hashed.

    >>> canonical({"b": 1, "a": 2})
    b'{"a":2,"b":1}'
    """
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


@dataclass(frozen=True, slots=True)
class LogFailure:
    """Why a logged call has no reply, or only a part of one."""

    kind: str
    """As the log names it: an error class, a code, `content_filter`."""
    message: str | None = None
    status: int | None = None
    """HTTP status, where one was logged."""


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A logged call. None is something that the log does not say; 0 is a logged zero.

    Messages in normal form are objects of these keys alone, those without a value left out:
      role          system, user, assistant or tool (`developer` is kept as system, `function` as tool)
      content       text, or where there is more than text a list of parts {type: text, text} and {type: …} as logged
      tool_calls    [{id?, name, arguments}], `arguments` the logged JSON text (an object is written canonically)
      tool_call_id  which call a tool's result answers
      name          who speaks, or the tool
      reasoning     what the model thought before its answer, where it was logged
    Tools in normal form: {name, description?, parameters?, strict?}.
    """

    id: str
    """Hash of what identifies the call in its source: the same line imported twice has the same id."""
    source: str
    """Name of the format it was read from."""
    messages: tuple[Payload, ...]
    tools: tuple[Payload, ...] = ()
    params: Payload = field(default_factory=dict)
    """What else was asked for, as the OpenAI protocol names it: temperature, tool_choice, response_format, …"""
    reply: Payload | None = None
    """An assistant's message in normal form, and `finish_reason` where it was logged."""
    more_replies: tuple[Payload, ...] = ()
    """Further choices, where n > 1 was asked for."""
    failure: LogFailure | None = None

    at: float | None = None
    """When it was sent, in seconds since the epoch."""
    session: str | None = None
    """Trace, conversation or trajectory that the call is a step of."""
    step: int | None = None
    """Place in the session, from 0, as logged or by time."""
    span: str | None = None
    """The log's own name of this call."""
    parent: str | None = None
    """Of the span that it was made in."""
    agent: str | None = None
    """Node of the agent, or workload."""
    user: str | None = None
    """End user, as the log names them."""
    model: str | None = None
    """As it was asked for."""
    answered_by: str | None = None
    """As the reply names it."""
    provider: str | None = None

    usage: Usage = field(default_factory=Usage)
    latency_s: float | None = None
    latency_kind: LatencyKind | None = None
    ttft_s: float | None = None
    cost_usd: float | None = None
    """As recorded, never computed."""
    cached: bool | None = None
    """Whether a proxy answered from its cache: no latency of the model then."""
    streamed: bool | None = None
    outcome: float | None = None
    """How the session, or the call, ended: 0..1, as logged."""
    outcome_by: str | None = None
    """Who says so: `human`, `verified`, or a name of the log's."""
    human_chat: bool | None = None
    """Whether a person chats here (HCI); None: the log does not tell."""
    extra: Payload = field(default_factory=dict)
    """What else was logged: tags, metadata, versions."""

    def request_key(self) -> bytes:
        """What was asked, canonically: two calls with the same key are the same question."""
        asked: Mapping[str, object] = {"messages": self.messages, "tools": self.tools, "params": self.params}
        return canonical(asked)
