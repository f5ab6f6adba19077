"""A run in its folder: books that balance, resume, blame, and an end that is always in order."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import BackendError, ConfigError
from harness.records import Attempt, Score
from harness.runner.identity import Job
from harness.runner.job import Outcome
from harness.runner.job import execute as execute_all
from harness.store.journal import read_journal
from harness.store.runfolder import ATTEMPTS, SCORES, read_manifest
from harness.store.runs import read_run
from tests.support import openai_server as fake
from tests.support.echo_job import echo_job as job
from tests.support.openai_server import Server, Step, serve_in_thread


def execute(plan: Job) -> Outcome:
    (outcome,) = execute_all([plan])
    return outcome


Answer = Callable[[int, dict[str, object]], Sequence[Step]]


def question(body: dict[str, object]) -> int:
    """The number of the sample that a request asks."""
    messages = body["messages"]
    assert isinstance(messages, list)
    return int(messages[-1]["content"].split()[-1])


@pytest.fixture
def yes() -> Iterator[Server]:
    with serve_in_thread(lambda _n, _b: fake.reply("yes")) as server:
        yield server


def test_a_run_leaves_complete_files_and_books_that_balance(yes: Server, tmp_path: Path) -> None:
    outcome = execute(job(yes.url, tmp_path, trials=2, concurrency=3))

    summary = outcome.summary
    stored = read_run(outcome.folder)
    assert summary.complete
    assert (summary.n_planned, summary.n_scored, summary.n_failed, summary.n_not_run) == (24, 24, 0, 0)
    assert summary.n_samples == 12
    assert summary.accuracy == 1.0
    assert summary.accuracy_interval is not None
    assert summary.accuracy_interval.low < 1.0
    assert {a.key for a in stored.attempts} == {f"s{n}#{t}" for n in range(12) for t in range(2)}
    assert stored.manifest.status == "complete"
    assert (outcome.folder.parent / "latest").resolve() == outcome.folder
    assert summary.wall_s is not None
    assert summary.cost_usd == pytest.approx(summary.wall_s * 0.001)


def test_what_was_not_measured_is_null_and_not_zero(tmp_path: Path) -> None:
    with serve_in_thread(lambda _n, _b: fake.error(400, {"error": {"message": "odd"}})) as server:
        summary = execute(job(server.url, tmp_path, max_failed_frac=1.0)).summary

    assert summary.n_failed == 12
    assert (summary.accuracy, summary.accuracy_interval, summary.ttft_s, summary.tpot_s) == (None, None, None, None)
    assert (summary.output_tokens, summary.system_tokens_per_s, summary.cost_usd_per_success) == (None, None, None)
    assert summary.failures == {"bad_request": 12}


def test_infrastructure_failures_are_unscored_and_model_failures_score_zero(tmp_path: Path) -> None:
    def answer(_n: int, body: dict[str, object]) -> Sequence[Step]:
        number = question(body)
        if number == 3:
            return fake.error(400, {"error": {"message": "maximum context length is 10 tokens"}})
        if number == 4:
            return fake.error(500, {"error": {"message": "boom"}})
        return fake.reply("yes")

    with serve_in_thread(answer) as server:
        outcome = execute(job(server.url, tmp_path))

    summary, scores = outcome.summary, {s.sample: s for s in read_run(outcome.folder).scores}
    assert (summary.n_scored, summary.n_failed, summary.n_model_failures) == (11, 1, 1)
    assert summary.accuracy == pytest.approx(10 / 11)
    assert (scores["s3"].value, scores["s3"].miss, scores["s3"].boundary) == (0.0, "context_overflow", "model")
    assert (scores["s4"].value, scores["s4"].miss, scores["s4"].boundary) == (None, "transport", "infrastructure")


def test_a_passing_failure_is_tried_again_and_remembered(tmp_path: Path) -> None:
    def answer(number: int, _body: dict[str, object]) -> Sequence[Step]:
        return (
            fake.error(503, {"error": {"message": "busy"}}, "Retry-After: 0\r\n") if number == 0 else fake.reply("yes")
        )

    with serve_in_thread(answer) as server:
        outcome = execute(job(server.url, tmp_path, retries=2))

    first = read_run(outcome.folder).attempts[0]
    assert outcome.summary.n_failed == 0
    assert (first.tries, [f.kind for f in first.failed_tries]) == (2, ["server_error"])


def test_a_models_failure_is_never_tried_again(tmp_path: Path) -> None:
    with serve_in_thread(lambda _n, _b: fake.error(500, {"error": {"message": "Failed to parse input"}})) as server:
        summary = execute(job(server.url, tmp_path, retries=3)).summary

    assert len(server.bodies) == 12
    assert (summary.n_model_failures, summary.accuracy) == (12, 0.0)


def test_a_refused_key_stops_the_run_at_once_with_the_reason(tmp_path: Path) -> None:
    with (
        serve_in_thread(lambda _n, _b: fake.error(401, {"error": {"message": "bad key"}})) as server,
        pytest.raises(BackendError, match=r"auth.*bad key"),
    ):
        execute(job(server.url, tmp_path))

    folder = tmp_path / "results" / "run" / "latest"
    assert len(server.bodies) == 1
    assert read_manifest(folder).status == "failed"


def test_a_wrong_request_of_our_own_stops_the_run_and_scores_nothing(tmp_path: Path) -> None:
    message = {"error": {"message": "logprobs is not supported with tools + stream"}}
    with (
        serve_in_thread(lambda _n, _b: fake.error(400, message)) as server,
        pytest.raises(BackendError, match="harness's own fault"),
    ):
        execute(job(server.url, tmp_path))

    assert list(read_journal(tmp_path / "results" / "run" / "latest" / SCORES, Score)) == []


def test_a_dying_server_stops_the_run_and_the_same_command_goes_on(tmp_path: Path) -> None:
    alive = threading.Event()

    def answer(_n: int, body: dict[str, object]) -> Sequence[Step]:
        return fake.reply("yes") if question(body) < 5 or alive.is_set() else fake.error(500, {})

    with serve_in_thread(answer) as server:
        plan = job(server.url, tmp_path, max_failed_frac=0.1, trials=3)
        with pytest.raises(BackendError, match="of the last 20 attempts were lost"):
            execute(plan)
        before = read_run(tmp_path / "results" / "run" / "latest")
        alive.set()
        outcome = execute(plan)

    assert before.summary.n_failed > 0
    assert outcome.folder.name == before.folder.resolve().name
    assert (outcome.summary.n_scored, outcome.summary.n_failed) == (36, 0)
    assert read_manifest(outcome.folder).sittings == 2


def test_an_interrupt_loses_nothing_and_the_same_command_repeats_nothing(tmp_path: Path) -> None:
    main = threading.main_thread().ident
    assert main is not None

    def answer(number: int, _body: dict[str, object]) -> Sequence[Step]:
        if number == 5:
            signal.pthread_kill(main, signal.SIGINT)
            return [fake.Wait(5)]
        return fake.reply("yes")

    with serve_in_thread(answer) as server:
        plan = job(server.url, tmp_path)
        first = execute(plan)
        second = execute(plan)

    asked = [question(body) for body in server.bodies]
    assert first.interrupted
    assert (first.summary.n_scored, first.summary.n_not_run) == (5, 7)
    assert second.folder == first.folder
    assert not second.interrupted
    assert second.summary.complete
    assert sorted(asked) == sorted([*range(12), 5])


def test_another_configuration_does_not_resume_a_run(yes: Server, tmp_path: Path) -> None:
    first = execute(job(yes.url, tmp_path))

    other = execute(job(yes.url, tmp_path, seed=1))

    assert other.folder != first.folder
    with pytest.raises(ConfigError, match="another suite, model"):
        execute(job(yes.url, tmp_path, seed=2, resume=str(first.folder)))


def test_a_score_lost_between_two_lines_is_made_again(yes: Server, tmp_path: Path) -> None:
    plan = job(yes.url, tmp_path)
    first = execute(plan)
    scores = first.folder / SCORES
    lines = scores.read_bytes().splitlines(keepends=True)
    scores.write_bytes(b"".join(lines[:-1]))

    again = execute(job(yes.url, tmp_path, resume=str(first.folder)))

    assert again.summary.n_scored == 12
    assert len(list(read_journal(scores, Score))) == 12
    assert len(list(read_journal(first.folder / ATTEMPTS, Attempt))) == 12


def test_no_path_of_the_machine_stands_in_the_run_folder(yes: Server, tmp_path: Path) -> None:
    outcome = execute(job(yes.url, tmp_path))

    for file in outcome.folder.iterdir():
        assert os.fsencode(tmp_path) not in file.read_bytes(), file.name


def test_open_connections_are_bounded_by_concurrency(tmp_path: Path) -> None:
    live, peak = set[int](), [0]

    def answer(number: int, _body: dict[str, object]) -> Iterator[Step]:
        live.add(number)
        peak[0] = max(peak[0], len(live))
        yield from fake.reply("yes", ttft_s=0.02)
        live.discard(number)

    with serve_in_thread(answer) as server:  # type: ignore[arg-type]  # a generator of steps is consumed as it goes
        execute(job(server.url, tmp_path, concurrency=4))

    assert peak[0] == 4


def test_models_side_by_side_take_turns_and_keep_folders_of_their_own(tmp_path: Path) -> None:
    order: list[str] = []

    def answer(name: str) -> Answer:
        def reply(_n: int, body: dict[str, object]) -> Sequence[Step]:
            order.append(f"{name}{question(body)}")
            return fake.reply("yes" if name == "a" else "no")

        return reply

    with serve_in_thread(answer("a")) as one, serve_in_thread(answer("b")) as two:
        first, second = execute_all([job(one.url, tmp_path), job(two.url, tmp_path, seed=1)])

    assert order[:8] == ["a0", "b0", "b1", "a1", "a2", "b2", "b3", "a3"]
    assert (first.summary.accuracy, second.summary.accuracy) == (1.0, 0.0)
    assert read_manifest(first.folder).job == read_manifest(second.folder).job
    assert first.folder != second.folder
    assert first.summary.wall_s is not None
    assert second.summary.wall_s is not None


def test_open_loop_latency_counts_from_the_intended_send_so_a_slow_server_cannot_hide(tmp_path: Path) -> None:
    """One request at a time takes 50 ms, one is due every 10 ms: the queue grows, and so must the measured latency."""
    arrival = {"kind": "constant", "rate_per_s": 100, "max_in_flight": 1}

    with serve_in_thread(lambda _n, _b: fake.reply("yes", ttft_s=0.05)) as server:
        closed = execute(job(server.url, tmp_path))
        opened = execute(job(server.url, tmp_path, arrival=arrival))

    late = [a.timing.intended_ns for a in read_run(opened.folder).attempts]
    assert closed.summary.e2e_s is not None
    assert opened.summary.e2e_s is not None
    assert closed.summary.e2e_s.p99 < 0.25
    assert opened.summary.e2e_s.p99 > 11 * (0.05 - 0.01)
    assert opened.summary.ttft_s is not None
    assert opened.summary.ttft_s.p99 > 0.4
    assert min(late) < -400_000_000
    assert opened.summary.n_scored == 12


def test_a_spent_budget_ends_in_order_and_the_same_command_goes_on(yes: Server, tmp_path: Path) -> None:
    plan = job(yes.url, tmp_path, budget={"calls": 5})

    first = execute(plan)
    second = execute(plan)
    third = execute(plan)

    assert first.stopped == "run.budget.calls=5 is used up"
    assert (first.summary.n_scored, first.summary.n_not_run) == (5, 7)
    assert read_manifest(first.folder).status == "complete"
    assert (second.summary.n_scored, third.summary.n_scored) == (10, 12)
    assert third.stopped is None
    assert len(yes.bodies) == 12


def test_a_short_run_against_a_dead_server_is_no_success(tmp_path: Path) -> None:
    with (
        serve_in_thread(lambda _n, _b: fake.error(500, {})) as server,
        pytest.raises(BackendError, match="12 of the last 12 attempts were lost"),
    ):
        execute(job(server.url, tmp_path))

    assert read_manifest(tmp_path / "results" / "run" / "latest").status == "failed"


def test_a_job_that_is_refused_leaves_the_others_folder_as_it_was(yes: Server, tmp_path: Path) -> None:
    done = execute(job(yes.url, tmp_path))
    plan = {"resume": str(done.folder)}

    with pytest.raises(ConfigError, match="another suite, model"):
        execute_all([job(yes.url, tmp_path, **plan), job(yes.url, tmp_path, seed=1, **plan)])

    assert read_manifest(done.folder).status == "complete"
    assert (done.folder / "attempts.parquet").is_file()


def test_the_time_of_a_run_ends_with_its_last_reply(yes: Server, tmp_path: Path) -> None:
    outcome = execute(job(yes.url, tmp_path))

    attempts = read_run(outcome.folder).attempts
    busy_s = sum((a.timing.end_ns or 0) / 1e9 for a in attempts)
    span_s = max(a.timing.at for a in attempts) - min(a.timing.at for a in attempts)
    assert outcome.summary.wall_s is not None
    assert span_s < outcome.summary.wall_s < span_s + busy_s + 0.5


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("/home/someone/mine.gguf", "mine.gguf"),
        ("model.weights.path=~/models/mine.gguf", "model.weights.path=mine.gguf"),
        ("model.url=http://127.0.0.1:8000/v1", "model.url=http://127.0.0.1:8000/v1"),
        ("Qwen/Qwen3-4B", "Qwen/Qwen3-4B"),
        ("right / wrong", "right / wrong"),
    ],
)
def test_folders_of_whoever_ran_it_are_not_written(yes: Server, tmp_path: Path, value: str, kept: str) -> None:
    plan = job(yes.url, tmp_path)
    suite = plan.config.suite.model_copy(update={"options": {"note": value}})

    outcome = execute(replace(plan, config=plan.config.model_copy(update={"suite": suite})))

    told = read_manifest(outcome.folder).config["suite"]
    assert isinstance(told, dict)
    assert told["options"] == {"note": kept}
