"""The folder of a run: found again when it has to be, refused with a word when it cannot be used."""

from pathlib import Path

import pytest

from harness.errors import DataError
from harness.records.manifest import MachineFacts, Manifest
from harness.store.runfolder import (
    MANIFEST,
    SUMMARY,
    find_unfinished,
    new_folder,
    point_latest,
    read_summary,
    write_atomic,
    write_record,
)


def folder_with(results: Path, status: str, *, summary: bool) -> Path:
    folder = new_folder(results)
    machine = MachineFacts(system="s", cpu="c", cores=2, memory_bytes=None, python="3")
    manifest = Manifest(
        run=folder.name, job="j", started_at="x", harness_version="0", commit=None, dirty=None, config={},
        config_hash="same", suite="s", suite_hash="0", model="m", protocol="native", machine=machine, packages={},
        seed=0,
    ).model_copy(update={"status": status})  # fmt: skip
    write_record(folder / MANIFEST, manifest)
    if summary:
        (folder / SUMMARY).write_text("{}")
    return folder


@pytest.mark.parametrize(
    ("status", "summary", "found"),
    [("running", False, True), ("interrupted", True, True), ("failed", True, True), ("complete", True, False),
     ("complete", False, True)],
    ids=["killed", "interrupted", "failed", "complete", "killed between manifest and summary"],
)  # fmt: skip
def test_a_run_is_taken_up_again_unless_it_ended_in_full(
    status: str, summary: bool, found: bool, tmp_path: Path
) -> None:
    folder = folder_with(tmp_path, status, summary=summary)

    assert find_unfinished(tmp_path, "same") == (folder if found else None)
    assert find_unfinished(tmp_path, "other") is None


def test_the_summary_of_a_killed_run_is_missed_with_what_to_type(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "running", summary=False)

    with pytest.raises(DataError, match=r"its run was killed; finish it with run\.resume="):
        read_summary(folder)


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is no run folder.*results/run/latest"):
        read_summary(tmp_path)


def test_a_file_in_the_way_of_the_results_is_named_with_the_key_to_change(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")

    with pytest.raises(DataError, match=r"results cannot be written .*paths\.results="):
        new_folder(tmp_path)


def test_a_link_that_cannot_be_made_stops_no_run(tmp_path: Path) -> None:
    folder = new_folder(tmp_path)
    (tmp_path / "run" / "latest").mkdir()
    (tmp_path / "run" / "latest" / "of someone else").write_text("")

    point_latest(folder)

    assert (tmp_path / "run" / "latest" / "of someone else").exists()


def test_a_file_that_cannot_be_replaced_leaves_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "x.json").mkdir()
    (tmp_path / "x.json" / "y").write_text("")

    with pytest.raises(DataError, match="cannot be written"):
        write_atomic(tmp_path / "x.json", "{}")

    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]
