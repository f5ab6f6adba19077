"""docs/airgapped.md: with the cache filled, a suite runs where there is no network but loopback."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

WALL = ("bwrap", "--dev-bind", "/", "/", "--unshare-net")
"""Own network namespace, loopback up; all else as it is."""


def run(folder: Path, *arguments: str, wall: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [*wall, sys.executable, "-m", "harness", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)


@pytest.fixture
def wall() -> tuple[str, ...]:
    if shutil.which("bwrap") is None or subprocess.run([*WALL, "true"], capture_output=True, check=False).returncode:
        pytest.skip("bubblewrap is not here, or may make no network namespace")
    return WALL


@pytest.mark.model
def test_fetched_suite_and_model_run_without_any_network(tmp_path: Path, wall: tuple[str, ...]) -> None:
    chosen = ("suite=toolcall", "model=smollm2")
    fetched = run(tmp_path, "do=fetch", *chosen)
    assert fetched.returncode == 0, fetched.stderr

    small = ("suite.limit=1", "run.warmup=0", "model.generation.max_tokens=8", "backend.context_tokens=4096")
    done = run(tmp_path, *chosen, *small, wall=wall)

    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "results" / "run" / "latest" / "summary.json").read_text())
    assert (summary["n_scored"], summary["n_failed"]) == (1, 0)
    assert (tmp_path / "reports" / "leaderboard.html").is_file()


def test_what_was_not_fetched_is_named_in_one_line(tmp_path: Path, wall: tuple[str, ...]) -> None:
    empty = ("env", f"HARNESS_CACHE={tmp_path / 'cache'}", "PIP_RETRIES=0")

    done = run(tmp_path, "do=fetch", "suite=toolcall", "model=smollm2", wall=(*wall, *empty))

    assert done.returncode == 3, done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("harness:")]
    assert len(said) == 1
    assert "bfcl-eval" in said[0]
