"""The measuring loop: N attempts in flight, each with deadline, retries and a journal line before it counts."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from random import Random

import orjson

from harness.backends.blame import RETRYABLE
from harness.backends.client import ChatClient
from harness.backends.stream import Reading, read_exchange
from harness.config import ModelConfig, RunnerConfig
from harness.cost import hosted_cost_usd
from harness.errors import BackendError
from harness.protocols import Endpoint, Scorer
from harness.records import Attempt, Failure, FailureKind, MissClass, Sample, Score, Usage
from harness.runner.request import request_body

__all__ = ["FATAL", "Lane", "Stopwatch", "Work", "judge", "run_lane"]

FATAL: frozenset[FailureKind] = frozenset({"auth", "not_found", "dns", "tls"})
"""What no later attempt can be spared: the run stops at once."""
_WINDOW = 20
_BACKOFF_S, _BACKOFF_MAX_S = 0.5, 30.0


@dataclass(frozen=True, slots=True)
class Work:
    """One attempt to be made."""

    sample: Sample
    trial: int


@dataclass(frozen=True, slots=True)
class Lane:
    """One model behind one endpoint, with how it is asked, judged and recorded."""

    model: ModelConfig
    endpoint: Endpoint
    scorer: Scorer
    settings: RunnerConfig
    record: Callable[[Sample, Attempt, Score], None]
    """Called once for each finished attempt; journals first, then counts."""


class Stopwatch:
    """Wall-clock seconds since `start`, 0 before it."""

    def __init__(self) -> None:
        self._started: float | None = None

    def start(self) -> None:
        """Starts the watch."""
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return 0.0 if self._started is None else time.perf_counter() - self._started


async def run_lane(lane: Lane, work: Iterator[Work], clock: Stopwatch) -> None:
    """Makes every attempt of `work`, `settings.concurrency` at a time. The clock starts after the warm-up.

    Raises BackendError when going on is pointless: the endpoint refuses, or most of the latest attempts were lost.
    Cancelling it loses no finished attempt.
    """
    concurrency = lane.settings.concurrency
    guard = _Guard(lane.settings.max_failed_frac)
    async with ChatClient(lane.endpoint, concurrency=concurrency) as client:
        await _warm_up(lane, client)
        clock.start()
        try:
            async with asyncio.TaskGroup() as group:
                for worker in range(concurrency):
                    group.create_task(_work(lane, client, work, guard, Random(worker)))
        except* BackendError as errors:
            raise errors.exceptions[0] from None


class _Guard:
    """Stops a run whose infrastructure is evidently gone."""

    def __init__(self, max_failed_frac: float) -> None:
        self._max = max_failed_frac
        self._latest: deque[Failure | None] = deque(maxlen=_WINDOW)

    def check(self, failure: Failure | None) -> None:
        """Notes an outcome. Raises BackendError on a fatal failure, or when too many of the latest were lost."""
        if failure is not None and failure.boundary == "harness":
            raise BackendError(f"the request was wrong, which is the harness's own fault: {failure.message}")
        lost = failure is not None and failure.boundary == "infrastructure"
        self._latest.append(failure if lost else None)
        if failure is not None and lost and failure.kind in FATAL:
            raise BackendError(f"the endpoint cannot be used ({failure.kind}): {failure.message}")
        n_lost = sum(one is not None for one in self._latest)
        if failure is not None and len(self._latest) == _WINDOW and n_lost > self._max * _WINDOW:
            raise BackendError(
                f"{n_lost} of the last {_WINDOW} attempts were lost, the last to {failure.kind}: {failure.message}; "
                "mend the endpoint, then run the same command again to go on where it stopped"
            )


async def _work(lane: Lane, client: ChatClient, work: Iterator[Work], guard: _Guard, rng: Random) -> None:
    for item in work:
        attempt = await _attempt(lane, client, item, rng)
        if attempt.failure is None or attempt.failure.boundary != "harness":
            lane.record(item.sample, attempt, judge(lane.scorer, item.sample, attempt))
        guard.check(attempt.failure)


async def _attempt(lane: Lane, client: ChatClient, item: Work, rng: Random) -> Attempt:
    settings = lane.settings
    seed = settings.seed + item.trial
    body = request_body(item.sample, lane.model, lane.endpoint, seed)

    async def once() -> Reading:
        return read_exchange(await client.stream(body, deadline_s=settings.deadline_s, stall_s=settings.stall_s))

    reading, failed = await _with_retries(once, settings.retries, rng)
    return Attempt(
        sample=item.sample.id,
        model=lane.model.name,
        protocol=lane.model.protocol,
        trial=item.trial,
        backend=lane.endpoint.facts.name,
        seed=seed if lane.model.generation.send_seed else None,
        reply=reading.reply,
        timing=reading.timing,
        usage=reading.usage,
        server=reading.server,
        cost_usd=_cost(lane.model, reading.usage),
        failure=reading.failure,
        tries=len(failed) + 1,
        failed_tries=tuple(failed),
    )


async def _with_retries(
    once: Callable[[], Awaitable[Reading]], retries: int, rng: Random
) -> tuple[Reading, list[Failure]]:
    """The last reading and the failures before it. Only infrastructure failures that may pass are tried again."""
    failed: list[Failure] = []
    while True:
        reading = await once()
        failure = reading.failure
        if failure is None or failure.boundary != "infrastructure" or failure.kind not in RETRYABLE:
            return reading, failed
        if len(failed) >= retries:
            return reading, failed
        failed.append(failure)
        await asyncio.sleep(_pause_s(len(failed), failure.retry_after_s, rng))


def _pause_s(failures: int, retry_after_s: float | None, rng: Random) -> float:
    """Seconds to wait: what the server asked for, or full jitter under a doubling ceiling."""
    ceiling = min(_BACKOFF_MAX_S, _BACKOFF_S * 2 ** (failures - 1))
    jitter = rng.uniform(0.0, ceiling)
    return jitter if retry_after_s is None else retry_after_s + jitter * 0.1


def judge(scorer: Scorer, sample: Sample, attempt: Attempt) -> Score:
    """The score of an attempt: 0 for a model's failure, none for the infrastructure's, else the scorer's verdict."""
    failure = attempt.failure
    if failure is None and attempt.reply is not None:
        return scorer.score(sample, attempt.reply, attempt.protocol, attempt.trial)
    assert failure is not None
    model = failure.boundary == "model"
    return Score(
        sample=sample.id,
        category=sample.category,
        trial=attempt.trial,
        scorer=scorer.name,
        value=0.0 if model else None,
        miss=_MISSES.get(failure.kind, "decode") if model else "transport",
        boundary=failure.boundary,
        why=failure.message,
    )


_MISSES: dict[FailureKind, MissClass] = {"context_overflow": "context_overflow"}


def _cost(model: ModelConfig, usage: Usage) -> float | None:
    return None if model.price is None else hosted_cost_usd(usage, model.price)


async def _warm_up(lane: Lane, client: ChatClient) -> None:
    """A few short requests that are not recorded. A refusal here is the run's refusal."""
    body = orjson.dumps(
        {
            "model": lane.endpoint.model,
            "messages": [{"role": "user", "content": "Say OK."}],
            "stream": True,
            lane.model.generation.max_tokens_field: 8,
        }
        | lane.endpoint.extra_body
    )
    for _ in range(lane.settings.warmup):
        exchange = await client.stream(body, deadline_s=lane.settings.deadline_s, stall_s=lane.settings.stall_s)
        failure = read_exchange(exchange).failure
        if failure is not None and failure.boundary == "infrastructure" and failure.kind in FATAL | {"connect"}:
            raise BackendError(f"the endpoint does not answer ({failure.kind}): {failure.message}")
