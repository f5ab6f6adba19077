"""Asks the judging model: requests with deadline and retries, what they cost, and the reading of its verdicts."""

import asyncio
import time
from dataclasses import dataclass, field

import orjson
from pydantic import JsonValue

from harness.backends.blame import RETRYABLE
from harness.backends.client import ChatClient
from harness.backends.stream import Reading, read_exchange
from harness.config import RunConfig
from harness.cost import hosted_cost_usd, machine_usd_per_hour
from harness.errors import BackendError
from harness.protocols import Endpoint
from harness.records import FailureKind, JudgeFacts
from harness.scorers.judge_prompt import Question, UnreadableVerdictError, read_verdict

__all__ = ["Bill", "JudgeClient"]

_REFUSALS: frozenset[FailureKind] = frozenset({"grammar_rejected", "unsupported_request", "bad_request"})
"""What a server may say to a response_format that it does not know."""
_BACKOFF_S, _BACKOFF_MAX_S = 0.5, 30.0
_AGAIN = "That is no verdict: {why}. Reply with the JSON object alone, as it was asked for."


@dataclass(slots=True)
class Bill:
    """What the requests of one judgement took."""

    calls: int = 0
    seconds: float = 0.0
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None

    def facts(self, model: str, agreed: bool | None) -> JudgeFacts | None:
        """As a record; None if nothing was asked."""
        if not self.calls:
            return None
        return JudgeFacts(
            model=model,
            calls=self.calls,
            seconds=self.seconds,
            prompt_tokens=self.prompt_tokens,
            output_tokens=self.output_tokens,
            cost_usd=self.cost_usd,
            agreed=agreed,
        )


@dataclass(slots=True)
class _Shares:
    """Busy seconds divided among the requests in flight: each second goes in equal parts to those under way."""

    in_flight: int = 0
    _shared_s: float = 0.0
    """Seconds that a request under way since the beginning would have been given."""
    _at: float = 0.0

    def change(self, by: int) -> float:
        """Notes that a request began (1) or ended (-1), and returns the seconds given so far."""
        now = time.perf_counter()
        if self.in_flight:
            self._shared_s += (now - self._at) / self.in_flight
        self._at = now
        self.in_flight += by
        return self._shared_s


@dataclass(slots=True)
class JudgeClient:
    """Puts questions to the judge behind one endpoint, at temperature 0."""

    config: RunConfig
    endpoint: Endpoint
    client: ChatClient
    max_tokens: int | None = None
    _constrain: bool = True
    """Off once the server has refused a response_format."""
    _shares: _Shares = field(default_factory=_Shares)

    async def verdict(self, question: Question, bill: Bill) -> tuple[int | str, str]:
        """The verdict with its reason; a reply that is none is sent back once.

        Raises BackendError where the judge does not answer, or not with a verdict even then.
        """
        reply = await self._ask(question, question.messages, bill)
        try:
            return read_verdict(reply, question)
        except UnreadableVerdictError as error:
            back: list[dict[str, JsonValue]] = [
                {"role": "assistant", "content": (reply or "")[:2_000]},
                {"role": "user", "content": _AGAIN.format(why=error)},
            ]
        reply = await self._ask(question, (*question.messages, *back), bill)
        try:
            return read_verdict(reply, question)
        except UnreadableVerdictError as error:
            message = f"{self.config.model.name} gave no readable verdict, asked twice: {error}"
            raise BackendError(f"{message}; take a larger judge, or more room: scoring.judge.max_tokens=1024") from None

    async def _ask(self, question: Question, messages: tuple[dict[str, JsonValue], ...], bill: Bill) -> str | None:
        failures = 0
        while True:
            sent_format = self._constrain
            reading = await self._exchange(self._body(question, messages), bill)
            failure = reading.failure
            if failure is None:
                return reading.reply.content if reading.reply else None
            if sent_format and failure.kind in _REFUSALS:
                self._constrain = False
                continue
            settings = self.config.run
            passing = failure.boundary == "infrastructure" and failure.kind in RETRYABLE
            if not passing or failures >= settings.retries or (failure.retry_after_s or 0.0) > settings.deadline_s:
                raise BackendError(f"the judge {self.config.model.name} did not answer: {failure.message}")
            failures += 1
            await asyncio.sleep(failure.retry_after_s or min(_BACKOFF_MAX_S, _BACKOFF_S * 2 ** (failures - 1)))

    def _body(self, question: Question, messages: tuple[dict[str, JsonValue], ...]) -> bytes:
        generation = self.config.model.generation
        fields: dict[str, object | None] = {
            "model": self.endpoint.model,
            "messages": messages,
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0.0 if generation.send_temperature else None,
            generation.max_tokens_field: self.max_tokens or generation.max_tokens,
            "reasoning_effort": generation.reasoning_effort,
            "seed": self.config.run.seed if generation.send_seed else None,
        }
        if self._constrain:
            fields["response_format"] = question.response_format(bound_reason=self.config.backend.name == "llamacpp")
        return orjson.dumps(
            {name: value for name, value in fields.items() if value is not None} | self.endpoint.extra_body
        )

    async def _exchange(self, body: bytes, bill: Bill) -> Reading:
        """One request, put on the bill whether or not it was answered."""
        settings = self.config.run
        began, given = time.perf_counter(), self._shares.change(1)
        try:
            exchange = await self.client.stream(body, deadline_s=settings.deadline_s, stall_s=settings.stall_s)
        finally:
            share = self._shares.change(-1) - given
        reading = read_exchange(exchange)
        bill.calls += 1
        bill.seconds += time.perf_counter() - began
        bill.prompt_tokens = _plus(bill.prompt_tokens, reading.usage.prompt_tokens)
        bill.output_tokens = _plus(bill.output_tokens, reading.usage.output_tokens)
        cost = self._cost_usd(reading, share)
        bill.cost_usd = bill.cost_usd if cost is None else (bill.cost_usd or 0.0) + cost
        return reading

    def _cost_usd(self, reading: Reading, share_s: float) -> float | None:
        """Hosted: at list price. Local: the request's share of the busy time at the machine's hour."""
        if self.config.model.price is not None:
            return hosted_cost_usd(reading.usage, self.config.model.price)
        hourly = machine_usd_per_hour(self.config.hardware)
        return None if self.config.model.hosted or hourly is None else share_s / 3600 * hourly


def _plus(total: int | None, value: int | None) -> int | None:
    return total if value is None else (total or 0) + value
