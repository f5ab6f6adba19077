"""The GitHub Action and the GitLab template: their steps run by hand, with the environment that those give."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
TEMPLATE = yaml.safe_load((ROOT / "ci" / "gitlab" / "harness-gate.yml").read_text(encoding="utf-8"))[".harness-gate"]
NASTY = "gate.accuracy.margin=0.05\n$(touch stolen)\n`touch stolen`; touch stolen"


def results(folder: Path, name: str, wrong: int) -> str:
    """Results of another program: what the gate judges without a run."""
    rows = [{"case_id": f"c{place}", "passed": place >= wrong} for place in range(70)]
    (folder / name).write_text("".join(json.dumps(one) + "\n" for one in rows))
    return name


def value(text: str, known: Mapping[str, str]) -> str:
    """What an expression of a workflow comes to: names, and the first of several that is not empty."""

    def found(match: re.Match[str]) -> str:
        names = [name.strip() for name in match[1].split("||")]
        return next((known.get(name, "") for name in names if known.get(name)), "")

    return re.sub(r"\$\{\{(.+?)\}\}", found, str(text))


class Runner:
    """Runs steps as GitHub's runner does: bash -e with pipefail, outputs by file."""

    def __init__(self, folder: Path, **inputs: str) -> None:
        self.folder = folder
        self.known = {f"inputs.{name}": str(one.get("default", "")) for name, one in ACTION["inputs"].items()}
        self.known |= {f"inputs.{name.replace('_', '-')}": text for name, text in inputs.items()}
        self.known |= {"github.action_path": str(ROOT), "steps.install.outputs.python": sys.executable}
        self.summary = folder / "summary.md"

    def step(self, name: str, **extra: str) -> subprocess.CompletedProcess[str]:
        (step,) = [one for one in STEPS if one.get("id") == name]
        output = self.folder / f"output of {name}"
        output.write_text("")
        env = {key: text for key, text in os.environ.items() if not key.startswith("GITHUB_")}
        env |= {key: value(text, self.known) for key, text in step.get("env", {}).items()}
        env |= {
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_ACTIONS": "true",
        } | extra
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.folder, env=env, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        for line in output.read_text().splitlines():
            key, _, text = line.partition("=")
            self.known[f"steps.{name}.outputs.{key}"] = text
        return done

    def output(self, name: str) -> str:
        """An output of the action itself."""
        return value(ACTION["outputs"][name]["value"], self.known)


def test_no_input_is_ever_shell_text() -> None:
    scripts = [one["run"] for one in STEPS if "run" in one]

    assert scripts
    assert not any("${{" in text for text in scripts)


def test_actions_of_others_are_pinned_by_commit() -> None:
    workflow = (ROOT / "examples/ci/.github/workflows/gate.yml").read_text(encoding="utf-8")
    lines = (ROOT / "action.yml").read_text(encoding="utf-8").splitlines() + workflow.splitlines()
    used = [line for line in lines if re.search(r"uses: actions/", line)]

    assert len(used) == 4
    assert all(re.search(r"uses: actions/[a-z-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+$", line) for line in used)


def test_each_step_reads_inputs_that_there_are() -> None:
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"inputs\.([a-z-]+)", text))

    assert named == set(ACTION["inputs"])
    ids = {one["id"] for one in STEPS if "id" in one}
    assert set(re.findall(r"steps\.([a-z]+)\.", text)) <= ids


@pytest.mark.parametrize(("wrong", "verdict", "code"), [(0, "pass", "0"), (3, "inconclusive", "2")])
def test_the_gate_s_steps_leave_verdict_exit_code_and_summary(
    tmp_path: Path, wrong: int, verdict: str, code: str
) -> None:
    runner = Runner(tmp_path, run=results(tmp_path, "new.jsonl", wrong), baseline=results(tmp_path, "old.jsonl", 0))

    judged = runner.step("gate")
    ended = runner.step("verdict")

    assert judged.returncode == 0, judged.stderr
    assert (runner.output("verdict"), runner.output("exit-code")) == (verdict, code)
    assert str(ended.returncode) == code
    assert (tmp_path / runner.output("folder") / "junit.xml").is_file()
    assert f"Gate: {verdict}" in runner.summary.read_text()
    assert ("::error" in judged.stdout) == (verdict != "pass")


