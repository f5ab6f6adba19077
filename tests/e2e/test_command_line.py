"""`python -m harness` as a user types it, wrong input included."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def harness(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *words],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["suite.limt=3"], ["suite.limt is not a key", "did you mean suite.limit?"]),
        (["model=smolm2"], ["model=smolm2 is not known", "gemma3_270m", "did you mean smollm2?"]),
        (["suit=toolcall"], ["suit is not a key", "did you mean suite?"]),
        (["do=rnu"], ["do=rnu is not known", "did you mean run?"]),
        (["do=report", "model=smollm2"], ["model"]),
        (["suite.limit=abc"], ["suite.limit='abc'", "integer"]),
        (["suite.limit=0"], ["suite.limit=0", "greater than or equal to 1"]),
        (["model.protocol=magic"], ["model.protocol='magic'", "'native'", "'prompted'", "'constrained'"]),
        (["suite.categories=[simple_pythn]"], ["simple_pythn", "simple_python"]),
        (["suite.limit"], ["'suite.limit' is not of the form key=value"]),
        (["backend.slots=two"], ["backend.slots='two'"]),
        (["model=endpoint"], ["model.url", "model.name", "must be given"]),
        (["model=endpoint", "model.url=ftp://x", "model.name=y"], ["model.url"]),
        (["run.stall_s=500"], ["stall_s 500 is longer than deadline_s 120"]),
        (["model.chat_template=nowhere.jinja"], ["nowhere.jinja"]),
    ],
)
def test_wrong_input_is_one_line_with_what_was_seen_and_what_is_allowed(
    words: list[str], said: list[str], tmp_path: Path
) -> None:
    done = harness(*words, "progress=off", cwd=tmp_path)

    lines = done.stderr.strip().splitlines()
    assert done.returncode == 2, done.stderr
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("harness: ")
    for word in said:
        assert word in lines[0]


def test_help_teaches_and_touches_nothing(tmp_path: Path) -> None:
    done = harness("--help", cwd=tmp_path)

    assert done.returncode == 0
    for word in (
        "Start here",
        "suite=toolcall model=smollm2",
        "-m model=smollm2,gemma3_270m",
        "Exit codes",
        "do=report",
    ):
        assert word in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_shell_completion_offers_the_models(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("harness")
    script = subprocess.run([command, "-sc", "install=bash"], capture_output=True, text=True, timeout=600, check=True)
    query = harness("-sc", "query=bash", cwd=tmp_path, COMP_LINE="harness model=smol", COMP_POINT="18")

    assert "complete -o nospace -o default -F hydra_bash_completion harness" in script.stdout
    assert "model=smollm2" in query.stdout.split()


def test_a_report_without_runs_says_how_to_make_one(tmp_path: Path) -> None:
    done = harness("do=report", cwd=tmp_path)

    assert done.returncode == 2
    assert "python -m harness suite=toolcall model=smollm2" in done.stderr


def test_an_endpoint_that_does_not_answer_is_exit_3_in_one_line(tmp_path: Path) -> None:
    done = harness(
        "model=endpoint",
        "model.url=http://127.0.0.1:9/v1",
        "model.name=x",
        "suite.limit=2",
        "progress=off",
        cwd=tmp_path,
    )

    assert done.returncode == 3
    assert len(done.stderr.strip().splitlines()) == 1
    assert "127.0.0.1:9" in done.stderr


def test_a_results_folder_that_cannot_be_written_is_exit_2(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file is in the way")

    done = harness(
        "model=endpoint",
        "model.url=http://127.0.0.1:9/v1",
        "model.name=x",
        "suite.limit=2",
        "progress=off",
        cwd=tmp_path,
    )

    assert done.returncode == 2
    assert "paths.results=" in done.stderr
