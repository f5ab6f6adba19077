"""Inspect's messages, tools and settings as our request, and our reading of a reply as Inspect's output."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import orjson
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageTool,
    Content,
    ContentReasoning,
    ContentText,
    GenerateConfig,
    ModelOutput,
    ModelUsage,
    StopReason,
)
from inspect_ai.tool import ToolCall as InspectCall
from inspect_ai.tool import ToolChoice, ToolFunction, ToolInfo
from pydantic import JsonValue

from harness.backends.stream import Reading
from harness.config import GenerationConfig, ModelConfig
from harness.errors import DataError
from harness.measure import e2e_s, queue_s, tpot_s, ttft_s
from harness.protocols import Endpoint
from harness.records import Message, Protocol, Reply, Sample, Step, TaskTarget, Tool, ToolCall, Usage
from harness.runner.agent import ANSWER
from harness.runner.request import Requests
from harness.toolcalling.decode import Decoded, decode

__all__ = [
    "OUR_KEY",
    "UNREADABLE",
    "Asked",
    "ask_body",
    "calls_of",
    "messages_of",
    "metadata_of",
    "model_output",
    "offered_tools",
    "stop_reason_of",
    "usage_of",
]

OUR_KEY = "harness"
"""Key of `ModelOutput.metadata` under which the whole step is kept, as we record it."""
UNREADABLE = "unreadable_call"
"""Name of the function of a call that could not be read at all; Inspect tells the model why."""
_NAME = re.compile(r'"name"\s*:\s*"([A-Za-z0-9_.-]{1,64})"')
_STOPS: dict[str, StopReason] = {
    "stop": "stop",
    "length": "max_tokens",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
_FAILED_STOPS: dict[str, StopReason] = {
    "context_overflow": "model_length",
    "content_filter": "content_filter",
    "malformed_tool_call": "tool_calls",
    "empty_reply": "stop",
}
_NOT_ASKED = ("logprobs", "top_logprobs", "prompt_logprobs", "best_of", "modalities", "batch")
"""Settings of Inspect's that this client cannot fulfil: it says so rather than leave them out in silence."""
_PASSED_ON = ("frequency_penalty", "presence_penalty", "logit_bias", "parallel_tool_calls")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: what was asked for, as its reply has to be read."""

    protocol: Protocol
    tools: tuple[Tool, ...]
    seed: int | None
    turn: int = 0
    """Messages before the reply: a call without an id of its own gets one that is unique in the conversation."""


def messages_of(messages: Sequence[ChatMessage], *, as_text: bool) -> tuple[Message, ...]:
    """Inspect's messages as ours. Raises DataError for a picture, sound or file: the client sends text.

    as_text: calls are written as text; then a call that could not be read stays what the model wrote.
    """
    return tuple(_message(message, as_text=as_text) for message in messages)


def _message(message: ChatMessage, *, as_text: bool) -> Message:
    text = _text(message.content)
    if isinstance(message, ChatMessageAssistant):
        calls = [call for call in message.tool_calls or [] if not (as_text and call.parse_error)]
        ours = tuple(ToolCall(name=call.function, arguments=call.arguments, id=call.id) for call in calls)
        return Message(role="assistant", content=text or (None if ours else ""), tool_calls=ours)
    if isinstance(message, ChatMessageTool):
        said = f"Error: {message.error.message}" if message.error else text
        return Message(role="tool", content=said, tool_call_id=message.tool_call_id, name=message.function)
    return Message(role=message.role, content=text)


def _text(content: str | list[Content]) -> str:
    if isinstance(content, str):
        return content
    parts = []
    for one in content:
        if isinstance(one, ContentText):
            parts.append(one.text)
        elif not isinstance(one, ContentReasoning):  # earlier thoughts are not sent again
            raise DataError(f"a message holds {one.type}, and this client sends text only; choose a task without it")
    return "\n".join(parts)


def offered_tools(tools: Sequence[ToolInfo], choice: ToolChoice, *, as_text: bool) -> tuple[Tool, ...]:
    """The tools that the model is told of: none, all, or the one that it has to call.

    as_text: calls are written as text; then words need a form too, and `answer` is offered beside the tools.
    """
    if choice == "none":
        return ()
    wanted = [tool for tool in tools if not isinstance(choice, ToolFunction) or tool.name == choice.name]
    ours = [
        Tool(name=one.name, description=one.description, parameters=one.parameters.model_dump(exclude_none=True))
        for one in wanted
    ]
    may_speak = choice == "auto" and all(tool.name != ANSWER.name for tool in ours)
    return (*ours, ANSWER) if ours and as_text and may_speak else tuple(ours)


def ask_body(
    model: ModelConfig,
    endpoint: Endpoint,
    asked: Asked,
    messages: tuple[Message, ...],
    choice: ToolChoice,
    config: GenerateConfig,
) -> bytes:
    """The JSON body of one streamed completion: our request for the model's protocol, with Inspect's settings on top.

    Raises DataError for a setting that cannot be fulfilled.
    """
    refused = [name for name in _NOT_ASKED if getattr(config, name)]
    if refused or (config.num_choices or 1) > 1:
        raise DataError(f"{', '.join(refused) or 'num_choices'} cannot be had from model harness/…; leave it out")
    sample = Sample(
        id="inspect",
        category="inspect",
        messages=messages,
        tools=asked.tools,
        target=TaskTarget(task="inspect"),
        scorer="inspect",
    )
    own = model.model_copy(update={"generation": _generation(model.generation, config)})
    body: dict[str, object] = orjson.loads(Requests(own, endpoint).step_body(sample, asked.seed or 0))
    body |= {name: value for name in _PASSED_ON if (value := getattr(config, name)) is not None and _fits(name, body)}
    body |= _forced(choice, asked)
    body |= _response_format(config, body)
    return orjson.dumps(body | (config.extra_body or {}), option=orjson.OPT_NON_STR_KEYS)


def _fits(name: str, body: dict[str, object]) -> bool:
    return name != "parallel_tool_calls" or "tools" in body


def _generation(own: GenerationConfig, config: GenerateConfig) -> GenerationConfig:
    """The model's own settings where Inspect leaves them open."""
    given: dict[str, object | None] = {
        "temperature": config.temperature,
        "top_p": config.top_p,
        "top_k": config.top_k,
        "max_tokens": config.max_tokens,
        "stop": None if config.stop_seqs is None else tuple(config.stop_seqs),
        "reasoning_effort": config.reasoning_effort,
    }
    return own.model_copy(update={name: value for name, value in given.items() if value is not None})


