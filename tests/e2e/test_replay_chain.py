"""Logs to a row on the board, and to a verdict on load, in one command each."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.agent_logs import write_log
from tests.support.openai_server import Step, reply, serve_in_thread

CHAIN = ("suite=replay", "logs.path=calls.jsonl", "cluster.embedding=tfidf", "build.splits=[train,calibration,test]")


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "harness", "progress=off", *words]


def surroundings(cwd: Path) -> dict[str, str]:
    return {**os.environ, "HARNESS_PSEUDONYM_KEY": "k" * 44, "XDG_STATE_HOME": str(cwd / "state")}


def harness(cwd: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(*words), cwd=cwd, capture_output=True, text=True, timeout=300, check=False, env=surroundings(cwd)
    )


def test_logs_are_asked_again_in_one_command_and_nothing_is_made_twice(tmp_path: Path) -> None:
    write_log(tmp_path / "calls.jsonl")

    first = harness(tmp_path, *CHAIN, "suite.options.split=all", "model=incumbent")
    again = harness(tmp_path, *CHAIN, "suite.options.split=all", "model=incumbent")

    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    summary = json.loads((tmp_path / "results" / "run" / "latest" / "summary.json").read_text())
    assert (summary["accuracy"], summary["n_scored"]) == (1.0, 30)
    assert (summary["traffic"]["accuracy"], summary["traffic"]["covered_frac"]) == (1.0, 1.0)
    assert summary["traffic"]["interval"]["low"] < 1.0
    assert [line.split()[0] for line in first.stderr.splitlines()[:4]] == ["collect", "curate", "cluster", "build"]
    assert [line.split()[1] for line in again.stderr.splitlines()[:3]] == ["as", "as", "as"]


def test_logs_that_are_not_there_are_one_line(tmp_path: Path) -> None:
    done = harness(tmp_path, "suite=replay", "logs.path=nope.jsonl", "model=incumbent")

    assert done.returncode == 2
    assert done.stderr.startswith("harness: nope.jsonl is not there")
    assert len(done.stderr.splitlines()) == 1


class OneAtATime:
    """Answers at once for the first calls, then one after the other, each after a fixed time."""

    def __init__(self, free: int, service_s: float) -> None:
        self._free, self._service_s = free, service_s
        self._lock = threading.Lock()
        self._until = 0.0

    def __call__(self, number: int, _body: dict[str, object]) -> Sequence[Step]:
        if number < self._free:
            return reply("ok")
        with self._lock:
            now = time.monotonic()
            self._until = max(self._until, now) + self._service_s
            return reply("ok", ttft_s=self._until - now)


def test_the_load_that_a_server_bears_and_the_one_that_it_does_not(tmp_path: Path) -> None:
    write_log(tmp_path / "calls.jsonl", 40, gap_s=10.0)
    calls, warm_up = 40, 2
    with serve_in_thread(OneAtATime(calls + warm_up, 0.4)) as server:
        done = harness(
            tmp_path, "do=load", *CHAIN, "suite.options.split=all", "model=endpoint", f"model.url={server.url}",
            "model.name=test-model", "load.speeds=[400,100000,200000]", "load.share=.9", "load.ttft_s=null",
            "load.e2e_s=6",
        )  # fmt: skip

    assert done.returncode == 0, done.stderr
    (folder,) = [one for one in (tmp_path / "results" / "load").iterdir() if not one.is_symlink()]
    book: dict[str, Any] = json.loads((folder / "load.json").read_text())
    assert [one["verdict"] for one in book["points"]] == ["holds", "overloaded"]
    assert (book["holds_up_to"], book["overloaded_from"], book["not_played"]) == (400.0, 100000.0, [200000.0])
    assert book["traffic"]["whole"]
    assert book["points"][0]["offered_per_s"] > 20
    assert "given up" in book["points"][1]["stopped"]
    assert "Holds the traffic up to 400 × today's rate" in done.stdout
    assert len((folder / "attempts-400x.jsonl").read_text().splitlines()) == calls
    page = (tmp_path / "reports" / "load.html").read_text()
    assert "Holds the traffic up to 400 × today" in page
    assert "http://" not in page


class ThenNothing:
    """Answers at once until `free` calls have come, and then not at all."""

    def __init__(self, free: int) -> None:
        self._free = free
        self.stuck = threading.Event()

    def __call__(self, number: int, _body: dict[str, object]) -> Sequence[Step]:
        if number < self._free:
            return reply("ok")
        self.stuck.set()
        return reply("late", ttft_s=60)


def test_a_load_that_was_stopped_keeps_the_speeds_that_were_played(tmp_path: Path) -> None:
    write_log(tmp_path / "calls.jsonl", 40, gap_s=10.0)
    answers, words = ThenNothing(40 + 2), ("suite.options.split=all", "load.speeds=[400,500]", "load.share=.9")
    with serve_in_thread(answers) as server:
        asked = command("do=load", *CHAIN, *words, "model=endpoint", f"model.url={server.url}", "model.name=test-model")
        with subprocess.Popen(asked, cwd=tmp_path, env=surroundings(tmp_path), stderr=subprocess.DEVNULL) as running:
            stuck = answers.stuck.wait(200)
            running.send_signal(signal.SIGINT)
            code = running.wait(60)

    assert stuck
    assert code == 130
    (folder,) = [one for one in (tmp_path / "results" / "load").iterdir() if not one.is_symlink()]
    book: dict[str, Any] = json.loads((folder / "load.json").read_text())
    assert ([one["speed"] for one in book["points"]], book["not_played"]) == ([400.0], [500.0])
    assert "stopped before" in (tmp_path / "reports" / "load.html").read_text()


def test_a_load_needs_an_engine(tmp_path: Path) -> None:
    write_log(tmp_path / "calls.jsonl")

    done = harness(tmp_path, "do=load", *CHAIN, "model=incumbent")

    assert done.returncode == 2
    assert "a load needs an engine that gives some" in done.stderr.splitlines()[-1]
