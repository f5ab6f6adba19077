"""Ours, with everything switched on: requests built, replies read, scored by BFCL's rules, two journals, progress."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from benchmarks.contestants.plan import Plan, Told, cpu_s
from harness.config import (
    EndpointConfig,
    HardwareConfig,
    ModelConfig,
    PathsConfig,
    RunConfig,
    RunnerConfig,
    SuiteConfig,
)
from harness.protocols import Endpoint
from harness.records import Sample
from harness.records.manifest import BackendFacts
from harness.runner.identity import Job
from harness.runner.job import execute
from harness.scorers.bfcl import BfclScorer


@dataclass
class Attached:
    """The loopback server as a backend that is simply there."""

    url: str
    name: str = "endpoint"
    in_flight_cpu_s: float = 0.0
    """CPU seconds while it was up."""

    def prepare(self) -> None:
        pass

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[Endpoint]:
        before = cpu_s()
        yield Endpoint(base_url=self.url, model="bench", facts=BackendFacts(name="endpoint"))
        self.in_flight_cpu_s = cpu_s() - before


def job(plan: Plan, samples: tuple[Sample, ...], trials: int, backend: Attached | None = None, **run: object) -> Job:
    """A run of these samples as `python -m harness` would make it."""
    model = ModelConfig(name="bench", title="Bench", licence="none", protocol="prompted", url=plan.url)
    config = RunConfig(
        do="run",
        paths=PathsConfig(results=str(plan.scratch / "results"), reports=str(plan.scratch / "reports")),
        progress="plain",
        suite=SuiteConfig(name="bench"),
        model=model,
        backend=EndpointConfig(name="endpoint"),
        hardware=HardwareConfig(name="bench", title="bench"),
        run=RunnerConfig.model_validate(
            {"concurrency": plan.concurrency, "trials": trials, "resume": "never", "retries": 0} | run
        ),
    )
    return Job(config, "bench", "0" * 64, samples, backend or Attached(plan.url), None, BfclScorer())


def prepare(plan: Plan) -> Callable[[int], Told]:
    lines = (plan.material / "samples.jsonl").read_bytes().splitlines()
    samples = tuple(Sample.model_validate_json(line) for line in lines)

    def run(calls: int) -> Told:
        chosen = samples[: min(calls, len(samples))]
        backend = Attached(plan.url)
        summary = execute([job(plan, chosen, calls // len(chosen), backend)])[0].summary
        if (summary.n_scored, summary.accuracy) != (calls, 1.0):
            raise RuntimeError(f"{summary.n_scored} of {calls} calls scored, accuracy {summary.accuracy}")
        return Told(in_flight_cpu_s=backend.in_flight_cpu_s)

    return run
