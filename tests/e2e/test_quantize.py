"""do=quantize on the real engine: files that are ready, and files that llama-cpp-python makes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.assets import cache_dir, fetch
from harness.errors import HarnessError
from harness.quantize.tool import find_quantizer
from harness.records.asset import ASSET_SPEC

pytestmark = pytest.mark.model


def run(cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", "do=quantize", "suite.categories=[simple_python]", "progress=plain"]
    return subprocess.run([*command, *words], cwd=cwd, capture_output=True, text=True, timeout=900, check=False)


def shipped() -> Path:
    import yaml

    from harness.paths import conf_dir

    data = yaml.safe_load((conf_dir() / "model" / "smollm2.yaml").read_text())
    return fetch(ASSET_SPEC.validate_python(data["weights"]["gguf"]["asset"]), cache=cache_dir()).path


def test_the_same_file_twice_is_no_difference_and_no_pass_on_few_samples(tmp_path: Path) -> None:
    file = shipped()

    done = run(
        tmp_path,
        f"quantize.files={{F16: {file}, again: {file}}}",
        "suite.limit=2",
        "quantize.require=again",
        "model.generation.max_tokens=24",
    )

    assert done.returncode == 1, done.stderr
    assert "not shown to be as good as F16: again (need_more" in done.stderr
    (folder,) = [one for one in (tmp_path / "results" / "quantize").iterdir() if not one.is_symlink()]
    frontier = json.loads((folder / "frontier.json").read_text())
    base, again = frontier["points"]
    assert (again["comparison"]["n"], again["comparison"]["lost"], again["comparison"]["gained"]) == (2, 0, 0)
    assert again["comparison"]["interval"]["low"] < 0 < again["comparison"]["interval"]["high"]
    assert base["comparison"] is None
    assert base["bytes"] == file.stat().st_size
    assert base["memory_from"] == "measured"
    assert frontier["complete"] is True
    assert {one["run"] for one in frontier["points"]} == {
        one.name for one in (tmp_path / "results" / "run").iterdir() if not one.is_symlink()
    }
    assert "again" in (tmp_path / "reports" / "quantize.html").read_text()
    assert str(tmp_path) not in (folder / "frontier.json").read_text()


@pytest.mark.slow
def test_llama_cpp_python_makes_files_that_the_engine_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        find_quantizer(None, None)
    except HarnessError as error:
        pytest.skip(str(error))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))

    done = run(
        tmp_path,
        f"model.weights.path={shipped()}",
        "quantize.types=[F16,Q8_0,Q2_K]",
        "suite.limit=2",
        "model.generation.max_tokens=24",
    )

    assert done.returncode == 0, done.stderr
    (folder,) = [one for one in (tmp_path / "results" / "quantize").iterdir() if not one.is_symlink()]
    frontier = json.loads((folder / "frontier.json").read_text())
    sizes = [one["bytes"] for one in frontier["points"]]
    assert sizes == sorted(sizes, reverse=True)
    assert frontier["source_type"] == "Q4_1"
    assert any("no original" in note for note in frontier["notes"])
    assert all(one["n_scored"] == 2 for one in frontier["points"])
