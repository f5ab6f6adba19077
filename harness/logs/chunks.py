"""A streamed response put together again, where a log holds its chunks instead of the whole."""

from collections.abc import Mapping
from typing import Any

import orjson

from harness.logs.pick import Unreadable, kind

__all__ = ["merged"]


def merged(response: object) -> object:
    """The whole response: of chunks of chat completions, of events of Anthropic or Responses, of their SSE text.

    What is no stream comes back as it is. Raises Unreadable for a stream of something else.
    """
    if isinstance(response, str) and response.startswith(("data:", "event:")):
        response = _events(response)
    if not isinstance(response, list) or not response:
        return response
    if not all(isinstance(chunk, Mapping) for chunk in response):
        raise Unreadable("the response is a list, but not of chunks")
    what = {str(chunk.get("object") or chunk.get("type")) for chunk in response}
    if "chat.completion.chunk" in what or all("choices" in chunk for chunk in response):
        return _chat(response)
    if "message_start" in what:
        return _anthropic(response)
    whole = [chunk.get("response") for chunk in response if str(chunk.get("type")).startswith("response.")]
    if whole:
        return next((one for one in reversed(whole) if isinstance(one, Mapping)), None)
    return response[0] if len(response) == 1 else {"content": response, "role": "assistant"}


def _events(stream: str) -> list[Any]:
    events = []
    for line in stream.splitlines():
        data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
        if data and data != "[DONE]":
            try:
                events.append(orjson.loads(data))
            except orjson.JSONDecodeError as error:
                raise Unreadable(f"an event of the stream is not JSON ({error})") from None
    return events


def _chat(chunks: list[Any]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        whole |= {key: value for key, value in chunk.items() if key != "choices" and value is not None}
        for choice in chunk.get("choices") or []:
            if not isinstance(choice, Mapping):
                raise Unreadable(f"a choice of a chunk is {kind(choice)}")
            into = choices.setdefault(_index(choice), {"message": {"role": "assistant"}, "calls": {}})
            if choice.get("finish_reason") is not None:
                into["finish_reason"] = choice["finish_reason"]
            delta = choice.get("delta") or {}
            if not isinstance(delta, Mapping):
                raise Unreadable(f"a delta is {kind(delta)}")
            _take(into, delta)
    for into in choices.values():
        if calls := into.pop("calls"):
            into["message"]["tool_calls"] = list(calls.values())
    return {**whole, "object": "chat.completion", "choices": [choices[place] for place in sorted(choices)]}


def _take(into: dict[str, Any], delta: Mapping[str, Any]) -> None:
    message = into["message"]
    for key in ("content", "reasoning_content", "reasoning", "refusal"):
        if isinstance(said := delta.get(key), str):
            message[key] = message.get(key, "") + said
    for call in delta.get("tool_calls") or []:
        if not isinstance(call, Mapping):
            raise Unreadable(f"a call of a chunk is {kind(call)}")
        function = call.get("function") or {}
        known = into["calls"].setdefault(_index(call), {"function": {"name": "", "arguments": ""}})
        if call.get("id"):
            known["id"] = call["id"]
        for key in ("name", "arguments"):
            if isinstance(function, Mapping) and isinstance(piece := function.get(key), str):
                known["function"][key] += piece


def _anthropic(events: list[Any]) -> dict[str, Any]:
    message: dict[str, Any] = {}
    blocks: dict[int, dict[str, Any]] = {}
    for event in events:
        what, delta = event.get("type"), event.get("delta")
        if what == "message_start" and isinstance(event.get("message"), Mapping):
            message = {**event["message"], "content": []}
        elif what == "content_block_start" and isinstance(event.get("content_block"), Mapping):
            blocks[_index(event)] = {**event["content_block"]}
        elif what == "content_block_delta" and isinstance(delta, Mapping):
            _grow(blocks.setdefault(_index(event), {"type": "text", "text": ""}), delta)
        elif what == "message_delta" and isinstance(delta, Mapping):
            message |= {key: value for key, value in delta.items() if value is not None}
            if isinstance(more := event.get("usage"), Mapping):
                old = message.get("usage")
                message["usage"] = {**(old if isinstance(old, Mapping) else {}), **more}
        elif what == "error":
            message["error"] = event.get("error")
    return {**message, "content": [_closed(blocks[place]) for place in sorted(blocks)]}


def _grow(block: dict[str, Any], delta: Mapping[str, Any]) -> None:
    for key, into in (("text", "text"), ("thinking", "thinking"), ("partial_json", "json")):
        if isinstance(piece := delta.get(key), str):
            old = block.get(into)
            block[into] = (old if isinstance(old, str) else "") + piece


def _closed(block: dict[str, Any]) -> dict[str, Any]:
    """A block whose input came in pieces has it whole, as the text that was sent."""
    pieces = block.pop("json", None)
    return {**block, "input": pieces} if pieces else block


def _index(data: Mapping[str, Any]) -> int:
    place = data.get("index", 0)
    return place if isinstance(place, int) else 0
