"""One attempt of ours as a sample of Inspect's: messages that grow, events in their order, its score."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from inspect_ai.event import Event, ModelEvent, ScoreEvent, ToolEvent
from inspect_ai.log import EvalError, EvalSample, EvalSampleLimit
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    GenerateConfig,
    ModelOutput,
    ModelUsage,
)
from inspect_ai.scorer import Score as InspectScore
from inspect_ai.tool import ToolCall as InspectCall
from inspect_ai.tool import ToolCallError, ToolInfo
from pydantic import JsonValue

from harness.interop.inspect_chat import UNREADABLE, Asked, metadata_of, stop_reason_of, usage_of
from harness.measure import e2e_s
from harness.records import Attempt, Message, Sample, Score, Step, TaskTarget, TextTarget, Tool, ToolResult
from harness.toolcalling.decode import decode

__all__ = ["MODEL", "error_of", "told_sample", "zoned"]

MODEL = "harness/{}"
"""How Inspect names a model of ours."""


def told_sample(sample: Sample, attempt: Attempt, config: GenerateConfig, score: Score | None) -> EvalSample:
    """The attempt as a sample of its epoch. What was lost to the infrastructure carries its error and no score."""
    return _Conversation(sample, attempt, config).sample(score)


class _Conversation:
    """One attempt told as Inspect tells it: messages that grow, events in their order."""

    def __init__(self, sample: Sample, attempt: Attempt, config: GenerateConfig) -> None:
        self._sample, self._attempt, self._config = sample, attempt, config
        self._asked = Asked(protocol=attempt.protocol, tools=sample.tools, seed=attempt.seed)
        self._model = MODEL.format(attempt.model)
        self._messages: list[ChatMessage] = [_message(one) for one in sample.messages]
        self._input = list(self._messages)
        self._events: list[Event] = []
        self._output = ModelOutput(model=self._model)
        self._usage: ModelUsage | None = None
        self._start = datetime.fromtimestamp(attempt.timing.at, UTC)

    def sample(self, score: Score | None) -> EvalSample:
        attempt = self._attempt
        for step in attempt.steps or self._alone():
            self._step(step)
        seconds = e2e_s(attempt.timing)
        end = self._start + timedelta(seconds=seconds or 0.0)
        lost = attempt.failure is not None and attempt.failure.boundary != "model"
        scores = None if score is None or score.value is None else {score.scorer: _scored(score)}
        for given in (scores or {}).values():
            self._events.append(ScoreEvent(score=given, timestamp=end, working_start=seconds or 0.0))
        limited = attempt.ended == "step_limit"
        return EvalSample(
            id=self._sample.id,
            epoch=attempt.trial + 1,
            input=_as_input(self._input),
            target=_target(self._sample),
            messages=self._messages,
            output=self._output,
            scores=scores,
            metadata=self._metadata(score),
            events=self._events,
            model_usage={self._model: self._usage} if self._usage else {},
            started_at=zoned(self._start.isoformat()),
            completed_at=zoned(end.isoformat()),
            total_time=seconds,
            working_time=seconds,
            error=error_of(attempt.failure.message) if lost and attempt.failure else None,
            limit=EvalSampleLimit(type="turn", limit=float(len(attempt.steps))) if limited else None,
        )

    def _alone(self) -> Iterator[Step]:
        """The one step of an attempt that is no agent's; none where no reply came."""
        attempt = self._attempt
        if attempt.reply is not None:
            yield Step(
                turn=0,
                reply=attempt.reply,
                timing=attempt.timing,
                usage=attempt.usage,
                server=attempt.server,
                cost_usd=attempt.cost_usd,
                tries=attempt.tries,
            )

    def _metadata(self, score: Score | None) -> dict[str, JsonValue]:
        sample, attempt = self._sample, self._attempt
        told: dict[str, JsonValue] = {"category": sample.category, "protocol": attempt.protocol, "tries": attempt.tries}
        if sample.session is not None:
            told["session"] = sample.session
        if attempt.failure is not None:
            told["failure"] = attempt.failure.model_dump(mode="json", exclude_none=True)
        if score is not None and score.value is None:
            told["unscored"] = score.why
        return told

    def _step(self, step: Step) -> None:
        at = datetime.fromtimestamp(step.timing.at, UTC)
        since = max(0.0, step.timing.at - self._attempt.timing.at)
        seconds = e2e_s(step.timing)
        output = self._reply(step)
        self._events.append(
            ModelEvent(
                model=self._model,
                input=list(self._messages),
                tools=[_tool(tool) for tool in self._sample.tools],
                tool_choice="auto",
                config=self._config,
                output=output,
                timestamp=at,
                working_start=since,
                completed=at + timedelta(seconds=seconds or 0.0),
                working_time=seconds,
                retries=step.tries - 1 or None,
            )
        )
        self._output = output
        self._messages.append(output.message)
        if output.usage is not None:
            self._usage = output.usage if self._usage is None else self._usage + output.usage
        for result in step.results:
            self._result(result, at + timedelta(seconds=seconds or 0.0), since + (seconds or 0.0))

    def _reply(self, step: Step) -> ModelOutput:
        reply = step.reply
        calls = [_call(result, index) for index, result in enumerate(step.results)] or self._calls(step)
        message = ChatMessageAssistant(
            content=reply.content or "", tool_calls=calls or None, model=self._model, source="generate"
        )
        return ModelOutput(
            model=self._model,
            choices=[ChatCompletionChoice(message=message, stop_reason=stop_reason_of(reply))],
            usage=usage_of(step.usage, step.cost_usd),
            time=e2e_s(step.timing),
            metadata=metadata_of(step, self._asked),
        )

    def _calls(self, step: Step) -> list[InspectCall]:
        """The calls of a reply that no tool answered, as its protocol reads them."""
        if not self._sample.tools:
            return []
        read = decode(step.reply, self._attempt.protocol, self._sample.tools)
        if read.error is not None:
            return [InspectCall(id="call_0", function=UNREADABLE, arguments={}, parse_error=read.error)]
        return [
            InspectCall(id=call.id or f"call_{index}", function=call.name, arguments=dict(call.arguments))
            for index, call in enumerate(read.calls)
        ]

    def _result(self, result: ToolResult, at: datetime, since: float) -> None:
        call = result.call
        error = ToolCallError("unknown", result.content) if result.error else None
        took_s = result.took_ns / 1e9
        identity = call.id or f"call_{len(self._messages)}"
        self._events.append(
            ToolEvent(
                id=identity,
                function=call.name,
                arguments=dict(call.arguments),
                result=result.content,
                error=error,
                timestamp=at,
                working_start=since,
                completed=at + timedelta(seconds=took_s),
                working_time=took_s,
                metadata={"disturbed": result.disturbed} if result.disturbed else None,
            )
        )
        self._messages.append(
            ChatMessageTool(content=result.content, tool_call_id=identity, function=call.name, error=error)
        )


