"""do=validate: exit codes, and defects of the data that are known."""

import subprocess
import sys
from pathlib import Path

HEAD = "name: mine\ntitle: Mine\ndescription: A few.\nlicence: CC0-1.0\nloader: jsonl\nscorer: bfcl\n"
WRONG = (
    '{"id": "w", "prompt": "Time?", "tools": [{"name": "t"}],'
    ' "target": {"kind": "tool_calls", "expect": "calls", "calls": [{"name": "t", "arguments": {"x": []}}]}}'
)


def validated(folder: Path, text: str, lines: str = WRONG) -> subprocess.CompletedProcess[str]:
    (folder / "suite.yaml").write_text(text)
    (folder / "samples.jsonl").write_text(lines)
    command = [sys.executable, "-m", "harness", "do=validate", "suite=local", f"suite.path={folder}", "progress=off"]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


def test_a_target_that_its_own_gold_cannot_meet_fails_the_gate(tmp_path: Path) -> None:
    done = validated(tmp_path, HEAD)

    assert done.returncode == 1
    assert "w  gold: the accepted calls: scores 0, must be 1" in done.stdout
    assert "are not as they must be" in done.stderr


def test_a_known_defect_is_told_and_does_not_fail(tmp_path: Path) -> None:
    done = validated(tmp_path, HEAD + "defects: {w: an argument without an accepted value}\n")

    assert (done.returncode, done.stderr) == (0, "")
    assert "w  known defect of the data: an argument without an accepted value" in done.stdout


def test_a_target_that_cannot_be_read_is_told_in_one_line_and_fails_the_gate(tmp_path: Path) -> None:
    options = "options: {match: json}\n"
    lines = '{"id": "a", "prompt": "?", "answer": "{bad"}\n{"id": "b", "prompt": "?", "answer": {"x": 1}}\n'

    done = validated(tmp_path, HEAD.replace("bfcl", "text") + options, lines)

    assert done.returncode == 1
    assert "a  gold: an accepted value: sample a: the accepted answer" in done.stdout
    assert "Traceback" not in done.stderr
    assert "1 of 2 samples: no right outcome" not in done.stdout
    assert "1 verdicts of scorer text" in done.stderr


def test_a_scorer_that_cannot_be_opened_is_one_line_of_its_own(tmp_path: Path) -> None:
    lines = '{"prompt": "?", "answer": "x"}'

    done = validated(tmp_path, HEAD.replace("bfcl", "judge") + "options: {match: judge}\n", lines)

    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "add: scoring.judge.model=" in done.stderr