def _forced(choice: ToolChoice, asked: Asked) -> dict[str, object]:
    """`tool_choice` of the native protocol; where calls are text, the list of tools already says it."""
    if asked.protocol != "native" or not asked.tools:
        return {}
    if isinstance(choice, ToolFunction):
        return {"tool_choice": {"type": "function", "function": {"name": choice.name}}}
    return {"tool_choice": "required"} if choice == "any" else {}


def _response_format(config: GenerateConfig, body: dict[str, object]) -> dict[str, object]:
    wanted = config.response_schema
    if wanted is None:
        return {}
    if "response_format" in body:
        _log.warning("response_schema is left out: the grammar of the tools (protocol=constrained) stands in its place")
        return {}
    schema: dict[str, object] = {"name": wanted.name, "schema": wanted.json_schema.model_dump(exclude_none=True)}
    if wanted.strict is not None:
        schema["strict"] = wanted.strict
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def model_output(name: str, asked: Asked, reading: Reading, cost_usd: float | None) -> ModelOutput:
    """A reply, or a failure of the model's own, as Inspect's output with our timing in its metadata."""
    reply = reading.reply or Reply()
    read = _read(reply, asked)
    calls = calls_of(reply, read, asked)
    stop = stop_reason_of(reply)
    error = None
    if reading.failure is not None:
        stop, error = _FAILED_STOPS.get(reading.failure.kind, "unknown"), reading.failure.message
        if reading.failure.kind == "malformed_tool_call" and not calls:
            calls = [_unreadable(reply, asked, reading.failure.message)]
    elif calls:
        stop = "tool_calls"
    step = Step(
        turn=0,
        reply=reply,
        timing=reading.timing,
        usage=reading.usage,
        server=reading.server,
        cost_usd=cost_usd,
        recorded_cost_usd=reading.told.cost_usd if reading.told else None,
        unreadable=read.error,
    )
    content = _content(reply, _spoken(reply, read, asked))
    message = ChatMessageAssistant(content=content, tool_calls=calls or None, model=name, source="generate")
    return ModelOutput(
        model=name,
        choices=[ChatCompletionChoice(message=message, stop_reason=stop)],
        usage=usage_of(reading.usage, cost_usd),
        time=e2e_s(reading.timing),
        metadata=metadata_of(step, asked),
        error=error,
    )


def stop_reason_of(reply: Reply) -> StopReason:
    """Inspect's word for why the server ended the reply."""
    return _STOPS.get(reply.finish_reason or "", "unknown")