def _call(result: ToolResult, index: int) -> InspectCall:
    call = result.call
    return InspectCall(id=call.id or f"call_{index}", function=call.name, arguments=dict(call.arguments))


def _tool(tool: Tool) -> ToolInfo:
    return ToolInfo.model_validate(
        {"name": tool.name, "description": tool.description, "parameters": {**tool.parameters, "type": "object"}}
    )


def _message(message: Message) -> ChatMessage:
    text = message.content or ""
    if message.role == "system":
        return ChatMessageSystem(content=text)
    if message.role == "user":
        return ChatMessageUser(content=text)
    if message.role == "tool":
        return ChatMessageTool(content=text, tool_call_id=message.tool_call_id, function=message.name)
    calls = [
        InspectCall(id=call.id or f"call_{index}", function=call.name, arguments=dict(call.arguments))
        for index, call in enumerate(message.tool_calls)
    ]
    return ChatMessageAssistant(content=text, tool_calls=calls or None)


def _as_input(messages: list[ChatMessage]) -> str | list[ChatMessage]:
    """A single question is a text; anything else stays a conversation."""
    (only,) = messages if len(messages) == 1 else (None,)
    return only.text if isinstance(only, ChatMessageUser) else messages


def _target(sample: Sample) -> str | list[str]:
    """What was wanted, as text: the accepted answers where there are some, else the target as JSON."""
    target = sample.target
    if isinstance(target, TextTarget) and target.accepted:
        return list(target.accepted)
    if isinstance(target, TaskTarget):
        wanted = target.data.get("target")
        if isinstance(wanted, str):
            return wanted
        if isinstance(wanted, list):
            return [str(one) for one in wanted]
    return json.dumps(target.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False)


def _scored(score: Score) -> InspectScore:
    assert score.value is not None
    told = score.model_dump(mode="json", include={"parts", "counts", "miss", "boundary", "repaired", "judge"})
    extracted = score.extracted
    answer = extracted if isinstance(extracted, str) or extracted is None else json.dumps(extracted, ensure_ascii=False)
    return InspectScore(
        value=score.value,
        answer=answer,
        explanation=score.why or None,
        metadata={name: value for name, value in told.items() if value not in (None, {}, [])},
    )


def error_of(message: str) -> EvalError:
    """A failure as Inspect keeps it, without a traceback: it is no error of the program."""
    return EvalError(message=message, traceback="", traceback_ansi="")


def zoned(moment: str) -> str:
    """An ISO 8601 moment with its zone, as Inspect wants it."""
    read = datetime.fromisoformat(moment)
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).isoformat()
