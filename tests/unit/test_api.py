"""`import harness`: light, typed, and the same figures as everywhere else."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness.compare.pair import compare_pair, entry_of
from harness.config import CompareOptions
from harness.errors import ConfigError, DataError
from harness.store.runs import read_run
from tests.support.stored_runs import pair

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("api") / "results"
    pair(base)
    return base


def names(results: Path) -> list[str]:
    return sorted(one.name for one in (results / "run").iterdir())


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, harness\n"
        "heavy = {'pandas', 'numpy', 'scipy', 'matplotlib', 'duckdb', 'pyarrow', 'pydantic', 'hydra'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert said.strip() == "[]"


def test_every_name_is_there_and_no_other() -> None:
    assert all(getattr(harness, name) is not None for name in harness.__all__)
    with pytest.raises(AttributeError):
        _ = harness.no_such_name  # type: ignore[attr-defined]  # that is the point


def test_the_blocks_of_the_page_run(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "results").symlink_to(results)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    space: dict[str, object] = {}

    for block in blocks:
        exec(compile(block, PAGE.name, "exec"), space)  # our own page

    assert len(blocks) >= 5
    assert (tmp_path / "waterfall.svg").read_bytes().startswith(b"<?xml")


def test_a_comparison_says_what_the_command_says(results: Path) -> None:
    a, b = names(results)[::-1]
    first, second = (entry_of(read_run(results / "run" / name)) for name in (a, b))

    found = harness.compare_runs(a, b, margin=0.1, results=results)

    wanted = compare_pair("", first, second, CompareOptions(a=a, b=b, margin=0.1))
    assert found.whole == wanted.whole
    assert len(found.pairs) == found.whole.pair.n
    assert found.pairs["difference"].mean() == pytest.approx(found.difference)
    assert sorted(found.flips["sample"]) == sorted(one.sample for one in wanted.flips)


def test_frames_hold_missing_values_and_no_zeros_for_what_was_lost(results: Path) -> None:
    run = harness.load_run(names(results)[0], results)

    lost = run.attempts[run.attempts["failure"].notna() & (run.attempts["boundary"] == "infrastructure")]

    assert len(lost) == run.record.n_failed == 1
    assert lost["value"].isna().all()


def test_texts_can_be_left_out_of_every_frame(results: Path) -> None:
    run = harness.load_run(results=results, texts=False)

    assert "content" not in run.attempts
    assert "prompt" not in run.samples
    assert "why" not in run.scores


def test_a_picture_and_a_run_show_themselves(results: Path) -> None:
    run = harness.load_run(results=results)

    assert "<svg" in run.plot("waterfall")._repr_svg_()
    assert run.name in run._repr_html_()


def test_a_mistake_is_one_line(results: Path, tmp_path: Path) -> None:
    a, b = names(results)
    said = []
    for wrong in (
        lambda: harness.load_run("nope", results),
        lambda: harness.load_run(results=tmp_path),
        lambda: harness.plot("nope", [a], results),
        lambda: harness.compare_runs(a, a, results=results),
        lambda: harness.pictures(results=tmp_path),
    ):
        with pytest.raises(DataError) as caught:
            wrong()
        said.append(str(caught.value))
    with pytest.raises(ConfigError, match="margin"):
        harness.compare_runs(a, b, margin=2, results=results)
    assert not any("\n" in one for one in said)
