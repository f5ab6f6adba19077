"""A sample as a row: the request that the runner sends for it, and the reply that its scorer finds right."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from pydantic import JsonValue

from harness.config import ModelConfig
from harness.convert.data.answers import Answer, Unfit, message_of, reply_of
from harness.protocols import LateScorer, Scorer
from harness.records import Sample, Tool, ToolCall
from harness.records.convert import DatasetRow
from harness.records.logs import canonical
from harness.runner.request import chat_request
from harness.scorers.context import is_late
from harness.toolcalling.decode import decode
from harness.toolcalling.schema import argument_schema

__all__ = ["content_hash", "make_row", "prompt_hash"]


def make_row(
    sample: Sample,
    answer: Answer,
    model: ModelConfig,
    scorer: Scorer | LateScorer,
    *,
    say: bool = False,
    scored: bool = True,
) -> DatasetRow:
    """The row of a sample with an answer, written as the model's protocol and prompt want it.

    In-context examples of the suite (`model.examples`) are left off: what they show is what is learned. Raises Unfit
    where the protocol's reader does not find these very calls in the reply, and where the suite's own scorer, given
    exactly this reply, does not find it right. scored: False for a teacher's answer to what has no answer on record.
    """
    bare = sample.model_copy(update={"examples": ()}) if sample.examples else sample
    answer = _in_order(answer, bare.tools)
    request = chat_request(bare, model)
    reply = message_of(answer, bare, model.protocol, say=say)
    _check_calls(bare, reply, answer, model)
    if scored:
        _check_score(bare, reply, model, scorer)
    tools = None if request.tools is None else tuple(request.tools)
    return DatasetRow(
        id=content_hash([request.messages, request.tools, reply]),
        sample=sample.id,
        session=sample.session,
        cluster=sample.category,
        messages=tuple(request.messages),
        tools=tools,
        reply=reply,
        source=answer.source,
        wants_call=bool(answer.calls),
    )


def _in_order(answer: Answer, tools: Sequence[Tool]) -> Answer:
    """The answer with each call's arguments in the order that the prompt shows and the grammar asks for."""
    orders = {tool.name: _names(tool) for tool in tools}
    calls = tuple(
        one.model_copy(update={"arguments": {name: one.arguments[name] for name in _first(orders[one.name], one)}})
        if one.name in orders
        else one
        for one in answer.calls
    )
    return replace(answer, calls=calls)


def _names(tool: Tool) -> list[str]:
    """Names of a tool's parameters, required ones first."""
    properties = argument_schema(tool.parameters).get("properties")
    return list(properties) if isinstance(properties, dict) else []


def _first(names: Sequence[str], call: ToolCall) -> list[str]:
    """Names of a call's arguments: known ones in their order, then the others."""
    return [*(name for name in names if name in call.arguments), *(one for one in call.arguments if one not in names)]


def _check_calls(sample: Sample, reply: dict[str, JsonValue], answer: Answer, model: ModelConfig) -> None:
    """Raises Unfit where reading the reply gives other calls than were written into it."""
    if not sample.tools:
        return
    read = decode(reply_of(reply), model.protocol, sample.tools)
    if read.error is not None:
        raise Unfit("its answer cannot be read back (it holds traces of a call in words)")
    if [(one.name, one.arguments) for one in read.calls] != [(one.name, one.arguments) for one in answer.calls]:
        raise Unfit("its answer is read back as other calls")


def _check_score(sample: Sample, reply: dict[str, JsonValue], model: ModelConfig, scorer: Scorer | LateScorer) -> None:
    """Raises Unfit where a reply is not right. A scorer that judges late (a sandbox, a model) is not asked here."""
    if is_late(scorer) or not hasattr(scorer, "score"):
        return
    score = scorer.score(sample, reply_of(reply), model.protocol)
    if score.value != 1.0:
        raise Unfit(f"the scorer does not find its answer right under {model.protocol} ({score.miss or 'no value'})")


def content_hash(value: object) -> str:
    """SHA-256 of a JSON value in canonical form, 32 characters of it."""
    return hashlib.sha256(canonical(value)).hexdigest()[:32]


def prompt_hash(row: DatasetRow) -> str:
    """Equal for rows that ask the same, whatever they answer."""
    tools: Sequence[object] | None = row.tools
    return content_hash([list(row.messages), None if tools is None else list(tools)])
