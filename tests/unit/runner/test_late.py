"""Late scorers: judged after the last reply, on disk before counted, taken up again where judging stopped."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.errors import BackendError, ConfigError
from harness.protocols import LateScore
from harness.records import Attempt, Sample, Score
from harness.runner.identity import Job
from harness.runner.job import Outcome, execute
from harness.store.journal import read_journal
from harness.store.runfolder import ATTEMPTS, SCORES, read_manifest
from tests.support import openai_server as fake
from tests.support.echo_job import Echo, echo_job
from tests.support.openai_server import Server, serve_in_thread


@dataclass
class Late:
    """Judges as Echo does, but late; may fail on some samples, or be interrupted after some verdicts."""

    fails: set[str] = field(default_factory=set)
    error: Exception = field(default_factory=lambda: BackendError("the judge is away"))
    stop_after: int | None = None
    name: str = "echo"
    concurrency: int = 3
    judged: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[LateScore]:
        async def score(sample: Sample, attempt: Attempt) -> Score:
            if self.stop_after is not None and len(self.judged) >= self.stop_after:
                raise KeyboardInterrupt
            if sample.id in self.fails:
                raise self.error
            self.judged.append(sample.id)
            assert attempt.reply is not None
            return Echo().score(sample, attempt.reply, attempt.protocol, attempt.trial)

        yield score


@pytest.fixture
def yes() -> Iterator[Server]:
    with serve_in_thread(lambda _n, _b: fake.reply("yes")) as server:
        yield server


def once(plan: Job) -> Outcome:
    (outcome,) = execute([plan])
    return outcome


def test_every_reply_is_judged_after_the_last_one(yes: Server, tmp_path: Path) -> None:
    scorer = Late()

    outcome = once(echo_job(yes.url, tmp_path, scorer, trials=2, concurrency=3))

    assert (outcome.summary.n_scored, outcome.summary.accuracy, outcome.summary.complete) == (24, 1.0, True)
    assert sorted(scorer.judged) == sorted([f"s{n}" for n in range(12)] * 2)
    assert read_manifest(outcome.folder).status == "complete"


def test_what_could_not_be_judged_is_unscored_and_judged_by_the_same_command(yes: Server, tmp_path: Path) -> None:
    first = once(echo_job(yes.url, tmp_path, Late(fails={"s1", "s2"})))
    asked = len(yes.bodies)

    again = once(echo_job(yes.url, tmp_path, Late()))

    assert (first.summary.n_scored, first.summary.n_not_run, first.summary.complete) == (10, 2, False)
    assert any("2 attempts could not be judged" in warning for warning in read_manifest(first.folder).warnings)
    assert again.folder == first.folder
    assert (again.summary.n_scored, again.summary.complete) == (12, True)
    assert len(yes.bodies) == asked, "nothing was asked again"


def test_an_interrupt_while_judging_loses_no_reply_and_no_verdict(yes: Server, tmp_path: Path) -> None:
    first = once(echo_job(yes.url, tmp_path, Late(stop_after=5, concurrency=1)))
    rest = Late()

    again = once(echo_job(yes.url, tmp_path, rest))

    assert first.interrupted
    assert (first.summary.n_scored, again.summary.n_scored) == (5, 12)
    assert len(rest.judged) == 7
    assert len(list(read_journal(again.folder / ATTEMPTS, Attempt))) == 12
    assert len(list(read_journal(again.folder / SCORES, Score))) == 12


def test_a_failure_of_the_model_needs_no_judge(tmp_path: Path) -> None:
    scorer = Late()
    overflow = fake.error(400, {"error": {"message": "maximum context length is 10 tokens"}})
    with serve_in_thread(lambda _n, _b: overflow) as server:
        summary = once(echo_job(server.url, tmp_path, scorer)).summary

    assert (summary.n_scored, summary.accuracy, scorer.judged) == (12, 0.0, [])


def test_a_scorer_that_cannot_work_here_says_so(yes: Server, tmp_path: Path) -> None:
    class Refuses(Late):
        @asynccontextmanager
        async def open(self) -> AsyncIterator[LateScore]:
            if self.name:
                raise ConfigError("no sandbox here")
            yield  # type: ignore[misc]

    with pytest.raises(ConfigError, match="no sandbox here"):
        once(echo_job(yes.url, tmp_path, Refuses()))


def test_a_slip_of_the_scorer_on_one_reply_costs_no_other_its_verdict(yes: Server, tmp_path: Path) -> None:
    outcome = once(echo_job(yes.url, tmp_path, Late(fails={"s4"}, error=KeyError("odd input"))))

    manifest = read_manifest(outcome.folder)
    assert (outcome.summary.n_scored, outcome.summary.n_not_run, manifest.status) == (11, 1, "failed")
    assert any("s4, KeyError: 'odd input'" in warning for warning in manifest.warnings)


def test_a_scorer_that_finds_only_while_judging_that_it_cannot_work_stops_at_once(yes: Server, tmp_path: Path) -> None:
    scorer = Late(fails={"s0"}, error=ConfigError("no tagger here"), concurrency=1)

    with pytest.raises(ConfigError, match="no tagger here"):
        once(echo_job(yes.url, tmp_path, scorer))

    assert scorer.judged == []
