"""What litellm's objects are as plain values, and a stream of plain chunks as litellm takes it from a provider.

litellm's wrapper of a provider's stream (`CustomStreamWrapper`, litellm 1.103.7) passes nothing on after the finish
reason, and guesses the counts of a stream that told none before. So the finish reason is held back until the stream has
ended, and goes with the counts in one last piece.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any, cast

from litellm.types.utils import GenericStreamingChunk, ModelResponse, ModelResponseStream

__all__ = ["Piece", "chunks", "pieces", "plain", "whole"]

Piece = ModelResponseStream | GenericStreamingChunk
Json = dict[str, Any]


class _Told(Json):
    """Plain values with the object of litellm's that they were read off, so that it need not be built again."""

    __slots__ = ("said",)

    def __init__(self, values: Mapping[str, Any], said: Any) -> None:
        super().__init__(values)
        self.said = said


def plain(response: ModelResponse) -> Json:
    """A response as plain values; `usage.cost` is what litellm counted for it, where it knows a price."""
    told = _Told(_values(response), response)
    _price(told, response)
    return told


def whole(response: Json) -> ModelResponse:
    """The response as an object of litellm: the one that it came from, where it is that still."""
    said = getattr(response, "said", None)
    return said if isinstance(said, ModelResponse) else ModelResponse(**response)


async def chunks(stream: AsyncIterator[ModelResponseStream]) -> AsyncIterator[Json]:
    """A stream of litellm's as plain chunks, with the same `usage.cost`."""
    async for piece in stream:
        told = _Told(_values(piece), piece)
        if told.get("usage"):
            _price(told, piece)
            choices = told.get("choices") or ()
            told["choices"] = [one for one in choices if one.get("delta") or one.get("finish_reason")]
        yield told


def _values(said: Any) -> Json:
    return cast(Json, said.model_dump(mode="json", exclude_none=True))


def _price(told: Json, said: Any) -> None:
    cost = (getattr(said, "_hidden_params", None) or {}).get("response_cost")
    usage = told.get("usage")
    if isinstance(usage, dict) and "cost" not in usage and isinstance(cost, float) and cost > 0:
        usage["cost"] = cost  # 0 is also what litellm says where it knows no price


async def pieces(stream: AsyncGenerator[Json]) -> AsyncGenerator[Piece]:
    """Chunks of OpenAI's protocol as litellm takes them."""
    finish: str | None = None
    usage: Mapping[str, Any] | None = None
    async with aclosing(stream):
        async for chunk in stream:
            usage = chunk.get("usage") or usage
            for choice in chunk.get("choices") or ():
                finish = choice.get("finish_reason") or finish
                if _says(choice.get("delta") or {}):
                    yield ModelResponseStream(**{**_head(chunk), "choices": [{**choice, "finish_reason": None}]})
    yield cast(GenericStreamingChunk, _last(finish, usage))


def _head(chunk: Json) -> Json:
    return {name: value for name, value in chunk.items() if name in {"id", "created", "model", "system_fingerprint"}}


def _says(delta: Mapping[str, Any]) -> bool:
    return any(value for name, value in delta.items() if name != "role")


def _last(finish: str | None, usage: Mapping[str, Any] | None) -> Json:
    names = ("prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details")
    counted = None if usage is None else {name: usage[name] for name in names if usage.get(name) is not None}
    end = {"text": "", "tool_use": None, "is_finished": True, "finish_reason": finish or "stop", "index": 0}
    return {**end, "usage": counted}
