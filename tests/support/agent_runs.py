"""Agents' tasks put through the real runner, with a server that plays a script."""

import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from harness.backends.client import ChatClient
from harness.config import (
    AgentConfig,
    EndpointConfig,
    HardwareConfig,
    ModelConfig,
    PathsConfig,
    RunConfig,
    RunnerConfig,
    SuiteConfig,
)
from harness.environments.pool import Worlds
from harness.protocols import Endpoint, LateScorer
from harness.records import AgentTarget, Attempt, Sample, Score, ToolCall, target_of
from harness.records.manifest import BackendFacts
from harness.records.summary import Summary
from harness.runner.attempt import Asker, judge
from harness.runner.identity import Job
from harness.runner.job import execute
from harness.scorers.agent import AgentScorer
from harness.store.outcomes import final_outcomes
from tests.support import openai_server as fake
from tests.support.openai_server import Step, serve_in_thread

__all__ = ["Answer", "Bench", "Played", "Player", "Solo", "calls_reply", "job_at", "play"]

Answer = Callable[[int, dict[str, Any]], Sequence[Step]]


def calls_reply(calls: Iterable[ToolCall], text: str | None = None, *, ids: bool = True) -> list[Step]:
    """A streamed reply with native tool calls."""
    deltas = []
    for index, call in enumerate(calls):
        one: dict[str, Any] = {"index": index, "type": "function"}
        one |= {"id": call.id or f"{call.name}-{index}"} if ids else {}
        one["function"] = {"name": call.name, "arguments": json.dumps(call.arguments)}
        deltas.append(one)
    head = [fake.chunked(fake.delta(content=text))] if text else []
    middle = fake.chunked(fake.delta(tool_calls=deltas))
    end = [fake.chunked(fake.delta(finish="tool_calls")), fake.chunked(fake.usage(100, 7) + fake.DONE), fake.END]
    return [fake.Raw(fake.SSE_HEAD), *head, middle, *end]


@dataclass
class Player:
    """Plays the plan of whichever sample a request is of, a call a reply; calls again what came back in ruins."""

    samples: Sequence[Sample]
    retries: bool = True
    skip: int = 0
    """Calls of the first turn to leave out, until a check says that something is missing."""
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, number: int, body: dict[str, Any]) -> Sequence[Step]:
        self.bodies.append(body)
        messages = body["messages"]
        told = [at for at, message in enumerate(messages) if message["role"] == "user"]
        first = messages[told[0]]["content"]
        sample = next(one for one in self.samples if one.messages[-1].content == first)
        plan = sample.target.plan  # type: ignore[union-attr]
        results = [message for message in messages[told[-1] :] if message["role"] == "tool"]
        if len(told) > len(plan):  # the checker's message
            calls = plan[0][: self.skip]
        else:
            calls = plan[len(told) - 1][self.skip if len(told) == 1 else 0 :]
        ruined = [one for one in results if _ruined(one["content"])]
        place = len(results) - (len(ruined) if self.retries else 0)
        return calls_reply([calls[place]]) if place < len(calls) else fake.reply("All", " done.")


def _ruined(content: str) -> bool:
    return "try again" in content or "\ufffd" in content or "did not answer" in content


@dataclass(frozen=True)
class Played:
    """What a run left on disk."""

    attempts: list[Attempt]
    scores: list[Score | None]
    bodies: list[dict[str, Any]]
    complete: bool
    summary: Summary

    @property
    def attempt(self) -> Attempt:
        (one,) = self.attempts
        return one

    @property
    def score(self) -> Score:
        (one,) = self.scores
        assert one is not None
        return one


@dataclass(frozen=True)
class Solo:
    """One attempt at one task, and its score."""

    attempt: Attempt
    score: Score
    bodies: list[dict[str, Any]]


class Bench:
    """Puts single tasks to a script by the product's own asker and judge, with workers that are kept."""

    def __init__(self) -> None:
        self._pools: dict[tuple[str, float], Worlds] = {}

    async def ask(self, sample: Sample, answer: Answer, agent: AgentConfig | None = None, **model: object) -> Solo:
        """model: changes to the model's configuration."""
        agent = agent or AgentConfig()
        name = target_of(sample, AgentTarget).environment
        worlds = self._pools.setdefault((name, agent.tool_timeout_s), Worlds(name, None, agent.tool_timeout_s))
        async with fake.serve(answer) as server:
            endpoint = Endpoint(base_url=server.url, model="test-model", facts=BackendFacts(name="endpoint"))
            known = {"name": "m", "title": "M", "licence": "none", "protocol": "native", "url": server.url}
            settings = RunnerConfig(retries=0)
            async with ChatClient(endpoint, concurrency=1) as client:
                made = ModelConfig.model_validate(known | model)
                attempt = await Asker(made, endpoint, settings, client, Random(0), worlds, agent).ask(sample, 0)
        scorer = AgentScorer(None, agent, 1)
        score = judge(scorer, sample, attempt) or await scorer.judge(worlds, sample, attempt)
        return Solo(attempt, score, list(server.bodies))

    async def close(self) -> None:
        for worlds in self._pools.values():
            await worlds.__aexit__(None, None, None)


@dataclass
class _Attached:
    url: str
    name: str = "endpoint"

    def prepare(self) -> None:
        """Nothing to fetch."""

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[Endpoint]:
        yield Endpoint(base_url=self.url, model="test-model", facts=BackendFacts(name="endpoint"))


def job_at(
    tmp: Path,
    samples: Sequence[Sample],
    url: str,
    agent: AgentConfig | None = None,
    data: Path | None = None,
    model: dict[str, Any] | None = None,
    run: dict[str, Any] | None = None,
    scorer: LateScorer | None = None,
) -> Job:
    """What puts these samples to a server; model, run: changes to those parts of the configuration."""
    agent = agent or AgentConfig()
    known = {"name": "m", "title": "M", "licence": "none", "protocol": "native", "url": url}
    config = RunConfig(
        do="run",
        paths=PathsConfig(results=str(tmp / "results"), reports=str(tmp / "reports")),
        progress="off",
        suite=SuiteConfig(name="toys"),
        model=ModelConfig.model_validate(known | (model or {})),
        backend=EndpointConfig(name="endpoint"),
        hardware=HardwareConfig(name="h", title="h"),
        run=RunnerConfig.model_validate({"warmup": 0, "retries": 0} | (run or {})),
        agent=agent,
    )
    judge = scorer or AgentScorer(data, agent, 2)
    return Job(config, "toys", "0" * 64, tuple(samples), _Attached(url), None, judge, data=data)


def play(
    tmp: Path,
    samples: Sequence[Sample],
    answer: Answer,
    agent: AgentConfig | None = None,
    data: Path | None = None,
    model: dict[str, Any] | None = None,
    run: dict[str, Any] | None = None,
    scorer: LateScorer | None = None,
) -> Played:
    """Runs the samples and judges them; model, run: changes to those parts of the configuration."""
    with serve_in_thread(answer) as server:
        job = job_at(tmp, samples, server.url, agent, data, model, run, scorer)
        (outcome,) = execute([job])
        found = list(final_outcomes(outcome.folder))
        bodies: list[dict[str, Any]] = list(server.bodies)
    summary = outcome.summary
    return Played([one for one, _ in found], [one for _, one in found], bodies, summary.complete, summary)
