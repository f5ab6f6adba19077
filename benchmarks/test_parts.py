"""What each part of a call costs on the processor: pytest-benchmark, CPU time of this process, waiting left out.

`make bench` runs it and puts microseconds per call into reports/bench/engine.md; `make test` does not collect it.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from rich.console import Console

from benchmarks.compare import loopback
from benchmarks.contestants.harness_run import Attached
from benchmarks.material import PROTOCOL, write_material
from harness.backends.client import ChatClient, Exchange
from harness.backends.stream import read_exchange
from harness.config import ModelConfig
from harness.protocols import Endpoint
from harness.records import Attempt, Sample, Score
from harness.records.manifest import BackendFacts
from harness.runner.request import request_body
from harness.runner.tally import Tally
from harness.scorers.bfcl import BfclScorer
from harness.store.journal import Journal

CALLS, AT_ONCE, CHUNKS = 200, 32, 8
MODEL = ModelConfig(name="bench", title="Bench", licence="none", protocol=PROTOCOL)
pytestmark = pytest.mark.benchmark(timer=time.process_time, min_rounds=20, warmup=True)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("material")
    write_material(folder, CALLS)
    return folder


@pytest.fixture(scope="module")
def samples(material: Path) -> list[Sample]:
    return [Sample.model_validate_json(line) for line in (material / "samples.jsonl").read_bytes().splitlines()]


@pytest.fixture(scope="module")
def endpoint(material: Path) -> Iterator[Endpoint]:
    with loopback(CHUNKS, material / "replies.json") as url:
        yield Endpoint(base_url=Attached(url).url, model="bench", facts=BackendFacts(name="endpoint"))


@pytest.fixture(scope="module")
def exchanges(endpoint: Endpoint, samples: list[Sample]) -> list[Exchange]:
    bodies = [request_body(sample, MODEL, endpoint, 0) for sample in samples]
    with asyncio.Runner() as runner:
        return runner.run(_all(endpoint, bodies))


@pytest.fixture(scope="module")
def attempts(exchanges: list[Exchange], samples: list[Sample]) -> list[Attempt]:
    return [_attempt(sample, exchange) for sample, exchange in zip(samples, exchanges, strict=True)]


@pytest.fixture(scope="module")
def scores(attempts: list[Attempt], samples: list[Sample]) -> list[Score]:
    return [_score(sample, attempt) for sample, attempt in zip(samples, attempts, strict=True)]


async def _all(endpoint: Endpoint, bodies: list[bytes]) -> list[Exchange]:
    left, found = iter(enumerate(bodies)), dict[int, Exchange]()
    async with ChatClient(endpoint, concurrency=AT_ONCE) as client:

        async def worker() -> None:
            for at, body in left:
                found[at] = await client.stream(body, deadline_s=60, stall_s=30)

        await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return [found[at] for at in range(len(bodies))]


def _attempt(sample: Sample, exchange: Exchange) -> Attempt:
    read = read_exchange(exchange)
    return Attempt(
        sample=sample.id, model="bench", protocol=PROTOCOL, backend="endpoint", seed=0, reply=read.reply,
        timing=read.timing, usage=read.usage, server=read.server, failure=read.failure,
    )  # fmt: skip


def _score(sample: Sample, attempt: Attempt) -> Score:
    assert attempt.reply is not None
    return BfclScorer().score(sample, attempt.reply, PROTOCOL)


def _each(benchmark: BenchmarkFixture, part: str, every: Callable[[], object]) -> None:
    """Times CALLS calls at a time: one alone is too short for the processor's clock."""
    benchmark.extra_info.update(part=part, calls=CALLS)
    benchmark(every)


def test_request(benchmark: BenchmarkFixture, samples: list[Sample], endpoint: Endpoint) -> None:
    _each(benchmark, "request built", lambda: [request_body(one, MODEL, endpoint, 0) for one in samples])


def test_client(benchmark: BenchmarkFixture, samples: list[Sample], endpoint: Endpoint) -> None:
    bodies = [request_body(sample, MODEL, endpoint, 0) for sample in samples]
    with asyncio.Runner() as runner:
        _each(benchmark, f"reply streamed ({CHUNKS} chunks)", lambda: runner.run(_all(endpoint, bodies)))


def test_reading(benchmark: BenchmarkFixture, exchanges: list[Exchange]) -> None:
    _each(benchmark, "stream read", lambda: [read_exchange(one) for one in exchanges])


def test_attempt_record(benchmark: BenchmarkFixture, samples: list[Sample], attempts: list[Attempt]) -> None:
    def every() -> None:
        for sample, one in zip(samples, attempts, strict=True):
            Attempt(
                sample=sample.id, model="bench", protocol=PROTOCOL, backend="endpoint", seed=0, reply=one.reply,
                timing=one.timing, usage=one.usage, server=one.server, failure=one.failure,
            )  # fmt: skip

    _each(benchmark, "attempt record", every)


def test_scoring(benchmark: BenchmarkFixture, samples: list[Sample], attempts: list[Attempt]) -> None:
    def every() -> None:
        for sample, attempt in zip(samples, attempts, strict=True):
            _score(sample, attempt)

    _each(benchmark, "scored (BFCL)", every)
    assert all(_score(sample, one).value == 1.0 for sample, one in zip(samples, attempts, strict=True))


def test_journal(benchmark: BenchmarkFixture, attempts: list[Attempt], scores: list[Score], tmp_path: Path) -> None:
    with Journal(tmp_path / "attempts.jsonl") as first, Journal(tmp_path / "scores.jsonl") as second:

        def every() -> None:
            for attempt, score in zip(attempts, scores, strict=True):
                first.append(attempt)
                second.append(score)

        _each(benchmark, "two journal lines", every)


def test_tally(
    benchmark: BenchmarkFixture, samples: list[Sample], attempts: list[Attempt], scores: list[Score]
) -> None:
    tally = Tally()

    def every() -> None:
        for sample, attempt, score in zip(samples, attempts, scores, strict=True):
            tally.add(sample, attempt, score)

    _each(benchmark, "tally", every)


@pytest.mark.parametrize("mode", ["plain", "auto"])
def test_progress(
    benchmark: BenchmarkFixture,
    samples: list[Sample],
    attempts: list[Attempt],
    scores: list[Score],
    mode: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from harness.runner import progress  # patched below: a terminal that is a string

    terminal = Console(file=StringIO(), force_terminal=True, width=120)
    monkeypatch.setattr(progress, "Console", lambda **_: terminal)
    tally = Tally()
    for sample, attempt, score in zip(samples, attempts, scores, strict=True):
        tally.add(sample, attempt, score)
    with progress.make_progress(mode, "bench", [tally], 10**6) as bar:  # type: ignore[arg-type]

        def every() -> None:
            for _ in range(CALLS):
                bar.update()

        _each(benchmark, f"progress ({'live' if mode == 'auto' else mode})", every)
