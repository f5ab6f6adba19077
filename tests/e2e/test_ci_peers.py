"""The real statgate on what is exported, and the plugin in an empty project: in environments made for the purpose."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.gate.foreign import foreign_side
from harness.interop.statgate_lines import export_statgate
from harness.runner.job import execute
from tests.support import openai_server as fake
from tests.support.echo_job import SAMPLES, echo_job

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def environment(folder: Path, *packages: str) -> Path:
    """A new environment with these packages; its `bin`."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=300)
    install = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *packages]
    subprocess.run(install, check=True, timeout=1200)
    return folder / "bin"


def test_statgate_gives_a_verdict_on_exported_runs_and_we_on_its_files(tmp_path: Path) -> None:
    bin_ = environment(tmp_path / "v", "statgate==0.1.1")
    samples = tuple(one.model_copy(update={"id": f"{one.id} {k}"}) for k in range(5) for one in SAMPLES)
    files = []
    for name, words in (("old", ("yes",)), ("new", ("yes", "no"))):

        def answer(n: int, _body: dict[str, object], words: tuple[str, ...] = words) -> list[fake.Step]:
            return fake.reply(words[n % len(words)])

        with fake.serve_in_thread(answer) as server:
            (outcome,) = execute([echo_job(server.url, tmp_path / name, None, samples)])
        (tmp_path / f"{name} out").mkdir()
        files.append(export_statgate(outcome.folder, tmp_path / f"{name} out"))

    valid = subprocess.run(
        [str(bin_ / "statgate"), "validate", str(files[1])], capture_output=True, text=True, check=True
    )
    judged = subprocess.run(
        [str(bin_ / "statgate"), "compare", *map(str, files)], capture_output=True, text=True, check=False
    )

    assert "distinct cases: 60" in valid.stdout
    assert (judged.returncode, "BLOCK" in judged.stdout) == (1, True)
    assert len(foreign_side(files[1]).outcomes) == 60


def test_the_plugin_works_in_an_empty_project_from_the_wheel(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=300)
    (wheel,) = tmp_path.glob("*.whl")
    bin_ = environment(tmp_path / "v", str(wheel), "pytest")
    project = tmp_path / "empty"
    project.mkdir()
    row = '{"case_id": "%d", "passed": true}\n'
    for name, first in (("old", 0), ("new", 1)):
        (project / f"{name}.jsonl").write_text("\n" * first + "".join(row % k for k in range(60)))
    (project / "test_it.py").write_text("def test_it(harness_run):\n    harness_run.accuracy.at_least(0.9)\n")

    done = subprocess.run(
        [str(bin_ / "python"), "-m", "pytest", "--harness-gate", "--harness-run=new.jsonl",
         "--harness-baseline=old.jsonl"],
        cwd=project, capture_output=True, text=True, timeout=600, check=False,
        env={key: text for key, text in os.environ.items() if not key.startswith(("PYTEST", "PYTHON"))},
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert "pass: new.jsonl" in done.stdout
