"""`examples/ci`: a repository that gates a prompt change and a model swap, used as its README says."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.test_ci_action import Runner

EXAMPLE = Path(__file__).parents[2] / "examples" / "ci"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The example on its own."""
    shutil.copytree(EXAMPLE, tmp_path / "repo", ignore=shutil.ignore_patterns("run", "gate", "reports", "__pycache__"))
    return tmp_path / "repo"


def asked(folder: Path, answers: str, model: str, *words: str) -> Runner:
    """The action's step that makes a run, on answers that are on record."""
    args = "\n".join([f"backend.path=answers/{answers}.jsonl", f"model.name={model}", *words])
    runner = Runner(folder, suite="support", model="recorded", args=args)
    done = runner.step("run")
    assert done.returncode == 0, done.stderr
    return runner


def judged(runner: Runner) -> dict[str, object]:
    """The gate's result after its step."""
    done = runner.step("gate")
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads((runner.folder / runner.output("folder") / "gate.json").read_text())
    return found


def test_a_good_prompt_change_passes_and_is_named(here: Path) -> None:
    system = "suite.options.system='Which queue does the message belong to? One word: refund, delivery, damaged, …'"
    runner = asked(here, "prompt_v2", "hosted", system)

    found = judged(runner)

    assert (found["verdict"], runner.step("verdict").returncode) == ("pass", 0)
    assert "suite.options.system" in json.dumps(found["changed"])
    assert found["accepted"]["by"] == "Ada Example"  # type: ignore[index]


def test_a_bad_prompt_change_fails_with_one(here: Path) -> None:
    runner = asked(here, "prompt_v3", "hosted")

    found = judged(runner)

    assert (found["verdict"], runner.step("verdict").returncode) == ("fail", 1)
    assert len(found["lost"]) == 22  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_model_swap_is_judged_with_what_it_saves(here: Path) -> None:
    runner = asked(here, "small_model", "small")

    found = judged(runner)

    assert (found["verdict"], runner.output("exit-code")) == ("pass", "0")
    checks = {one["name"]: one for one in found["checks"]}  # type: ignore[attr-defined]
    assert checks["cost"]["status"] == "pass"
    assert checks["cost"]["estimate"] < 0.1


@pytest.mark.slow
def test_too_small_a_suite_shows_nothing(here: Path) -> None:
    def harness(*words: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "harness", *words], cwd=here, check=True, capture_output=True, timeout=600
        )

    shutil.rmtree(here / "results" / "baseline")
    few = "suite.limit=20"
    asked(here, "prompt_v1", "hosted", few)
    harness("do=accept", "accept.by=Ada", "accept.why=fewer")
    runner = asked(here, "prompt_v1", "hosted", few)  # the very same answers

    found = judged(runner)

    assert (found["verdict"], runner.step("verdict").returncode) == ("inconclusive", 2)


def test_the_repository_s_own_tests_hold_the_run_too(here: Path) -> None:
    asked(here, "prompt_v1", "hosted")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "harness.pytest_plugin", "-c", os.devnull, "--rootdir=.", "tests",
         "--harness-gate", "--harness-inconclusive=skip"],
        cwd=here, capture_output=True, text=True, timeout=600, check=False,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "", "PYTHONPATH": str(here)},
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert "harness gate" in done.stdout
