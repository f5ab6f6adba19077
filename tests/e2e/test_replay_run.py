"""Curated calls to a suite to a row on the board, as a user types it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.replay_calls import call, curated, says, uses

TOOL = {"name": "find_order", "parameters": {"type": "object", "properties": {"id": {"type": "string"}}}}


def harness(cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", "progress=off", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600, check=False)


def summary(cwd: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((cwd / "results" / "run" / "latest" / "summary.json").read_text())
    return found


def test_a_built_suite_runs_by_its_name(tmp_path: Path) -> None:
    calls = [call(f"c{n}", uses("find_order", f'{{"id": "A{n}"}}'), tools=(TOOL,), count=2) for n in range(3)]
    curated(tmp_path / "curated" / "support", [*calls, call("w", says("Which?"), tools=(TOOL,))])
    silent = [{"id": f"c{n}", "content": "No."} for n in range(3)] + [
        {"id": "w", "failure": {"kind": "context_overflow", "message": "too long"}}
    ]
    (tmp_path / "silent.jsonl").write_text("\n".join(map(json.dumps, silent)))

    made = harness(tmp_path, "do=build", "build.calls=curated/support", "build.name=support_v1")
    own = harness(tmp_path, "suite=support_v1", "model=incumbent")
    first = summary(tmp_path)
    other = harness(tmp_path, "suite=support_v1", "model=recorded", "backend.path=silent.jsonl", "model.name=never")
    second = summary(tmp_path)
    misspelt = harness(tmp_path, "suite=support_v2", "model=incumbent")

    assert "did you mean support_v1?" in misspelt.stderr
    assert [one.returncode for one in (made, own, other)] == [0, 0, 0], made.stderr + own.stderr + other.stderr
    assert "suite=support_v1 model=incumbent" in " ".join(made.stderr.split())
    assert (first["suite"], first["accuracy"], first["n_scored"]) == ("support_v1", 1.0, 4)
    assert (second["accuracy"], second["misses"]) == (0.0, {"should_have_called": 3, "context_overflow": 1})
    assert any("1 of 4 calls (25.0%; 25.0% of the traffic, " in one for one in second["warnings"]), second["warnings"]
    assert (second["overflow"]["n"], second["overflow"]["of"]) == (1, 4)
    assert (second["traffic"]["accuracy"], second["traffic"]["calls"]) == (0.0, 4.0)
    assert "do not fit into the context" in " ".join(other.stdout.split())
    assert second["ceiling"] | {"interval": None} == {"rate": 1.0, "interval": None, "n": 3}
    assert "agrees with itself on 100.0%" in " ".join(own.stdout.split())
    page = (tmp_path / "reports" / "leaderboard.html").read_text()
    assert "A step counts only if the agent does what the log has" in page
