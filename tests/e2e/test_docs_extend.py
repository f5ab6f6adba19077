"""docs/extend.md, followed to the letter: its files in an empty folder, each of them used."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.openai_server import reply, serve_in_thread

PAGE = Path(__file__).parents[2] / "docs" / "extend.md"
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
NAMED = re.compile(r"# (\S+\.(?:py|yaml))\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the page, and the entry points as pip would leave them."""
    home = tmp_path_factory.mktemp("extend")
    for language, text in BLOCK.findall(PAGE.read_text()):
        named = NAMED.match(text)
        if named is not None:
            (home / named[1]).parent.mkdir(parents=True, exist_ok=True)
            (home / named[1]).write_text(text)
        elif language == "json":
            (home / "chats.jsonl").write_text(text)
        elif language == "toml":
            groups = tomllib.loads(text)["project"]["entry-points"]
            info = home / "my_harness-0.dist-info"
            info.mkdir()
            (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-harness\nVersion: 0\n")
            lines = [
                f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in names.items()) for group, names in groups.items()
            ]
            (info / "entry_points.txt").write_text("\n".join(lines))
    return home


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    settings = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, timeout=300, check=False)


def test_suite_and_scorer_of_the_page_hold_what_validate_asks(folder: Path) -> None:
    done = run(folder, "-m", "harness", "do=validate", "suite=local", "suite.path=sums")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "10" in done.stdout


def test_log_format_of_the_page_is_recognised_and_read(folder: Path) -> None:
    pytest.importorskip("pyarrow")

    done = run(folder, "-m", "harness", "do=collect", "logs.path=chats.jsonl", "store.path=logstore")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 kept" in done.stdout
    assert "never answered" in done.stdout


def test_embedding_of_the_page_gives_unit_rows(folder: Path) -> None:
    asked = "from harness.cluster.vectors import embedding_named as e; r = e('letters').embed(['a', 'bb'])"

    done = run(folder, "-c", f"{asked}; print(r.shape, (abs((r**2).sum(1) - 1) < 1e-5).all())")

    assert done.stdout.split("\n")[0] == "(2, 26) True", done.stderr


def test_model_and_set_up_of_the_page_are_known(folder: Path) -> None:
    done = run(folder, "-m", "harness", "--config-dir", "mine", "suite=toolcall", "model=our_model", "--cfg", "job")

    assert done.returncode == 0, done.stderr
    assert "title: Our fine-tuned model" in done.stdout
    assert "top_k: 1" in done.stdout


def test_engine_of_the_page_is_asked_with_its_options(folder: Path, tmp_path: Path) -> None:
    settings = ["--config-dir", "mine", "suite=local", "suite.path=sums", "suite.limit=2", "model=our_model"]
    with serve_in_thread(lambda _n, _body: reply("5"), models=("our_model",)) as server:
        port = server.url.split(":")[2].split("/")[0]
        done = run(folder, "-m", "harness", *settings, "backend=our_engine", f"backend.options.port={port}")

    assert done.returncode == 0, done.stdout + done.stderr
    manifest = json.loads((folder / "results/run/latest/manifest.json").read_text())
    assert manifest["backend"]["name"] == "our_engine"
    assert json.loads((folder / "results/run/latest/summary.json").read_text())["n_scored"] == 2


def test_package_of_the_page_holds_the_code_alone() -> None:
    project = next(tomllib.loads(text) for language, text in BLOCK.findall(PAGE.read_text()) if language == "toml")

    named = [value for group in project["project"]["entry-points"].values() for value in group.values()]
    assert project["tool"]["setuptools"]["packages"] == ["my_harness"]
    assert all(value.startswith("my_harness.") for value in named)
