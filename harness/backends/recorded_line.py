"""One answer on record: what stands in a line of a file, read into the parts of an attempt."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import get_args

import orjson
from pydantic import JsonValue

from harness.backends.blame import attribute
from harness.errors import DataError
from harness.records import Boundary, Failure, FailureKind, Reply, Timing, Usage

__all__ = ["Line", "Told", "line_of", "told"]

_Object = dict[str, JsonValue]
_MODELS_OWN: frozenset[FailureKind] = frozenset(
    {"context_overflow", "malformed_tool_call", "content_filter", "empty_reply"}
)
_NS = 1e9


@dataclass(frozen=True, slots=True)
class Line:
    """A line that holds an answer to a sample."""

    sample: str
    data: _Object
    number: int
    where: str


@dataclass(frozen=True, slots=True)
class Told:
    """What a line says; None where it is silent."""

    reply: Reply | None
    failure: Failure | None
    model: str | None
    trial: int
    timing: Timing
    latency_source: str | None
    usage: Usage
    cost_usd: float | None
    steps: "tuple[Told, ...]" = ()
    """Of a replayed session: each reply, in order. What is said of the whole is then said of the last."""


def line_of(data: _Object, number: int, where: str) -> Iterator[Line]:
    """The answers of a line: itself, or what a sample's line has under `incumbent` (an object, or one for each trial).

    A sample's line without it holds none. Raises DataError where it is not said which sample is answered.
    """
    inner = data.get("incumbent")
    if (
        inner is None
        and ("prompt" in data or "messages" in data)
        and not {"content", "reply", "response"} & data.keys()
    ):
        return
    sample = data.get("sample", data.get("id", None if inner is None else number))
    if sample is None:
        raise DataError(f'{where} has no "id" of a sample')
    for trial, one in enumerate(inner if isinstance(inner, list) else [data if inner is None else inner]):
        if not isinstance(one, dict):
            raise DataError(f'{where}: "incumbent" is an object, or a list of one for each trial')
        yield Line(str(sample), one if inner is None else {"trial": trial, **one}, number, where)


def told(data: _Object) -> Told:
    """What a line says. Raises KeyError, TypeError, ValueError or IndexError where it cannot be read."""
    if "steps" not in data:
        return _told(data)
    steps = tuple(_told(_object(one)) for one in _list(data["steps"]))
    rest = {name: value for name, value in data.items() if name != "steps"}
    if not steps and "failure" not in data:
        raise ValueError('"steps" is empty, and no "failure" says why')
    last = _object(_list(data["steps"])[-1]) if "failure" not in data else {}
    return replace(_told(last | rest), steps=steps)


def _told(data: _Object) -> Told:
    failure = _failure(data)
    message, finish, response = _message(data)
    reply = None if failure is not None else _reply(message, finish)
    called = reply is not None and bool(reply.tool_calls) and not reply.content
    timing, source = _timing(data, first_is_call=called)
    trial = data.get("trial", 0)
    if not isinstance(trial, int) or isinstance(trial, bool) or trial < 0:
        raise ValueError(f"trial={trial!r} is no number from 0")
    model = data.get("model") or (response or {}).get("model")
    return Told(
        reply=reply,
        failure=failure,
        model=str(model) if model else None,
        trial=trial,
        timing=timing,
        latency_source=source,
        usage=_usage(data.get("usage") or (response or {}).get("usage")),
        cost_usd=_positive(data, "cost_usd"),
    )


def _message(data: _Object) -> tuple[Mapping[str, JsonValue], JsonValue, _Object | None]:
    """The assistant's message of a line, why it ended, and the chat completion that it stood in."""
    response, finish = data.get("response", data.get("reply")), data.get("finish_reason")
    if isinstance(response, str):
        return {"content": response}, finish, None
    if not isinstance(response, dict):
        return data, finish, None
    if "choices" not in response and "response" not in data:
        return response, response.get("finish_reason", finish), None
    choice = _object(_list(response["choices"])[0])
    return _object(choice["message"]), choice.get("finish_reason"), response


def _reply(message: Mapping[str, JsonValue], finish: JsonValue) -> Reply:
    calls = [_call(_object(one)) for one in _list(message.get("tool_calls") or [])]
    content = message.get("content")
    if content is None and not calls and not {"content", "tool_calls"} & message.keys():
        raise KeyError("content")
    return Reply.model_validate(
        {
            "content": _text(content) if isinstance(content, list) else content,
            "reasoning": message.get("reasoning", message.get("reasoning_content")),
            "tool_calls": calls,
            "finish_reason": finish,
        }
    )


