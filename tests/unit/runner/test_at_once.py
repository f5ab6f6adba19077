"""Runs that go on at once: the same results as one after another, one budget, one rate, and failures of one's own."""

import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from harness.config import RunnerConfig
from harness.errors import BackendError, RunFolderBusy
from harness.runner.at_once import execute_at_once
from harness.runner.identity import Job, config_hash
from harness.runner.job import Outcome, execute
from harness.runner.schedule import Arrivals, arrivals_s
from harness.store.runfolder import find_unfinished, lock, read_manifest
from harness.store.runs import read_run
from tests.support import openai_server as fake
from tests.support.echo_job import echo_job
from tests.support.openai_server import Server, Step, serve_in_thread


def job(server: Server, tmp: Path, name: str, **run: object) -> Job:
    made = echo_job(server.url, tmp, **run)
    return replace(
        made, config=made.config.model_copy(update={"model": made.config.model.model_copy(update={"name": name})})
    )


def answers(found: object) -> dict[str, tuple[object, float | None]]:
    assert isinstance(found, list)
    (outcome,) = found
    assert isinstance(outcome, Outcome)
    run = read_run(outcome.folder)
    scores = {f"{one.sample}#{one.trial}": one.value for one in run.scores}
    return {one.key: (one.reply and one.reply.content, scores[one.key]) for one in run.attempts}


def yes_or_no(_number: int, body: dict[str, object]) -> Sequence[Step]:
    messages = body["messages"]
    assert isinstance(messages, list)
    return fake.reply("yes" if int(messages[-1]["content"].split()[-1]) % 3 else "no")


def test_runs_at_once_find_what_they_find_one_after_another(tmp_path: Path) -> None:
    with serve_in_thread(yes_or_no) as server:
        names = ("a", "b", "c")
        both = execute_at_once([[job(server, tmp_path / "at_once", name, concurrency=2)] for name in names])
        alone = [execute([job(server, tmp_path / "alone", name, concurrency=2)]) for name in names]

    assert [answers(one) for one in both] == [answers(one) for one in alone]
    assert [read_manifest(one[0].folder).status for one in both if isinstance(one, list)] == ["complete"] * 3


def test_a_run_that_fails_takes_no_other_down(tmp_path: Path) -> None:
    with serve_in_thread(lambda _n, _b: fake.reply("yes")) as server:
        wrong = job(server, tmp_path, "wrong")
        wrong = replace(wrong, backend=replace(wrong.backend, url="http://127.0.0.1:9/v1"))  # type: ignore[type-var]
        failed, whole = execute_at_once([[wrong], [job(server, tmp_path, "right")]])

    assert isinstance(failed, BackendError)
    assert len(answers(whole)) == 12


def test_a_folder_that_another_process_writes_to_fails_its_run_alone(tmp_path: Path) -> None:
    with serve_in_thread(lambda _n, _b: fake.reply("yes")) as server:
        stopped = job(server, tmp_path, "a", budget={"calls": 2})
        execute([stopped])
        folder = find_unfinished(tmp_path / "results", config_hash(stopped))
        assert folder is not None
        with lock(folder):
            again = job(server, tmp_path, "a", resume=str(folder))
            busy, whole = execute_at_once([[again], [job(server, tmp_path, "b")]])

    assert isinstance(busy, RunFolderBusy)
    assert len(answers(whole)) == 12


def test_one_budget_holds_for_all_of_them(tmp_path: Path) -> None:
    with serve_in_thread(lambda _n, _b: fake.reply("yes")) as server:
        jobs = [[job(server, tmp_path, name, budget={"calls": 9})] for name in ("a", "b")]
        found = execute_at_once(jobs)

    assert sum(len(answers(one)) for one in found) == 9
    assert {one[0].stopped for one in found if isinstance(one, list)} == {"run.budget.calls=9 is used up"}


def test_what_a_budget_left_out_is_made_by_the_same_command(tmp_path: Path) -> None:
    with serve_in_thread(lambda _n, _b: fake.reply("yes")) as server:
        execute_at_once([[job(server, tmp_path, name, budget={"calls": 13})] for name in ("a", "b")], 1)
        found = execute_at_once([[job(server, tmp_path, name)] for name in ("a", "b")], 1)

    assert len(answers(found[1])) == 12
    assert len(list((tmp_path / "results" / "run").glob("2*"))) == 3  # the first was complete, and is made anew


def test_ctrl_c_leaves_every_run_in_order_those_that_had_not_begun_too(tmp_path: Path) -> None:
    asked = threading.Event()

    def answer(_number: int, _body: dict[str, object]) -> Sequence[Step]:
        if asked.is_set():
            return [fake.Wait(30)]
        asked.set()
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        return fake.reply("yes")

    with serve_in_thread(answer) as server:
        found = execute_at_once([[job(server, tmp_path, name)] for name in ("a", "b")], 1)

    outcomes = [one[0] for one in found if isinstance(one, list)]
    assert [one.interrupted for one in outcomes] == [True, True]
    assert [read_manifest(one.folder).status for one in outcomes] == ["interrupted", "interrupted"]
    assert [len(answers([one])) for one in outcomes] == [1, 0]


def test_one_rate_holds_for_all_that_ask_for_it() -> None:
    settings = RunnerConfig.model_validate({"arrival": {"kind": "poisson", "rate_per_s": 4}, "seed": 3})
    whole = arrivals_s(settings.arrival, (), settings.seed)
    arrivals = Arrivals()
    first, second = arrivals.times_s(settings), arrivals.times_s(settings)
    assert first is not None
    assert second is not None
    assert whole is not None

    both = [next(one) for _ in range(10) for one in (first, second)]

    assert both == pytest.approx(list(islice(whole, 20)), abs=0.05)


def test_another_rate_is_a_schedule_of_its_own() -> None:
    arrivals = Arrivals()
    one, two = (
        arrivals.times_s(RunnerConfig.model_validate({"arrival": {"kind": "constant", "rate_per_s": rate}}))
        for rate in (1, 2)
    )
    assert one is not None
    assert two is not None

    assert list(islice(one, 3)) == [0, 1, 2]
    assert list(islice(two, 3)) == [0, 0.5, 1]


def test_a_schedule_stands_still_while_no_run_follows_it() -> None:
    settings = RunnerConfig.model_validate({"arrival": {"kind": "constant", "rate_per_s": 1}})
    arrivals = Arrivals()
    first = arrivals.times_s(settings)
    assert first is not None
    list(islice(first, 100))
    first.close()

    later = arrivals.times_s(settings)

    assert later is not None
    assert list(islice(later, 2)) == [pytest.approx(1), pytest.approx(2)]


def test_a_closed_loop_and_a_logs_own_times_are_each_runs_own() -> None:
    arrivals = Arrivals()

    assert arrivals.times_s(RunnerConfig()) is None
    assert arrivals.times_s(RunnerConfig.model_validate({"arrival": {"kind": "log"}})) is None
