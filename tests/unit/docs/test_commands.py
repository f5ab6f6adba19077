"""Command lines of the pages: every verb, group, option and key that they name is there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException

from harness.config import register_defaults
from harness.paths import conf_dir

ROOT = Path(__file__).parents[3]
COMMAND = re.compile(r"^\s*(?:\$ )?(?:[A-Z_]+=\S+ )*python -m harness (.*)$", re.MULTILINE)
FIRST = [ROOT / "README.md", ROOT / "docs" / "index.md", ROOT / "docs" / "airgapped.md"]
OTHERS = sorted(page for page in ROOT.glob("docs/*.md") if page not in FIRST)
MADE_UP = re.compile(r"^(suite|model|backend)(=\[?(\w+_v1\w*|support|shop|our_model|our_engine|mine)\b|\.options\.)")
"""Suites, models and engines that the pages make, or have somebody make: not to be found in conf/."""


def typed(page: Path) -> Iterator[list[str]]:
    """The settings of each command line; what stands behind a # is said about it."""
    for line in COMMAND.findall(page.read_text().replace("\\\n", " ")):
        settings = [word for word in shlex.split(line, comments=True) if "=" in word and not word.startswith("-")]
        yield [one for one in map(known, settings) if one is not None]


def known(setting: str) -> str | None:
    """A setting as Hydra takes it within Python: one job of a sweep, no text with blanks, nothing made up."""
    name, _, value = setting.partition("=")
    if MADE_UP.match(setting) or "…" in value or name == "sql":
        return None
    return f"{name}={value.split(',')[0]}" if value[:1] not in "[{('" and "," in value else setting


def complaints(pages: list[Path]) -> list[str]:
    register_defaults()
    found = []
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        for page in pages:
            for settings in typed(page):
                try:
                    compose("config", overrides=settings)
                except HydraException as error:
                    found.append(f"{page.name}: {' '.join(settings)}: {str(error).splitlines()[0]}")
    return found


def test_command_lines_of_the_first_pages_name_what_there_is() -> None:
    assert sum(len(list(typed(page))) for page in FIRST) > 50
    assert complaints(FIRST) == []


@pytest.mark.slow
def test_command_lines_of_all_other_pages_name_what_there_is() -> None:
    assert complaints(OTHERS) == []


def test_command_lines_can_be_copied_with_what_is_said_about_them() -> None:
    words = {
        (page.name, word)
        for page in [*FIRST, *OTHERS]
        for line in COMMAND.findall(page.read_text().replace("\\\n", " "))
        for word in shlex.split(re.sub(r"--config-dir \S+", "", line.split("`")[0]), comments=True)
    }

    assert len(words) > 200
    assert {(page, word) for page, word in words if "=" not in word and not word.startswith("-")} == set()


@pytest.mark.parametrize("wrong", ["do=nothing", "run.concurency=2", "model=gpt_0"])
def test_a_command_line_that_names_what_is_not_there_is_found(tmp_path: Path, wrong: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"python -m harness {wrong}   # said about it\n")

    assert len(complaints([page])) == 1