def _read(reply: Reply, asked: Asked) -> Decoded:
    if not asked.tools:
        return Decoded((), None, reply.content)
    return decode(reply, asked.protocol, asked.tools)


def _is_answer(name: str, asked: Asked) -> bool:
    return ANSWER in asked.tools and name == ANSWER.name


def calls_of(reply: Reply, read: Decoded, asked: Asked) -> list[InspectCall]:
    """The calls that were read, and those that were tried: they carry the reason in `parse_error`."""
    if asked.protocol == "native" and reply.tool_calls:
        return [_native(reply, index, asked) for index in range(len(reply.tool_calls))]
    if read.error is not None:
        return [_unreadable(reply, asked, read.error)]
    return [
        InspectCall(id=call.id or f"call_{asked.turn}_{index}", function=call.name, arguments=dict(call.arguments))
        for index, call in enumerate(read.calls)
        if not _is_answer(call.name, asked)
    ]


def _native(reply: Reply, index: int, asked: Asked) -> InspectCall:
    raw = reply.tool_calls[index]
    identity = raw.id or f"call_{asked.turn}_{index}"
    read = decode(reply.model_copy(update={"tool_calls": (raw,)}), "native", asked.tools)
    if read.error is not None:
        return InspectCall(id=identity, function=raw.name or UNREADABLE, arguments={}, parse_error=read.error)
    return InspectCall(id=identity, function=raw.name, arguments=dict(read.calls[0].arguments))


def _unreadable(reply: Reply, asked: Asked, why: str) -> InspectCall:
    """A call by the name that the reply seems to mean; its arguments are not guessed."""
    meant = _NAME.search(reply.content or "")
    known = {tool.name for tool in asked.tools if tool is not ANSWER}
    function = meant[1] if meant is not None and meant[1] in known else UNREADABLE
    return InspectCall(id=f"call_{asked.turn}_0", function=function, arguments={}, parse_error=why)


def _spoken(reply: Reply, read: Decoded, asked: Asked) -> str:
    """What the model said: its text, the words of `answer`, or nothing where it only called or declined."""
    if not asked.tools or read.error is not None:
        return reply.content or ""
    words = [str(call.arguments.get("text", "")) for call in read.calls if _is_answer(call.name, asked)]
    return "\n".join(words) or read.text or ""


def _content(reply: Reply, text: str) -> str | list[Content]:
    """Words, and apart from them the thoughts: of the server's field, or before `</think>` in the text."""
    before = (reply.content or "").rpartition("</think>")[0]
    text = text.rpartition("</think>")[2].strip() if before else text
    thoughts = [*filter(None, [reply.reasoning, before.replace("<think>", "").strip()])]
    if not thoughts:
        return text
    return [*(ContentReasoning(reasoning=one) for one in thoughts), ContentText(text=text)]


def usage_of(usage: Usage, cost_usd: float | None) -> ModelUsage | None:
    """None where nobody counted. Inspect counts cached tokens apart from those computed; we count them in."""
    if usage.prompt_tokens is None and usage.output_tokens is None:
        return None
    prompt, cached, output = usage.prompt_tokens or 0, usage.cached_tokens, usage.output_tokens or 0
    return ModelUsage(
        input_tokens=prompt - (cached or 0),
        output_tokens=output,
        total_tokens=prompt + output,
        input_tokens_cache_read=cached,
        reasoning_tokens=usage.reasoning_tokens,
        total_cost=cost_usd,
    )


_Name = Literal["ttft_s", "tpot_s", "e2e_s", "queue_s"]


def metadata_of(step: Step, asked: Asked) -> dict[str, JsonValue]:
    """Latencies in seconds under their own names, then the whole step; what was not measured is left out.

    The results of its tools are events of their own.
    """
    figures: dict[_Name, float | None] = {
        "ttft_s": ttft_s(step.timing),
        "tpot_s": tpot_s(step.timing, step.usage),
        "e2e_s": e2e_s(step.timing),
        "queue_s": queue_s(step.timing, step.server),
    }
    told: dict[str, JsonValue] = {name: value for name, value in figures.items() if value is not None}
    if step.usage.cached_tokens is not None:
        told["cached_tokens"] = step.usage.cached_tokens
    if step.server is not None:
        told["server"] = step.server.model_dump(mode="json", exclude_none=True)
    told["protocol"] = asked.protocol
    if asked.seed is not None:
        told["seed"] = asked.seed
    told[OUR_KEY] = step.model_dump(mode="json", exclude_defaults=True, exclude={"results"})
    return told
