"""From recorded runs to a selection, and examples in a run, as a user types them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.openai_server import reply, serve_in_thread

SUITE = """\
name: mine
title: Mine
description: Questions of mine.
licence: MIT
loader: jsonl
scorer: text
options: {match: exact}
"""


def harness(cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", "progress=off", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600, check=False)


def suite(folder: Path, lines: list[dict[str, Any]]) -> None:
    home = folder / "suites" / "mine"
    home.mkdir(parents=True)
    (home / "suite.yaml").write_text(SUITE)
    (home / "samples.jsonl").write_text("\n".join(map(json.dumps, lines)))


def answers(file: Path, n: int, wrong: int, cost: float) -> None:
    lines = [
        {"id": f"q{k}", "content": "no" if k < wrong else "yes", "cost_usd": cost, "latency_s": 0.5} for k in range(n)
    ]
    file.write_text("\n".join(map(json.dumps, lines)))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs on record of 90 questions: one, and one as good and cheaper."""
    folder = tmp_path_factory.mktemp("select")
    suite(folder, [{"id": f"q{k}", "prompt": f"Is {k} a number?", "answer": "yes", "category": "c"} for k in range(90)])
    for name, wrong, cost in (("big", 0, 0.01), ("small", 0, 0.001)):
        answers(folder / f"{name}.jsonl", 90, wrong, cost)
        done = harness(
            folder, "suite=mine", "model=recorded", f"backend.path={name}.jsonl", f"model.name={name}",
            f"model.title={name}",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    return folder


def test_runs_on_disk_become_a_decision(place: Path) -> None:
    done = harness(place, "do=select", "select.baseline=big")

    assert done.returncode == 0, done.stderr
    found = json.loads((place / "results" / "select" / "latest" / "selection.json").read_text())
    (decision,) = found["decisions"]
    labels = {one["id"]: one["model"] for one in found["variants"]}
    assert (decision["verdict"], labels[decision["variant"]]) == ("replace", "small")
    assert found["hypotheses"] == 1
    assert "100 % of the calls can move from big" in " ".join(done.stdout.split())
    assert (place / "results" / "select" / "latest" / "selection.md").read_text().startswith("# mine: 1 cluster")
    assert "replace" in (place / "reports" / "select.html").read_text()


def test_margins_of_another_set_are_taken(place: Path) -> None:
    done = harness(place, "do=select", "select.baseline=big", "stats=strict", "paths.reports=r2")

    assert done.returncode == 0, done.stderr
    assert "margins strict, α 0.025" in " ".join(done.stdout.split())
    assert "need ≈" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no run of the incumbent (model=incumbent); choose one: select.baseline=NAME"),
        (("select.baseline=big", "stats.alpha=2"), "stats.alpha=2: input should be less than 0.5"),
    ],
    ids=["no baseline", "alpha"],
)
def test_what_cannot_be_is_said_in_one_line(place: Path, words: tuple[str, ...], said: str) -> None:
    done = harness(place, "do=select", *words)

    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_examples_of_the_train_split_stand_before_the_question(tmp_path: Path) -> None:
    suite(
        tmp_path,
        [
            {"id": "q", "prompt": "What is 2 + 2?", "answer": "4"},
            *({"id": f"t{k}", "prompt": f"What is {k} + {k}?", "answer": str(2 * k), "split": "train"} for k in (3, 4)),
        ],
    )
    seen: list[dict[str, Any]] = []

    def answer(_n: int, body: dict[str, object]) -> list[Any]:
        seen.append(body)
        return list(reply("4"))

    with serve_in_thread(answer) as server:
        done = harness(
            tmp_path, "suite=mine", "suite.options.split=test", "model=endpoint", f"model.url={server.url}",
            "model.name=test-model", "model.examples=2", "run.warmup=0",
        )  # fmt: skip

    assert done.returncode == 0, done.stderr
    messages = seen[-1]["messages"]
    assert [one["role"] for one in messages] == ["user", "assistant"] * 2 + ["user"]
    assert {one["content"] for one in messages[:-1] if one["role"] == "user"} == {"What is 3 + 3?", "What is 4 + 4?"}
    assert messages[-1]["content"] == "What is 2 + 2?"
    summary = json.loads((tmp_path / "results" / "run" / "latest" / "summary.json").read_text())
    assert (summary["n_samples"], summary["accuracy"]) == (1, 1.0)
