"""The router's log: calls as `do=collect` reads them, decisions without any text, and pairs of answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from harness.capture.context import Context
from harness.capture.recorder import Recorder
from harness.capture.streams import assembled
from harness.records.route import RouteDecision, VerifiedPair

__all__ = ["CallLine", "RouteLog", "whole"]


@dataclass(slots=True)
class CallLine:
    """A call as it passed. `response` or the `chunks` of a streamed one; neither where it failed."""

    request: Mapping[str, Any]
    context: Context
    latency_s: float
    response: Mapping[str, Any] | None = None
    chunks: list[Mapping[str, Any]] = field(default_factory=list)
    ttft_s: float | None = None
    step: int | None = None
    cost_usd: float | None = None
    error: str | None = None
    """What ended it before its time."""


def whole(chunks: list[Mapping[str, Any]]) -> dict[str, Any]:
    """The response that a stream's chunks come to."""
    return assembled(b"".join(b"data: " + orjson.dumps(one) + b"\n\n" for one in chunks), "openai.chat").response


class RouteLog:
    """Day files in one folder, closed to others: `calls-*`, `decisions-*` and `verified-*`, JSON lines.

    Nothing here raises, waits for the disk, or runs on the caller's time but for handing over.
    """

    def __init__(self, folder: Path, *, texts: bool = True) -> None:
        """Starts nothing yet. texts: whether calls are written too. Raises OSError if the folder cannot be made."""
        self._calls = Recorder(folder) if texts else None
        self._decisions = Recorder(folder, prefix="decisions")
        self._pairs = Recorder(folder, prefix="verified")

    def call(self, line: CallLine, decision: RouteDecision) -> None:
        """A call with the decision as its field `route`; nothing of what a person chats."""
        if self._calls is not None and not line.context.human:
            self._calls.put(lambda: _line(line, decision))

    def decision(self, decision: RouteDecision) -> None:
        """A decision."""
        self._decisions.put(lambda: decision.model_dump_json().encode())

    def pair(self, pair: VerifiedPair) -> None:
        """A call that two models have answered."""
        self._pairs.put(lambda: pair.model_dump_json().encode())

    def close(self) -> None:
        """Writes what waits, for some seconds at most."""
        for one in (self._calls, self._decisions, self._pairs):
            if one is not None:
                one.close()


def _line(line: CallLine, decision: RouteDecision) -> bytes:
    request = {name: value for name, value in line.request.items() if name != "extra_headers"}
    fields: dict[str, Any] = {
        "timestamp": decision.at,
        "kind": "openai.chat",
        "call_id": decision.call,
        "request": {**request, "model": decision.model},
        "response": whole(line.chunks) if line.chunks else line.response,
        "session_id": decision.session,
        "step": line.step,
        "parent_id": line.context.parent,
        "agent": line.context.agent,
        "latency_s": line.latency_s,
        "latency_kind": "end_to_end",
        "ttft_s": line.ttft_s,
        "cost_usd": line.cost_usd,
        "route": decision.model_dump(mode="json", exclude_none=True),
    }
    if line.error is not None:
        fields["error"] = {"type": line.error, "message": f"the call did not come to its end: {line.error}"}
    return orjson.dumps({name: value for name, value in fields.items() if value is not None}, default=str)
