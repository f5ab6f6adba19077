"""Messages, tools and replies in the normal form of `LogRecord`, from the dialects that logs are written in.

One reader for all dialects, by the shape of each part: OpenAI chat messages and Responses items, Anthropic blocks,
Gemini parts, OpenTelemetry parts, LangChain messages, Vercel AI SDK parts. Frameworks mix them in one export.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.logs.pick import Unreadable, first, inner, kind, text
from harness.records.logs import Payload, canonical

__all__ = ["arguments_of", "content_of", "finish", "messages_of", "reply_of", "role_of", "text_of"]

_ROLES = {
    "system": "system", "developer": "system", "instructions": "system",
    "user": "user", "human": "user",
    "assistant": "assistant", "ai": "assistant", "model": "assistant", "bot": "assistant",
    "AIMessageChunk": "assistant",
    "tool": "tool", "function": "tool", "tool_result": "tool", "environment": "tool", "ipython": "tool",
}  # fmt: skip
_PLAIN = ("system", "user", "assistant", "tool")
_TEXT = ("text", "input_text", "output_text", "summary_text", "reasoning_text")
_CALL = ("tool_use", "tool_call", "tool-call", "function_call", "custom_tool_call", "functionCall")
_RESULT = ("tool_result", "tool_call_response", "tool-result", "function_call_output", "custom_tool_call_output",
    "function_response",
    "functionResponse",)  # fmt: skip
_THOUGHT = ("thinking", "reasoning", "redacted_thinking")
_UNTYPED = ("text", "function_call", "functionCall", "function_response", "functionResponse")
_FINISH = {
    "end_turn": "stop", "stop_sequence": "stop", "STOP": "stop", "completed": "stop", "complete": "stop", "1": "stop",
    "max_tokens": "length", "MAX_TOKENS": "length", "max_output_tokens": "length", "2": "length",
    "tool_use": "tool_calls", "tool_call": "tool_calls", "tool-calls": "tool_calls", "function_call": "tool_calls",
    "refusal": "content_filter", "content-filter": "content_filter", "SAFETY": "content_filter",
}  # fmt: skip


def finish(value: object) -> str | None:
    """Why a reply ended, in the words of the OpenAI protocol where it has one for it."""
    if value is None or value == "":
        return None
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, str | int):
        raise Unreadable(f"the finish reason is {kind(value)}")
    return _FINISH.get(str(value), str(value))


def role_of(raw: Mapping[str, Any]) -> str:
    """One of the four roles. Raises Unreadable for one that no protocol knows."""
    logged = first(raw, "role", "type")
    if isinstance(logged, str) and logged in _ROLES:
        return _ROLES[logged]
    raise Unreadable(f"role {str(logged)[:40]!r} is not known" if logged is not None else "a message has no role")


def _names_role(value: object) -> bool:
    return isinstance(value, str) and value in _ROLES


def messages_of(logged: object) -> list[Payload]:
    """The messages of a request, in order, in normal form. Raises Unreadable with the place of one that is none."""
    logged = inner(logged)
    if isinstance(logged, str):
        return [{"role": "user", "content": logged}] if logged else []
    if isinstance(logged, Mapping):
        logged = [logged]
    if not isinstance(logged, list):
        raise Unreadable(f"messages are {kind(logged)}, not a list")
    out: list[Payload] = []
    run = _Run(out)
    for place, raw in enumerate(logged):
        if type(raw) is dict and len(raw) == 2 and raw.get("role") in _PLAIN and type(raw.get("content")) is str:
            run.close()
            out.append(raw)
            continue
        try:
            run.add(inner(raw))
        except Unreadable as error:
            raise Unreadable(f"message {place + 1}: {error}") from None
    run.close()
    return out


def reply_of(logged: object, finish_reason: object = None) -> Payload | None:
    """An assistant's message in normal form, whatever it was written as; None where there is nothing in it."""
    logged = inner(logged)
    if logged is None or logged in ("", [], {}):
        return None
    if isinstance(logged, str):
        reply: Payload = {"role": "assistant", "content": logged}
    else:
        turn = _Turn("assistant")
        for raw in logged if isinstance(logged, list) else [logged]:
            raw = inner(raw)
            if isinstance(raw, str):
                turn.parts.append({"type": "text", "text": raw})
            elif not isinstance(raw, Mapping):
                raise Unreadable(f"the reply holds {kind(raw)}")
            elif "role" in raw or ("content" in raw and raw.get("type") not in (*_THOUGHT, *_TEXT)):
                turn.message(raw)
            else:
                turn.part(raw, answer=True)
        reply = turn.payload()
    reason = finish(finish_reason)
    return {**reply, "finish_reason": reason} if reason is not None else reply


def text_of(value: object) -> str:
    """A text as it is, anything else as canonical JSON. Raises Unreadable if it is nested too deeply."""
    if isinstance(value, str):
        return value
    try:
        return canonical(value).decode()
    except TypeError as error:
        raise Unreadable(f"it cannot be written as JSON again ({error})") from None


def arguments_of(value: object) -> str:
    """The arguments of a call as JSON text: the logged one, or an object written canonically; `{}` for none."""
    return "{}" if value is None else text_of(value)


