"""The router in a user's program: `await router.acompletion(request)` in the place of a client's call."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

from harness.capture.context import current
from harness.errors import ConfigError
from harness.records.route import ModelTarget, RouteDecision
from harness.router.aside import Aside, AsideCounts
from harness.router.beside import Beside, ask_expert, plain_request
from harness.router.breaker import Breaker
from harness.router.budget import Budget
from harness.router.clients import Client, HttpClient
from harness.router.control import Control, held_back, in_share
from harness.router.decide import Ask, Place, after, before
from harness.router.log import CallLine, RouteLog, whole
from harness.router.loop import OwnLoop
from harness.router.options import RouterOptions
from harness.router.passage import Answer, Passage, session_of, usd_of
from harness.router.placing import Embed, Placing
from harness.router.policy import Deployed, load_policy
from harness.router.protocol import chunks_of, expert_request, native_response
from harness.router.question import question_of, reply_of
from harness.router.sticky import Sticky
from harness.toolcalling.signals import json_signal

__all__ = ["Router", "RouterOptions"]

_LOG = logging.getLogger("harness.router")
_DRAIN_S: Final = 10.0
Json = dict[str, Any]


class Router:
    """Answers requests of OpenAI's chat completions by the models of a policy, as `control.json` beside it allows.

    A call never fails because of the router: what goes wrong in deciding, at a small model, in shadow, verification or
    the log ends in the backbone's answer. What the backbone's client raises is raised.
    """

    def __init__(
        self,
        folder: str | Path,
        clients: Mapping[str, Client],
        *,
        log: str | Path | None = None,
        embed: Embed | None = None,
        options: RouterOptions | None = None,
    ) -> None:
        """Reads the policy and what belongs to it; asks no model.

        clients: by the names of the policy's models. log: folder of the day files; None: nothing is written. embed: of
        a policy with an index, if it is to be another function than the built-in MiniLM. Raises DataError for a
        missing, damaged or other policy or index, ConfigError for a missing client.
        """
        self._options = options or RouterOptions()
        self.deployed: Deployed = load_policy(Path(folder), self._options.sha256).priced(self._options.prices)
        self._plan = self.deployed.plan
        json_signal("{}", {})  # loads what checks replies, so that no call waits for it
        policy = self.deployed.policy
        missing = [one.name for one in (*policy.experts, policy.backbone) if one.name not in clients]
        if missing:
            raise ConfigError(f"the policy's model {missing[0]} has no client: clients={{'{missing[0]}': …}}")
        self._clients = dict(clients)
        self._placing = Placing(self.deployed, embed) if self._plan.placed else None
        self._control = Control(self.deployed.folder)
        state = self._options.state if self._options.state is not None or log is None else Path(log) / "state"
        self._sticky = Sticky(None if state is None else Path(state))
        self._aside = Aside(self._options.aside_at_once, self._options.aside_waiting)
        self._log = None if log is None else RouteLog(Path(log), texts=self._options.texts)
        self._beside = Beside(
            plan=self._plan,
            id=self.deployed.id,
            clients=self._clients,
            budget=Budget(None if state is None else Path(state)),
            place=self._place,
            timeout_s=self._options.expert_timeout_s,
            worth=self._options.worth,
            keep=lambda pair: None if self._log is None else self._log.pair(pair),
        )
        self._breaker = Breaker(self._options.rest_s)
        self._loop = OwnLoop()
        self._warned: set[str] = set()

    @property
    def aside(self) -> AsideCounts:
        """What became of the calls aside."""
        return self._aside.counts

    @property
    def refused(self) -> int:
        """Calls aside that the day's budget did not allow."""
        return self._beside.refused

    async def acompletion(self, request: Mapping[str, Any], *, session: str | None = None) -> Any:
        """The response to a request; with `stream: true` an async iterator of its chunks.

        session: of which the call is a step; else `metadata.session_id` of the request, else that of
        `harness.capture.session`. Raises what the backbone's client raises.
        """
        call = self._begin(request, session)
        if request.get("stream"):
            return await self._open(call)
        try:
            response = await self._routed(call)
            if response is None:
                response = await self._backbone(call, plain_request(request))
        except BaseException as error:
            self._failed(call, error)
            raise
        self._over(call, CallLine(request, call.context, time.perf_counter() - call.started_s, response))
        return response

    def completion(self, request: Mapping[str, Any], *, session: str | None = None) -> Any:
        """As `acompletion`, for programs without a loop: the models are asked in a thread of the router's own."""
        told = session if session is not None else session_of(request)
        found = self._loop.run(self.acompletion(request, session=told))
        return self._loop.iterate(found) if request.get("stream") else found

    def _begin(self, request: Mapping[str, Any], session: str | None) -> Passage:
        context = current()
        named = session if session is not None else session_of(request)
        call = Passage(request, named, self._control.now(), context)
        if context.session is not None:
            call.step = next(context.steps)
        return call

    async def _routed(self, call: Passage) -> Json | None:
        """The small model's response, where the policy lets it stand; None: the backbone is to answer."""
        ask = await self._ask(call)
        if ask is None:
            return None
        answers = await self._expert(call, ask)
        if answers is None:
            return None
        return self._judge(call, ask, answers)

    async def _ask(self, call: Passage) -> Ask | None:
        """The expert to be asked; None, and the reason in `call`, where there is none."""
        call.reason = self._held(call) or ""
        if call.reason:
            return None
        try:
            call.question = question_of(call.request)
            place = await self._place(call.question) if self._plan.placed else None
            ask = call.ask = before(self._plan, call.question, place)
        except Exception as error:  # a fault of ours must not cost the caller an answer
            self._note(call, "router", error)
            return None
        call.confidence = ask.confidence
        call.reason = ask.reason if not ask.expert else "resting" if self._breaker.rests(ask.target.name) else ""
        return None if call.reason else ask

    def _held(self, call: Passage) -> str | None:
        sticks = (
            call.session is not None
            and call.control.sticky
            and call.control.mode in {"canary", "on"}
            and self._sticky.holds(call.session)
        )
        return held_back(call.control, self.deployed.policy.name, call.id, call.session, sticks=sticks)

    async def _place(self, question: Any) -> Place | None:
        return None if self._placing is None else await self._placing.place(question)

    async def _expert(self, call: Passage, ask: Ask) -> list[Answer] | None:
        assert call.question is not None
        call.asked.append(ask.target.name)
        started = time.perf_counter()
        client, limit_s = self._clients[ask.target.name], self._options.expert_timeout_s
        try:
            answers = await ask_expert(client, call.request, call.question, ask.target, limit_s)
        except Exception as error:  # whatever its client raises: the backbone answers
            self._no_answer(call, ask, error)
            return None
        else:
            self._breaker.note(ask.target.name, answered=True)
            return answers
        finally:
            call.small_s = time.perf_counter() - started

    def _judge(self, call: Passage, ask: Ask, answers: list[Answer]) -> Json | None:
        assert call.question is not None
        try:
            verdict = after(self._plan, ask, call.question, [one.reply for one in answers])
            call.confidence = verdict.confidence
            if not verdict.kept:
                self._hand_on(call, verdict.reason)
                return None
            answer = answers[verdict.chosen]
            assert answer.reply is not None
            response = native_response(answer.response, answer.reply, answer.choice, call.question, ask.target)
        except Exception as error:  # a fault of ours must not cost the caller an answer
            self._note(call, "router", error)
            return None
        call.reason, call.model, call.small = "kept", ask.target.name, answer
        return response

    def _hand_on(self, call: Passage, reason: str) -> None:
        call.reason = reason
        if call.session is not None and call.control.sticky:
            try:
                self._sticky.add(call.session)
            except OSError as error:
                self._warn(f"a session cannot be noted as the backbone's ({error.strerror}); this process knows it")

    def _no_answer(self, call: Passage, ask: Ask, error: Exception) -> None:
        self._breaker.note(ask.target.name, answered=False)
        self._hand_on(call, f"error: {type(error).__name__}")

    def _note(self, call: Passage, what: str, error: Exception) -> None:
        call.reason = f"error: {what} {type(error).__name__}"
        self._warn(f"a call could not be routed and goes to the backbone ({type(error).__name__}: {error})")

    async def _backbone(self, call: Passage, request: Json) -> Any:
        name = call.model = self.deployed.policy.backbone.name
        call.asked.append(name)
        started = time.perf_counter()
        try:
            return await self._clients[name](request)
        finally:
            call.large_s = time.perf_counter() - started

    async def _open(self, call: Passage) -> AsyncIterator[Any]:
        """The stream of a call, its first chunk there already where a small model's is passed on unseen."""
        try:
            ask = await self._ask(call)
            if ask is not None and ask.final and ask.target.protocol == "native" and ask.target.samples == 1:
                passing = await self._expert_stream(call, ask)
                if passing is not None:
                    return self._passed(call, *passing)
            elif ask is not None and (answers := await self._expert(call, ask)) is not None:
                response = self._judge(call, ask, answers)
                if response is not None:
                    return self._written(call, response)
            return self._passed(call, None, await self._backbone(call, dict(call.request)))
        except BaseException as error:
            self._failed(call, error)
            raise

    async def _expert_stream(self, call: Passage, ask: Ask) -> tuple[Any, AsyncIterator[Any]] | None:
        """First chunk and the rest; None where none came, which the caller need not know."""
        assert call.question is not None
        name = ask.target.name
        call.asked.append(name)
        started = time.perf_counter()
        try:
            body = expert_request(call.request, call.question, ask.target) | {"stream": True}
            if call.request.get("stream_options") is not None:
                body["stream_options"] = call.request["stream_options"]
            async with asyncio.timeout(self._options.expert_timeout_s):
                chunks = aiter(await self._clients[name](body))
                first = await anext(chunks)
        except Exception as error:  # StopAsyncIteration among them: a stream without a chunk is no answer
            call.small_s = time.perf_counter() - started
            self._no_answer(call, ask, error)
            return None
        self._breaker.note(name, answered=True)
        call.small_s = time.perf_counter() - started
        call.reason, call.model = "kept", name
        return first, chunks

    async def _written(self, call: Passage, response: Json) -> AsyncIterator[Any]:
        """A checked response as chunks."""
        self._over(call, CallLine(call.request, call.context, time.perf_counter() - call.started_s, response))
        wanted = call.request.get("stream_options")
        for chunk in chunks_of(response, usage=isinstance(wanted, Mapping) and bool(wanted.get("include_usage"))):
            yield chunk

    async def _passed(self, call: Passage, first: Any, chunks: Any) -> AsyncIterator[Any]:
        """A stream passed on as it comes; logged when it is over, or when the caller stops reading."""
        kept: list[Any] = []
        ttft_s = broke = None
        decided_s = time.perf_counter() - call.started_s
        opened_s = time.perf_counter()
        try:
            if first is not None:
                ttft_s = decided_s
                kept.append(first)
                yield first
            async for chunk in chunks:
                ttft_s = time.perf_counter() - call.started_s if ttft_s is None else ttft_s
                kept.append(chunk)
                yield chunk
        except BaseException as error:
            broke = "closed by the program" if isinstance(error, GeneratorExit) else type(error).__name__
            raise
        finally:
            more_s = time.perf_counter() - opened_s
            if call.kept:
                call.small_s = (call.small_s or 0.0) + more_s
            else:
                call.large_s = (call.large_s or 0.0) + more_s
            took_s = time.perf_counter() - call.started_s
            line = CallLine(call.request, call.context, took_s, None, kept, ttft_s, error=broke)
            self._over(call, line)

    def _failed(self, call: Passage, error: BaseException) -> None:
        took_s = time.perf_counter() - call.started_s
        self._over(call, CallLine(call.request, call.context, took_s, error=type(error).__name__))

    def _over(self, call: Passage, line: CallLine) -> None:
        """Notes a call and asks aside what is to be asked. Never raises, never waits."""
        try:
            line.step = call.step
            if line.error is None and self._shadowed(call):
                self._aside_shadow(call, line)
                return
            self._write(call, line, call.decision(self.deployed.id, line.latency_s))
            if line.error is None and call.kept and in_share(call.id, call.control.verify, "verify"):
                self._aside.offer(lambda: self._verify(call, line))
        except Exception as error:  # the caller has the answer, and that is what counts
            self._warn(f"a call could not be noted ({type(error).__name__}: {error})")

    def _shadowed(self, call: Passage) -> bool:
        return call.reason == "shadow" and in_share(call.id, call.control.shadow_share, "shadow")

    def _aside_shadow(self, call: Passage, line: CallLine) -> None:
        async def job() -> None:
            would = None
            try:
                would = await self._beside.shadow(call, line.response or whole(line.chunks))
            finally:
                self._write(call, line, call.decision(self.deployed.id, line.latency_s, would))

        if not self._aside.offer(job):
            self._write(call, line, call.decision(self.deployed.id, line.latency_s))

    async def _verify(self, call: Passage, line: CallLine) -> None:
        if call.small is None:  # it was streamed past
            response = whole(line.chunks)
            call.small = Answer(response, reply_of(response))
        await self._beside.verify(call)

    def _write(self, call: Passage, line: CallLine, decision: RouteDecision) -> None:
        if self._log is None:
            return
        target = self._target(call.model)
        if target is not None and line.response is not None:
            line.cost_usd = usd_of(line.response, target)
        self._log.decision(decision)
        self._log.call(line, decision)

    def _target(self, name: str) -> ModelTarget | None:
        policy = self.deployed.policy
        return policy.backbone if name == policy.backbone.name else self._plan.experts.get(name)

    def _warn(self, text: str) -> None:
        """A word to the program's log, once for each different one."""
        with contextlib.suppress(Exception):
            if text not in self._warned and len(self._warned) < 20:
                self._warned.add(text)
                _LOG.warning("%s", text)

    async def aclose(self, timeout_s: float = _DRAIN_S) -> None:
        """Waits for calls aside of this loop, closes connections that the router's own clients opened, ends the log."""
        await self._aside.drain(timeout_s)
        for client in self._clients.values():
            if isinstance(client, HttpClient):
                await client.aclose()
        if self._placing is not None:
            self._placing.close()
        if self._log is not None:
            await asyncio.to_thread(self._log.close)

    def close(self, timeout_s: float = _DRAIN_S) -> None:
        """As `aclose`, for programs that used `completion`."""
        self._loop.run(self.aclose(timeout_s))
        self._loop.close()

    async def __aenter__(self) -> "Router":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __enter__(self) -> "Router":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
