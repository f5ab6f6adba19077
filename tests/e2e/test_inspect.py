"""Inspect both ways, from the command line: its tasks here, our backends there, our runs in its logs."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest
from inspect_ai.log import EvalLog, list_eval_logs, read_eval_log

from tests.support.inspect_tasks import TASKS, adds
from tests.support.openai_server import Server, Step, Wait, serve_in_thread


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    file = tmp_path / "tasks.py"
    file.write_text(TASKS)
    return file


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


@pytest.fixture
def server() -> Iterator[Server]:
    with serve_in_thread(adds, models=("scripted",)) as found:
        yield found


def inspect_eval(cwd: Path, spec: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "inspect_ai", "eval", spec, "--display", "plain", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600, check=False)


def harness(cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600, check=False)


def at(server: Server) -> list[str]:
    return ["model=endpoint", f"model.url={server.url}", "model.name=scripted", "progress=off"]


def the_log(folder: Path) -> EvalLog:
    (found,) = list_eval_logs(str(folder))
    return read_eval_log(found, resolve_attachments="full")


def latest(cwd: Path) -> Path:
    return (cwd / "results" / "run" / "latest").resolve()


def lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_inspect_eval_asks_our_backend_and_its_log_carries_our_timing(tasks: Path, empty: Path, server: Server) -> None:
    done = inspect_eval(
        empty, f"{tasks}@sums", "--model", "harness/endpoint", "-M", f"url={server.url}", "-M", "name=scripted"
    )

    assert done.returncode == 0, done.stderr
    log = the_log(empty / "logs")
    assert (log.status, log.eval.model) == ("success", "harness/endpoint")
    assert log.results is not None
    assert log.results.scores[0].metrics["accuracy"].value == 1
    for sample in log.samples or []:
        first, second = [event for event in sample.events if event.event == "model"]
        told = first.output.metadata or {}
        assert told["ttft_s"] > 0
        assert told["cached_tokens"] == 4
        assert [tool["function"]["name"] for tool in server.bodies[-1]["tools"]] == ["add"]  # type: ignore[attr-defined]
        assert second.output.usage is not None
        assert sample.messages[2].text == sample.target


def test_a_model_that_is_not_known_is_one_line(tasks: Path, empty: Path) -> None:
    done = inspect_eval(empty, f"{tasks}@words", "--model", "harness/smolm2")

    assert done.returncode == 1
    assert "did you mean smollm2?" in " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in done.stdout + done.stderr


def test_a_task_of_inspects_is_a_run_of_ours_and_goes_out_as_a_log(tasks: Path, empty: Path, server: Server) -> None:
    done = harness(empty, "suite=inspect", f"suite.task={tasks}@sums", *at(server))
    out = harness(empty, "do=export", "export.to=inspect", "export.out=logs")

    assert done.returncode == 0, done.stderr
    assert out.returncode == 0, out.stderr
    assert "tasks.py@sums" in (empty / "reports" / "leaderboard.html").read_text()
    log = the_log(empty / "logs")
    assert (log.status, log.eval.task, len(log.samples or [])) == ("success", "tasks.py@sums", 2)
    assert log.results is not None
    assert log.results.scores[0].metrics["accuracy"].value == 1


@pytest.mark.parametrize("how", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
def test_a_broken_off_run_goes_on_where_it_stopped(tasks: Path, empty: Path, how: signal.Signals) -> None:
    def slow(number: int, body: dict[str, object]) -> Sequence[Step]:
        return [Wait(0.15), *adds(number, body)]

    with serve_in_thread(slow, models=("scripted",)) as server:
        words = ["suite=inspect", f"suite.task={tasks}@words", *at(server)]
        process = subprocess.Popen(
            [sys.executable, "-m", "harness", *words],
            cwd=empty,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        journal = empty / "results" / "run" / "latest" / "scores.jsonl"
        until = time.monotonic() + 120
        while not (journal.exists() and journal.read_bytes().count(b"\n") >= 4):
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(how)
        _, said = process.communicate(timeout=600)
        finished = journal.read_bytes().splitlines()[:4]
        asked = len(server.bodies)
        again = harness(empty, *words)

    assert process.returncode == (130 if how is signal.SIGINT else -signal.SIGKILL)
    if how is signal.SIGINT:
        assert "the same command goes on" in said
        assert "Traceback" not in said
        assert len(server.bodies) - asked <= 12 - 4 + 2  # warm-up among them
    assert again.returncode == 0, again.stderr
    assert journal.read_bytes().splitlines()[:4] == finished
    scores = lines(journal)
    assert len(scores) == len({one["sample"] for one in scores}) == 12
    assert json.loads((latest(empty) / "summary.json").read_text())["accuracy"] == 1
    assert len(list((empty / "results" / "run").glob("2*"))) == 1
    log = the_log(latest(empty) / "inspect")
    assert (log.status, len(log.samples or [])) == ("success", 12)


@pytest.mark.model
def test_inspect_eval_on_the_real_model_leaves_no_process(tasks: Path, empty: Path) -> None:
    done = inspect_eval(
        empty, f"{tasks}@sums", "--model", "harness/smollm2", "-M", "protocol=constrained", "-M", "backend.slots=2",
        "--max-connections", "2", "--message-limit", "4",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    log = the_log(empty / "logs")
    first = next(event for event in (log.samples or [])[0].events if event.event == "model")
    assert (first.output.metadata or {})["server"]["prompt_s"] > 0
    assert first.output.message.tool_calls
    assert not [one for one in psutil.process_iter(["cmdline"]) if str(empty) in " ".join(one.info["cmdline"] or [])]


@pytest.mark.model
def test_a_task_of_inspects_on_the_real_model(tasks: Path, empty: Path) -> None:
    done = harness(
        empty, "suite=inspect", f"suite.task={tasks}@words", "suite.limit=2", "model=smollm2", "progress=off"
    )

    assert done.returncode == 0, done.stderr
    summary = json.loads((latest(empty) / "summary.json").read_text())
    assert (summary["n_scored"], summary["n_failed"], summary["backend"]) == (2, 0, "llamacpp")
    assert summary["ttft_s"]["p50"] < summary["e2e_s"]["p50"]