def content_of(value: object, glue: str = "\n") -> str | list[Payload] | None:
    """Content as text, or as a list of parts where there is more than text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        if "type" not in value and "text" not in value:
            return text_of(value)
        value = [value]
    if not isinstance(value, list):
        return text_of(value)
    parts: list[Payload] = []
    for part in value:
        found = {"type": "text", "text": part} if isinstance(part, str) else part
        if not isinstance(found, dict):
            return text_of(value)
        said = _said(found)
        parts.append({"type": "text", "text": said} if said is not None else _typed(found))
    return _joined(parts, glue)


def _said(part: Mapping[str, Any]) -> str | None:
    """The text of a part that is text."""
    if part.get("type", "text") not in _TEXT:
        return None
    said = first(part, "text", "content")
    if isinstance(said, str):
        return said
    return text_of(said) if isinstance(said, dict | list) else None


def _is_item(raw: Mapping[str, Any]) -> bool:
    """Whether a message without content is an item of its own kind, such as `additional_tools`."""
    what = raw.get("type")
    return isinstance(what, str) and what != "message" and not _names_role(what)


def _typed(part: Payload) -> Payload:
    return part if isinstance(part.get("type"), str) else {**part, "type": next((str(key) for key in part), "empty")}


def _joined(parts: Sequence[Payload], glue: str) -> str | list[Payload] | None:
    if all(part["type"] == "text" and "text" in part for part in parts):
        return glue.join(str(part["text"]) for part in parts) if parts else None
    return list(parts)


class _Turn:
    """A message being put together from its parts."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.parts: list[Payload] = []
        self.calls: list[Payload] = []
        self.results: list[Payload] = []
        self.thoughts: list[str] = []
        self.about: Payload = {}

    def message(self, raw: Mapping[str, Any]) -> None:
        """Takes a message's content, calls and what else it says."""
        content = first(raw, "content", "parts", "contents")
        if isinstance(content, Mapping) and self.role != "tool":
            inside = first(content, "parts", "content")
            content = inside if isinstance(inside, list) else [content]
        if isinstance(content, str):
            self.parts.append({"type": "text", "text": content})
        elif isinstance(content, list) and self.role != "tool":
            for part in content:
                self.part(inner(part) if isinstance(part, str) else part)
        elif content is not None:
            self._tool_content(content)
        elif _is_item(raw):
            self.parts.append(_typed({key: value for key, value in raw.items() if key != "role"}))
        self._calls(raw)
        self._thoughts(raw)
        refusal = raw.get("refusal")
        if isinstance(refusal, str) and refusal:
            self.parts.append({"type": "refusal", "refusal": refusal})
        if (name := text(raw, "name")) is not None:
            self.about["name"] = name
        if self.role == "tool" and (answers := text(raw, "tool_call_id", "call_id", "id")) is not None:
            self.about["tool_call_id"] = answers

    def part(self, raw: object, answer: bool = False) -> None:
        """Takes one part of a content list, or one item of the Responses protocol."""
        if isinstance(raw, str):
            self.parts.append({"type": "text", "text": raw})
            return
        if not isinstance(raw, dict):
            raise Unreadable(f"a part of the content is {kind(raw)}")
        what = raw.get("type")
        if not isinstance(what, str):
            what = next((key for key in _UNTYPED if key in raw), None) or ("tool-call" if "toolCallId" in raw else "")
        if what in _THOUGHT or raw.get("thought") is True or what.endswith(".TextReasoningContent"):
            self._thought(raw)
        elif what in _CALL or (answer and what == "function"):
            self.calls.append(_call(raw))
        elif what in _RESULT:
            self.results.append(_result(raw))
        elif (said := _said(raw)) is not None:
            self.parts.append({"type": "text", "text": said})
        else:
            self.parts.append(_typed(raw))

    def _tool_content(self, content: object) -> None:
        if isinstance(content, list) and any(
            isinstance(part, dict) and part.get("type") in _RESULT for part in content
        ):
            for part in content:
                self.part(part)
            return
        if isinstance(content, bool | int | float):
            raise Unreadable(f"the content is {kind(content)}")
        shown = content_of(content)
        if isinstance(shown, str):
            self.parts.append({"type": "text", "text": shown})
        else:
            self.parts += shown or []

    def _calls(self, raw: Mapping[str, Any]) -> None:
        more = raw.get("additional_kwargs")
        calls = inner(first(raw, "tool_calls", "toolCalls"))
        if not calls and isinstance(more, Mapping):
            calls = inner(more.get("tool_calls"))
        if calls is not None and not isinstance(calls, list):
            raise Unreadable(f"tool_calls is {kind(calls)}, not a list")
        for call in calls or []:
            self.calls.append(_call(inner(call)))
        if not calls and self.role == "assistant" and isinstance(old := inner(raw.get("function_call")), Mapping):
            self.calls.append(_call(old))

    def _thoughts(self, raw: Mapping[str, Any]) -> None:
        thought = first(raw, "reasoning_content", "reasoning", "thinking")
        if isinstance(thought, str):
            if thought:
                self.thoughts.append(thought)
            return
        blocks = first(raw, "thinking_blocks", "reasoning_details")
        for block in blocks if isinstance(blocks, list) else []:
            if isinstance(block, dict):
                self._thought(block)

    def _thought(self, raw: Mapping[str, Any]) -> None:
        said = first(raw, "thinking", "text", "content", "summary")
        if isinstance(said, list) and not said:
            said = raw.get("summary")
        shown = content_of(said, "\n\n")
        if isinstance(shown, str) and shown:
            self.thoughts.append(shown)

    def empty(self) -> bool:
        """Whether there is nothing in it."""
        return not (self.parts or self.calls or self.thoughts or self.about)

    def payload(self) -> Payload:
        """The message. What a model wrote in pieces is joined without anything between, what it was told by lines."""
        out: Payload = {"role": self.role}
        content = _joined(self.parts, "" if self.role == "assistant" else "\n")
        if content is not None:
            out["content"] = content
        if self.calls:
            out["tool_calls"] = self.calls
        out.update(self.about)
        if self.thoughts:
            out["reasoning"] = "\n".join(self.thoughts)
        return out


