"""One call on its way through the router: what is known of it, and what becomes of it."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.capture.context import Context, current
from harness.records import Reply
from harness.records.route import ModelTarget, RouteControl, RouteDecision
from harness.router.decide import Ask
from harness.router.question import Question

__all__ = ["Answer", "Passage", "session_of", "usd_of"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply with the response that it was in."""

    response: Mapping[str, Any]
    reply: Reply | None
    choice: int = 0


@dataclass(slots=True)
class Passage:
    """A call while it is answered."""

    request: Mapping[str, Any]
    session: str | None
    control: RouteControl
    context: Context
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    at: float = field(default_factory=time.time)
    started_s: float = field(default_factory=time.perf_counter)
    question: Question | None = None
    ask: Ask | None = None
    model: str = ""
    """Who answers the caller."""
    asked: list[str] = field(default_factory=list)
    confidence: float | None = None
    reason: str = ""
    small: Answer | None = None
    """What a small model answered and the caller got."""
    small_s: float | None = None
    large_s: float | None = None
    step: int | None = None

    @property
    def kept(self) -> bool:
        """Whether a small model's reply is what the caller gets."""
        return self.reason == "kept"

    def decision(self, policy: str, took_s: float, would: str | None = None) -> RouteDecision:
        """The line of the log. took_s: of the whole call, as the caller saw it."""
        models_s = (self.small_s or 0.0) + (self.large_s or 0.0)
        return RouteDecision(
            call=self.id,
            at=self.at,
            session=self.session,
            policy=policy,
            mode=self.control.mode,
            cluster=self.ask.cluster if self.ask else None,
            model=self.model,
            asked=tuple(self.asked),
            confidence=self.confidence,
            reason=self.reason,
            would=would,
            router_s=max(0.0, took_s - models_s),
            small_s=self.small_s,
            large_s=self.large_s,
        )


def usd_of(response: Mapping[str, Any], target: ModelTarget) -> float | None:
    """What a response cost, as its provider says (`usage.cost`), else by the target's prices; None: not known."""
    usage = response.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    told = usage.get("cost")
    if isinstance(told, int | float) and not isinstance(told, bool) and 0 <= told < 1e6:
        return float(told)
    into, out = target.usd_per_mtok_in, target.usd_per_mtok_out
    if into == 0 and out == 0:
        return 0.0
    read, written = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if into is None or out is None or not isinstance(read, int) or not isinstance(written, int):
        return None
    return (read * into + written * out) / 1e6


def session_of(request: Mapping[str, Any]) -> str | None:
    """The session that a request names (`metadata.session_id`), else that of `harness.capture.session`."""
    told = request.get("metadata")
    named = told.get("session_id") if isinstance(told, Mapping) else None
    return str(named) if isinstance(named, str | int) and str(named) else current().session
