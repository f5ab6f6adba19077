"""`do=convert`: what it leaves behind where it cannot begin."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.verbs import convert
from harness.verbs.convert_checks import remove_empty
from tests.support.conversions import convert_config, suite_folder


@pytest.fixture(autouse=True)
def _same_handler() -> Iterator[None]:
    """The verb ends as Ctrl-C does on a polite kill; the tests after it do not."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def words(root: Path) -> tuple[str, ...]:
    suite = suite_folder(root / "suites" / "shop")
    return (
        "suite=local", f"suite.path={suite}", "suite.name=shop", f"paths.results={root}/results",
        f"model.weights.path={root}/none.gguf", "convert.until=data", "convert.name=shop", "progress=off",
    )  # fmt: skip


def test_an_unknown_cluster_leaves_no_folder(tmp_path: Path) -> None:
    config = convert_config(*words(tmp_path), "cluster=unknown")

    with pytest.raises(HarnessError, match="unknown"):
        convert.main([config])

    assert list((tmp_path / "results" / "convert").iterdir()) == []


def test_a_folder_that_was_there_stays(tmp_path: Path) -> None:
    config = convert_config(*words(tmp_path), "cluster=unknown")
    folder = tmp_path / "results" / "convert" / "shop"
    folder.mkdir(parents=True)

    with pytest.raises(HarnessError, match="unknown"):
        convert.main([config])

    assert folder.is_dir()


def test_a_folder_with_anything_in_it_stays(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    (folder / "data").mkdir(parents=True)
    (folder / ".lock").touch()
    (folder / "data" / "answers.jsonl").touch()

    remove_empty(folder)

    assert (folder / "data" / "answers.jsonl").is_file()
