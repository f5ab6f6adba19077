"""Which runs a comparison takes, and what is said where they are not there."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from harness.compare.find import find_runs
from harness.config import CompareOptions
from harness.config.parsing import explain_validation
from harness.errors import DataError
from harness.store.runfolder import SUMMARY, lock
from tests.support.report_runs import four_runs, made_run
from tests.support.stored_runs import pair, store


def names(results: Path, **options: object) -> list[str]:
    return [one.folder.name for one in find_runs(results, CompareOptions.model_validate(options))]


def test_without_a_name_the_newest_two_on_the_same_samples_are_taken(tmp_path: Path) -> None:
    old, new = pair(tmp_path)
    store(made_run(started_at="2026-05-02T10:15:00Z", n=8, suite_hash="f" * 64), tmp_path)

    assert names(tmp_path) == [old.name, new.name]


def test_beside_one_run_the_newest_other_is_taken(tmp_path: Path) -> None:
    old, new = pair(tmp_path)

    assert names(tmp_path, a=new.name) == [new.name, old.name]


def test_a_run_is_found_by_its_folder_and_by_its_name(tmp_path: Path) -> None:
    old, new = pair(tmp_path)

    assert names(tmp_path, a=str(old), b=new.name) == [old.name, new.name]


def test_all_takes_the_latest_of_each_set_up(tmp_path: Path) -> None:
    views = [*four_runs(), made_run(started_at="2026-06-01T10:15:00Z")]
    folders = [store(view, tmp_path) for view in views]

    assert names(tmp_path, runs="all") == [one.name for one in folders[1:]]


def test_a_name_that_is_no_run_is_refused_with_those_that_are(tmp_path: Path) -> None:
    _, new = pair(tmp_path)

    with pytest.raises(DataError, match=rf"compare\.a=nothing is no run folder.*the newest there: {new.name}"):
        names(tmp_path, a="nothing")


def test_a_run_that_is_being_written_is_refused(tmp_path: Path) -> None:
    old, new = pair(tmp_path)
    manifest = new / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"status": "complete"', '"status": "running"'))

    with lock(new), pytest.raises(DataError, match="is still running; wait for its end"):
        names(tmp_path, a=old.name, b=new.name)


def test_a_run_that_was_killed_is_refused_with_what_finishes_it(tmp_path: Path) -> None:
    old, new = pair(tmp_path)
    (new / SUMMARY).unlink()

    with pytest.raises(DataError, match=r"its run was killed; finish it with run\.resume="):
        names(tmp_path, a=old.name, b=new.name)


def test_an_unfinished_run_is_refused_with_what_finishes_it(tmp_path: Path) -> None:
    old, new = pair(tmp_path)
    view = made_run(started_at="2026-07-01T10:15:00Z")
    cut = view.manifest.model_copy(update={"status": "interrupted"})
    part = store(type(view).of(cut, view.summary.model_copy(update={"complete": False}), view.samples), tmp_path)

    with pytest.raises(DataError, match=r"is interrupted, not complete; finish it: run\.resume="):
        names(tmp_path, a=old.name, b=part.name)
    assert names(tmp_path) == [old.name, new.name]


def test_a_single_run_is_said_to_be_alone(tmp_path: Path) -> None:
    store(made_run(), tmp_path)

    with pytest.raises(DataError, match="no two complete runs on the same samples"):
        names(tmp_path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"b": "x"}, "add: compare.a="),
        ({"runs": ["x"]}, "two runs or more"),
        ({"runs": ["x", "y"], "a": "z"}, "give either"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        CompareOptions.model_validate(options)


def test_keys_that_do_not_go_together_are_named_without_the_whole_configuration() -> None:
    with pytest.raises(ValidationError) as told:
        CompareOptions.model_validate({"runs": ["a"]})

    assert explain_validation(told.value).startswith("configuration: compare.runs takes two runs or more")
