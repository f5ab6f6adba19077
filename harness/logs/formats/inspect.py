"""Inspect logs (`.eval`, or its JSON): each model event of each sample is a call. Read with Inspect's own reader."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness.errors import DataError, extra
from harness.logs.exchange import flawed
from harness.logs.formats.base import UNFORESEEN, Item, Place, check, identify, paths_of, why
from harness.logs.normal import messages_of, reply_of
from harness.logs.pick import Unreadable, amount
from harness.logs.source import Source
from harness.logs.tools import tool_choice, tools_of
from harness.records.attempt import Usage
from harness.records.logs import LogFailure, LogRecord, Payload

if TYPE_CHECKING:
    from inspect_ai.event import ModelEvent
    from inspect_ai.log import EvalLog, EvalSample

__all__ = ["InspectLog"]

_ZIP = b"PK\x03\x04"
_NO_PARAMS = frozenset({
    "max_retries", "timeout", "attempt_timeout", "max_connections", "adaptive_connections", "cache", "cache_prompt",
    "batch",
    "system_message", "extra_headers", "extra_body", "num_choices", "stop_seqs",
})  # fmt: skip


class InspectLog:
    """Calls of an evaluation. The sample (with its epoch) is the session, the scorer's verdict the outcome.

    `time` of an event is the call's own time, retries left out.
    """

    name: ClassVar[str] = "inspect"

    def sniff(self, head: bytes, name: str) -> float:
        """By the members of the archive, or the keys of the JSON."""
        if head.startswith(_ZIP):
            return 0.95 if name.endswith(".eval") or b"_journal/" in head or b"header.json" in head else 0.4
        paths = paths_of(head)
        return 0.9 if {"eval.task", "eval.model"} <= paths or {"eval", "plan", "samples"} <= paths else 0.0

    def read(self, source: Source) -> Iterator[Item]:
        """The model events of the log, sample by sample."""
        size = source.path.stat().st_size
        if source.after >= size > 0:
            return
        try:
            log, samples = _opened(source.path)
        except Unreadable as error:
            yield Item(1, 0, size, problem=str(error), raw=b"")
            return
        number = 0
        held: Item | None = None
        for found in samples:
            for item in _sample_items(log, found):
                number += 1
                if held is not None:
                    yield held
                held = Item(number, 0, 0, item.record, item.skipped, item.problem, item.raw)
        if held is not None:
            yield Item(held.number, 0, size, held.record, held.skipped, held.problem, held.raw)
        else:
            yield Item(1, 0, size, skipped="an evaluation without samples")

    def places(self, source: Source) -> Iterator[Place | None]:
        """None: the events of a sample are in order, and numbered."""
        del source
        return iter(())


def _opened(path: Path) -> tuple["EvalLog", Iterator["EvalSample | str"]]:
    """The log's header and its samples one by one, or why one of them cannot be read. Raises Unreadable."""
    try:
        from inspect_ai.log import read_eval_log, read_eval_log_sample_summaries
    except ImportError:
        raise DataError(f"{path.name} is an Inspect log; reading it needs: {extra('suites')}") from None
    try:
        if path.suffix != ".eval":
            whole = read_eval_log(str(path), format="auto")
            return whole, iter(whole.samples or [])
        log = read_eval_log(str(path), header_only=True)
        summaries = read_eval_log_sample_summaries(str(path))
    except Exception as error:  # Inspect's reader raises whatever its zip, JSON and schema readers raise
        raise Unreadable(f"no Inspect log: {_line(error)}") from None
    return log, (_one(path, summary.id, summary.epoch) for summary in summaries)


def _one(path: Path, sample: int | str, epoch: int) -> "EvalSample | str":
    from inspect_ai.log import read_eval_log_sample

    try:
        return read_eval_log_sample(str(path), sample, epoch, resolve_attachments=True)
    except Exception as error:  # as in _opened
        return f"sample {sample} of epoch {epoch}: {_line(error)}"


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__} {error}".split())[:200]


