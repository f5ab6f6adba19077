"""The report over a results folder as it grows old."""

from pathlib import Path

import pytest

from harness.errors import DataError
from harness.store.runfolder import ATTEMPTS, MANIFEST, SAMPLES, SCORES, SUMMARY
from harness.verbs.report import refresh_leaderboard
from tests.support.report_runs import four_runs


def write_run(folder: Path, number: int) -> None:
    run = four_runs()[number]
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text(run.manifest.model_dump_json())
    (folder / SUMMARY).write_text(run.summary.model_dump_json())
    for name, records in ((SAMPLES, run.samples), (ATTEMPTS, run.attempts), (SCORES, run.scores)):
        (folder / name).write_text("".join(record.model_dump_json() + "\n" for record in records))


def test_a_run_of_another_version_is_named_and_does_not_spoil_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    write_run(results / "run" / "a", 0)
    write_run(results / "run" / "b", 1)
    (results / "run" / "a" / SUMMARY).write_text('{"schema_version": 99}')

    page = refresh_leaderboard(results, tmp_path / "reports").read_text()

    assert four_runs()[1].summary.model_title in page
    assert "left out of the report" in capsys.readouterr().err


def test_reports_that_cannot_be_written_are_told_in_one_line(tmp_path: Path) -> None:
    write_run(tmp_path / "results" / "run" / "a", 0)
    (tmp_path / "reports").write_text("a file is in the way")

    with pytest.raises(DataError, match=r"paths\.reports=") as caught:
        refresh_leaderboard(tmp_path / "results", tmp_path / "reports")

    assert "\n" not in str(caught.value)
