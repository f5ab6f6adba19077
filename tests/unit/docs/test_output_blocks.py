"""docs/generate_output.py: blocks of the pages hold what their commands print; `make check` runs all of them."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[3] / "docs"
PAGE = """# A page

<!-- output: try {words}
$ echo aside > file
-->
```console
$ cat file; {command}
{said}
```
"""


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The script as a module, with what it imports from beside it; nothing stays behind."""
    monkeypatch.syspath_prepend(str(DOCS))
    yield importlib.import_module("generate_output")
    for name in ("generate_output", "generate_reference", "generated"):
        sys.modules.pop(name, None)


def paged(tmp_path: Path, words: str = "", command: str = "echo new", said: str = "old") -> Path:
    page = tmp_path / "page.md"
    page.write_text(PAGE.format(words=words, command=command, said=said))
    return page


def test_a_block_gets_what_its_commands_print_after_those_that_are_not_shown(
    output: ModuleType, tmp_path: Path
) -> None:
    (block,) = output.blocks(paged(tmp_path))

    assert output.filled(block, tmp_path) == "$ cat file; echo new\naside\nnew\n"


def test_a_page_is_brought_up_to_date_in_its_block_alone(output: ModuleType, tmp_path: Path) -> None:
    page = paged(tmp_path)
    done, why = output.play(output.blocks(page))

    assert why == ""
    assert output.brought_up(page, done) == page.read_text().replace("\nold\n", "\naside\nnew\n")


def test_what_differs_from_run_to_run_is_left_as_the_page_has_it(output: ModuleType, tmp_path: Path) -> None:
    page = paged(tmp_path, command="echo run/2026-11-22_10-00-00-000001 in 2.5 s", said="aside\nrun/STAMP in 17 s")
    page.write_text(page.read_text().replace("STAMP", "2020-01-02_03-04-05-678901"))
    done, _ = output.play(output.blocks(page))

    assert output.brought_up(page, done) == page.read_text()


def test_a_command_that_ends_otherwise_than_its_block_says_is_told(output: ModuleType, tmp_path: Path) -> None:
    done, why = output.play(output.blocks(paged(tmp_path, command="exit 3")))

    assert done == []
    assert "exit code 3: cat file; exit 3" in why


def test_an_exit_code_that_is_expected_is_none_that_is_told(output: ModuleType, tmp_path: Path) -> None:
    done, why = output.play(output.blocks(paged(tmp_path, words="exit=3", command="exit 3")))

    assert why == ""
    assert len(done) == 1


def test_of_a_long_output_its_beginning_and_end_are_shown(output: ModuleType, tmp_path: Path) -> None:
    (block,) = output.blocks(paged(tmp_path, words="head=2 tail=1", command="seq 9"))

    assert output.filled(block, tmp_path) == "$ cat file; seq 9\naside\n1\n…\n9\n"


def test_a_table_of_keys_is_that_of_the_record(output: ModuleType) -> None:
    made = output.with_keys("<!-- keys: PathsConfig paths. results -->\n\n| old |\n\nafter\n")

    assert made.endswith("| `paths.results` | `results` | Folder of runs and of what is made from them. |\n\nafter\n")


def test_a_key_that_a_record_has_not_is_told(output: ModuleType) -> None:
    with pytest.raises(output.Failed, match="PathsConfig has no resluts"):
        output.with_keys("<!-- keys: PathsConfig paths. resluts -->\n\n| old |\n")


def test_every_marker_of_the_pages_is_a_block_of_a_page_that_is_run(output: ModuleType) -> None:
    run = output.pages()
    marked = {page: page.read_text(encoding="utf-8").count("\n<!-- output: ") for page in [*DOCS.rglob("*.md"), run[0]]}

    found = {page: len(output.blocks(page)) for page in run}

    assert sum(marked.values()) > 8
    assert {page: count for page, count in marked.items() if count} == {
        page: count for page, count in found.items() if count
    }


def test_every_block_of_the_pages_shows_a_command_and_what_it_printed(output: ModuleType) -> None:
    shown = [block for page in output.pages() for block in output.blocks(page)]

    assert [block.page.name for block in shown if not output.commands(block.body)] == []
    assert [
        block.page.name for block in shown if len(block.body.splitlines()) <= len(output.commands(block.body))
    ] == []
