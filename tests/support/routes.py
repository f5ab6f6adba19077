"""Folders of routing policies, and models that answer them without any server."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from harness.records.route import ModelTarget, RouteControl, RoutePolicy, RouteRule
from harness.router.control import write_control
from harness.router.protocol import chunks_of

Json = dict[str, Any]

TOOL: Json = {
    "type": "function",
    "function": {
        "name": "get_order",
        "description": "Details of an order",
        "parameters": {
            "type": "object",
            "properties": {"order_id": {"type": "string"}, "fast": {"type": "boolean"}},
            "required": ["order_id"],
        },
    },
}


def target(name: str, **more: Any) -> ModelTarget:
    """A model of a policy."""
    given: dict[str, Any] = {"run": f"results/run/{name}", "model": name, "protocol": "native", "label": name}
    return ModelTarget(name=name, **{**given, **more})


def policy(**more: Any) -> RoutePolicy:
    """A cascade: the small model answers where no signal is seen."""
    given: dict[str, Any] = {
        "name": "shop",
        "made_at": "2026-11-21T00:00:00Z",
        "harness": "0",
        "kind": "cascade",
        "confidence": "form",
        "threshold": 0.5,
        "backbone": target("large", usd_per_mtok_in=2.0, usd_per_mtok_out=8.0),
        "experts": (target("small", usd_per_mtok_in=0.0, usd_per_mtok_out=0.0),),
        "rules": (RouteRule(cluster="*", expert="small"),),
        "signals": ("no_reply", "cut_off", "unreadable", "unknown_tool", "schema", "no_call"),
        "suite": "shop",
        "suite_hash": "0" * 64,
        "certified": None,
    }
    return RoutePolicy(**{**given, **more})


def deploy(folder: Path, made: RoutePolicy, control: RouteControl | None = None) -> Path:
    """A policy's folder as `do=route` leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "policy.json").write_text(made.model_dump_json(indent=2))
    write_control(folder, control or RouteControl(mode="on"))
    return folder


def request(text: str = "where is order A12?", **more: Any) -> Json:
    """A request that offers one tool."""
    return {"model": "any", "messages": [{"role": "user", "content": text}], "tools": [TOOL], **more}


def called(arguments: Mapping[str, Any] | str, name: str = "get_order", logprobs: Sequence[float] = ()) -> Json:
    """A response that calls a tool."""
    text = arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
    call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": text}}
    return response({"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls", logprobs)


def spoken(text: str, logprobs: Sequence[float] = ()) -> Json:
    """A response in words."""
    return response({"role": "assistant", "content": text}, "stop", logprobs)


def response(message: Json, finish: str = "stop", logprobs: Sequence[float] = ()) -> Json:
    """A whole response of the API."""
    choice: Json = {"index": 0, "message": message, "finish_reason": finish}
    if logprobs:
        choice["logprobs"] = {"content": [{"token": "x", "logprob": one} for one in logprobs]}
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    return {"id": "r1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


class Model:
    """A client that answers what it is told to, and counts what it was asked."""

    def __init__(self, answer: Json | Exception | Callable[[Json], Json], *, wait_s: float = 0.0) -> None:
        self.answer, self.wait_s = answer, wait_s
        self.asked: list[Json] = []

    async def __call__(self, request: Json) -> Any:
        self.asked.append(request)
        if self.wait_s:
            await asyncio.sleep(self.wait_s)
        if isinstance(self.answer, Exception):
            raise self.answer
        found = self.answer(request) if callable(self.answer) else self.answer
        return _streamed(found) if request.get("stream") else found


async def _streamed(found: Json) -> AsyncIterator[Json]:
    for chunk in chunks_of(found, usage=True):
        yield chunk


def bag_of_words(texts: Sequence[str]) -> Any:
    """Unit vectors in which texts with the same words lie near each other, shape (n, 64)."""
    rows = np.zeros((len(texts), 64), dtype=np.float32)
    for row, text in zip(rows, texts, strict=True):
        for word in text.lower().split():
            row[int(hashlib.sha256(word.encode()).hexdigest(), 16) % 64] += 1.0
        row /= np.linalg.norm(row) or 1.0
    return rows
