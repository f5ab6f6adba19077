"""What docs/suites.md shows works as it stands there."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from harness.config import SuiteConfig
from harness.records import ToolTarget
from harness.runner.validate import validate
from harness.suite.spec import load_suite

PAGE = (Path(__file__).parents[3] / "docs" / "suites.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (description,) = blocks("yaml")
    (tmp_path / "suite.yaml").write_text(description)
    (tmp_path / "samples.jsonl").write_text("".join(blocks("json")))
    return tmp_path


def test_the_suite_of_the_page_loads_with_all_its_lines(home: Path) -> None:
    suite = load_suite(SuiteConfig(name="local", path=str(home)), home / "cache")

    assert sorted(sample.id for sample in suite.samples) == ["1", "2", "3"]
    assert {sample.category for sample in suite.samples} == {"all", "south"}
    assert isinstance(next(one for one in suite.samples if one.id == "3").target, ToolTarget)
    assert len(blocks("yaml")[0].splitlines()) + 2 < 20


def test_the_scorer_of_the_page_is_sound(home: Path) -> None:
    names: dict[str, Any] = {}
    exec(blocks("python")[0], names)
    (home / "samples.jsonl").write_text('{"prompt": "Say a palindrome.", "answer": "level"}')
    suite = load_suite(SuiteConfig(name="local", path=str(home)), home / "cache")

    found = asyncio.run(validate(names["Palindrome"](), suite.samples))

    assert found.checked["gold"] == found.checked["near_miss"] == 1
    # a long row of one letter reads the same backwards: garbage may well be right here
    assert found.findings == []
