"""What Inspect recorded of a sample, as an attempt and a score of ours."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from inspect_ai.event import Event, ModelEvent, SpanBeginEvent, SpanEndEvent, ToolEvent
from inspect_ai.log import EvalSample
from inspect_ai.scorer import Score as InspectScore
from pydantic import JsonValue, TypeAdapter

from harness.errors import ConfigError
from harness.interop.inspect_chat import OUR_KEY
from harness.interop.inspect_task import HEADLINE, RANGE
from harness.records import (
    Attempt,
    Failure,
    FailureKind,
    MissClass,
    Reply,
    Sample,
    Score,
    Step,
    Timing,
    ToolCall,
    ToolResult,
    Usage,
)
from harness.records import Protocol as ToolProtocol
from harness.runner.agent import total_usage, total_usd

__all__ = ["Asker", "Reading", "attempt_of", "score_of", "steps_of", "was_cancelled"]

SCORER = "inspect"
_LOST = re.compile(r"lost to the infrastructure \((\w+)\): (.*?)'?\)?$", re.DOTALL)
_NUMBERS = {"c": 1.0, "p": 0.5, "i": 0.0, "n": 0.0, "yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
"""Inspect's own letters and words, lower case (`inspect_ai.scorer.value_to_float`)."""
_KIND: TypeAdapter[FailureKind] = TypeAdapter(FailureKind)
_MOST_CHARS = 500


@dataclass(frozen=True, slots=True)
class Asker:
    """Who was asked: what every attempt of a run has in common."""

    model: str
    """As Inspect names it: `harness/smollm2`."""
    name: str
    protocol: ToolProtocol
    backend: str
    seed: int
    send_seed: bool = True


@dataclass(frozen=True, slots=True)
class Reading:
    """Which of a task's scores is the value, and what its ends are."""

    headline: str | None = None
    """`scorer`, `key` of a score of several values, or `scorer/key`; None: the first."""
    low: float = 0.0
    high: float = 1.0

    @classmethod
    def of(cls, options: Mapping[str, JsonValue], declared: str | None = None) -> "Reading":
        """From `suite.options`; `declared` is the score that the task itself puts first.

        Raises ConfigError for a range that is none.
        """
        headline, ends = options.get(HEADLINE), options.get(RANGE, [0, 1])
        if not (
            isinstance(ends, list | tuple) and len(ends) == 2 and all(isinstance(end, int | float) for end in ends)
        ):
            raise ConfigError(f"suite.options.{RANGE}={ends!r}: give the worst and the best value, such as [1,10]")
        low, high = float(str(ends[0])), float(str(ends[1]))
        if low == high:
            raise ConfigError(f"suite.options.{RANGE}={ends!r}: the two ends are the same")
        return cls(str(headline) if headline is not None else declared, low, high)


def was_cancelled(sample: EvalSample) -> bool:
    """Whether the sample was broken off with the run, so that it has no outcome yet."""
    return sample.error is not None and sample.error.message.startswith("Cancelled")


def attempt_of(sample: EvalSample, asker: Asker) -> Attempt:
    """The attempt: one request if there was one and no tool, else all steps in order; its reply is the final output."""
    steps = list(steps_of(sample, asker.model))
    failure = _failure(sample)
    alone = steps[0] if len(steps) == 1 and not steps[0].results else None
    final = steps[-1].reply if steps else Reply()
    reply = final.model_copy(update={"content": sample.output.completion, "tool_calls": final.tool_calls})
    told = total_usd([step.recorded_cost_usd for step in steps])
    trial = sample.epoch - 1
    usage = total_usage(steps)
    answered = failure is None and (bool(steps) or bool(sample.output.choices))
    return Attempt(
        sample=str(sample.id),
        model=asker.name,
        protocol=asker.protocol,
        trial=trial,
        backend=asker.backend,
        seed=asker.seed + trial if asker.send_seed else None,
        reply=reply if answered else None,
        timing=alone.timing if alone else _whole(sample),
        usage=alone.usage if alone else usage,
        server=alone.server if alone else None,
        cost_usd=total_usd([step.cost_usd for step in steps]),
        recorded_cost_usd=told,
        recorded_cost_by=None if told is None else "litellm" if asker.backend == "litellm" else "provider",
        failure=failure or (None if answered else _failed("the task ended without a reply of the model")),
        tries=alone.tries if alone else 1,
        steps=() if alone else tuple(steps),
        ended=None if failure or alone or not steps else "step_limit" if sample.limit else "answered",
    )


