"""A suite of one's own judged by a model, as a user types it: model and judge on loopback servers."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.judge_server import fair
from tests.support.openai_server import Step, error, reply, serve_in_thread

SUITE = """
name: sky
title: Why things are
description: Short explanations, graded by a model.
licence: CC0-1.0
loader: jsonl
scorer: judge
"""
REFERENCE = "Air scatters short waves more."


def line(**more: Any) -> str:
    target = {"kind": "text", "match": "judge", "accepted": [REFERENCE], **more}
    return json.dumps({"prompt": "Why is the sky blue?", "target": target})


def suite(folder: Path) -> Path:
    folder.mkdir()
    (folder / "suite.yaml").write_text(SUITE)
    labels = [{"human": 1, "human_answer": REFERENCE}, {"human": 0, "human_answer": "Magic."}, {}]
    (folder / "samples.jsonl").write_text("\n".join(line(**label) for label in labels))
    return folder


def run(cwd: Path, home: Path, asked: str, judge: str) -> subprocess.CompletedProcess[str]:
    served = f"model.url={asked}", "model.name=test-model"
    command = [sys.executable, "-m", "harness", "suite=local", f"suite.path={home}", "model=endpoint", *served]
    command += ["scoring.judge.model=endpoint", "run.warmup=0", "progress=off"]
    command += [f'scoring.judge.overrides=["model.url={judge}","model.name=test-model","run.retries=0"]']
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600, check=False)


def test_a_judged_run_counts_the_judge_and_its_agreement_with_people(tmp_path: Path) -> None:
    home = suite(tmp_path / "sky")

    with serve_in_thread(lambda *_: reply(REFERENCE)) as asked, serve_in_thread(fair) as judge:
        done = run(tmp_path, home, asked.url, judge.url)

    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "results/run/latest/summary.json").read_text())
    assert (summary["accuracy"], summary["n_scored"], summary["complete"]) == (1.0, 3, True)
    assert (summary["judging"]["calls"], summary["judging"]["agreement"]) == (10, {"passed": 3, "of": 3})
    human = summary["judging"]["human"]
    assert (human["n"], human["same"], human["bias"], human["corrected"]) == (2, 1.0, 0.0, 1.0)
    assert human["corrected_interval"]["low"] < 1


def test_a_judge_that_fails_leaves_attempts_for_the_next_sitting(tmp_path: Path) -> None:
    home = suite(tmp_path / "sky")

    def broken(number: int, body: dict[str, object]) -> Sequence[Step]:
        return error(500, {"error": "out of order"})

    with serve_in_thread(lambda *_: reply(REFERENCE)) as asked:
        with serve_in_thread(broken) as judge:
            first = run(tmp_path, home, asked.url, judge.url)
        before = json.loads((tmp_path / "results/run/latest/summary.json").read_text())
        with serve_in_thread(fair) as judge:
            again = run(tmp_path, home, asked.url, judge.url)
        after = json.loads((tmp_path / "results/run/latest/summary.json").read_text())

    assert (first.returncode, again.returncode) == (3, 0), first.stderr + again.stderr
    last = first.stderr.strip().splitlines()[-1]
    assert "3 replies have no verdict yet" in last
    assert "the same command judges them" in last
    assert (before["n_scored"], before["accuracy"]) == (0, None)
    assert any("could not be judged" in one for one in before["warnings"])
    assert (after["n_scored"], after["accuracy"]) == (3, 1.0)
    assert len(asked.bodies) == 3


def test_a_judge_that_is_away_shows_before_the_first_question(tmp_path: Path) -> None:
    home = suite(tmp_path / "sky")

    with serve_in_thread(lambda *_: reply(REFERENCE)) as asked:
        done = run(tmp_path, home, asked.url, "http://127.0.0.1:9/v1")

    assert done.returncode == 3
    assert "127.0.0.1:9" in done.stderr.strip().splitlines()[-1]
    assert asked.bodies == []
