"""Results of statgate and nel, written and read again, and judged by the gate as if they were our own."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import DataError
from harness.gate.find import candidate_of
from harness.gate.foreign import foreign_side
from harness.gate.side import Side
from harness.interop.foreign import ForeignRun
from harness.interop.nel_results import export_nel, read_nel
from harness.interop.results_in import is_foreign, read_foreign
from harness.interop.statgate_lines import export_statgate, read_statgate
from harness.runner.job import execute
from tests.support import openai_server as fake
from tests.support.echo_job import SAMPLES, echo_job
from tests.support.gates import check, gated

IN_SESSIONS = tuple(
    one.model_copy(update={"session": f"user {place // 2}", "weight": 1.0 + place % 3})
    for place, one in enumerate(SAMPLES)
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two trials in which two of three replies are right, with sessions and weights."""
    with fake.serve_in_thread(lambda n, _b: fake.reply("no" if n % 3 == 0 else "yes")) as server:
        job = echo_job(server.url, tmp_path_factory.mktemp("run"), None, IN_SESSIONS, trials=2)
        (outcome,) = execute([job])
    return outcome.folder


@pytest.mark.parametrize(
    ("export", "read"), [(export_statgate, read_statgate), (export_nel, read_nel)], ids=["statgate", "nel"]
)
def test_a_run_written_and_read_again_is_the_same_to_the_gate(
    folder: Path, tmp_path: Path, export: Callable[[Path, Path], Path], read: Callable[[Path], ForeignRun]
) -> None:
    ours = candidate_of(folder)

    written = export(folder, tmp_path)
    theirs = read(written)

    def told(side: Side | ForeignRun) -> list[tuple[object, ...]]:
        return [(one.sample, one.trial, one.value, one.category, one.session, one.digest, one.weight)
                for one in side.outcomes]  # fmt: skip

    assert told(theirs) == told(ours)
    assert (theirs.suite, theirs.model) == ("echo", "test-model")
    assert is_foreign(written)
    assert not is_foreign(folder)


def test_a_line_of_statgate_has_what_statgate_asks_for(folder: Path, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in export_statgate(folder, tmp_path).read_text().splitlines()]

    assert len(lines) == 24
    assert {"case_id", "score", "passed", "run_index", "metadata"} == lines[0].keys()
    assert {(one["case_id"], one["run_index"]) for one in lines} == {(s.id, k) for s in SAMPLES for k in (0, 1)}
    assert all(one["passed"] is (one["score"] == 1) for one in lines)
    assert "user" not in json.dumps(lines)  # names of sessions stay here


def test_lines_of_nel_stand_beside_their_bundle(folder: Path, tmp_path: Path) -> None:
    out = export_nel(folder, tmp_path)
    first = json.loads((out / "results.jsonl").read_text().splitlines()[0])
    (bundle,) = out.glob("eval-*.json")
    told = json.loads(bundle.read_text())

    assert {"problem_idx", "repeat", "reward", "expected_answer", "model_response", "metadata"} == first.keys()
    assert 0 <= first["problem_idx"] < 2**53
    assert told["benchmark"]["name"] == "echo"
    assert told["benchmark"]["samples"] == 12
    score = told["benchmark"]["scores"]["mean_reward"]
    assert score["ci_lower"] < score["value"] < score["ci_upper"]


def lines(path: Path, wrong: int, n: int = 80, **more: object) -> Path:
    """A file of statgate's lines without anything but cases and flags."""
    rows = [{"case_id": f"c{place}", "passed": place >= wrong, **more} for place in range(n)]
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return path


def test_files_of_statgate_are_judged_pair_by_pair(tmp_path: Path) -> None:
    base = foreign_side(lines(tmp_path / "base.jsonl", 0))

    same = gated(base, foreign_side(lines(tmp_path / "same.jsonl", 0, run_index=0)))
    worse = gated(base, foreign_side(lines(tmp_path / "worse.jsonl", 20)))

    assert (same.verdict, worse.verdict) == ("pass", "fail")
    assert check(worse, "accuracy").lost == 20
    assert worse.changed == ()
    assert worse.notes[0].startswith("Another program's file does not tell what was asked")
    assert check(worse, "e2e").status == "not_judged"


def test_the_same_file_twice_is_no_comparison(tmp_path: Path) -> None:
    base = foreign_side(lines(tmp_path / "base.jsonl", 0))

    with pytest.raises(DataError, match="is the baseline itself"):
        gated(base, base)


def test_a_case_repeated_without_numbers_is_so_many_trials(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"case_id": "a", "score": 1}\n{"case_id": "a", "score": 0.5}\n')

    found = read_foreign(path)

    assert [(one.trial, one.value) for one in found.outcomes] == [(0, 1.0), (1, 0.5)]


def test_an_array_is_read_as_lines_are(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text('[{"id": "a", "score": 1}, {"id": "b", "passed": false}]')

    assert [(one.sample, one.value) for one in read_foreign(path).outcomes] == [("a", 1.0), ("b", 0.0)]


def test_rewards_of_nel_alone_are_enough(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(
        '{"problem_idx": 0, "reward": 1.0}\n{"problem_idx": 1, "reward": 0, "scoring_details": {"category": "x"}}\n'
    )

    found = read_foreign(tmp_path)

    assert [(one.sample, one.value, one.category) for one in found.outcomes] == [("0", 1.0, "all"), ("1", 0.0, "x")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no results that can be read"),
        ("hello", "holds no results that can be read"),
        ('{"score": 1}', "holds no results that can be read"),
        ('{"case_id": "a"}', "line 1 has neither score nor passed"),
        ('{"case_id": "a", "score": 7}', r"the score is 7; a gate reads scores between 0 \(wrong\) and 1"),
        ('{"case_id": "a", "score": 1}\n{"score": 1}', "line 2 has no case_id"),
        ('{"case_id": "a", "score": 1, "run_index": 0}\n{"case_id": "a", "score": 0, "run_index": 0}', "holds a twice"),
        ('{"problem_idx": 1}', "the score is None"),
        ('{"case_id": "a", "score": 1}\n[]', "line 2 is no JSON object"),
    ],
    ids=["empty", "no JSON", "no case", "no score", "seven", "second line", "double", "no reward", "list"],
)
def test_what_makes_no_sense_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(text)

    with pytest.raises(DataError, match=said):
        read_foreign(path)
