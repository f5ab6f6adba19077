"""Times in pytest-benchmark's JSON: written for its `compare`, read as a side whose machine must match."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import DataError
from harness.gate.foreign import foreign_side
from harness.gate.side import Side
from harness.interop.benchmark_json import export_pytest_benchmark, read_benchmarks
from harness.runner.job import execute
from tests.support import openai_server as fake
from tests.support.echo_job import echo_job
from tests.support.gates import HERE, check, gated, side


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with fake.serve_in_thread(lambda _n, _b: fake.reply("yes")) as server:
        (outcome,) = execute([echo_job(server.url, tmp_path_factory.mktemp("run"))])
    return outcome.folder


def benchmarks(path: Path, seconds: list[float], **machine: object) -> Path:
    """A file as pytest-benchmark leaves it, of so many benchmarks."""
    cpu = {"brand_raw": machine.pop("cpu", "a processor"), "count": 2}
    info = {"system": "Linux", "machine": "x86_64", "python_version": "3.11.7", "cpu": cpu, **machine}
    found = [
        {"name": f"test_{k}", "fullname": f"t.py::test_{k}", "group": None, "extra_info": {}, "stats": {"median": took}}
        for k, took in enumerate(seconds)
    ]
    path.write_text(json.dumps({"machine_info": info, "benchmarks": found, "datetime": "2026-01-01T00:00:00+00:00"}))
    return path


def test_a_run_written_and_read_again_has_each_sample_s_times(folder: Path, tmp_path: Path) -> None:
    found = read_benchmarks(export_pytest_benchmark(folder, tmp_path))

    assert {one.sample for one in found.outcomes} == {f"s{k}" for k in range(12)}
    assert all(one.timed_only and one.value is None and one.digest for one in found.outcomes)
    assert all(one.ttft_s is not None and one.e2e_s is not None and one.ttft_s <= one.e2e_s for one in found.outcomes)
    assert found.machine is not None
    assert found.machine.memory_bytes
    told = json.loads(json.dumps(found.config))
    assert told["run"]["concurrency"] == 1
    assert told["hardware"] == {"name": "h"}


def test_no_name_of_the_machine_is_written(folder: Path, tmp_path: Path) -> None:
    info = json.loads(export_pytest_benchmark(folder, tmp_path).read_text())["machine_info"]

    assert info["node"] == info["release"] == ""


def test_pytest_benchmark_itself_compares_what_was_written(folder: Path, tmp_path: Path) -> None:
    path = export_pytest_benchmark(folder, tmp_path)

    done = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare", str(path), "--columns=median,rounds"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "echo[e2e]" in done.stdout
    assert "echo[ttft]" in done.stdout


def times(side_: Side, other: Side) -> tuple[str, str]:
    found = gated(side_, other, e2e={"ratio": 1.1, "tier": "blocking"}, times_across="blocking")
    return check(found, "e2e").status, check(found, "e2e").why


def test_files_of_equal_machines_are_held_against_each_other(tmp_path: Path) -> None:
    base = foreign_side(benchmarks(tmp_path / "a.json", [0.1 + 0.01 * k for k in range(8)]))
    same = foreign_side(benchmarks(tmp_path / "b.json", [0.1001 + 0.01001 * k for k in range(8)]))
    slow = foreign_side(benchmarks(tmp_path / "c.json", [0.2 + 0.021 * k for k in range(8)]))

    assert times(base, same)[0] == "pass"
    assert times(base, slow)[0] == "fail"
    assert gated(base, same, e2e={"tier": "blocking"}, times_across="blocking").verdict == "pass"


@pytest.mark.parametrize(
    ("other", "said"),
    [({"cpu": "another"}, "cpu a processor and another"), ({"python_version": "3.12.1"}, "Python 3.11.7 and 3.12.1")],
    ids=["processor", "python"],
)
def test_a_file_of_another_machine_is_refused(tmp_path: Path, other: dict[str, object], said: str) -> None:
    base = foreign_side(benchmarks(tmp_path / "a.json", [0.1] * 8))
    slow = foreign_side(benchmarks(tmp_path / "b.json", [0.9] * 8, **other))

    status, why = times(base, slow)

    assert status == "not_judged"
    assert said in why


def test_a_run_s_times_are_held_against_a_file_named_beside_it(tmp_path: Path) -> None:
    """Answers go against the accepted baseline, times against the file."""
    values, took = [1.0] * 70, [1.0 + place % 5 / 10 for place in range(70)]
    own = {
        "figure": "e2e_s", "suite": "mine", "model": "old", "samples": [f"q{k}" for k in range(70)],
        "trials": [0] * 70, "about": [{"category": "a"}] * 70, "config": {},
    }  # fmt: skip
    file = tmp_path / "times.json"
    machine = {"harness": HERE.model_dump(mode="json")}
    stats = {"median": 1.0, "data": took}
    file.write_text(json.dumps({
        "machine_info": machine, "benchmarks": [{"fullname": "x", "extra_info": {"harness": own}, "stats": stats}],
    }))  # fmt: skip

    found = gated(
        side("old", values), side("new", values, seconds=[2 * one for one in took]), foreign_side(file),
        e2e={"tier": "blocking"}, times_across="blocking",
    )  # fmt: skip

    assert check(found, "accuracy").status == "pass"
    assert check(found, "e2e").status == "fail"
    assert check(found, "e2e").estimate == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"benchmarks": [{}]}', "cannot be read as JSON of pytest-benchmark: KeyError"),
        ('{"benchmarks": []}', "no benchmark"),
    ],
    ids=["no stats", "none"],
)
def test_what_is_no_such_file_is_said(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)

    with pytest.raises(DataError, match=said):
        read_benchmarks(path)
