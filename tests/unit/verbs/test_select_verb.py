"""Which stored runs a selection takes, and what it writes."""

from pathlib import Path

import pytest

from harness.config import HardwareConfig, SelectConfig, SelectOptions
from harness.errors import ConfigError, DataError
from harness.records.decision import Selection
from harness.report.view import RunView
from harness.store.runfolder import ATTEMPTS, MANIFEST, SAMPLES, SCORES, SUMMARY
from harness.verbs.select import find_runs, main, names_of
from tests.support.report_runs import four_runs


def write(results: Path, run: RunView, **summary: object) -> Path:
    folder = results / "run" / run.id
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text(run.manifest.model_dump_json())
    (folder / SUMMARY).write_text(run.summary.model_copy(update=summary).model_dump_json())
    for name, records in ((SAMPLES, run.samples), (ATTEMPTS, run.attempts), (SCORES, run.scores)):
        (folder / name).write_text("".join(record.model_dump_json() + "\n" for record in records))
    return folder


def test_the_runs_of_most_common_samples_are_taken_and_the_others_counted(tmp_path: Path) -> None:
    first, second, third, fourth = four_runs()
    for run in (first, second, third):
        write(tmp_path, run)
    write(tmp_path, fourth, suite_hash="f" * 64)

    runs, notes = find_runs(tmp_path, SelectOptions())

    assert {run.folder.name for run in runs} == {first.id, second.id, third.id}
    assert notes == [f"1 run of other samples of toolcall left out: judged are those of the same {len(first.samples)}."]


def test_a_run_that_is_not_complete_is_left_out_and_named(tmp_path: Path) -> None:
    first, second, *_ = four_runs()
    write(tmp_path, first)
    write(tmp_path, second, complete=False)

    runs, notes = find_runs(tmp_path, SelectOptions())

    assert [run.folder.name for run in runs] == [first.id]
    assert notes == [f"Left out, not complete: run {second.id} ({second.title})."]


def test_one_of_several_suites_has_to_be_chosen(tmp_path: Path) -> None:
    first, second, *_ = four_runs()
    write(tmp_path, first)
    write(tmp_path, second, suite="other")

    with pytest.raises(ConfigError, match=r"several suites: other, toolcall; choose one: select\.suite=other"):
        find_runs(tmp_path, SelectOptions())
    runs, _ = find_runs(tmp_path, SelectOptions(suite="other"))

    assert [run.folder.name for run in runs] == [second.id]


def test_without_runs_it_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no complete run in .*make one: python -m harness suite=toolcall"):
        find_runs(tmp_path, SelectOptions())


def test_real_shaped_runs_make_a_selection_that_reads_back(tmp_path: Path) -> None:
    folders = [write(tmp_path / "results", run) for run in four_runs()]
    config = SelectConfig.model_validate(
        {
            "do": "select",
            "paths": {"results": str(tmp_path / "results"), "reports": str(tmp_path / "reports")},
            "hardware": HardwareConfig(name="none", title="unknown"),
            "select": {"baseline": str(folders[0]), "runs": [str(one) for one in folders[1:]]},
        }
    )

    main([config])

    found = Selection.model_validate_json((tmp_path / "results/select/latest/selection.json").read_bytes())
    assert len(found.variants) >= 4
    assert sum(one.n for one in found.decisions) == len(four_runs()[0].samples)
    assert {one.verdict for one in found.decisions} <= {"replace", "hybrid", "keep", "need-n-more"}
    assert all(one.interval is None or one.interval.low < one.interval.high for one in found.shares)
    assert (tmp_path / "reports" / "select.html").is_file()


def test_a_folder_without_clusters_is_told(tmp_path: Path) -> None:
    assert names_of(None) == {}
    with pytest.raises(DataError, match=r"clusters\.json cannot be read .*leave select\.clusters out"):
        names_of(str(tmp_path))
