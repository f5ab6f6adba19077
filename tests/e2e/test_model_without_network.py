"""A model whose weights are neither here nor to be had: one line that says how to supply them, and exit 3."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def run_phi4mini(tmp_path: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    isolated = {
        "HARNESS_CACHE": str(tmp_path / "cache"),
        "HF_HOME": str(tmp_path / "hf"),
        "HF_ENDPOINT": f"http://127.0.0.1:{closed_port()}",
    }
    command = [sys.executable, "-m", "harness", "suite=toolcall", "model=phi4mini", "suite.limit=1"]
    settings = {**os.environ, **isolated, **environment}
    return subprocess.run(command, cwd=tmp_path, env=settings, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.parametrize("environment", [{"HF_HUB_OFFLINE": "1"}, {}], ids=["offline mode", "nothing listens"])
def test_weights_that_cannot_be_had_are_named_in_one_line_with_what_to_type(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    done = run_phi4mini(tmp_path, environment)

    assert done.returncode == 3, done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("harness:")]
    assert len(said) == 1, done.stderr
    assert "Phi-4-mini-instruct-Q4_K_M.gguf" in said[0]
    assert "model.weights.path=" in said[0]
    assert "Traceback" not in done.stderr
