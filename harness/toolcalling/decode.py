"""Reads the calls out of a reply. A call that cannot be read is an error, never "no call": nothing is repaired.

Raw reading keeps two losses apart: a model that cannot write a call (format), and one that writes the wrong call
(ability). Repairing would hide the first, and taking a malformed attempt for silence would reward it on samples where
silence is right.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

import orjson
from pydantic import JsonValue, ValidationError

from harness.records import Protocol, RawToolCall, Reply, Tool, ToolCall
from harness.toolcalling.shape import decline_name
from harness.toolcalling.strict_json import NotJson, read, read_at

__all__ = ["Decoded", "decode", "said"]

_OPENING = re.compile(r'\{\s*+"|\[\s*+\{\s*+"|\[\s*+\]|\{\s*+\}')
"""Where a JSON value may begin inside prose: `{"`, `[{"`, `[]`, `{}`."""
_WRITTEN_CALL = re.compile(
    r"""["'](?:name|arguments|parameters|function|tool|tool_calls|calls)["']\s{0,8}:|<\|?/?tool_call|<function\b"""
)
"""Traces of a call in text that holds no readable one."""
_SPOKEN_CALL = re.compile(r"""["'](?:arguments|parameters|tool_calls)["']\s{0,8}:|<\|?/?tool_call|<function\b""")
"""The same where nobody asked for calls as text: a "name" alone may be part of an answer."""
_SPACE = " \t\n\r"


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a reply says about calls: calls, or none, or an attempt that cannot be read."""

    calls: tuple[ToolCall, ...]
    """In the order of the reply; empty if the model declined or if the attempt cannot be read."""
    error: str | None
    """Why an attempt to call could not be read, in one line; None if it could, or if there was none."""
    text: str | None
    """What the model said besides calls; None if nothing."""


class _UnreadableError(ValueError):
    """An attempt to call that the rules below do not read; the message is the reason."""


def decode(reply: Reply, protocol: Protocol, tools: tuple[Tool, ...]) -> Decoded:
    """The calls of a reply, read by its protocol's rules; never raises, in time proportional to the reply.

    JSON is read strictly (`strict_json`). A call is an object with `name` (text) and `arguments` (object); other keys
    are left aside. What was thought aloud, up to `</think>`, is not part of the reply.

    native: the calls that the server reports; arguments of no text at all are `{}`. Without any, a reply is no call,
      unless its text holds traces of one: then the model called and the server could not read it.
    prompted: the reply is JSON: one call, `{"calls": [...]}`, a bare list of calls, `[]`, or the name to decline with;
      any other object or list is an error. Or JSON stands in prose, in a fenced block or in <tool_call> tags: then each
      value in it that is a call or holds calls counts, in order. If reading stops at a broken value, or no value is a
      call, any trace of a call in the rest of the text (a key such as "name", a tag, a tool's name before a bracket) is
      an error, and so is a reply that begins with a broken value. Without a trace: no call.
    constrained: the reply is JSON of that shape and nothing else. Anything else is an error.
    """
    text = said(reply.content)
    try:
        if reply.tool_calls and protocol != "constrained":
            return Decoded(tuple(_native_call(call) for call in reply.tool_calls), None, text or None)
        if protocol == "native":
            said_a_call = _SPOKEN_CALL.search(text)
            error = "the call came as text and the server did not read it as a call" if said_a_call else None
            return Decoded((), error, text or None)
        if protocol == "constrained":
            return Decoded(_constrained_calls(text, tools), None, None)
        calls, rest = _prompted_calls(text, tools)
        return Decoded(calls, None, rest or None)
    except _UnreadableError as unreadable:
        return Decoded((), str(unreadable), text or None)


def said(content: str | None) -> str:
    """The text after the thoughts, trimmed; nothing if it never gets past them."""
    text = (content or "").strip(_SPACE)
    _, closed, after = text.rpartition("</think>")
    if closed:
        return after.strip(_SPACE)
    return "" if text.startswith("<think>") else text


def _native_call(raw: RawToolCall) -> ToolCall:
    if not raw.name:
        raise _UnreadableError("a call without a name")
    try:
        arguments = read(raw.arguments) if raw.arguments.strip(_SPACE) else {}
    except NotJson as error:
        raise _UnreadableError(f"the arguments of {_short(raw.name)} are not JSON: {error}") from None
    return _make_call(raw.name, arguments, raw.id)


def _constrained_calls(text: str, tools: Iterable[Tool]) -> tuple[ToolCall, ...]:
    if not text:
        raise _UnreadableError("the reply is empty")
    try:
        value = read(text)
    except NotJson as error:
        raise _UnreadableError(f"the reply is not the JSON of the schema: {error}") from None
    return _calls_of(value, decline_name(tools))


def _prompted_calls(text: str, tools: tuple[Tool, ...]) -> tuple[tuple[ToolCall, ...], str]:
    """The calls and the text around them."""
    decline = decline_name(tools)
    try:
        value = read(text)
    except NotJson:
        return _calls_in_prose(text, tools, decline)
    if isinstance(value, dict | list):
        return _calls_of(value, decline), ""
    return (), text


def _calls_in_prose(text: str, tools: tuple[Tool, ...], decline: str) -> tuple[tuple[ToolCall, ...], str]:
    calls: list[ToolCall] = []
    prose: list[str] = []
    declined, position, broken, whole = False, 0, None, False
    while found := _OPENING.search(text, position):
        try:
            value, end = read_at(text, found.start())
        except NotJson as error:
            broken, whole = str(error), found.start() == 0
            break
        prose.append(text[position : found.start()])
        position = end
        if _declines(value, decline):
            declined = True
        elif _is_call_like(value):
            calls += _calls_of(value, decline)
        else:
            prose.append(text[found.start() : end])
    prose.append(text[position:])
    rest = "".join(prose).strip(_SPACE)
    if calls and declined:
        raise _UnreadableError(f"it calls and declines with {decline} in one reply")
    if broken and (whole or _tries_to_call(text[position:], tools)):
        raise _UnreadableError(f"the JSON in the reply is broken: {broken}")
    if not calls and not declined and _tries_to_call(rest, tools):
        raise _UnreadableError("the reply attempts a call, but holds none in the JSON form that was asked for")
    if calls and _WRITTEN_CALL.search(rest.replace("<tool_call>", "").replace("</tool_call>", "")):
        raise _UnreadableError("besides what can be read, the reply holds a call that cannot")
    return tuple(calls), rest


def _calls_of(value: JsonValue, decline: str) -> tuple[ToolCall, ...]:
    """The calls of one JSON value of the shape that was asked for; empty for declining and for an empty list."""
    if isinstance(value, dict) and "calls" in value:
        value = value["calls"]
        if not isinstance(value, list):
            raise _UnreadableError(f'"calls" holds {_kind(value)}, not a list')
    if value == [] or _declines(value, decline):
        return ()
    found = value if isinstance(value, list) else [value]
    calls = []
    for one in found:
        if not isinstance(one, dict):
            raise _UnreadableError(f"{_kind(one)} stands where a call belongs")
        name = one.get("name")
        if not isinstance(name, str) or not name:
            raise _UnreadableError('a call needs "name" with the name of a tool')
        if name == decline:
            raise _UnreadableError(f"it calls and declines with {decline} in one reply")
        if "arguments" not in one:
            raise _UnreadableError(f'the call of {_short(name)} lacks "arguments"')
        calls.append(_make_call(name, one["arguments"], None))
    return tuple(calls)


def _make_call(name: str, arguments: JsonValue, identity: str | None) -> ToolCall:
    if not isinstance(arguments, dict):
        raise _UnreadableError(f"the arguments of {_short(name)} are {_kind(arguments)}, not an object")
    try:
        if not _sound([name, arguments]):
            json.dumps([name, arguments], ensure_ascii=False).encode()
        return ToolCall(name=name, arguments=arguments, id=identity)
    except UnicodeEncodeError:
        raise _UnreadableError("a call holds half of a surrogate pair, which is no text") from None
    except (RecursionError, ValidationError):  # pydantic follows about 250 levels
        raise _UnreadableError(f"the arguments of {_short(name)} are nested too deeply") from None


def _sound(value: JsonValue) -> bool:
    """Whether the value can certainly be written; what the fast writer refuses, the slow one decides."""
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


def _declines(value: JsonValue, decline: str) -> bool:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return isinstance(value, dict) and value.get("name") == decline


def _is_call_like(value: JsonValue) -> bool:
    """Whether a value in prose is a call or a list of calls, well formed or not, rather than an answer in JSON."""
    if isinstance(value, dict) and "calls" in value:
        return True
    found = value if isinstance(value, list) else [value]
    return bool(found) and all(isinstance(one, dict) and "name" in one and "arguments" in one for one in found)


def _tries_to_call(text: str, tools: Iterable[Tool]) -> bool:
    """Whether text holds the trace of a call: a key of one, a tag, or a tool's name before a bracket."""
    if _WRITTEN_CALL.search(text):
        return True
    return any(_named_before_bracket(text, tool.name) for tool in tools if tool.name)


def _named_before_bracket(text: str, name: str) -> bool:
    position = text.find(name + "(")
    while position > 0 and (text[position - 1].isalnum() or text[position - 1] == "_"):
        position = text.find(name + "(", position + len(name))
    return position >= 0


def _kind(value: JsonValue) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    kinds: tuple[tuple[type, str], ...] = (
        (str, "text"),
        (int, "a number"),
        (float, "a number"),
        (list, "a list"),
        (dict, "an object"),
    )
    return next(name for kind, name in kinds if isinstance(value, kind))


def _short(name: str) -> str:
    """A name for a message: one line, at most 60 characters, sound Unicode."""
    cut = name if len(name) <= 60 else f"{name[:59]}…"
    return " ".join(cut.encode("utf-8", "replace").decode().split()) or "a tool without a name"