def _sample_items(log: "EvalLog", found: "EvalSample | str") -> Iterator[Item]:
    if isinstance(found, str):
        yield Item(0, 0, 0, problem=found, raw=b"")
        return
    calls = [event for event in found.events if event.event == "model"]
    if not calls:
        yield Item(0, 0, 0, skipped="a sample without calls of a model")
    outcome, by = _outcome(found)
    for step, event in enumerate(calls):
        try:
            record = _record(log, found, event, step, (outcome, by))
            check(record)
            yield Item(0, 0, 0, record=record)
        except UNFORESEEN as error:
            yield Item(0, 0, 0, problem=why(error), raw=event.model_dump_json(exclude={"call"}).encode())


def _record(
    log: "EvalLog", sample: "EvalSample", event: "ModelEvent", step: int, outcome: tuple[float | None, str | None]
) -> LogRecord:
    reply = None
    more: list[Payload] = []
    for choice in event.output.choices:
        one = reply_of(_message(choice.message), choice.stop_reason)
        if one is not None:
            more.append(one)
    reply = more[0] if more else None
    failure = LogFailure("error", event.error) if event.error else None
    tools, _ = tools_of([tool.model_dump(exclude_none=True) for tool in event.tools])
    took = amount({"time": event.output.time or event.working_time}, "time")
    session = f"{log.eval.run_id}/{sample.id}/{sample.epoch}"
    usage = event.output.usage
    return LogRecord(
        id=identify(InspectLog.name, log.eval.eval_id, str(sample.uuid or session), str(event.uuid or step)),
        source=InspectLog.name,
        messages=tuple(messages_of([_message(one) for one in event.input])),
        tools=tools,
        params=_params(event),
        reply=reply,
        more_replies=tuple(more[1:]),
        failure=flawed(reply, failure),
        at=event.timestamp.timestamp(),
        session=session,
        step=step,
        span=event.uuid,
        parent=event.span_id,
        agent=event.role or log.eval.task,
        model=event.model,
        answered_by=event.output.model or None,
        usage=_usage(usage),
        latency_s=took,
        latency_kind=None if took is None else "end_to_end",
        cost_usd=amount({"cost": getattr(usage, "total_cost", None)}, "cost"),
        cached=True if event.cache == "read" else None,
        outcome=outcome[0],
        outcome_by=outcome[1],
        extra={"task": log.eval.task, "sample": str(sample.id), "epoch": sample.epoch},
    )


def _message(message: Any) -> Payload:
    """One of Inspect's messages as plain JSON: its calls name the function, and its errors stand beside the content."""
    data: Payload = message.model_dump(exclude_none=True, mode="json", exclude={"id", "source", "metadata", "model"})
    for call in data.get("tool_calls") or []:
        call["name"] = call.pop("function", None)
    if data["role"] == "tool" and "function" in data:
        data["name"] = data.pop("function")
    return data


def _params(event: "ModelEvent") -> Payload:
    config = event.config.model_dump(exclude_none=True, mode="json")
    out: Payload = {key: value for key, value in config.items() if key not in _NO_PARAMS}
    for theirs, ours in {"num_choices": "n", "stop_seqs": "stop"}.items():
        if theirs in config:
            out[ours] = config[theirs]
    if event.tools:
        choice = event.tool_choice
        out["tool_choice"] = tool_choice(
            choice if isinstance(choice, str) else {"type": "function", "name": choice.name}
        )
    return out


def _usage(usage: Any) -> Usage:
    """Inspect's `input_tokens` leave out the cached ones: they are added."""
    if usage is None:
        return Usage()
    read, written = usage.input_tokens_cache_read, usage.input_tokens_cache_write
    return Usage(
        prompt_tokens=usage.input_tokens + (read or 0) + (written or 0),
        cached_tokens=read,
        cache_write_tokens=written,
        output_tokens=usage.output_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        counted_by="server",
    )


def _outcome(sample: "EvalSample") -> tuple[float | None, str | None]:
    """The first score that is a share, and its scorer; C, P and I are 1, .5 and 0 as Inspect counts them."""
    for name, score in (sample.scores or {}).items():
        value = {"C": 1.0, "P": 0.5, "I": 0.0}.get(score.value) if isinstance(score.value, str) else score.value
        if isinstance(value, int | float) and 0 <= value <= 1:
            return float(value), name
    return None, None