def test_what_stands_in_an_input_is_no_command(tmp_path: Path) -> None:
    new, old = (results(tmp_path, name, 0) for name in ("new.jsonl", "old.jsonl"))
    runner = Runner(tmp_path, run=new, baseline=old, gate_args=NASTY)

    runner.step("gate")
    ended = runner.step("verdict")

    assert runner.output("exit-code") == "2"  # words that the configuration does not have
    assert ended.returncode == 2
    assert not (tmp_path / "stolen").exists()


def test_a_gate_that_was_never_judged_is_broken(tmp_path: Path) -> None:
    assert Runner(tmp_path).step("verdict").returncode == 3


def test_the_key_of_the_cache_changes_with_the_weights(tmp_path: Path) -> None:
    keys = []
    for model in ("smollm2", "gemma3_270m"):
        runner = Runner(tmp_path, model=model)
        done = runner.step("plan", HARNESS_CACHE="/somewhere")
        assert done.returncode == 0, done.stderr
        keys.append(runner.known["steps.plan.outputs.weights"])
        assert runner.known["steps.plan.outputs.folder"] == "/somewhere"

    assert len(set(keys)) == 2
    assert all(re.fullmatch("[0-9a-f]{16}", one) for one in keys)


def test_a_comment_is_written_once_and_then_changed(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    (tmp_path / "gh").write_text(f'#!/bin/sh\necho "$*" >> {asked}\ncase "$*" in *paginate*) echo "$OLD";; esac\n')
    (tmp_path / "gh").chmod(0o755)
    (tmp_path / "gate.md").write_text("## pass\n")
    runner = Runner(tmp_path)
    runner.known |= {"github.repository": "o/r", "github.event.pull_request.number": "7",
                     "steps.gate.outputs.path": str(tmp_path)}  # fmt: skip
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"

    first, second = (runner.step("comment", PATH=path, OLD=old) for old in ("", "99"))

    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    lines = asked.read_text().splitlines()
    assert lines[1].startswith("api --method POST repos/o/r/issues/7/comments -F body=@")
    assert lines[3].startswith("api --method PATCH repos/o/r/issues/comments/99 -F body=@")


def gitlab(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The template's script, in a shell, with an environment as its `before_script` leaves it."""
    python = folder / "tmp" / "slm-harness" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    env = {key: text for key, text in os.environ.items() if not key.startswith("GITHUB_")}
    env |= {key: str(text) for key, text in TEMPLATE["variables"].items() if key != "HARNESS_CACHE"}
    env |= variables | {"TMPDIR": str(folder / "tmp")}
    return subprocess.run(
        ["sh", "-e", "-c", "\n".join(TEMPLATE["script"])], cwd=folder, env=env, capture_output=True, text=True,
        timeout=600, check=False,
    )  # fmt: skip


def test_the_gitlab_script_ends_with_the_gate_s_exit_code(tmp_path: Path) -> None:
    new, old = results(tmp_path, "new.jsonl", 20), results(tmp_path, "old.jsonl", 0)

    done = gitlab(tmp_path, HARNESS_RUN=new, HARNESS_BASELINE=old)

    assert done.returncode == 1, done.stderr
    assert list(tmp_path.glob("results/gate/*/junit.xml"))


def test_what_stands_in_a_gitlab_variable_is_no_command(tmp_path: Path) -> None:
    new, old = results(tmp_path, "new.jsonl", 0), results(tmp_path, "old.jsonl", 0)

    done = gitlab(tmp_path, HARNESS_RUN=new, HARNESS_BASELINE=old, HARNESS_GATE_ARGS=NASTY)

    assert done.returncode == 2
    assert not (tmp_path / "stolen").exists()
