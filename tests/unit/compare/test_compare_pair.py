"""What is said of two runs on the same samples."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.compare.pair import compare_pair, entry_of
from harness.config import CompareOptions
from harness.errors import DataError
from harness.records.compare import Comparison
from harness.report.view import RunView
from harness.store.runs import StoredRun
from tests.support.report_runs import made_run


def stored(view: RunView, **summary: object) -> StoredRun:
    """A run as it would be read from disk."""
    return StoredRun(
        Path(view.id), view.manifest, view.summary.model_copy(update=summary), view.samples, view.attempts, view.scores
    )


def valued(values: Sequence[float], name: str, sessions: Sequence[str | None] = (), weights: Sequence[float] = (),
           started: str = "2026-03-02T10:15:00Z") -> StoredRun:  # fmt: skip
    """A run of tool calls with these values, one a sample."""
    run = made_run(name, name, n=len(values), started_at=started)
    samples = [
        one.model_copy(update={"session": sessions[place] if sessions else None,
                               "weight": weights[place] if weights else 1.0})
        for place, one in enumerate(run.samples)
    ]  # fmt: skip
    scores = [
        one.model_copy(update={"value": value, "miss": None if value == 1 else "wrong_value", "boundary": None})
        for one, value in zip(run.scores, values, strict=True)
    ]
    attempts = [one.model_copy(update={"failure": None, "reply": one.reply or run.attempts[0].reply})
                for one in run.attempts]  # fmt: skip
    return stored(RunView.of(run.manifest, run.summary, samples, attempts, scores), n_failed=0)


def compared(a: StoredRun, b: StoredRun, **options: object) -> Comparison:
    return compare_pair("now", entry_of(a), entry_of(b), CompareOptions.model_validate(options))


def test_a_model_that_gains_and_never_loses_is_superior() -> None:
    found = compared(valued([0] * 20 + [1] * 80, "old"), valued([1] * 100, "new"))

    assert found.whole.verdict == "superior"
    assert (found.whole.pair.gained, found.whole.pair.lost, found.whole.pair.both) == (20, 0, 80)
    assert found.whole.better == "b"


def test_equal_outcomes_on_enough_samples_are_non_inferior_and_not_superior() -> None:
    found = compared(valued([1] * 100, "old"), valued([1] * 100, "new"))

    assert found.whole.verdict == "non_inferior"
    assert found.whole.better is None


def test_a_loss_beyond_the_margin_is_inferior() -> None:
    found = compared(valued([1] * 100, "old"), valued([0] * 40 + [1] * 60, "new"))

    assert found.whole.verdict == "inferior"
    assert found.whole.better == "a"


def test_few_samples_decide_nothing_and_say_how_many_more_would() -> None:
    found = compared(valued([1] * 20, "old"), valued([1] * 20, "new"))

    assert found.whole.verdict == "inconclusive"
    assert found.whole.more is not None
    assert found.whole.more >= 39


def test_samples_of_few_sessions_are_not_taken_for_many() -> None:
    sessions = [f"s{place % 5}" for place in range(100)]

    found = compared(valued([1] * 100, "old", sessions), valued([1] * 100, "new", sessions))

    assert found.whole.pair.sessions == 5
    assert found.whole.verdict == "inconclusive"


def test_samples_that_stand_for_many_calls_count_as_such_beside() -> None:
    weights = [50.0] + [1.0] * 99

    found = compared(valued([1] * 100, "old", weights=weights), valued([0] + [1] * 99, "new", weights=weights))

    assert found.by_calls is not None
    assert found.by_calls.pair.difference == pytest.approx(-50 / 149)
    assert found.whole.pair.difference == pytest.approx(-1 / 100)


def test_p_of_categories_are_corrected_for_their_number() -> None:
    a, b = valued([1] * 130, "old"), valued([1] * 130, "new")

    plain, holm = (compared(a, b, correction=one, margin=0.3) for one in ("none", "holm"))

    assert len(plain.categories) == 13
    assert plain.categories[0].p_noninferior < holm.categories[0].p_noninferior
    assert {one.verdict for one in plain.categories} == {"non_inferior"}
    assert {one.verdict for one in holm.categories} == {"inconclusive"}


def test_misses_tell_what_the_other_run_made_of_them() -> None:
    found = compared(valued([0] * 10 + [1] * 30, "old"), valued([1] * 4 + [0] * 6 + [0] * 3 + [1] * 27, "new"))

    (row,) = found.misses
    assert (row.miss, row.a, row.b_right, row.b, row.a_right) == ("wrong_value", 10, 4, 9, 3)
    assert sum(one.n for one in found.flows) == found.attempts == 40


def test_flips_are_listed_with_those_lost_first() -> None:
    found = compared(valued([0, 1, 1, 1], "old"), valued([1, 0, 1, 1], "new"))

    assert [one.change for one in found.flips] == ["lost", "gained"]
    assert all(one.prompt and one.a_reply and one.b_reply for one in found.flips)


def test_flips_without_texts_hold_none() -> None:
    a, b = (entry_of(one) for one in (valued([0, 1], "old"), valued([1, 0], "new")))

    found = compare_pair("now", a, b, CompareOptions(), texts=False)

    assert {(one.prompt, one.a_reply, one.b_reply, one.a_why, one.b_why) for one in found.flips} == {(None,) * 5}


def test_times_of_one_job_compare_and_those_of_another_machine_do_not() -> None:
    a, b = valued([1] * 40, "old"), valued([1] * 40, "new")
    away = b.manifest.model_copy(
        update={"job": "other", "machine": b.manifest.machine.model_copy(update={"cpu": "Another CPU"})}
    )

    beside = compared(a, b)
    apart = compared(a, StoredRun(b.folder, away, b.summary, b.samples, b.attempts, b.scores))

    assert {one.name: one.ratio is not None for one in beside.figures}["e2e"]
    refused = next(one for one in apart.figures if one.name == "e2e")
    assert (refused.a, refused.b, refused.ratio) == (None, None, None)
    assert "A was made on another machine" in refused.why


def test_costs_that_are_the_machines_time_compare_only_where_times_do() -> None:
    a, b = valued([1] * 40, "old"), valued([1] * 40, "new")
    bare = [
        StoredRun(run.folder, run.manifest, run.summary, run.samples,
                  tuple(one.model_copy(update={"cost_usd": None}) for one in run.attempts), run.scores)
        for run in (a, b)
    ]  # fmt: skip
    away = bare[1].manifest.model_copy(
        update={"job": "other", "machine": b.manifest.machine.model_copy(update={"cores": 64})}
    )
    apart = StoredRun(b.folder, away, bare[1].summary, b.samples, bare[1].attempts, b.scores)

    cost = next(one for one in compared(bare[0], apart).figures if one.name == "cost")

    assert cost.ratio is None
    assert cost.why.startswith("costs are of the machine's time")


def test_runs_of_other_samples_are_refused_with_how_many_they_share() -> None:
    with pytest.raises(DataError, match=r"20 in common; hold them against each other on those 20: compare.common=true"):
        compared(valued([1] * 40, "old"), valued([1] * 20, "new"))


def test_other_samples_can_be_compared_on_those_in_common() -> None:
    found = compared(valued([1] * 40, "old"), valued([1] * 20, "new"), common=True)

    assert (found.shared, found.left_out, found.whole.pair.n) == (20, 20, 20)


def test_runs_of_other_suites_are_refused() -> None:
    a, b = valued([1] * 4, "old"), valued([1] * 4, "new")
    other = StoredRun(b.folder, b.manifest, b.summary.model_copy(update={"suite": "mine"}), b.samples, b.attempts,
                      b.scores)  # fmt: skip

    with pytest.raises(DataError, match=r"is of suite toolcall, run .* of mine: only runs of one suite compare"):
        compared(a, other)


def test_the_same_run_on_both_sides_is_refused() -> None:
    run = valued([1] * 4, "old")

    with pytest.raises(DataError, match=r"is on both sides: it cannot differ from itself; name another: compare\.b="):
        compared(run, run)
