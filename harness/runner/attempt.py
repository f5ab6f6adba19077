"""One attempt from request to record: deadline, retries with back-off, cost, verdict."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import cast

from harness.backends.blame import RETRYABLE
from harness.backends.client import ChatClient
from harness.backends.likelihood import read_likelihoods
from harness.backends.stream import Reading, Told, read_exchange
from harness.config import AgentConfig, ModelConfig, RunnerConfig
from harness.cost import hosted_cost_usd
from harness.environments.pool import Worlds
from harness.protocols import Endpoint, LateScorer, Scorer
from harness.records import AgentTarget, Attempt, Failure, Sample, Score, TaskTarget, TrajectoryTarget
from harness.runner.agent import AgentTask
from harness.runner.replay_agent import ReplayTask
from harness.runner.replies import Replies
from harness.runner.request import Requests
from harness.scorers.context import failed_miss, is_late

__all__ = ["Asker", "Once", "judge", "pause_s"]

_BACKOFF_S, _BACKOFF_MAX_S = 0.5, 30.0
_SILENT = Told()


@dataclass(frozen=True, slots=True)
class Asker:
    """Puts samples to one model behind one endpoint."""

    model: ModelConfig
    endpoint: Endpoint
    settings: RunnerConfig
    client: ChatClient
    rng: Random
    """For the jitter of the back-off; decides no answer."""
    worlds: Worlds | None = None
    """For agents' tasks: where their tools run."""
    agent: AgentConfig = field(default_factory=AgentConfig)
    replies: Replies | None = None
    """Answers of earlier runs, and where this one's are kept; None: everything is asked."""
    first: "Once | None" = None
    """The warm-up, where it waits for the first request that is really sent."""
    requests: Requests = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "requests", Requests(self.model, self.endpoint))

    async def ask(self, sample: Sample, trial: int, *, due_ns: int | None = None, slot: int | None = None) -> Attempt:
        """The attempt as it ended after its retries, or an agent's whole task.

        due_ns: `perf_counter_ns` at which the schedule wanted the request out: latencies count from there, retries
        and all, so that a slow server cannot hide behind a late send. None: each try counts from its own send.
        slot: the engine's slot that should answer, where it can be chosen.
        """
        seed = self.settings.seed + trial
        if isinstance(sample.target, AgentTarget):
            return await AgentTask(self, sample, trial, due_ns, slot).run()
        if isinstance(sample.target, TrajectoryTarget):
            return await ReplayTask(self, sample, trial, due_ns, slot).run()
        if isinstance(sample.target, TaskTarget) and sample.target.pairs:
            once = partial(
                read_likelihoods, self.endpoint, sample.target.pairs, self.settings.deadline_s, due_ns=due_ns, slot=slot
            )
            reading, failed = await _with_retries(once, self.settings, self.rng)
        else:
            reading, failed = await self.exchange(self.requests.body(sample, seed, slot), due_ns, trial, sample.id)
        told = reading.told or _SILENT
        return Attempt(
            sample=sample.id,
            model=self.model.name,
            protocol=self.model.protocol,
            trial=trial,
            backend=self.endpoint.facts.name,
            seed=self.sent_seed(trial),
            reply=reading.reply,
            timing=reading.timing,
            usage=reading.usage,
            server=reading.server,
            cost_usd=self.cost_usd(reading),
            recorded_cost_usd=told.cost_usd,
            recorded_cost_by=told.cost_by,
            origin="cached" if reading.cached else "measured",
            failure=reading.failure,
            tries=len(failed) + 1,
            failed_tries=tuple(failed),
        )

    async def exchange(self, body: bytes, due_ns: int | None, trial: int, sample: str) -> tuple[Reading, list[Failure]]:
        """The last reading of one request, and the failures of the tries before it; or what the cache has of it."""
        if self.replies is None:
            return await self._sent(body, due_ns)
        key = self.replies.key(body, trial, sample)
        if (found := self.replies.find(key)) is not None:
            return found, []
        if self.first is not None:
            await self.first.done()
        reading, failed = await self._sent(body, due_ns)
        await self.replies.keep(key, reading, self.cost_usd(reading))
        return reading, failed

    async def _sent(self, body: bytes, due_ns: int | None) -> tuple[Reading, list[Failure]]:
        settings = self.settings

        async def once() -> Reading:
            exchange = await self.client.stream(body, deadline_s=settings.deadline_s, stall_s=settings.stall_s)
            return read_exchange(exchange, due_ns)

        return await _with_retries(once, settings, self.rng)

    def sent_seed(self, trial: int) -> int | None:
        """The seed that goes with the requests of a trial; None where none is sent."""
        return self.settings.seed + trial if self.model.generation.send_seed else None

    def cost_usd(self, reading: Reading) -> float | None:
        """What one request cost at the run's list price; None where none is known.

        Of an answer from the cache at the price of then only where the run has none: a run's costs have one basis.
        """
        if self.model.price is not None:
            return hosted_cost_usd(reading.usage, self.model.price)
        return None if reading.cached is None else reading.cached.cost_usd


