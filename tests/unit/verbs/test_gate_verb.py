"""Which stored runs are accepted and judged, and which are refused with what to do."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from harness.config import AcceptConfig, GateConfig
from harness.errors import BackendError, DataError, GateInconclusive
from harness.gate.accept import baseline_folder
from harness.gate.find import latest_run
from harness.records.gate import Baseline, GateResult
from harness.report.view import RunView
from harness.store.runfolder import ATTEMPTS, MANIFEST, SAMPLES, SCORES, SUMMARY
from harness.verbs.accept import main as accept
from harness.verbs.gate import main as gate
from tests.support.report_runs import four_runs


def write(results: Path, run: RunView, status: str = "complete", **summary: object) -> Path:
    folder = results / "run" / run.id
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text(run.manifest.model_copy(update={"status": status}).model_dump_json())
    (folder / SUMMARY).write_text(run.summary.model_copy(update=summary).model_dump_json())
    for name, records in ((SAMPLES, run.samples), (ATTEMPTS, run.attempts), (SCORES, run.scores)):
        (folder / name).write_text("".join(record.model_dump_json() + "\n" for record in records))
    return folder


def accepting(results: Path, run: Path | str = "latest", **more: object) -> AcceptConfig:
    said: dict[str, object] = {"by": "Ada", "why": "first"}
    return AcceptConfig.model_validate(
        {"do": "accept", "run": str(run), "accept": said | more, "paths": {"results": str(results)}}
    )


def gating(results: Path, run: Path | str = "latest", **options: object) -> GateConfig:
    return GateConfig.model_validate(
        {"do": "gate", "run": str(run), "gate": {"max_lost": 0.5} | options, "paths": {"results": str(results)}}
    )


def test_an_accepted_run_is_what_the_next_one_is_held_against(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    first, second, *_ = four_runs()
    old, new = write(tmp_path, first), write(tmp_path, second)

    accept([accepting(tmp_path, old)])
    with pytest.raises(GateInconclusive, match=r"silent where no call is wanted \(not judged\)"):
        gate([gating(tmp_path, new)])

    found = GateResult.model_validate_json((tmp_path / "gate/latest/gate.json").read_bytes())
    assert (found.baseline.run, found.candidate.run) == (first.id, second.id)
    assert found.accepted is not None
    assert found.accepted.by == "Ada"


def test_the_journal_is_kept_only_if_asked_for_and_goes_with_its_run(tmp_path: Path) -> None:
    folder = write(tmp_path, four_runs()[0])
    journal = baseline_folder(tmp_path, four_runs()[0].summary.suite) / "run"

    accept([accepting(tmp_path, folder, journal=True)])
    kept = sorted(one.name for one in journal.iterdir())
    accept([accepting(tmp_path, folder)])

    assert kept == sorted((MANIFEST, SUMMARY, ATTEMPTS, SAMPLES, SCORES))
    assert not journal.exists()


@pytest.mark.parametrize(
    ("status", "summary", "error", "said"),
    [
        ("failed", {}, BackendError, "failed: nothing can be judged by it"),
        ("interrupted", {"complete": False}, DataError, r"is interrupted, not complete; finish it: run\.resume="),
        (
            "complete",
            {"complete": False, "backend": "recorded", "n_not_run": 3},
            DataError,
            "is of answers on record, and 3 of",
        ),
        ("complete", {"n_scored": 0}, BackendError, "has not one scored attempt"),
        ("complete", {"of_run": "another"}, DataError, "put the misses of another again"),
        ("complete", {"unfit": "no call was readable"}, DataError, "cannot be ranked, and is no baseline: no call"),
    ],
    ids=["failed", "interrupted", "answers missing", "nothing scored", "recheck", "unfit"],
)
def test_what_cannot_be_a_baseline_is_refused(
    tmp_path: Path, status: str, summary: dict[str, object], error: type[Exception], said: str
) -> None:
    folder = write(tmp_path, four_runs()[0], status, **summary)

    with pytest.raises(error, match=said):
        accept([accepting(tmp_path, folder)])
    assert not (tmp_path / "baseline").exists()


def test_the_baseline_is_no_candidate(tmp_path: Path) -> None:
    accept([accepting(tmp_path, write(tmp_path, four_runs()[0]))])

    with pytest.raises(DataError, match="is the baseline itself: it cannot be shown to differ; run the candidate"):
        gate([gating(tmp_path)])


def test_without_a_baseline_it_says_how_to_make_one(tmp_path: Path) -> None:
    write(tmp_path, four_runs()[0])

    with pytest.raises(DataError, match=r"no baseline in .*accept a run first: .*do=accept run=latest accept\.by=NAME"):
        gate([gating(tmp_path)])


@pytest.mark.parametrize("why", ["", "  "], ids=["nothing", "blanks"])
def test_a_reason_is_said(tmp_path: Path, why: str) -> None:
    with pytest.raises(ValidationError, match=r"accept\.why"):
        accepting(tmp_path, why=why)


def test_a_candidate_that_is_not_complete_is_bad_input(tmp_path: Path) -> None:
    first, second, *_ = four_runs()
    old, new = write(tmp_path, first), write(tmp_path, second, "stopped", complete=False)

    with pytest.raises(DataError, match="is stopped, not complete"):
        gate([gating(tmp_path, new, baseline=str(old))])


def test_the_newest_complete_run_of_the_suite_is_taken(tmp_path: Path) -> None:
    first, second, third, fourth = sorted(four_runs(), key=lambda run: run.id)
    write(tmp_path, first)
    wanted = write(tmp_path, second)
    write(tmp_path, third, complete=False)
    write(tmp_path, fourth, of_run=second.id)

    assert latest_run(tmp_path, frozenset({second.summary.suite})) == wanted
    with pytest.raises(DataError, match=r"no complete run of suite other .*suite=other model=smollm2"):
        latest_run(tmp_path, frozenset({"other"}))


def test_a_baseline_keeps_facts_of_weights_and_machine(tmp_path: Path) -> None:
    run = four_runs()[0]

    accept([accepting(tmp_path, write(tmp_path, run))])

    found = Baseline.model_validate_json((baseline_folder(tmp_path, run.summary.suite) / "baseline.json").read_bytes())
    engine = run.manifest.backend
    assert engine is not None
    assert engine.weights is not None
    assert found.run.weights_sha256 == engine.weights.sha256
    assert found.run.machine == run.manifest.machine
    assert found.run.suite_hash == run.summary.suite_hash
