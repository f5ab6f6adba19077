"""Faults in random order through a whole run: the books balance, and each sample is there exactly once."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from harness.config import (
    EndpointConfig,
    HardwareConfig,
    ModelConfig,
    PathsConfig,
    RunConfig,
    RunnerConfig,
    SuiteConfig,
)
from harness.errors import BackendError
from harness.protocols import Endpoint
from harness.records import Attempt, Message, Protocol, Reply, Sample, Score, ToolTarget
from harness.records.manifest import BackendFacts
from harness.records.summary import Summary
from harness.runner.guard import FATAL
from harness.runner.identity import Job
from harness.runner.job import execute
from harness.store.journal import read_journal
from harness.store.runfolder import ATTEMPTS, read_summary
from harness.store.runs import read_run
from tests.support import openai_server as fake
from tests.support.faults import CASES, INFRA, Case
from tests.support.openai_server import Step, serve_in_thread

RETRIES = 2
GOOD = Case("a good reply", fake.reply("yes"), None, None)
PASSING = [case for case in CASES if case.boundary != "harness" and case.kind not in FATAL]
STOPPING = {str(case.kind): case for case in CASES if case not in PASSING}


class Attached:
    """A backend that is simply there."""

    name = "endpoint"

    def __init__(self, url: str) -> None:
        self.url = url

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
        return Score(sample=sample.id, category="c", trial=trial, scorer=self.name, value=value,
                     miss=None if value else "wrong_value", boundary=None if value else "model")  # fmt: skip


def samples(count: int) -> tuple[Sample, ...]:
    target = ToolTarget(expect="any_call")
    return tuple(
        Sample(id=f"s{n}", category="c", messages=(Message(role="user", content=str(n)),), target=target, scorer="echo")
        for n in range(count)
    )


def job(url: str, folder: Path, count: int) -> Job:
    config = RunConfig(
        do="run",
        paths=PathsConfig(results=str(folder / "results"), reports=str(folder / "reports")),
        progress="off",
        suite=SuiteConfig(name="echo"),
        model=ModelConfig(name="test-model", title="t", licence="none", protocol="native", url=url),
        backend=EndpointConfig(name="endpoint"),
        hardware=HardwareConfig(name="h", title="h"),
        run=RunnerConfig(
            warmup=0, retries=RETRIES, concurrency=16, max_failed_frac=1.0, stall_s=1.0, deadline_s=2.0
        ),
    )  # fmt: skip
    return Job(config, "echo", "0" * 64, samples(count), Attached(url), None, Echo())


@dataclass
class Schedule:
    """What each question meets, try by try; the last of a list goes on for ever."""

    plan: list[list[Case]]
    tries: Counter[int] = field(default_factory=Counter)

    def __call__(self, _number: int, body: dict[str, object]) -> Sequence[Step]:
        messages = body["messages"]
        assert isinstance(messages, list)
        question = int(messages[-1]["content"])
        faults = self.plan[question]
        case = faults[min(self.tries[question], len(faults) - 1)]
        self.tries[question] += 1
        return case.steps


def expected(faults: list[Case]) -> tuple[list[str | None], Case]:
    """Kinds of the failures that are tried again, and the outcome that stays."""
    failed: list[str | None] = []
    for case in faults:
        if not case.retried or len(failed) == RETRIES:
            return failed, case
        failed.append(case.kind)
    return [*failed, *[faults[-1].kind] * (RETRIES - len(failed))], faults[-1]


def check_books(summary: Summary) -> None:
    assert summary.n_planned == summary.n_scored + summary.n_failed + summary.n_not_run
    assert summary.n_model_failures <= summary.n_scored


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
def test_any_order_of_faults_leaves_books_that_balance(seed: int, tmp_path: Path) -> None:
    rng = Random(seed)
    plan = [[case, rng.choice([*PASSING, GOOD]), GOOD] for case in PASSING]
    plan += [rng.choices([*PASSING, GOOD], k=4) for _ in range(30)]
    rng.shuffle(plan)
    with serve_in_thread(Schedule(plan)) as server:
        (outcome,) = execute([job(server.url, tmp_path, len(plan))])

    run, summary = read_run(outcome.folder), outcome.summary
    lines = list(read_journal(outcome.folder / ATTEMPTS, Attempt))
    scores = {score.sample: score for score in run.scores}
    assert sorted(line.sample for line in lines) == sorted(sample.id for sample in samples(len(plan)))
    for attempt in run.attempts:
        failed, last = expected(plan[int(attempt.sample[1:])])
        assert [one.kind for one in attempt.failed_tries] == failed, attempt
        assert attempt.tries == len(failed) + 1
        assert (attempt.failure and attempt.failure.kind) == last.kind, attempt
        assert (scores[attempt.sample].value is None) == (last.boundary == INFRA)
        assert last.boundary != "model" or scores[attempt.sample].value == 0.0
    outcomes = Counter(expected(faults)[1].boundary for faults in plan)
    assert (summary.n_failed, summary.n_model_failures) == (outcomes[INFRA], outcomes["model"])
    assert summary.n_not_run == 0
    check_books(summary)


@pytest.mark.parametrize("case", STOPPING.values(), ids=STOPPING)
def test_a_fault_that_no_attempt_can_be_spared_stops_the_run_with_books_in_order(case: Case, tmp_path: Path) -> None:
    plan = [[GOOD]] * 20 + [[case]] + [[GOOD]] * 20

    with serve_in_thread(Schedule(plan)) as server, pytest.raises(BackendError, match=r"\w"):
        execute([job(server.url, tmp_path, len(plan))])

    summary = read_summary(tmp_path / "results" / "run" / "latest")
    check_books(summary)
    assert summary.n_not_run > 0
    assert summary.n_failed == (case.boundary == INFRA)
    assert summary.n_model_failures == 0


def test_what_the_infrastructure_lost_is_made_again_by_the_same_command_and_nothing_else_is(tmp_path: Path) -> None:
    rng = Random(5)
    lost = [case for case in PASSING if case.boundary == INFRA and not case.retried]
    harness_fault = next(case for case in CASES if case.boundary == "harness")
    plan = [[rng.choice(lost)] if n % 3 == 0 else [GOOD] for n in range(60)] + [[harness_fault]] + [[GOOD]] * 20
    second = Schedule([[GOOD]] * len(plan))
    answer = [Schedule(plan)]
    with serve_in_thread(lambda n, body: answer[0](n, body)) as server:
        with pytest.raises(BackendError):
            execute([job(server.url, tmp_path, len(plan))])
        before = read_run(tmp_path / "results" / "run" / "latest")
        answer[0] = second
        (outcome,) = execute([job(server.url, tmp_path, len(plan))])

    final = {attempt.sample for attempt in before.attempts if attempt.failure is None}
    assert before.summary.n_failed > 0
    assert not {f"s{question}" for question in second.tries} & final
    assert set(second.tries.values()) == {1}
    assert (outcome.summary.n_scored, outcome.summary.n_failed, outcome.summary.n_not_run) == (len(plan), 0, 0)
    assert len(read_run(outcome.folder).attempts) == len(plan)