def _text(parts: list[JsonValue]) -> str:
    """The text of a message that stands in parts."""
    return "".join(str(part["text"]) for part in map(_object, parts) if part.get("type") == "text")


def _call(call: _Object) -> _Object:
    inner = call.get("function")
    source = inner if isinstance(inner, dict) else call
    arguments = source.get("arguments")
    text = arguments if isinstance(arguments, str) else orjson.dumps(arguments or {}).decode()
    return {"name": source["name"], "arguments": text, "id": call.get("id")}


def _failure(data: _Object) -> Failure | None:
    """Why the logged call has no answer: a kind of ours, a status and words, or words alone."""
    found = data.get("failure")
    if found is None:
        return None
    if isinstance(found, str):
        found = {"kind": found} if found in get_args(FailureKind) else {"message": found}
    said = _object(found)
    message, status = " ".join(str(said.get("message") or "the log says no more").split())[:300], said.get("status")
    kind = next((one for one in get_args(FailureKind) if one == said.get("kind")), None)
    if kind is None:
        return attribute(status if isinstance(status, int) else 500, message.encode(), None)
    boundary: Boundary = "model" if kind in _MODELS_OWN else "infrastructure"
    return Failure(boundary=boundary, kind=kind, message=message, status=status if isinstance(status, int) else None)


def _timing(data: _Object, *, first_is_call: bool) -> tuple[Timing, str | None]:
    """The times on record, each under its own meaning, and what the log says that they were taken from.

    litellm's `response_time` is the time to the first token of a streamed call and end to end of any other; where the
    line does not say which (`stream`), it is left aside. So are the times of answers from somebody's cache.
    """
    source = data.get("latency_source")
    named = str(source) if source is not None else None
    whole, first = _positive(data, "latency_s"), _positive(data, "ttft_s")
    if data.get("cache_hit") is True:
        whole = first = None
        named = "left aside: from a cache"
    elif named is not None and named.rpartition(".")[2] == "response_time" and whole is not None:
        stream = data.get("stream")
        if stream is True:
            whole, first = None, whole if first is None else first
        elif stream is not False:
            whole, named = None, f"left aside: {named}, and not said whether streamed"
    first_ns = None if first is None else round(first * _NS)
    return Timing(
        at=_at(data.get("at", data.get("timestamp"))),
        first_content_ns=None if first_is_call else first_ns,
        first_tool_ns=first_ns if first_is_call else None,
        end_ns=None if whole is None else round(whole * _NS),
    ), named


def _at(value: JsonValue) -> float:
    """Seconds since the epoch of a number or an ISO date; 0 where there is none."""
    if isinstance(value, str):
        when = datetime.fromisoformat(value)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    return float(value) if isinstance(value, int | float) else 0.0


def _positive(data: _Object, key: str) -> float | None:
    value = data.get(key)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e9:
        raise ValueError(f"{key}={value!r} is no number from 0")
    return float(value)


def _usage(found: JsonValue) -> Usage:
    """OpenAI's counts, with those of caches also where Anthropic's or DeepSeek's names for them stand in it."""
    if not isinstance(found, dict):
        return Usage()
    prompt, output = found.get("prompt_tokens"), found.get("completion_tokens", found.get("output_tokens"))
    details = found.get("prompt_tokens_details")
    inner = details if isinstance(details, dict) else {}
    thought = found.get("completion_tokens_details")
    cached = _first(
        inner.get("cached_tokens"), found.get("cache_read_input_tokens"), found.get("prompt_cache_hit_tokens")
    )
    written = _first(inner.get("cache_write_tokens"), found.get("cache_creation_input_tokens"))
    if not isinstance(prompt, int) or (cached or 0) + (written or 0) > prompt:  # not part of the prompt's count
        cached = written = None
    return Usage.model_validate(
        {
            "prompt_tokens": prompt,
            "cached_tokens": cached,
            "cache_write_tokens": written,
            "output_tokens": output,
            "reasoning_tokens": thought.get("reasoning_tokens") if isinstance(thought, dict) else None,
            "counted_by": "server",
        }
    )


def _first(*values: JsonValue) -> int | None:
    return next((value for value in values if isinstance(value, int) and not isinstance(value, bool)), None)


def _object(value: JsonValue) -> _Object:
    if not isinstance(value, dict):
        raise TypeError(f"an object was expected, seen: {type(value).__name__}")
    return value


def _list(value: JsonValue) -> list[JsonValue]:
    if not isinstance(value, list):
        raise TypeError(f"a list was expected, seen: {type(value).__name__}")
    return value
