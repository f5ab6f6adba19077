"""Asked beside the caller's call: small models in shadow, the backbone to verify; each within the day's budget."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.records import Protocol, Reply
from harness.records.route import ModelTarget, VerifiedPair
from harness.router.budget import Budget
from harness.router.checks import reply_action
from harness.router.clients import Client
from harness.router.decide import Ask, Place, Plan, after, before
from harness.router.passage import Answer, Passage, usd_of
from harness.router.protocol import expert_request
from harness.router.question import Question, question_of, reply_of

__all__ = ["Beside", "Worth", "ask_expert", "plain_request"]

_LOG = logging.getLogger("harness.router")
Worth = Callable[[Question, Reply], float | None]
"""What a reply is worth, 0..1, for who has a way to tell; None where that cannot be told."""


def plain_request(request: Mapping[str, Any]) -> dict[str, Any]:
    """The caller's request, not streamed."""
    return {name: value for name, value in request.items() if name not in {"stream", "stream_options"}}


async def ask_expert(
    client: Client, request: Mapping[str, Any], question: Question, target: ModelTarget, timeout_s: float
) -> list[Answer]:
    """The expert's replies, as many as its `samples`, a failed one among several without a reply.

    Raises what the client raises where none came, TimeoutError after `timeout_s`.
    """
    body = expert_request(request, question, target)
    async with asyncio.timeout(timeout_s):
        found = await asyncio.gather(*(client(dict(body)) for _ in range(target.samples)), return_exceptions=True)
    failed = [one for one in found if isinstance(one, BaseException)]
    if len(failed) == len(found):
        raise failed[0]
    return [Answer({}, None) if isinstance(one, BaseException) else Answer(one, reply_of(one)) for one in found]


@dataclass(slots=True)
class Beside:
    """What shadow and verification need of a router."""

    plan: Plan
    id: str
    clients: Mapping[str, Client]
    budget: Budget
    place: "Callable[[Question], Any]"
    """To the task of a request (a coroutine), where the policy asks for it."""
    timeout_s: float
    worth: Worth | None
    keep: Callable[[VerifiedPair], None]
    refused: int = 0
    """Calls aside that the budget did not allow."""
    _warned: bool = field(default=False)

    async def shadow(self, call: Passage, response: Mapping[str, Any]) -> str:
        """Asks the small model that the policy would have; the reason that the policy would have had.

        response: of the backbone. Raises what goes wrong.
        """
        question = call.question = question_of(call.request)
        place: Place | None = await self.place(question) if self.plan.placed else None
        ask = call.ask = before(self.plan, question, place)
        call.confidence = ask.confidence
        if not ask.expert:
            return ask.reason
        reserved = await asyncio.to_thread(self._reserve, call, ask.target, ask.target.samples)
        if reserved is None:
            return "budget"
        answers: list[Answer] = []
        try:
            answers = await ask_expert(
                self.clients[ask.target.name], call.request, question, ask.target, self.timeout_s
            )
        except Exception as error:  # the small model's failure is what shadow is there to see
            return f"error: {type(error).__name__}"
        finally:
            await asyncio.to_thread(self._settle, reserved, answers, ask.target)
        verdict = after(self.plan, ask, question, [one.reply for one in answers])
        call.confidence = verdict.confidence
        self._pair(call, ask, answers[verdict.chosen].reply, reply_of(response), routed=verdict.kept)
        return verdict.reason

    async def verify(self, call: Passage) -> None:
        """Asks the backbone what a small model has answered already. Raises what goes wrong."""
        backbone = self.plan.policy.backbone
        assert call.ask is not None
        assert call.small is not None
        reserved = await asyncio.to_thread(self._reserve, call, backbone, 1)
        if reserved is None:
            return
        answers: list[Answer] = []
        try:
            response = await self.clients[backbone.name](plain_request(call.request))
            answers = [Answer(response, reply_of(response))]
        finally:
            await asyncio.to_thread(self._settle, reserved, answers, backbone)
        self._pair(call, call.ask, call.small.reply, answers[0].reply, routed=True)

    def _reserve(self, call: Passage, target: ModelTarget, calls: int) -> float | None:
        priced = target.usd_per_mtok_in is not None and target.usd_per_mtok_out is not None
        try:
            found = self.budget.take(call.control, calls, priced=priced)
        except (OSError, ValueError, ArithmeticError) as error:
            found = None
            self._warn(f"nothing is asked aside: the day's budget cannot be read or written ({error})")
        if found is None:
            self.refused += 1
            if call.control.budget_usd_per_day is not None and not priced:
                self._warn(f"nothing is asked aside of {target.name}: there is a budget in USD and no price is known")
        return found

    def _settle(self, reserved: float, answers: Sequence[Answer], target: ModelTarget) -> None:
        costs = [usd_of(one.response, target) for one in answers]
        known = [one for one in costs if one is not None]
        try:
            self.budget.settle(reserved, sum(known) if answers and len(known) == len(costs) else None, len(costs) or 1)
        except (OSError, ValueError, ArithmeticError) as error:
            self._warn(f"what calls aside cost cannot be noted ({error})")

    def _warn(self, text: str) -> None:
        if not self._warned:
            self._warned = True
            _LOG.warning("%s", text)

    def _pair(self, call: Passage, ask: Ask, small: Reply | None, large: Reply | None, *, routed: bool) -> None:
        question = call.question
        assert question is not None
        native: Protocol = "native"
        one = reply_action(question, small, ask.target.protocol)
        other = reply_action(question, large, native)
        self.keep(
            VerifiedPair(
                call=call.id,
                at=time.time(),
                session=call.session,
                cluster=ask.cluster,
                policy=self.id,
                small=ask.target.name,
                large=self.plan.policy.backbone.name,
                served=call.model,
                same=None if one is None or other is None else one == other,
                small_value=self._worth(question, small),
                large_value=self._worth(question, large),
                routed=routed,
            )
        )

    def _worth(self, question: Question, reply: Reply | None) -> float | None:
        return None if self.worth is None or reply is None else self.worth(question, reply)