def steps_of(sample: EvalSample, model: str) -> Iterator[Step]:
    """The replies of the model under test, in order, each with the results of the tools that were run after it.

    Replies in another role (a grader, a simulated user) and those made while scoring are not the model's work here.
    """
    step: Step | None = None
    tries = 1
    for event in _before_scoring(sample.events):
        if isinstance(event, ModelEvent) and event.model == model and event.role is None:
            if event.error is not None or not event.output.choices:
                tries += 1
                continue
            if step is not None:
                yield step
            step = _step(event, tries)
            tries = 1
        elif isinstance(event, ToolEvent) and step is not None:
            step = step.model_copy(update={"results": (*step.results, _result(event))})
    if step is not None:
        yield step


def _before_scoring(events: list[Event]) -> Iterator[Event]:
    """Events outside the spans in which Inspect scores."""
    scoring: set[str] = set()
    for event in events:
        if isinstance(event, SpanBeginEvent):
            if event.type == "scorers" or event.name == "scorers" or event.parent_id in scoring:
                scoring.add(event.id)
        elif not isinstance(event, SpanEndEvent) and event.span_id not in scoring:
            yield event


def _step(event: ModelEvent, tries: int) -> Step:
    """Our own record of the step, kept in the output's metadata; of a cached output what can be known."""
    kept = (event.output.metadata or {}).get(OUR_KEY)
    if kept is not None:
        return Step.model_validate(kept).model_copy(update={"tries": tries})
    usage = event.output.usage
    cached = usage.input_tokens_cache_read if usage else None
    return Step(
        turn=0,
        reply=Reply(content=event.output.completion, finish_reason=event.output.stop_reason),
        timing=Timing(at=event.timestamp.timestamp(), end_ns=_ns(event.working_time)),
        usage=Usage(
            prompt_tokens=usage.input_tokens + (cached or 0),
            cached_tokens=cached,
            output_tokens=usage.output_tokens,
            counted_by="server",
        )
        if usage
        else Usage(),
        tries=tries,
    )


def _result(event: ToolEvent) -> ToolResult:
    error = event.error
    content = error.message if error is not None else event.result
    return ToolResult(
        call=ToolCall(name=event.function, arguments=event.arguments, id=event.id),
        content=content if isinstance(content, str) else str(content),
        error=error is not None,
        ran=error is None or error.type not in {"parsing", "approval"},
        took_ns=_ns(event.working_time) or 0,
    )


def _ns(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1e9)


def _whole(sample: EvalSample) -> Timing:
    """From the sample's start to its end, without the waits for a free connection."""
    at = datetime.fromisoformat(sample.started_at).timestamp() if sample.started_at else 0.0
    seconds = sample.working_time if sample.working_time is not None else sample.total_time
    return Timing(at=at, end_ns=_ns(seconds))


def _failure(sample: EvalSample) -> Failure | None:
    """Why Inspect gave the sample up; None if it did not. A task's own error is nobody's score."""
    if sample.error is None:
        return None
    found = _LOST.search(sample.error.message)
    if found is None:
        return _failed(" ".join(sample.error.message.split())[:_MOST_CHARS])
    return Failure(boundary="infrastructure", kind=_KIND.validate_python(found[1]), message=found[2][:_MOST_CHARS])


def _failed(message: str) -> Failure:
    return Failure(boundary="infrastructure", kind="task_error", message=message)


