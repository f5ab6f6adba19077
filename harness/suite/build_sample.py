"""A logged call as a sample: its history to be asked again, and its answers as what counts as right."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import JsonValue, ValidationError

from harness.config.building import BuildOptions
from harness.records import Message, ReplayReference, ReplayTarget, ReplayText, Sample, Tool, ToolCall
from harness.records.call import Call, Reference
from harness.records.logs import Payload
from harness.scorers.text_json import same_json
from harness.toolcalling.decode import said
from harness.toolcalling.strict_json import NotJson, read

__all__ = [
    "Names",
    "Unfit",
    "incumbent_line",
    "message_of",
    "params_of",
    "sample_of",
    "target_for",
    "text_of",
    "tool_of",
]

_REFUSED = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST_NAME: Final = 64
_SHORT_WORDS: Final = 5


class Unfit(Exception):  # a reason to leave a call out, no error
    """Why a call cannot be asked again; the message is a clause that is counted."""


@dataclass(frozen=True, slots=True)
class Names:
    """Names of tools as providers allow them: letters, digits, underscore and dash, at most 64; no two alike."""

    allowed: Mapping[str, str]

    @classmethod
    def of(cls, logged: Iterable[str]) -> "Names":
        """The names that tools get, by their logged ones.

        >>> Names.of(["a.b", "a_b"]).allowed
        {'a.b': 'a_b_2', 'a_b': 'a_b'}
        """
        every = list(dict.fromkeys(logged))
        fine = {name for name in every if name == _plain(name)}
        allowed: dict[str, str] = {}
        for name in every:
            new, number = _plain(name), 1
            while name not in fine and new in fine | set(allowed.values()):
                number += 1
                new = f"{_plain(name)[: _LONGEST_NAME - 4]}_{number}"
            allowed[name] = new
        return cls(allowed)

    def __call__(self, name: str) -> str:
        """The name that a tool has in the sample."""
        return self.allowed.get(name) or _plain(name)

    @property
    def changed(self) -> bool:
        """Whether any is not as logged."""
        return any(name != new for name, new in self.allowed.items())


def _plain(name: str) -> str:
    return _REFUSED.sub("_", name)[:_LONGEST_NAME] or "_"


def sample_of(call: Call, category: str, options: BuildOptions) -> Sample:
    """The sample that asks a call again. Raises Unfit where it cannot be asked, or nothing says what is right."""
    names = Names.of(str(tool["name"]) for tool in call.tools)
    try:
        return Sample(
            id=call.id,
            category=category,
            session=call.session,
            weight=float(max(1, call.weight)),
            messages=tuple(message_of(one, names) for one in call.messages),
            tools=tuple(tool_of(one, names) for one in call.tools),
            target=target_for(call, names, options),
            scorer="replay",
            arrival_s=call.at,
            split=call.split,
            params=params_of(call.params, names, options.params) if options.params else {},
        )
    except ValidationError:
        raise Unfit("it does not fit a sample (nested too deeply, or a field of the wrong type)") from None


def tool_of(tool: Payload, names: Names) -> Tool:
    """A tool as it is offered. Raises ValidationError for one that no sample can hold."""
    given: dict[str, Any] = {"name": names(str(tool["name"])), "description": tool.get("description") or ""}
    return Tool(**given, parameters=tool["parameters"]) if tool.get("parameters") else Tool(**given)


def message_of(message: Payload, names: Names) -> Message:
    """A message of the history. Raises Unfit for one that cannot be sent again."""
    calls = tuple(_call(one, names, "a call in its history") for one in message.get("tool_calls") or ())
    name = message.get("name")
    return Message(
        role=message["role"],
        content=text_of(message.get("content")),
        tool_calls=calls,
        tool_call_id=message.get("tool_call_id"),
        name=names(name) if name is not None and message["role"] == "tool" else name,
    )


def text_of(content: object) -> str | None:
    """The text of a message. Raises Unfit for one that shows or plays something."""
    if content is None or isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    if not parts or any(part.get("type") != "text" for part in parts):
        raise Unfit("a message holds more than text")
    return "\n".join(part["text"] for part in parts)


def _call(call: Payload, names: Names, whose: str) -> ToolCall:
    text = str(call.get("arguments") or "").strip()
    try:
        arguments = read(text) if text else {}
    except NotJson:
        arguments = None
    if not isinstance(arguments, dict):
        raise Unfit(f"{whose} has arguments that are no JSON object")
    return ToolCall(name=names(str(call["name"])), arguments=arguments, id=call.get("id"))


def target_for(call: Call, names: Names, options: BuildOptions) -> ReplayTarget:
    """The answers on record, that of the call itself first. Raises Unfit where nothing says what is right."""
    if options.unstable == "drop" and call.also:
        raise Unfit("the log has several answers to it (build.unstable=drop)")
    offered = {names(str(tool["name"])) for tool in call.tools}
    references = [_reference(call.reference, names, offered)]
    for other in call.also:
        try:
            one = _reference(other, names, offered)
        except Unfit:
            continue
        if not any(_same(one, known) for known in references):
            references.append(one)
    return ReplayTarget(
        references=tuple(references),
        text=_rule(references, options, tools=bool(call.tools)),
        threshold=options.threshold,
        free_text=options.free_text,
        tolerance=options.tolerance,
    )


def _reference(reference: Reference, names: Names, offered: set[str]) -> ReplayReference:
    reply = reference.reply
    calls = tuple(_call(one, names, "the reply on record") for one in reply.get("tool_calls") or ())
    text = said(text_of(reply.get("content")))
    if reply.get("finish_reason") == "length":
        raise Unfit("the reply on record was cut off")
    if not calls and not text:
        raise Unfit("the reply on record says nothing")
    if any(one.name not in offered for one in calls):
        raise Unfit("the reply on record calls a tool that was not offered")
    return ReplayReference(calls=calls, text=text or None, label=reference.label, count=max(1, reference.count))


def _same(one: ReplayReference, other: ReplayReference) -> bool:
    if one.calls or other.calls:
        left, right = ([{"n": it.name, "a": it.arguments} for it in each.calls] for each in (one, other))
        return same_json(left, right)
    return one.text == other.text


def _rule(references: Sequence[ReplayReference], options: BuildOptions, *, tools: bool) -> ReplayText:
    if options.text != "auto":
        return options.text
    texts = [one.text or "" for one in references if not one.calls]
    if tools or not texts:
        return "decision"
    if all(map(_is_json, texts)):
        return "json"
    return "normalised" if all(len(text.split()) <= _SHORT_WORDS for text in texts) else "rouge"


def _is_json(text: str) -> bool:
    try:
        return isinstance(read(text), dict | list)
    except NotJson:
        return False


def params_of(logged: Mapping[str, Any], names: Names, wanted: Sequence[str]) -> dict[str, JsonValue]:
    """The logged fields that are asked again, `max_completion_tokens` by its older name."""
    given = {_older(name): value for name, value in logged.items()}
    kept: dict[str, JsonValue] = {name: given[name] for name in map(_older, wanted) if given.get(name) is not None}
    choice = kept.get("tool_choice")
    if isinstance(choice, dict) and isinstance(function := choice.get("function"), dict) and "name" in function:
        kept["tool_choice"] = {**choice, "function": {**function, "name": names(str(function["name"]))}}
    return kept


def _older(name: str) -> str:
    return "max_tokens" if name == "max_completion_tokens" else name


def incumbent_line(call: Call) -> dict[str, JsonValue]:
    """What the log's model answered, as a line of `incumbent.jsonl` (docs/recorded.md)."""
    names = Names.of(str(tool["name"]) for tool in call.tools)
    reply = call.reference.reply
    calls: list[JsonValue] = [
        {"id": one.get("id"), "name": names(str(one["name"])), "arguments": one.get("arguments") or "{}"}
        for one in reply.get("tool_calls") or ()
    ]
    line: dict[str, JsonValue] = {
        "id": call.id,
        "model": call.model,
        "reply": {"content": text_of(reply.get("content")), "tool_calls": calls},
        "finish_reason": reply.get("finish_reason"),
        "usage": _usage(call),
        "latency_s": call.latency_s,
        "ttft_s": call.ttft_s,
        "latency_source": call.latency_kind,
        "cost_usd": call.cost_usd,
        "at": call.at,
    }
    return {name: value for name, value in line.items() if value is not None}


def _usage(call: Call) -> JsonValue:
    """The counts under OpenAI's names; None where the log has none."""
    usage = call.usage
    if usage.prompt_tokens is None and usage.output_tokens is None:
        return None
    told: dict[str, JsonValue] = {}
    if usage.prompt_tokens is not None:
        told["prompt_tokens"] = usage.prompt_tokens
    if usage.output_tokens is not None:
        told["completion_tokens"] = usage.output_tokens
    cached = {"cached_tokens": usage.cached_tokens, "cache_write_tokens": usage.cache_write_tokens}
    known: dict[str, JsonValue] = {name: value for name, value in cached.items() if value is not None}
    if known:
        told["prompt_tokens_details"] = known
    if usage.reasoning_tokens is not None:
        told["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return told
