"""How stored runs become evidence: parted by session, side by side, refused where they cannot be compared."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import DataError
from harness.route.evidence import evidence_of, part
from harness.store.runs import read_run
from tests.support.report_runs import made_run
from tests.support.route_calls import sample
from tests.support.stored_runs import pair, store


def test_a_suites_own_splits_are_kept() -> None:
    splits = {"a": "calibration", "b": "test", "c": "train"}
    samples = [sample(name, name, split=split) for name, split in splits.items()]

    tuning, testing, words = part(samples)

    assert ([one.id for one in tuning], [one.id for one in testing]) == (["a"], ["b"])
    assert words == "the suite's own calibration and test splits"


def test_without_splits_a_session_is_whole_on_one_side() -> None:
    samples = [sample(f"q{n}", text=f"question {n}", session=f"s{n // 4}") for n in range(400)]

    tuning, testing, _ = part(samples)

    assert {one.session for one in tuning} & {one.session for one in testing} == set()
    assert len(tuning) + len(testing) == 400
    assert 120 < len(tuning) < 280


def test_nothing_is_tuned_on_that_a_test_call_asks_again() -> None:
    samples = [sample(f"q{n}", text=f"question {n // 2}") for n in range(200)]

    tuning, testing, words = part(samples)

    asked = [{one.messages[0].content for one in side} for side in (tuning, testing)]
    assert asked[0] & asked[1] == set()
    assert tuning
    assert f"less {200 - len(tuning) - len(testing)} calls to tune on that test calls ask again" in words


def test_a_call_that_a_test_call_asks_again_is_taken_out_of_the_suite_s_calls_to_tune_on() -> None:
    samples = [
        sample("a", split="calibration", text="twice"), sample("b", split="calibration", text="once"),
        sample("c", split="test", text="twice"),
    ]  # fmt: skip

    tuning, testing, words = part(samples)

    assert ([one.id for one in tuning], [one.id for one in testing]) == (["b"], ["c"])
    assert "less 1 calibration call that a test call asks again" in words


def test_the_same_seed_parts_alike_and_another_one_does_not() -> None:
    samples = [sample(f"q{n}", text=f"question {n}") for n in range(50)]

    assert part(samples, 1)[0] == part(samples, 1)[0]
    assert part(samples, 1)[0] != part(samples, 2)[0]


def test_a_session_in_both_splits_is_taken_out_of_the_one_to_tune_on() -> None:
    samples = [
        sample("a", "a", split="calibration", session="s"), sample("b", "b", split="calibration", session="t"),
        sample("c", "c", split="test", session="s"),
    ]  # fmt: skip

    tuning, testing, words = part(samples)

    assert ([one.id for one in tuning], [one.id for one in testing]) == (["b"], ["c"])
    assert "less the calibration calls of 1 sessions" in words


def test_one_session_alone_is_refused_in_one_line() -> None:
    with pytest.raises(DataError, match=r"^8 calls of 1 session cannot be parted: .*add sessions to the suite$"):
        part([sample(f"q{n}", session="s") for n in range(8)])


def test_two_runs_of_one_model_are_told_apart_by_protocol(tmp_path: Path) -> None:
    small, large = (read_run(folder) for folder in pair(tmp_path))

    found = evidence_of(large, [small])

    assert found.names == (f"{large.summary.model}-constrained", f"{small.summary.model}-prompted")
    told = {one.sample: one.value for one in small.scores}
    assert all(one.small[found.names[1]][0].value == told[one.id] for one in (*found.tuning, *found.testing))


def test_a_sample_that_the_infrastructure_lost_is_left_out_and_counted(tmp_path: Path) -> None:
    small, large = (read_run(folder) for folder in pair(tmp_path))

    found = evidence_of(large, [small])

    lost = {one.id for one in large.samples} - {one.sample for one in small.scores if one.value is not None}
    assert len(lost) == 1
    assert lost & {one.id for one in (*found.tuning, *found.testing)} == set()
    assert found.notes == ("1 of 40 samples are left out: not every model has a scored answer to them.",)


def test_a_run_of_other_samples_is_refused(tmp_path: Path) -> None:
    _, large = (read_run(folder) for folder in pair(tmp_path))
    other = made_run(protocol="native", skill=0.5, started_at="2026-03-02T11:00:00Z")
    folder = store(other, tmp_path)
    text = (folder / "summary.json").read_text()
    (folder / "summary.json").write_text(text.replace(other.summary.suite_hash, "f" * 64))

    with pytest.raises(DataError, match="has other samples than"):
        evidence_of(large, [read_run(folder)])


def test_a_run_cannot_be_large_and_small_at_once(tmp_path: Path) -> None:
    _, large = (read_run(folder) for folder in pair(tmp_path))

    with pytest.raises(DataError, match="is named twice"):
        evidence_of(large, [large])


def test_no_shared_sample_is_said(tmp_path: Path) -> None:
    small, large = pair(tmp_path)
    (small / "scores.jsonl").write_text("")

    with pytest.raises(DataError, match="no sample is answered and scored in all of"):
        evidence_of(read_run(large), [read_run(small)])


def test_the_router_asks_as_the_run_did(tmp_path: Path) -> None:
    small, large = (read_run(folder) for folder in pair(tmp_path))
    model = {"generation": {"temperature": 0.3, "max_tokens": 64, "stop": ["x"]}, "prompt": {"style": "json"}}
    config = {**small.manifest.config, "model": {**_table(small.manifest.config["model"]), **model}}
    small = replace(small, manifest=small.manifest.model_copy(update={"config": config}))

    (target,) = evidence_of(large, [small]).small

    assert target.params == {"temperature": 0.3, "max_tokens": 64, "stop": ["x"]}
    assert target.prompt_style == "json"


def test_examples_of_the_suite_before_a_question_are_refused(tmp_path: Path) -> None:
    small, large = (read_run(folder) for folder in pair(tmp_path))
    config = {**small.manifest.config, "model": {**_table(small.manifest.config["model"]), "examples": 3}}

    with pytest.raises(DataError, match=r"was asked with examples of the suite before each question"):
        evidence_of(large, [replace(small, manifest=small.manifest.model_copy(update={"config": config}))])


def _table(value: object) -> dict[str, object]:
    assert isinstance(value, dict)
    return value