@dataclass(slots=True)
class Once:
    """Something that all wait for and that is done once, when the first asks for it."""

    make: Callable[[], Awaitable[object]]
    _task: "asyncio.Future[object] | None" = None

    async def done(self) -> None:
        """Returns when it is done. Raises as it did."""
        if self._task is None:
            self._task = asyncio.ensure_future(self.make())
        await asyncio.shield(self._task)


async def _with_retries(
    once: Callable[[], Awaitable[Reading]], settings: RunnerConfig, rng: Random
) -> tuple[Reading, list[Failure]]:
    """The last reading and the failures before it. Only infrastructure failures that may pass are tried again.

    A server that asks for more patience than a try's deadline is taken at its word: the attempt is lost for now.
    """
    failed: list[Failure] = []
    while True:
        reading = await once()
        failure = reading.failure
        if failure is None or failure.boundary != "infrastructure" or failure.kind not in RETRYABLE:
            return reading, failed
        if len(failed) >= settings.retries or (failure.retry_after_s or 0.0) > settings.deadline_s:
            return reading, failed
        failed.append(failure)
        await asyncio.sleep(pause_s(len(failed), failure.retry_after_s, rng))


def pause_s(failures: int, retry_after_s: float | None, rng: Random) -> float:
    """Seconds to wait before the next try: what the server asked for, or full jitter under a doubling ceiling.

    >>> 5.0 <= pause_s(1, 5.0, Random(0)) <= 5.05
    True
    """
    ceiling = min(_BACKOFF_MAX_S, _BACKOFF_S * 2 ** (failures - 1))
    jitter = rng.uniform(0.0, ceiling)
    return jitter if retry_after_s is None else retry_after_s + jitter * 0.1


def judge(scorer: Scorer | LateScorer, sample: Sample, attempt: Attempt) -> Score | None:
    """The score of an attempt: 0 for a model's failure, none for the infrastructure's, else the scorer's verdict.

    None: a late scorer has to give it, as it has for an agent's task or a replayed session that ended in the model's
    failure: what was done until then counts for parts.
    """
    failure = attempt.failure
    if failure is None and attempt.reply is not None:
        if is_late(scorer):
            return None
        return cast(Scorer, scorer).score(sample, attempt.reply, attempt.protocol, attempt.trial)
    assert failure is not None
    model = failure.boundary == "model"
    if model and isinstance(sample.target, AgentTarget | TrajectoryTarget) and is_late(scorer):
        return None
    return Score(
        sample=sample.id,
        category=sample.category,
        trial=attempt.trial,
        scorer=scorer.name,
        value=0.0 if model else None,
        miss=failed_miss(failure) if model else "transport",
        boundary=failure.boundary,
        why=failure.message,
    )
