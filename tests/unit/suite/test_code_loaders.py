"""HumanEval's and MBPP's data as samples, and EvalPlus's further inputs as tests."""

import asyncio
import gzip
import shutil
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from harness.config import SandboxConfig, SuiteConfig
from harness.errors import ConfigError, DataError
from harness.records import CodeTarget, Sample, target_of
from harness.scorers.code import CodeScorer
from harness.suite.evalplus import extra_tests
from harness.suite.humaneval import HumanEval
from harness.suite.mbpp import Mbpp, Part
from harness.suite.rows import Row
from harness.suite.spec import load_suite
from tests.support.hub_server import COMMIT, HubServer, running_hub

# Stand-ins of the data sets' forms, not their contents.
PROBLEM: Row = {
    "task_id": "HumanEval/0",
    "prompt": 'def halved(x: float) -> float:\n    """Half of x."""\n',
    "entry_point": "halved",
    "canonical_solution": "    return x / 2\n",
    "test": "def check(candidate):\n    assert candidate(4) == 2\n",
}
PLUS: Row = {**PROBLEM, "base_input": [[4]], "plus_input": [[1], [0.1], [-7]], "atol": 0, "contract": ""}
FULL: Row = {
    "task_id": 11,
    "text": "Write a function to add two numbers.",
    "code": "import math\r\ndef inner(a):\r\n  return a\r\ndef added(a,b):\r\n  return math.fsum([inner(a),b]) ",
    "test_list": ["assert added(1,2)==3", "assert round(added(0.5,0.25), 2)==0.75"],
    "test_setup_code": "",
    "challenge_test_list": [],
}
SANITISED: Row = {
    "source_file": "a",
    "task_id": 12,
    "prompt": "Write a function to sort a list.",
    "code": "def ordered(xs):\n  return sorted(xs)",
    "test_imports": ["import math"],
    "test_list": ["assert tuple(ordered([3, math.floor(1.5)])) == (1, 3)"],
}


def _lines(path: Path, *rows: Row) -> Path:
    raw = b"".join(orjson.dumps(row) + b"\n" for row in rows)
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path


def _target(sample: Sample) -> CodeTarget:
    return target_of(sample, CodeTarget)


def _gold_passes(samples: list[Sample], monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    monkeypatch.setenv("HARNESS_CACHE", str(cache))
    asyncio.run(CodeScorer(SandboxConfig(kind="bwrap"), 1).ready(samples))


def test_a_problem_of_humaneval_is_asked_and_tested_as_it_stands(tmp_path: Path) -> None:
    path = _lines(tmp_path / "HumanEval.jsonl.gz", PROBLEM)

    (sample,) = HumanEval(path).samples()

    assert sample.id == "HumanEval/0"
    assert str(PROBLEM["prompt"]).strip() in str(sample.messages[0].content)
    assert "4) == 2" not in str(sample.messages[0].content)
    assert _target(sample).tests == "def check(candidate):\n    assert candidate(4) == 2\n\ncheck(halved)\n"
    assert [one.id for one in HumanEval(tmp_path).samples()] == [sample.id]


def test_a_file_of_another_form_is_named(tmp_path: Path) -> None:
    path = _lines(tmp_path / "x.jsonl", {"task_id": "a", "question": "b"})

    with pytest.raises(DataError, match=r"x\.jsonl is no HumanEval file: problem a lacks 'prompt'"):
        list(HumanEval(path).samples())
    with pytest.raises(DataError, match=r"x\.jsonl is no MBPP file: task a has a wrong or no"):
        list(Mbpp(path).samples())
    path.write_text("hello")
    with pytest.raises(DataError, match="neither Parquet nor JSON"):
        list(Mbpp(path).samples())


def test_an_option_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"suite\.options has 'extras', allowed for humaneval: extra, file"):
        load_suite(SuiteConfig(name="humaneval", options={"extras": "x", "file": __file__}), tmp_path)


def test_evalplus_inputs_are_judged_by_the_canonical_solution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, extra = _lines(tmp_path / "HumanEval.jsonl", PROBLEM), _lines(tmp_path / "HumanEvalPlus.jsonl.gz", PLUS)

    (sample,) = HumanEval(data, extra).samples()

    assert "[-7]" in str(_target(sample).extra_tests)
    _gold_passes([sample], monkeypatch, tmp_path)
    wrong = _target(sample).model_copy(update={"solution": "    return x // 2\n"})
    with pytest.raises(DataError, match=r"of \[1\] it is 0\.5, not 0"):
        _gold_passes([sample.model_copy(update={"target": wrong})], monkeypatch, tmp_path)


