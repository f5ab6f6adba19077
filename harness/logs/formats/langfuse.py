"""Langfuse exports: traces with their observations, or lists or lines of either (page, API, blob storage)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from harness.logs.exchange import flawed
from harness.logs.formats.base import JsonFormat, Place, Skip, identify, paths_of
from harness.logs.formats.langfuse_content import call_in
from harness.logs.pick import Unreadable, amount, count, inner, items, kind, mapping, text, when
from harness.records.attempt import Usage
from harness.records.logs import LogFailure, LogRecord

__all__ = ["Langfuse", "Observation"]

_KINDS = frozenset({
    "GENERATION", "SPAN", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "EMBEDDING", "GUARDRAIL",
})  # fmt: skip
_NAMED = "id alone"
_DEEPEST = 60
_SNAKE = re.compile(r"_([a-z])")
_EXTRA = (
    "environment",
    "version",
    "promptName",
    "promptVersion",
    "statusMessage",
    "toolCallNames",
    "costDetails",
    "usageDetails",
)
_OF_TRACE = ("name", "tags", "release", "version", "environment", "metadata", "scores")


@dataclass(frozen=True, slots=True)
class Observation:
    """An observation with what its trace says."""

    data: Mapping[str, Any]
    trace: Mapping[str, Any]
    agent: str | None = None
    rule: str | None = None
    """Why it is not counted, where another observation holds the same call."""


class Langfuse(JsonFormat):
    """Generations; spans, tools and events are skipped by their type.

    Where one generation stands in another (two instrumentations of one call), the one that says more is kept.
    Latency is end minus start: some exports write `latency` in seconds and some in milliseconds.
    """

    name: ClassVar[str] = "langfuse"

    def sniff(self, head: bytes, name: str) -> float:
        """By the keys of an observation or of a trace with observations."""
        del name
        paths = paths_of(head)
        if "observations" in paths:
            return 0.95
        for at in ("", "data."):
            keys = {f"{at}{key}" for key in ("traceId", "trace_id")}
            if keys & paths and {f"{at}type", f"{at}name"} <= paths and {f"{at}startTime", f"{at}start_time"} & paths:
                return 0.9
        return 0.85 if {"trace.id", "trace.projectId"} <= paths else 0.0

    def split(self, data: Any) -> Sequence[Any]:
        """The observations of a trace, a list, a page of the API, or one."""
        if not isinstance(data, Mapping):
            raise Unreadable(f"the entry is {kind(data)}, not an object")
        data = _camel(data)
        if isinstance(data.get("data"), list) and "type" not in data:
            return [one for part in data["data"] for one in self.split(part)]
        if "observations" in data:
            inside = data.get("trace")
            trace = _camel(inside) if isinstance(inside, Mapping) else data
            return _placed(items(data, "observations"), trace)
        return _placed([data], {})

    def entry(self, data: Any, mark: bytes) -> LogRecord | Skip:
        """The record of an observation."""
        if not isinstance(data, Observation):
            raise Unreadable(f"the entry is {kind(data)}, not an observation")
        seen = data.data
        what = text(seen, "type")
        if what is None:
            return Skip("a trace without observations") if "timestamp" in seen else _untyped()
        if what == _NAMED:
            return Skip("an observation that the trace only names")
        if what not in _KINDS:
            raise Unreadable(f"type {what[:40]!r} is no observation's")
        if what != "GENERATION":
            return Skip("embedding call" if what == "EMBEDDING" else f"no generation: {what.lower()} observation")
        if data.rule is not None:
            return Skip(data.rule)
        question, answer = call_in(seen)
        if not question.messages:
            return Skip("a generation without its input")
        start, end = when(seen, "startTime"), when(seen, "endTime")
        took = end - start if start is not None and end is not None and end >= start else None
        model = text(seen, "providedModelName", "model")
        observed = text(seen, "id")
        outcome, outcome_by = _outcome(data)
        return LogRecord(
            id=identify(self.name, _trace_of(seen) or "", observed) if observed else identify(self.name, mark),
            source=self.name,
            messages=question.messages,
            tools=question.tools,
            params=question.params,
            reply=answer.reply,
            more_replies=answer.more,
            failure=flawed(answer.reply, _failure(seen) or answer.failure),
            at=start,
            session=_session(data),
            span=observed,
            parent=text(seen, "parentObservationId"),
            agent=data.agent,
            user=text(data.trace, "userId") or text(seen, "userId") or question.user,
            model=question.model or model,
            answered_by=answer.model or model,
            usage=_usage(seen, answer.usage),
            latency_s=took,
            latency_kind=None if took is None else "end_to_end",
            ttft_s=_first_token(seen, start),
            cost_usd=_cost(seen),
            streamed=question.streamed,
            outcome=outcome,
            outcome_by=outcome_by,
            extra=_extra(data),
        )

    def place(self, data: Any) -> Place | None:
        """Session and start of a generation."""
        if not isinstance(data, Observation) or data.data.get("type") != "GENERATION" or data.rule is not None:
            return None
        session, at = _session(data), when(data.data, "startTime")
        return (session, at) if session is not None and at is not None else None


def _untyped() -> Skip:
    raise Unreadable("an observation has no type")


def _camel(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Keys as the API writes them: blob storage has them with underscores."""
    if "trace_id" not in data and "start_time" not in data and "session_id" not in data:
        return data
    return {_SNAKE.sub(lambda found: found[1].upper(), key): value for key, value in data.items()}


