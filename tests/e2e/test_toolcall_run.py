"""The main job on the real quantized model: run, Ctrl-C, run again, read the results as a program would."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.model
COMMAND = [
    sys.executable,
    "-m",
    "harness",
    "suite=toolcall",
    "model=smollm2",
    "suite.categories=[simple_python,irrelevance]",
]
REQUIRED = (
    "suite", "model", "protocol", "n_samples", "n_scored", "n_failed", "accuracy", "accuracy_interval", "misses",
    "ttft_s", "tpot_s", "e2e_s", "output_tokens_per_s", "system_tokens_per_s", "cost_usd", "cost_usd_per_sample",
    "cost_usd_per_success",
)  # fmt: skip


def run(cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


def test_a_run_leaves_results_that_a_program_can_read(tmp_path: Path) -> None:
    done = run(tmp_path, "suite.limit=6")

    assert done.returncode == 0, done.stderr
    folder = tmp_path / "results" / "run" / "latest"
    summary = json.loads((folder / "summary.json").read_text())
    manifest = json.loads((folder / "manifest.json").read_text())
    attempts = [json.loads(line) for line in (folder / "attempts.jsonl").read_text().splitlines()]
    assert set(REQUIRED) <= set(summary)
    assert (summary["n_samples"], summary["n_scored"], summary["n_failed"]) == (6, 6, 0)
    assert summary["accuracy"] > 0  # a grammar alone is enough for some of these
    assert summary["accuracy_interval"]["low"] < summary["accuracy"] < summary["accuracy_interval"]["high"]
    assert summary["ttft_s"]["p50"] < summary["e2e_s"]["p50"]
    assert manifest["backend"]["weights"]["quantization"] == "Q4_1"
    assert manifest["backend"]["weights"]["sha256"].startswith("b179c952")
    assert all(a["usage"]["counted_by"] == "server" and a["server"]["prompt_s"] > 0 for a in attempts)
    assert (folder / "summary.md").read_text().startswith("# toolcall · smollm2")
    page = (tmp_path / "reports" / "leaderboard.html").read_text()
    assert "SmolLM2" in page
    assert all(a["sample"] in page for a in attempts)


def test_the_same_run_twice_gives_the_same_answers(tmp_path: Path) -> None:
    replies = []
    for _ in range(2):
        assert run(tmp_path, "suite.limit=2", "run.resume=never").returncode == 0
        lines = (tmp_path / "results" / "run" / "latest" / "attempts.jsonl").read_text().splitlines()
        replies.append({a["sample"]: a["reply"]["content"] for a in map(json.loads, lines)})

    assert replies[0] == replies[1]


def test_a_template_without_tools_is_named(tmp_path: Path) -> None:
    done = run(tmp_path, "suite.limit=1", "model.protocol=native", "model.generation.max_tokens=8")

    summary = json.loads((tmp_path / "results" / "run" / "latest" / "summary.json").read_text())
    assert done.returncode == 0, done.stderr
    assert any("the chat template drops the tools" in warning for warning in summary["warnings"])


def test_ctrl_c_loses_nothing_leaves_no_engine_and_the_same_command_goes_on(tmp_path: Path) -> None:
    words = [*COMMAND, "suite.limit=8"]
    process = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    journal = tmp_path / "results" / "run" / "latest" / "attempts.jsonl"
    until = time.monotonic() + 120
    while not (journal.exists() and journal.read_bytes().count(b"\n") >= 2):
        assert time.monotonic() < until
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.02)
    engines = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]

    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=600)
    finished = journal.read_bytes().splitlines()
    again = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)

    assert process.returncode == 130
    assert "the same command goes on" in error
    assert "Traceback" not in error
    assert engines
    assert not any(psutil.pid_exists(pid) for pid in engines)
    assert again.returncode == 0, again.stderr
    lines = journal.read_bytes().splitlines()
    assert lines[: len(finished)] == finished
    assert len({json.loads(line)["sample"] for line in lines}) == len(lines) == 8
    assert len([p for p in journal.parent.parent.iterdir() if not p.is_symlink()]) == 1
