"""docs/links.py: every link of the project's pages leads somewhere, and one that does not is told."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "docs" / "links.py"


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "cost.md").write_text(
        "# What a call costs\n\n## On a machine, of yours\n\n## On a machine, of yours\n"
    )
    return tmp_path


def told(project: Path, text: str) -> list[str]:
    (project / "README.md").write_text(text)
    return check(str(project)).stderr.splitlines()


def test_every_link_of_the_project_leads_somewhere() -> None:
    done = check()

    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize(
    "text",
    [
        "[a](docs/cost.md)", "[a](docs/cost.md#on-a-machine-of-yours)", "[a](docs/cost.md#on-a-machine-of-yours-1)",
        "[b](docs/)", "# Here\n\n[up](#here)", "[out](https://example.org/nothing#x)", "`[code](nothing.md)`",
        "```\n[code](nothing.md)\n```",
    ],
)  # fmt: skip
def test_a_good_link_is_passed(project: Path, text: str) -> None:
    assert told(project, text) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[a](docs/gone.md)", "README.md:1: docs/gone.md: there is no docs/gone.md"),
        ("\n![p](docs/p.png)", "README.md:2: docs/p.png: there is no docs/p.png"),
        ("[a](docs/cost.md#gone)", "README.md:1: docs/cost.md#gone: docs/cost.md has no heading 'gone'"),
        ("[a](#gone)", "README.md:1: #gone: README.md has no heading 'gone'"),
        ("[a](../away.md)", "README.md:1: ../away.md: not within the project; write it relative to this page"),
        ("[a](/docs/cost.md)", "README.md:1: /docs/cost.md: not within the project; write it relative to this page"),
    ],
)
def test_a_broken_link_is_told_with_file_line_and_reason(project: Path, text: str, why: str) -> None:
    assert told(project, text) == [why]
    assert check(str(project)).returncode == 1


def test_every_page_stands_in_the_site_once_and_no_other_does() -> None:
    listed = re.findall(r": ([\w/]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)

    assert sorted(listed) == sorted(path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.md"))
