"""do=fetch: what it says of the model's weights."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAD = "name: mine\ntitle: Mine\ndescription: A few.\nlicence: CC0-1.0\nloader: jsonl\nscorer: text\n"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["model=recorded", "backend.path=answers.jsonl"], "weights  none: answers on record, answers.jsonl"),
        (
            ["model=endpoint", "model.name=m", "model.url=http://127.0.0.1:9/v1"],
            "weights  none: m is served at http://127.0.0.1:9/v1",
        ),
    ],
)
def test_a_model_without_weights_here_is_said_to_be_elsewhere(tmp_path: Path, typed: list[str], words: str) -> None:
    (tmp_path / "suite.yaml").write_text(HEAD)
    (tmp_path / "samples.jsonl").write_text('{"prompt": "?", "answer": "x"}')
    command = [sys.executable, "-m", "harness", "do=fetch", "suite=local", "suite.path=.", "progress=off", *typed]

    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert words in done.stdout
