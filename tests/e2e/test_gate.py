"""From recorded runs to an accepted baseline and a gate's exit code, as a user and a CI job type them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

SUITE = """\
name: mine
title: Mine
description: Questions of mine.
licence: MIT
loader: jsonl
scorer: text
options: {match: exact}
"""
N = 70


def harness(cwd: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", "progress=off", *words]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=600, check=False, env=clean | environment
    )


def answered(place: Path, name: str, wrong: int) -> Path:
    """A run with so many wrong answers."""
    lines = [{"id": f"q{k}", "content": "no" if k < wrong else "yes", "cost_usd": 0.01} for k in range(N)]
    (place / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    done = harness(place, "suite=mine", "model=recorded", f"backend.path={name}.jsonl", f"model.name={name}")
    assert done.returncode == 0, done.stderr
    return (place / "results" / "run" / "latest").resolve()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an accepted baseline without a wrong answer, and links to a run as good and to one that is not."""
    folder = tmp_path_factory.mktemp("gate")
    home = folder / "suites" / "mine"
    home.mkdir(parents=True)
    (home / "suite.yaml").write_text(SUITE)
    lines = [{"id": f"q{k}", "prompt": f"Is {k} a number?", "answer": "yes"} for k in range(N)]
    (home / "samples.jsonl").write_text("\n".join(map(json.dumps, lines)))
    answered(folder, "old", 0)
    done = harness(folder, "do=accept", "accept.by=Ada", "accept.why='first, as agreed'")
    assert done.returncode == 0, done.stderr
    (folder / "same").symlink_to(answered(folder, "same", 0))
    (folder / "bad").symlink_to(answered(folder, "bad", 30))
    return folder


def verdict(place: Path) -> str:
    return str(json.loads((place / "results" / "gate" / "latest" / "gate.json").read_text())["verdict"])


def test_a_run_as_good_passes_and_the_summary_says_so(place: Path, tmp_path: Path) -> None:
    done = harness(
        place, "do=gate", f"run={place / 'same'}", GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(tmp_path / "s.md")
    )

    assert done.returncode == 0, done.stderr
    assert verdict(place) == "pass"
    assert "accepted by Ada, " in done.stdout
    assert "first, as agreed" in done.stdout
    assert "::" not in done.stdout
    assert (tmp_path / "s.md").read_text().startswith("## ✅ Gate: pass")
    left = {one.name for one in (place / "results" / "gate" / "latest").iterdir()}
    assert left == {"gate.json", "gate.md", "junit.xml", "badge.json", "badge.svg"}


def test_a_worse_run_fails_with_one_and_says_so_everywhere(place: Path) -> None:
    done = harness(place, "do=gate", f"run={place / 'bad'}", GITHUB_ACTIONS="true")

    assert done.returncode == 1
    assert verdict(place) == "fail"
    assert done.stderr.splitlines()[-1].startswith("harness: fail: bad against the baseline old on mine")
    assert "::error title=gate%3A right answers::loses less than 5 points: FAIL. 30 lost" in done.stdout
    assert len(ET.parse(place / "results" / "gate" / "latest" / "junit.xml").findall("testcase/failure")) == 1


@pytest.mark.parametrize(("policy", "code"), [("default", 2), ("quick", 0)])
def test_undecided_is_two_or_what_the_policy_says(place: Path, policy: str, code: int) -> None:
    done = harness(place, "do=gate", f"run={place / 'same'}", f"gate={policy}", "gate.accuracy.margin=0.01")

    assert done.returncode == code
    assert verdict(place) == "inconclusive"
    assert "inconclusive: same against the baseline old on mine is neither shown to hold nor to miss" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("do=accept", "accept.by=Ada"), "accept.why must be given and is not; add: accept.why=…"),
        (("do=gate", "gate.baseline=nowhere"), "no baseline nowhere"),
        (("do=gate", "gate.acuracy.margin=0.1"), "gate.acuracy"),
    ],
    ids=["no reason", "no baseline", "key"],
)
def test_what_cannot_be_is_said_in_one_line(place: Path, words: tuple[str, ...], said: str) -> None:
    done = harness(place, *words)

    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
