"""A small run against a server on loopback: twelve samples, a backend that is simply there, a scorer of "yes"."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from harness.config import (
    EndpointConfig,
    HardwareConfig,
    ModelConfig,
    PathsConfig,
    RunConfig,
    RunnerConfig,
    SuiteConfig,
)
from harness.protocols import Endpoint, LateScorer, Scorer
from harness.records import Message, Protocol, Reply, Sample, Score, Tool, ToolTarget
from harness.records.manifest import BackendFacts
from harness.runner.identity import Job

__all__ = ["SAMPLES", "Attached", "Echo", "echo_job"]


@dataclass
class Attached:
    """A backend that is simply there."""

    url: str
    name: str = "endpoint"

    def prepare(self) -> None:
        """Nothing to fetch."""

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[Endpoint]:
        yield Endpoint(base_url=self.url, model="test-model", facts=BackendFacts(name="endpoint"))


class Echo:
    """Right if the reply says `yes`."""

    name = "echo"

    def score(self, sample: Sample, reply: Reply, protocol: Protocol, trial: int = 0) -> Score:
        value = 1.0 if reply.content == "yes" else 0.0
        miss = None if value else "wrong_value"
        return Score(
            sample=sample.id, category=sample.category, trial=trial, scorer=self.name, value=value, miss=miss,
            parts={"decision": value}, boundary=None if value else "model",
        )  # fmt: skip


SAMPLES = tuple(
    Sample(
        id=f"s{number}",
        category=f"c{number % 2}",
        messages=(Message(role="user", content=f"question {number}"),),
        tools=(Tool(name="f"),),
        target=ToolTarget(expect="any_call" if number % 2 else "no_call"),
        scorer="echo",
    )
    for number in range(12)
)


def echo_job(
    url: str,
    tmp: Path,
    scorer: Scorer | LateScorer | None = None,
    samples: tuple[Sample, ...] = SAMPLES,
    /,
    **run: object,
) -> Job:
    """A run of these samples, without warm-up and retries."""
    model = ModelConfig(name="test-model", title="Test model", licence="none", protocol="native", url=url)
    config = RunConfig(
        do="run",
        paths=PathsConfig(results=str(tmp / "results"), reports=str(tmp / "reports")),
        progress="off",
        suite=SuiteConfig(name="echo"),
        model=model,
        backend=EndpointConfig(name="endpoint"),
        hardware=HardwareConfig(name="h", title="h", usd_per_hour=3.6),
        run=RunnerConfig.model_validate({"warmup": 0, "retries": 0, **run}),
    )
    found = Job(config, "echo", "0" * 64, samples, Attached(url), None, Echo())
    return found if scorer is None else replace(found, scorer=scorer)