def score_of(sample: EvalSample, ours: Sample, attempt: Attempt, reading: Reading) -> Score:
    """Inspect's scores as one value with its parts. What cannot be a share of 1 is unscored, and `why` says so."""
    values = dict(_values(sample.scores or {}))
    told: dict[str, JsonValue] = {name: _plain(value) for name, value in values.items()}
    name, value, why = (None, None, attempt.failure.message) if attempt.failure else _headline(values, reading)
    scored = (sample.scores or {}).get((name or "").partition("/")[0]) or next(
        iter((sample.scores or {}).values()), None
    )
    parts = {
        other: number for other, raw in values.items() if (number := _number(raw)) is not None and 0 <= number <= 1
    }
    answer = scored.answer[:_MOST_CHARS] if scored is not None and scored.answer is not None else None
    lost = attempt.failure is not None
    return Score(
        sample=ours.id,
        category=ours.category,
        trial=attempt.trial,
        scorer=SCORER,
        value=value,
        parts=parts if len(values) > 1 and value is not None else {},
        miss="transport" if lost else None if value is None or value == 1 else _miss(sample, attempt, answer),
        boundary="infrastructure" if lost else "model" if value is not None and value < 1 else None,
        why=why or (_said(scored) if value != 1 else ""),
        extracted={"answer": answer, "scores": told} if told else None,
    )


def _values(scores: Mapping[str, InspectScore]) -> Iterator[tuple[str, object]]:
    """Every single value by name: `scorer`, or `scorer/key` where a score holds several."""
    for name, score in scores.items():
        if isinstance(score.value, Mapping):
            for key, value in score.value.items():
                yield f"{name}/{key}", value
        elif isinstance(score.value, list | tuple):
            for index, value in enumerate(score.value):
                yield f"{name}/{index}", value
        else:
            yield name, score.value


def _headline(values: Mapping[str, object], reading: Reading) -> tuple[str | None, float | None, str]:
    """Name and number 0..1 of the value that stands for the sample, or why there is none."""
    if not values:
        return None, None, "the task gave no score"
    wanted = reading.headline
    fitting = [name for name in values if wanted is None or name == wanted or wanted in name.split("/", 1)]
    if not fitting:
        return None, None, f"the task gave no score {wanted}; it gave {', '.join(values)}: +suite.options.{HEADLINE}=…"
    name = fitting[0]
    number = _number(values[name])
    if number is None:
        return name, None, f"{name} was not scored ({values[name]})"
    value = (number - reading.low) / (reading.high - reading.low)
    if not 0 <= value <= 1:
        ends = f"{reading.low:g}..{reading.high:g}"
        return name, None, f"{name} is {number:g}, outside {ends}; say its ends: +suite.options.{RANGE}=[worst,best]"
    return name, value, ""


def _number(value: object) -> float | None:
    """A single value as a number; None for NaN, Inspect's mark of what was not scored, and for other words."""
    if isinstance(value, str):
        known = _NUMBERS.get(value.strip().lower())
        if known is not None:
            return known
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool | int | float):
        return float(value) if math.isfinite(value) else None
    return None


def _plain(value: object) -> JsonValue:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | bool | int | float) or value is None else str(value)


def _said(score: InspectScore | None) -> str:
    return " ".join((score.explanation or "").split())[:_MOST_CHARS] if score is not None else ""


def _miss(sample: EvalSample, attempt: Attempt, answer: str | None) -> MissClass:
    """Where the sample was lost, as far as Inspect's record tells."""
    if sample.limit is not None:
        return "step_limit"
    stop = sample.output.stop_reason if sample.output.choices else None
    if stop == "model_length":
        return "context_overflow"
    if stop == "max_tokens":
        return "length"
    if answer == "" or not (sample.output.completion or attempt.steps):
        return "no_answer"
    return "wrong_result" if attempt.steps else "wrong_answer"
