"""The call in a Langfuse generation, whose input and output are as various as the frameworks that were traced."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from harness.logs.exchange import Answered, Asked
from harness.logs.normal import text_of
from harness.logs.pick import Unreadable, first, inner, mapping
from harness.logs.spans import as_calls, asked_for, call_of, read_whole
from harness.logs.tools import OF_PROVIDER, tool_choice, tools_of
from harness.records.logs import Payload

__all__ = ["call_in"]

_TURN = re.compile(r"^(system|developer|user|assistant|tool): ", re.MULTILINE)
_RENAMED = {"maxTokens": "max_tokens", "toolChoice": "tool_choice", "stop_sequences": "stop", "choice.count": "n"}


def call_in(seen: Mapping[str, Any]) -> tuple[Asked, Answered]:
    """What was asked and answered: from the span's attributes where they hold messages, else from input and output."""
    told = inner(seen.get("metadata"))
    about: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
    attributes = inner(about.get("attributes"))
    question, answer = Asked(()), Answered()
    if isinstance(attributes, Mapping):
        with suppress(Unreadable):  # then input and output are all there is
            question, answer = call_of(attributes, ())
    asked, got = _whole(seen)
    messages, tools_in = _without_tools(
        question.messages if _talks(question.messages) else (*question.messages, *asked.messages)
    )
    if not _talks(question.messages) and len({one["content"] for one in messages if _is_system(one)}) < _systems(
        messages
    ):
        messages = asked.messages
    tools, others = tools_of(_tools(seen, about))
    params = asked_for({**asked.params, **question.params, **_params(seen)})
    params |= {OF_PROVIDER: others} if others else {}
    question = replace(
        question,
        messages=tuple(messages),
        tools=question.tools or asked.tools or tools or tools_in,
        params=params,
        model=question.model or asked.model,
        streamed=question.streamed if question.streamed is not None else asked.streamed,
    )
    return question, replace(
        answer,
        reply=_fuller(answer.reply, got.reply),
        more=answer.more or got.more,
        failure=answer.failure or got.failure,
        model=answer.model or got.model,
        usage=answer.usage if answer.usage.prompt_tokens is not None else got.usage,
    )


def _talks(messages: tuple[Payload, ...]) -> bool:
    return any(not _is_system(one) for one in messages)


def _is_system(message: Payload) -> bool:
    return message["role"] == "system" and isinstance(message.get("content"), str)


def _systems(messages: tuple[Payload, ...]) -> int:
    return sum(_is_system(one) for one in messages)


def _fuller(one: Payload | None, other: Payload | None) -> Payload | None:
    """The reply that says more: calls before text."""
    if one is None or other is None:
        return one or other
    return other if other.get("tool_calls") and not one.get("tool_calls") else one


def _whole(seen: Mapping[str, Any]) -> tuple[Asked, Answered]:
    """Input and output in whichever shape; what has none that is known is kept as text."""
    asked, got = inner(seen.get("input")), inner(seen.get("output"))
    try:
        return read_whole(_turns(asked), _output(got)) or (Asked(()), Answered())
    except Unreadable:
        messages = ({"role": "user", "content": text_of(asked)},) if asked not in (None, "", [], {}) else ()
        reply: Payload | None = (
            {"role": "assistant", "content": text_of(got)} if got not in (None, "", [], {}) else None
        )
        return Asked(messages), Answered(reply=reply)


def _turns(asked: Any) -> Any:
    """An input whose messages are lines of `role: text` (openlit), or of Koog's kind, in the usual form."""
    if isinstance(asked, str) and _TURN.match(asked):
        pieces = _TURN.split(asked)[1:]
        return [
            {"role": role, "content": said.strip("\n")} for role, said in zip(pieces[::2], pieces[1::2], strict=True)
        ]
    if isinstance(asked, Mapping) and isinstance(asked.get("messages"), list):
        return {**asked, "messages": _turns(asked["messages"])}
    if not isinstance(asked, list):
        return asked
    called: dict[str, Any] = {}
    out: list[Any] = []
    for one in asked:
        if _is_bare(one):
            one = as_calls({"role": "tool", **one})
        if isinstance(one, Mapping):
            calls = one.get("tool_calls")
            called |= {name: ident for name, ident in map(_named, calls if isinstance(calls, list) else ()) if name}
            if isinstance(role := one.get("role"), str) and role in called:
                one = {"tool_call_id": called[role], "name": role, **one, "role": "tool"}
        out.append(one)
    return out


def _named(call: Any) -> tuple[str, Any]:
    """Name and id of a call: LangChain's JavaScript logs a tool's result with the tool's name as the role."""
    inside = call.get("function") if isinstance(call, Mapping) else None
    name = first(inside if isinstance(inside, Mapping) else call if isinstance(call, Mapping) else {}, "name")
    return (name, call.get("id")) if isinstance(name, str) else ("", None)


def _is_bare(one: Any) -> bool:
    return isinstance(one, Mapping) and isinstance(one.get("content"), str) and one.get("role", "tool") == "tool"


def _output(got: Any) -> Any:
    """Koog's calls as the content of messages, joined to one reply."""
    if not isinstance(got, list) or not got or not all(isinstance(one, Mapping) for one in got):
        return got
    held = [as_calls(one) for one in got]
    calls = [call for one in held if isinstance(one.get("tool_calls"), list) for call in one["tool_calls"]]
    if len(held) > 1 and calls and not any(one.get("content") for one in held):
        return {
            "choices": [
                {
                    "message": {"role": "assistant", "tool_calls": calls},
                    "finish_reason": first(held[0], "finish_reason"),
                }
            ]
        }
    if len(held) == 1 and "role" in held[0]:
        return {"choices": [{"message": {**held[0]}, "finish_reason": first(held[0], "finish_reason")}]}
    return held


def _without_tools(messages: tuple[Payload, ...]) -> tuple[tuple[Payload, ...], tuple[Payload, ...]]:
    """Messages, and the tools that the LangChain integration lists among them as messages of role tool."""
    kept: list[Payload] = []
    declared: list[Any] = []
    for message in messages:
        held = _alone(message) if message["role"] == "tool" else None
        if isinstance(held, Mapping) and held.get("type") == "function" and isinstance(held.get("function"), Mapping):
            declared.append(held)
        else:
            kept.append(message)
    return tuple(kept), tools_of(declared)[0]


def _alone(message: Payload) -> Any:
    """The content of a message, or its one part."""
    held = inner(message.get("content"))
    return held[0] if isinstance(held, list) and len(held) == 1 else held


def _tools(seen: Mapping[str, Any], about: Mapping[str, Any]) -> Any:
    told = inner(first(seen, "toolDefinitions")) or inner(about.get("tools"))
    if isinstance(told, Mapping):
        return {name: inner(tool) for name, tool in told.items()}
    return told


def _params(seen: Mapping[str, Any]) -> Payload:
    """`modelParameters`, whose values are often texts: those that say nothing are left out."""
    out: Payload = {}
    for key, value in mapping(seen, "modelParameters").items():
        if value in (None, "", "null", "None", -1, "[]", "{}", '{"arrayValue":{}}'):
            continue
        ours = _RENAMED.get(key, key)
        found = inner(value)
        out[ours] = tool_choice(found) if ours == "tool_choice" else found
    return out
