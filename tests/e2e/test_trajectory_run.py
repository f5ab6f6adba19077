"""Curated calls to a suite of sessions to rows on the board, as a user types it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.replay_calls import curated
from tests.unit.suite.test_build_trajectory import logged


def harness(cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", "progress=off", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600, check=False)


def summary(cwd: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((cwd / "results" / "run" / "latest" / "summary.json").read_text())
    return found


def answers(folder: Path) -> str:
    """What the log answered, but with another order looked up in the first session, and nothing after the second's
    first step."""
    first, second = map(json.loads, (folder / "incumbent.jsonl").read_text().splitlines())
    first["steps"][0]["reply"]["tool_calls"][0]["arguments"] = '{"id": "B9"}'
    second["steps"] = second["steps"][:1]
    return "".join(json.dumps(one) + "\n" for one in (first, second))


def test_sessions_are_built_run_and_shown(tmp_path: Path) -> None:
    curated(tmp_path / "curated" / "support", [*logged("a"), *logged("b")])

    made = harness(
        tmp_path, "do=build", "build.calls=curated/support", "build.name=whole_v1", "build.replay=trajectory"
    )  # fmt: skip
    own = harness(tmp_path, "suite=whole_v1", "model=incumbent")
    first = summary(tmp_path)
    (tmp_path / "other.jsonl").write_text(answers(tmp_path / "suites" / "whole_v1"))
    other = harness(tmp_path, "suite=whole_v1", "model=recorded", "backend.path=other.jsonl", "model.name=other")
    second = summary(tmp_path)

    assert [one.returncode for one in (made, own, other)] == [0, 0, 0], made.stderr + own.stderr + other.stderr
    assert (first["accuracy"], first["n_scored"], first["trajectories"]["steps_same"]) == (1.0, 2, 6)
    assert (second["accuracy"], second["trajectories"]["kinds"]) == (0.0, {"other_arguments": 1, "stopped_early": 1})
    steps = [second["trajectories"][name] for name in ("steps_same", "steps_diverged", "steps_not_scored")]
    assert steps == [1, 2, 3]
    page = (tmp_path / "reports" / "leaderboard.html").read_text()
    assert "How far sessions go along with the record" in page
    assert "A session counts only if every one of its steps is as on record" in page


def test_an_answer_without_steps_is_refused_with_what_to_give(tmp_path: Path) -> None:
    curated(tmp_path / "curated" / "support", logged("a"))
    harness(tmp_path, "do=build", "build.calls=curated/support", "build.name=whole_v1", "build.replay=trajectory")
    (identity,) = [
        json.loads(line)["id"] for line in (tmp_path / "suites/whole_v1/samples.jsonl").read_text().splitlines()
    ]
    (tmp_path / "flat.jsonl").write_text(json.dumps({"id": identity, "content": "No."}))

    run = harness(tmp_path, "suite=whole_v1", "model=recorded", "backend.path=flat.jsonl", "model.name=flat")

    assert run.returncode != 0
    assert "has no steps, and a session is judged step by step" in " ".join(run.stderr.split())
