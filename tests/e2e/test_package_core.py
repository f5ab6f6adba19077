"""The package without extras: a run, its report and its gate go without the packages that extras bring."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import _EXTRA_OF

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "ci"
RUN = (
    "suite=local", f"suite.path={EXAMPLE / 'suites' / 'support'}", "suite.name=support", "model=recorded",
    "model.name=prompt", "suite.limit=30",
)  # fmt: skip
CORE = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {{*{sorted(_EXTRA_OF)!r}, "pandas", "huggingface_hub"}}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
from importlib import util
real = util.find_spec
def find_spec(name, package=None):
    try:
        return real(name, package)
    except ModuleNotFoundError:
        return None
util.find_spec = find_spec
from harness.app import main
main()
"""
"""Starts the harness as if no package of an extra were installed."""


def harness(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-c", CORE, *words]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)


def test_a_run_its_report_and_its_gate_need_no_extra(tmp_path: Path) -> None:
    answers = [f"backend.path={EXAMPLE / 'answers' / name}.jsonl" for name in ("prompt_v1", "prompt_v3")]

    first = harness(tmp_path, *RUN, answers[0])
    accepted = harness(tmp_path, "do=accept", "accept.by=test", "accept.why=first")
    second = harness(tmp_path, *RUN, answers[1])
    judged = harness(tmp_path, "do=gate")
    drawn = harness(tmp_path, "do=report", "report.figures=true")

    assert [one.returncode for one in (first, accepted, second)] == [0, 0, 0], first.stderr + second.stderr
    assert judged.returncode in {0, 1, 2}
    assert "Traceback" not in judged.stderr
    assert next(tmp_path.glob("results/gate/*/gate.json"), None) is not None, judged.stderr
    assert "no attempts.parquet: that takes duckdb (make logs in a clone, else pip install 'slm-harness[logs]')" in (
        first.stderr
    )
    assert drawn.returncode == 2
    assert "slm-harness[figures]" in drawn.stderr
    assert {one.suffix for one in (tmp_path / "reports" / "tables" / "leaderboard").iterdir()} == {
        ".csv", ".json", ".md",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "package"),
    [
        (("do=collect", "logs.path=log.jsonl"), "pyarrow"),
        (("do=cluster", "cluster.calls=curated/x"), "pyarrow"),
    ],
)
def test_what_needs_an_extra_says_which(tmp_path: Path, words: tuple[str, ...], package: str) -> None:
    (tmp_path / "log.jsonl").write_text("{}\n")

    done = harness(tmp_path, *words)

    assert done.returncode == 2
    assert package in done.stderr
    assert f"slm-harness[{_EXTRA_OF[package]}]" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_import_harness_loads_nothing_heavy() -> None:
    heavy = ["numpy", "scipy", "pandas", "pyarrow", "duckdb", "pydantic", "hydra", "omegaconf", "aiohttp", "rich"]
    told = f"import harness, sys; print([one for one in {heavy!r} if one in sys.modules])"

    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
