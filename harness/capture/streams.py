"""Streamed replies put together as the provider would have sent them in one piece."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

__all__ = ["Assembled", "assembled"]


@dataclass(slots=True)
class Assembled:
    """A response, where in the body its first piece of an answer stood, and whether its end was seen."""

    response: dict[str, Any]
    first_at: int | None = None
    whole: bool = False


def assembled(raw: bytes, kind: str) -> Assembled:
    """The response of an event stream. kind: as in `line`; what cannot be read is left out."""
    readers = {"openai.responses": _responses, "anthropic.messages": _anthropic, "gemini.generate": _gemini}
    return readers.get(kind, _chat)(raw)


def _events(raw: bytes) -> Iterator[tuple[int, Any]]:
    """Where each event's data ends, and the data; `[DONE]` as None."""
    at = 0
    for line in raw.splitlines(keepends=True):
        at += len(line)
        if not line.startswith(b"data:"):
            continue
        data = line[5:].strip()
        if data == b"[DONE]":
            yield at - 1, None
            continue
        try:
            found = orjson.loads(data)
        except orjson.JSONDecodeError:
            continue
        if isinstance(found, dict):
            yield at - 1, found


def _chat(raw: bytes) -> Assembled:
    """OpenAI chat completions: deltas by choice, calls by their index."""
    found = Assembled({})
    choices: dict[int, dict[str, Any]] = {}
    for at, event in _events(raw):
        if event is None:
            found.whole = True
            continue
        for name in ("id", "created", "model", "system_fingerprint", "usage", "service_tier", "error"):
            if event.get(name) is not None:
                found.response[name] = event[name]
        for choice in event.get("choices") or ():
            if isinstance(choice, dict) and _add_choice(choices, choice) and found.first_at is None:
                found.first_at = at
    found.whole = found.whole or (bool(choices) and all(one.get("finish_reason") for one in choices.values()))
    found.response["choices"] = [choices[index] for index in sorted(choices)]
    for choice in found.response["choices"]:
        if calls := choice["message"].get("tool_calls"):
            choice["message"]["tool_calls"] = [calls[index] for index in sorted(calls)]
    return found


def _index(piece: dict[str, Any], otherwise: int) -> int:
    index = piece.get("index")
    return index if isinstance(index, int) else otherwise


def _add_choice(choices: dict[int, dict[str, Any]], choice: dict[str, Any]) -> bool:
    """Adds a delta to its choice; whether it brought a piece of the answer."""
    index = _index(choice, 0)
    whole = choices.setdefault(index, {"index": index, "message": {"role": "assistant", "content": None}})
    if choice.get("finish_reason") is not None:
        whole["finish_reason"] = choice["finish_reason"]
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        return False
    message, brought = whole["message"], False
    for name in ("content", "reasoning_content", "reasoning", "refusal"):
        if isinstance(delta.get(name), str) and delta[name]:
            message[name] = (message.get(name) or "") + delta[name]
            brought = True
    for call in delta.get("tool_calls") or ():
        if isinstance(call, dict):
            _add_call(message.setdefault("tool_calls", {}), call)
            brought = True
    return brought


def _add_call(calls: dict[int, dict[str, Any]], piece: dict[str, Any]) -> None:
    index = _index(piece, len(calls))
    call = calls.setdefault(index, {"id": None, "type": "function", "function": {"name": "", "arguments": ""}})
    call["id"] = piece.get("id") or call["id"]
    function = piece.get("function")
    if isinstance(function, dict):
        call["function"]["name"] += function.get("name") or ""
        call["function"]["arguments"] += function.get("arguments") or ""


def _responses(raw: bytes) -> Assembled:
    """OpenAI Responses: the last events bring the whole response; before them, the items that were done."""
    found, items = Assembled({}), []
    for at, event in _events(raw):
        kind = str(event.get("type", "")) if event else ""
        if event and isinstance(event.get("response"), dict):
            found.response = event["response"]
            found.whole = found.whole or kind in ("response.completed", "response.incomplete", "response.failed")
        elif kind.endswith(".delta") and found.first_at is None:
            found.first_at = at
        elif kind == "response.output_item.done":
            items.append(event.get("item"))
        elif kind == "error":
            found.response = {**found.response, "error": event}
    if not found.whole and items and not found.response.get("output"):
        found.response = {**found.response, "output": items}
    return found


def _anthropic(raw: bytes) -> Assembled:
    """Anthropic's messages: blocks that grow by deltas, counts in the first and the last event."""
    found = Assembled({})
    blocks: dict[int, dict[str, Any]] = {}
    pieces: dict[int, str] = {}
    for at, event in _events(raw):
        kind = event.get("type") if event else None
        if kind == "message_start" and isinstance(event.get("message"), dict):
            found.response = dict(event["message"])
        elif kind == "content_block_start" and isinstance(event.get("content_block"), dict):
            blocks[event.get("index", len(blocks))] = dict(event["content_block"])
        elif kind == "content_block_delta" and isinstance(event.get("delta"), dict):
            _add_block(blocks.setdefault(event.get("index", 0), {"type": "text", "text": ""}), event, pieces)
            found.first_at = at if found.first_at is None else found.first_at
        elif kind == "message_delta":
            found.response |= {name: value for name, value in (event.get("delta") or {}).items() if value is not None}
            found.response["usage"] = {**(found.response.get("usage") or {}), **(event.get("usage") or {})}
        elif kind == "message_stop":
            found.whole = True
        elif kind == "error":
            found.response["error"] = event.get("error")
    for index, text in pieces.items():
        blocks[index]["input"] = _arguments(text)
    if blocks or found.response:
        found.response["content"] = [blocks[index] for index in sorted(blocks)]
    return found


def _add_block(block: dict[str, Any], event: dict[str, Any], pieces: dict[int, str]) -> None:
    delta = event["delta"]
    for name in ("text", "thinking", "signature"):
        if isinstance(delta.get(name), str):
            block[name] = (block.get(name) or "") + delta[name]
    if isinstance(delta.get("partial_json"), str):
        index = event.get("index", 0)
        pieces[index] = pieces.get(index, "") + delta["partial_json"]


def _arguments(text: str) -> Any:
    """The input of a tool, or the text of one that was cut off."""
    try:
        return orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        return text


def _gemini(raw: bytes) -> Assembled:
    """Gemini's stream: each event is a response of its own; parts are joined, the rest is the last one's."""
    found = Assembled({})
    parts: list[Any] = []
    for at, event in _events(raw):
        if event is None:
            continue
        found.response = {**found.response, **event}
        for candidate in (event.get("candidates") or ())[:1]:
            new = (candidate.get("content") or {}).get("parts") or []
            parts += new
            found.first_at = at if new and found.first_at is None else found.first_at
            found.whole = found.whole or candidate.get("finishReason") is not None
    if parts and found.response.get("candidates"):
        last = found.response["candidates"][0]
        found.response["candidates"] = [{**last, "content": {**(last.get("content") or {}), "parts": parts}}]
    return found
