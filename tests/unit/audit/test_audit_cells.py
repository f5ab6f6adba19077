"""Where a run's misses were lost, cluster by cluster."""

from pathlib import Path

from harness.audit.cells import losses_of
from harness.records import Failure
from harness.store.runs import StoredRun
from tests.support.report_runs import made_run


def stored(overflowed: int) -> StoredRun:
    """A run in which the first misses are prompts that do not fit; what was lost otherwise is as it comes."""
    view = made_run(skill=0.0, n=20)
    failure = Failure(boundary="model", kind="context_overflow", message="too long")
    attempts = [
        one.model_copy(update={"reply": None, "failure": failure}) if place < overflowed else one
        for place, one in enumerate(view.attempts)
    ]
    return StoredRun(Path("run"), view.manifest, view.summary, tuple(view.samples), tuple(attempts), tuple(view.scores))


def test_prompts_that_do_not_fit_are_no_broken_form() -> None:
    before, after = losses_of(stored(0), by_cluster=False)["all"], losses_of(stored(5), by_cluster=False)["all"]

    assert before.overflowed == 0
    assert after.overflowed == 5
    assert after.form <= before.form
    assert sum(after.misses.values()) == sum(before.misses.values())


def test_misses_are_counted_in_their_cluster() -> None:
    run = stored(0)

    found = losses_of(run, by_cluster=True)

    missed = [score for score in run.scores if score.value is not None and score.value < 1]
    assert sum(sum(one.misses.values()) for one in found.values()) == len(missed)
    assert set(found) == {score.category for score in missed}
