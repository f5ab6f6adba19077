"""When two calls ask the same, and when two answers are the same: hashes that leave out what only names things."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import orjson

from harness.records.logs import DELIVERY_PARAMS, Payload, canonical

__all__ = ["Asking", "action_of", "answer_hash", "plain_text"]


class Asking:
    """Hashes of requests. `content`: gives the value at a place of the spool."""

    def __init__(self, content: Callable[[int], Any]) -> None:
        self._content = content
        self._nameless = lru_cache(maxsize=1 << 20)(self._message)
        self._tools = lru_cache(maxsize=1 << 14)(
            lambda place: blake2b(canonical(content(place)), digest_size=16).digest()
        )

    def request(self, messages: Sequence[int], tools: int, params: Payload, model: str | None) -> bytes:
        """Equal for calls to one model with the same messages, tools and parameters (16 bytes).

        Ids of tool calls count by the order in which they come: they are drawn anew each time.
        """
        hasher = blake2b(digest_size=16)
        order: dict[str, int] = {}
        for place in messages:
            hashed, ids = self._nameless(place)
            hasher.update(hashed)
            for one in ids:
                hasher.update(order.setdefault(one, len(order)).to_bytes(4, "big"))
        kept = {name: value for name, value in params.items() if name not in DELIVERY_PARAMS and value is not None}
        hasher.update(self._tools(tools) if tools >= 0 else b"")
        hasher.update(canonical([kept, model]))
        return hasher.digest()

    def _message(self, place: int) -> tuple[bytes, tuple[str, ...]]:
        message = self._content(place)
        calls = message.get("tool_calls") or ()
        ids = [call["id"] for call in calls if call.get("id") is not None]
        if message.get("tool_call_id") is not None:
            ids.append(message["tool_call_id"])
        bare = {name: value for name, value in message.items() if name not in ("tool_calls", "tool_call_id")}
        if calls:
            bare["tool_calls"] = [{name: value for name, value in call.items() if name != "id"} for call in calls]
        return blake2b(canonical(bare), digest_size=16).digest(), tuple(ids)


def plain_text(content: object) -> str:
    """The text of a message's content: of a list of parts, their texts in order, other parts as JSON."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join([str(part["text"]) if _is_text(part) else canonical(part).decode() for part in content])
    return canonical(content).decode()


def _is_text(part: object) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str)


def action_of(reply: Payload) -> tuple[tuple[str, bytes], ...]:
    """The tools that a reply calls, each with its arguments canonically; sorted: parallel calls have no order."""
    return tuple(
        sorted((str(call.get("name")), _arguments(call.get("arguments"))) for call in reply.get("tool_calls") or ())
    )


def _arguments(arguments: object) -> bytes:
    """Arguments as canonical JSON; the text itself where it is none."""
    if not isinstance(arguments, str):
        return canonical(arguments)
    try:
        return canonical(orjson.loads(arguments))
    except orjson.JSONDecodeError:
        return arguments.encode("utf-8", "surrogatepass")


def answer_hash(reply: Payload) -> bytes:
    """Equal for replies with the same text and the same tool calls (16 bytes); ids and reasoning do not count."""
    hasher = blake2b(plain_text(reply.get("content")).encode("utf-8", "surrogatepass"), digest_size=16)
    for name, arguments in action_of(reply):
        hasher.update(b"\0" + name.encode("utf-8", "surrogatepass") + b"\0" + arguments)
    return hasher.digest()