@pytest.mark.parametrize(
    ("solution", "atol", "passes"),
    [
        ("    return x / 2 + 1e-9\n", 0, True),
        ("    return x / 2 + 1e-3\n", 0, False),
        ("    return x / 2 + 1e-3\n", 0.01, True),
        ("    return str(x / 2)\n", 0.01, False),
        ("    return [x / 2]\n", 0.01, False),
    ],
)
def test_evalplus_floats_may_differ_a_little(
    solution: str, atol: float, passes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = extra_tests(_lines(tmp_path / "p.jsonl", {**PLUS, "atol": atol, "plus_input": [[1], [0.1]]}))
    (sample,) = HumanEval(_lines(tmp_path / "HumanEval.jsonl", PROBLEM)).samples()
    changed = {"tests": extra["HumanEval/0"], "solution": solution}
    other = sample.model_copy(update={"target": _target(sample).model_copy(update=changed)})

    if passes:
        _gold_passes([other], monkeypatch, tmp_path)
    else:
        with pytest.raises(DataError):
            _gold_passes([other], monkeypatch, tmp_path)


def test_only_problems_with_extra_inputs_are_samples_where_those_were_asked_for(tmp_path: Path) -> None:
    data = _lines(tmp_path / "HumanEval.jsonl", PROBLEM, {**PROBLEM, "task_id": "HumanEval/1"})

    samples = list(HumanEval(data, _lines(tmp_path / "plus.jsonl", PLUS)).samples())

    assert [one.id for one in samples] == ["HumanEval/0"]


def test_both_forms_of_mbpp_are_read_and_their_solutions_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = _lines(tmp_path / "mbpp.jsonl", FULL)
    listed = tmp_path / "sanitized-mbpp.json"
    listed.write_bytes(orjson.dumps([SANITISED]))

    samples = [*Mbpp(full).samples(), *Mbpp(listed).samples()]

    assert [one.id for one in samples] == ["MBPP/11", "MBPP/12"]
    assert [_target(one).entry_point for one in samples] == ["added", "ordered"]
    assert _target(samples[1]).tests.startswith("import math\nassert tuple(")
    assert "assert added(1,2)==3" in str(samples[0].messages[0].content)
    _gold_passes(samples, monkeypatch, tmp_path)


@pytest.mark.parametrize(
    ("part", "numbers"), [("test", [11, 510]), ("prompt", [10]), ("train", [601]), ("all", [10, 11, 510, 511, 601])]
)
def test_the_parts_of_mbpp_are_by_number(part: Part, numbers: list[int], tmp_path: Path) -> None:
    rows = [{**FULL, "task_id": number} for number in (10, 11, 510, 511, 601)]
    path = _lines(tmp_path / "mbpp.jsonl", *rows)

    samples = list(Mbpp(path, part).samples())

    assert [one.id for one in samples] == [f"MBPP/{number}" for number in numbers]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    with running_hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub-cache"))
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield server


def _parquet(path: Path, rows: list[Row]) -> bytes:
    import duckdb

    with duckdb.connect() as connection:
        source = _lines(path.with_suffix(".jsonl"), *rows)
        connection.read_json(str(source)).write_parquet(str(path))
    return path.read_bytes()


def test_mbpp_comes_from_the_hub_as_it_is_pinned(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = _parquet(tmp_path / "m.parquet", [FULL, {**FULL, "task_id": 12}])
    hub.files["datasets/google-research-datasets/mbpp", "full/test-00000-of-00001.parquet"] = content
    home = tmp_path / "suite"
    shutil.copytree(Path(__file__).parents[3] / "suites" / "mbpp", home)
    pinned = (home / "suite.yaml").read_text()
    (home / "suite.yaml").write_text(pinned.replace("4bb6404fdc6cacfda99d4ac4205087b89d32030c", COMMIT))

    suite = load_suite(SuiteConfig(name="mbpp", path=str(home)), tmp_path / "cache")

    assert sorted(one.id for one in suite.samples) == ["MBPP/11", "MBPP/12"]
    asked = [one.path for one in hub.asked if "/resolve/" in one.path]
    assert asked
    assert all(one.startswith("/datasets/google-research-datasets/mbpp/resolve/") for one in asked)
    _gold_passes(list(suite.samples), monkeypatch, tmp_path)


def test_a_file_of_ones_own_takes_the_place_of_the_hub(hub: HubServer, tmp_path: Path) -> None:
    path = _lines(tmp_path / "mbpp.jsonl", FULL)

    suite = load_suite(SuiteConfig(name="mbpp", options={"file": str(path)}), tmp_path / "cache")

    assert [one.id for one in suite.samples] == ["MBPP/11"]
    assert hub.asked == []