def _placed(observations: Sequence[Any], trace: Mapping[str, Any]) -> list[Observation]:
    """Observations with the agent around each, and the rule by which one of two that hold the same call is left out."""
    logged = [_camel(one) if isinstance(one, Mapping) else {"type": _NAMED} for one in observations]
    known = {one["id"]: one for one in logged if isinstance(one.get("id"), str)}
    below: dict[str, list[Mapping[str, Any]]] = {}
    for one in logged:
        above = one.get("parentObservationId")
        if (
            one.get("type") == "GENERATION"
            and isinstance(above, str)
            and known.get(above, {}).get("type") == "GENERATION"
        ):
            below.setdefault(above, []).append(one)
    rules: dict[int, str] = {}
    for above, inside in below.items():
        outer = known[above]
        if len(inside) == 1 and _says(outer) > _says(inside[0]):
            rules[id(inside[0])] = "the same call is logged by the generation around it"
        else:
            rules[id(outer)] = "a generation around those that made the calls"
    return [Observation(one, trace, _agent(one, known, trace), rules.get(id(one))) for one in logged]


def _says(observation: Mapping[str, Any]) -> int:
    """How much of a call's structure an observation holds."""
    known = str(observation.get("metadata"))
    logged = str(observation.get("input"))
    return sum(
        ("llm.input_messages" in known, "tool" in known, '"role"' in logged, "'role'" in logged, '"tools"' in logged)
    )


def _agent(one: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]], trace: Mapping[str, Any]) -> str | None:
    """The node or agent that made the call: the framework's own word, the nearest agent, or the trace."""
    told = inner(one.get("metadata"))
    node = told.get("langgraph_node") if isinstance(told, Mapping) else None
    if isinstance(node, str):
        return node
    at: Mapping[str, Any] | None = one
    for _ in range(_DEEPEST):
        if at is None:
            break
        if at.get("type") == "AGENT" and isinstance(at.get("name"), str):
            return str(at["name"])
        above = at.get("parentObservationId")
        at = known.get(above) if isinstance(above, str) else None
    name = trace.get("name")
    return name if isinstance(name, str) and name else None


def _trace_of(seen: Mapping[str, Any]) -> str | None:
    return text(seen, "traceId")


def _session(data: Observation) -> str | None:
    return (
        text(data.trace, "sessionId") or text(data.data, "sessionId") or _trace_of(data.data) or text(data.trace, "id")
    )


def _failure(seen: Mapping[str, Any]) -> LogFailure | None:
    if seen.get("level") != "ERROR":
        return None
    said = seen.get("statusMessage")
    return LogFailure("error", said if isinstance(said, str) else None)


def _first_token(seen: Mapping[str, Any], start: float | None) -> float | None:
    begun = when(seen, "completionStartTime")
    if begun is not None and start is not None and begun >= start:
        return begun - start
    return amount(seen, "timeToFirstToken")


def _cost(seen: Mapping[str, Any]) -> float | None:
    total = amount(seen, "totalCost", "calculatedTotalCost", "totalPrice")
    return total if total is not None else amount(mapping(seen, "costDetails"), "total")


def _usage(seen: Mapping[str, Any], counted: Usage) -> Usage:
    """Counts of `usageDetails`. The total tells whether `input` and `output` hold the finer kinds."""
    details = mapping(seen, "usageDetails") or mapping(seen, "usage")
    prompt = count(details, "input", "promptTokens", "prompt_tokens", "input_tokens")
    output = count(details, "output", "completionTokens", "completion_tokens", "output_tokens")
    if prompt is None and output is None:
        prompt, output = count(seen, "inputUsage", "promptTokens"), count(seen, "outputUsage", "completionTokens")
        if not prompt and not output:
            return counted
    read = count(details, "input_cached_tokens", "input_cache_read", "prompt_details.cache_read",
                 "cache_read_input_tokens", "input_cached", "prompt_details.cached_tokens")  # fmt: skip
    written = count(details, "input_cache_creation", "cache_creation_input_tokens", "prompt_details.cache_write")
    thought = count(details, "output_reasoning_tokens", "output_reasoning", "completion_details.reasoning")
    total = count(details, "total", "totalTokens", "total_tokens")
    finer = (read or 0) + (written or 0) + (thought or 0)
    if finer and total == (prompt or 0) + (output or 0) + finer:
        prompt = prompt + (read or 0) + (written or 0) if prompt is not None else None
        output = output + (thought or 0) if output is not None else None
    return Usage(
        prompt_tokens=prompt,
        cached_tokens=read,
        cache_write_tokens=written,
        output_tokens=output,
        reasoning_tokens=thought,
        counted_by="server",
    )


def _outcome(data: Observation) -> tuple[float | None, str | None]:
    """The one score of the call, else of its trace, if it is a share; who gave it: `human` where a person annotated."""
    for holder in (data.data, data.trace):
        scores = [one for one in items(holder, "scores") if isinstance(one, Mapping)]
        if len(scores) == 1 and isinstance(value := scores[0].get("value"), int | float) and 0 <= value <= 1:
            by = "human" if scores[0].get("source") == "ANNOTATION" else scores[0].get("name")
            return float(value), by if isinstance(by, str) else "langfuse"
    return None, None


def _extra(data: Observation) -> dict[str, Any]:
    out = {key: data.data[key] for key in ("name", *_EXTRA) if data.data.get(key) not in (None, "", [], {})}
    told = inner(data.data.get("metadata"))
    if isinstance(told, Mapping):
        kept = {key: value for key, value in told.items() if key not in ("attributes", "tools")}
        out |= {"metadata": kept} if kept else {}
    trace = {key: data.trace[key] for key in _OF_TRACE if data.trace.get(key) not in (None, "", [], {}, "[]", "{}")}
    out |= {"trace": trace} if trace else {}
    if (trace_id := _trace_of(data.data)) is not None and trace_id != _session(data):
        out["trace_id"] = trace_id
    return out
