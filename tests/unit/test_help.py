"""`--help` from the page that was made before, and when it is not."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness import help as made
from harness.config.verbs import VERBS
from harness.help import PAGE, conf_print, made_help, print_help
from harness.paths import conf_dir

_PAGE = json.loads(PAGE.read_text(encoding="utf-8"))
_COMPOSE = """
import sys
sys.argv = ["harness", *sys.argv[1:]]
from harness.app import main
main()
"""


@pytest.fixture
def current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page as if it had been made of `conf/` just now, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "help.json"
    page.write_text(json.dumps({**_PAGE, "conf": conf_print(conf_dir())}))
    return page


def test_the_page_is_of_the_configuration_as_it_is() -> None:
    assert _PAGE["conf"] == conf_print(conf_dir()), "conf/ has changed; run: python docs/generate_help.py"
    assert set(_PAGE["verbs"]) == set(VERBS), "a verb is new or gone; run: python docs/generate_help.py"


def test_the_page_says_what_hydra_would_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    said = subprocess.run(
        [sys.executable, "-c", _COMPOSE, "--help"], capture_output=True, text=True, check=True, cwd=tmp_path
    ).stdout

    assert made_help(["--help"]) == said.removesuffix("\n"), "run: python docs/generate_help.py"


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["do=gate", "--help"], ["-h", "do=gate"]])
def test_help_alone_or_of_a_verb_is_on_the_page(words: list[str], current: Path) -> None:
    text = made_help(words, current)

    assert text is not None
    assert "Start here" in text
    assert ("baseline: null" in text) == ("do=gate" in words)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["do=run"],
        ["--help", "suite.limit=3"],
        ["--help", "do=run", "model=smollm2"],
        ["--help", "do=nothing"],
        ["--help", "-h"],
        ["--hydra-help"],
        ["--help", "--resolve"],
    ],
)
def test_anything_else_is_composed(words: list[str], current: Path) -> None:
    assert made_help(words, current) is None


def test_a_page_that_is_behind_or_not_there_is_not_printed(current: Path, tmp_path: Path) -> None:
    behind = tmp_path / "behind.json"
    behind.write_text(json.dumps({**_PAGE, "conf": "0" * 64}))
    damaged = tmp_path / "damaged.json"
    damaged.write_text("{")

    assert made_help(["--help"], current) is not None
    assert (
        made_help(["--help"], behind)
        is made_help(["--help"], damaged)
        is made_help(["--help"], tmp_path / "no")
        is None
    )


def test_models_of_ones_own_are_listed_by_composing(current: Path, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.yaml").write_text("model: {name: mine}\n")

    assert made_help(["--help"], current) is None


def test_the_print_follows_names_and_contents(tmp_path: Path) -> None:
    folder = tmp_path / "conf"
    shutil.copytree(conf_dir() / "do", folder / "do")
    before = conf_print(folder)

    (folder / "do" / "gate.yaml").rename(folder / "do" / "gates.yaml")
    renamed = conf_print(folder)
    (folder / "do" / "gates.yaml").write_text("do: gate\n")

    assert len({before, renamed, conf_print(folder)}) == 3


def test_help_loads_nothing_heavy(
    current: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(made, "made_help", lambda words: made_help(words, current))
    code = (
        "import sys, harness.__main__\n"
        "print(sorted({'hydra', 'pydantic', 'numpy', 'omegaconf', 'rich', 'yaml'} & set(sys.modules)))\n"
    )

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert loaded.strip() == "[]"
    assert print_help(["--help"])
    assert capsys.readouterr().out == f"{made_help(['--help'], current)}\n"
