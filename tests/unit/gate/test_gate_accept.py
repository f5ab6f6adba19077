"""What an accepted baseline holds, that it reads back, and that nobody can change it unseen."""

from pathlib import Path

import pytest

from harness.errors import DataError
from harness.gate.accept import BASELINE, OUTCOMES, accept, baseline_folder, read_baseline
from harness.gate.side import side_of
from harness.records.gate import Baseline
from harness.store.runs import StoredRun
from tests.support.gates import gated, side
from tests.support.report_runs import four_runs

GOOD = [1.0, 0.0, 1.0]


def test_a_baseline_reads_back_with_who_when_and_why(tmp_path: Path) -> None:
    made = side("old", GOOD, sessions=["1", "1", None], seconds=[1.0, 2.0, 3.0], costs=[0.1, 0.2, 0.3])

    accept(made, tmp_path, by="Ada", why="first")
    found = read_baseline(tmp_path)

    assert (found.run, found.outcomes) == (made.run, made.outcomes)
    assert found.accepted is not None
    assert (found.accepted.by, found.accepted.why, found.accepted.run) == ("Ada", "first", "old")


def test_what_is_replaced_stays_named(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        accept(side(name, GOOD), tmp_path, by="Ada", why=f"because of {name}")

    found = Baseline.model_validate_json((tmp_path / BASELINE).read_bytes())

    assert found.accepted.run == "three"
    assert [(one.run, one.why) for one in found.before] == [("two", "because of two"), ("one", "because of one")]


def test_another_suites_baseline_is_not_replaced(tmp_path: Path) -> None:
    accept(side("one", GOOD), tmp_path, by="Ada", why="first")

    with pytest.raises(DataError, match="is the baseline of suite mine, not of other"):
        accept(side("two", GOOD, suite="other"), tmp_path, by="Ada", why="second")


def test_edited_outcomes_are_refused(tmp_path: Path) -> None:
    accept(side("old", GOOD), tmp_path, by="Ada", why="first")
    file = tmp_path / OUTCOMES
    file.write_text(file.read_text().replace('"value":1.0', '"value":0.0', 1))

    with pytest.raises(DataError, match=r"is not what Ada accepted; restore it, or accept again"):
        read_baseline(tmp_path)


def test_ends_of_lines_that_git_changed_are_no_edit(tmp_path: Path) -> None:
    accept(side("old", GOOD), tmp_path, by="Ada", why="first")
    file = tmp_path / OUTCOMES
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))

    assert [one.value for one in read_baseline(tmp_path).outcomes] == GOOD


def test_a_folder_without_a_baseline_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is no baseline: baseline\.json cannot be read .*do=accept accept\.by=NAME"):
        read_baseline(tmp_path)


def test_no_name_of_a_suite_leads_out_of_the_folder() -> None:
    assert baseline_folder(Path("results"), "../../etc/x") == Path("results/baseline/_.._etc_x")


def test_prompts_replies_and_names_of_sessions_are_not_in_it(tmp_path: Path) -> None:
    run = four_runs()[0]
    samples = tuple(
        one.model_copy(update={"session": f"customer {place // 2}"}) for place, one in enumerate(run.samples)
    )
    stored = StoredRun(tmp_path / run.id, run.manifest, run.summary, samples, run.attempts, run.scores)

    accept(side_of(stored), tmp_path, by="Ada", why="first")

    text = (tmp_path / BASELINE).read_text() + (tmp_path / OUTCOMES).read_text()
    assert "customer" not in text
    assert "weather" not in text
    assert '"session":"1"' in text
    assert len(text) < 400 * len(run.attempts) + 10_000


def test_each_attempt_keeps_its_own_value(tmp_path: Path) -> None:
    for run in four_runs():
        stored = StoredRun(tmp_path / run.id, run.manifest, run.summary, run.samples, run.attempts[::-1], run.scores)

        found = {(one.sample, one.trial): one.value for one in side_of(stored).outcomes}

        assert found == {(one.sample, one.trial): one.value for one in run.scores}
        assert None in found.values()  # one was lost to the infrastructure


def test_a_stored_run_and_its_baseline_are_judged_alike(tmp_path: Path) -> None:
    first, second, *_ = (
        StoredRun(tmp_path / run.id, run.manifest, run.summary, run.samples, run.attempts, run.scores)
        for run in four_runs()
    )
    accept(side_of(first), tmp_path, by="Ada", why="first")

    plain, accepted = (gated(base, side_of(second), max_lost=0.5) for base in (side_of(first), read_baseline(tmp_path)))

    assert plain.checks == accepted.checks
    assert {one.name for one in plain.checks} >= {"accuracy", "wrong_calls", "missed_calls", "form", "cost", "e2e"}
    assert all(one.interval is None or one.interval.low < one.interval.high for one in plain.checks)