class _Run:
    """Messages being read: items of one assistant's turn that are logged one by one become one message."""

    def __init__(self, out: list[Payload]) -> None:
        self._out = out
        self._turn: _Turn | None = None

    def add(self, raw: object) -> None:
        """Takes a message or an item. Raises Unreadable."""
        if isinstance(raw, str):
            self.close()
            self._out.append({"role": "user", "content": raw})
        elif not isinstance(raw, dict):
            raise Unreadable(f"it is {kind(raw)}, not an object")
        elif (
            "role" not in raw
            and not _names_role(raw.get("type"))
            and ("content" not in raw or raw.get("type") in _THOUGHT)
        ):
            self._item(raw)
        else:
            self._message(raw)

    def close(self) -> None:
        """Writes the turn that is open."""
        if self._turn is not None and not self._turn.empty():
            self._out.append(self._turn.payload())
        self._turn = None

    def _message(self, raw: dict[str, Any]) -> None:
        role = role_of(raw) if "role" in raw or _names_role(raw.get("type")) else "user"
        if raw.get("type") == "message" and role == "assistant":
            self._open().message(raw)
            return
        self.close()
        turn = _Turn(role)
        turn.message(raw)
        self._out += turn.results
        only_results = turn.results and not (turn.parts or turn.calls or turn.thoughts)
        if not only_results:
            self._out.append(turn.payload())

    def _item(self, raw: dict[str, Any]) -> None:
        if raw.get("type") in _RESULT:
            self.close()
            self._out.append(_result(raw))
        elif not isinstance(raw.get("type"), str) and not any(key in raw for key in _UNTYPED):
            raise Unreadable("a message has no role")
        else:
            self._open().part(raw)

    def _open(self) -> _Turn:
        if self._turn is None:
            self._turn = _Turn("assistant")
        return self._turn


def _call(raw: object) -> Payload:
    """A tool call of any dialect: {id?, name, arguments}."""
    if not isinstance(raw, Mapping):
        raise Unreadable(f"a tool call is {kind(raw)}")
    inside = first(raw, "function", "custom", "functionCall", "function_call")
    data = inside if isinstance(inside, Mapping) else raw
    name = first(data, "name", "toolName", "tool_name")
    if not isinstance(name, str):
        raise Unreadable("a tool call has no name")
    called = first(raw, "id", "call_id", "toolCallId", "tool_call_id") if "call_id" not in raw else raw["call_id"]
    arguments = first(data, "arguments", "args", "input", "parameters")
    if raw.get("type") in ("custom", "custom_tool_call") and isinstance(arguments, str):
        arguments = {"input": arguments}
    out: Payload = {"name": name, "arguments": arguments_of(arguments)}
    return {"id": _id_text(called), **out} if called is not None else out


def _id_text(value: object) -> str:
    """An id as text: Microsoft's agents log a pair of the run's and the call's."""
    if isinstance(value, list) and value:
        value = value[-1]
    if isinstance(value, str | int):
        return str(value)
    raise Unreadable(f"the id of a call is {kind(value)}")


def _result(raw: Mapping[str, Any]) -> Payload:
    """A tool's result as a message of role tool."""
    inside = first(raw, "functionResponse", "function_response")
    data = inside if isinstance(inside, Mapping) else raw
    answers = first(raw, "tool_use_id", "tool_call_id", "call_id", "toolCallId", "id") or first(data, "id")
    shown = first(data, "content", "output", "result", "response")
    shown = _unwrapped(shown)
    out: Payload = {"role": "tool"}
    content = content_of(shown)
    if content is not None:
        out["content"] = content
    if answers is not None:
        out["tool_call_id"] = _id_text(answers)
    if isinstance(name := first(data, "name", "toolName"), str):
        out["name"] = name
    return out


def _unwrapped(shown: object) -> object:
    """The Vercel AI SDK wraps a result as {type: json, value}."""
    if isinstance(shown, Mapping) and set(shown) == {"type", "value"}:
        return shown["value"]
    return shown
