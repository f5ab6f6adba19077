"""Sessions of a run added up: by their end, by what is known of their steps, and against the incumbent."""

from harness.records import Sample, TrajectoryFacts
from harness.records.interval import Interval
from harness.records.summary import Ceiling
from harness.runner.trajectories import TrajectorySums
from tests.support.specimens.trajectory import STEPS, session

SURVIVED = TrajectoryFacts(match="strict", steps=5, depth=5, ended="survived", outcomes=("same",) * 5)
DIVERGED = TrajectoryFacts(
    match="strict", steps=5, depth=1, ended="diverged", kind="called", outcomes=("same", "called")
)
LEFT = TrajectoryFacts(match="strict", steps=5, depth=2, ended="left", outcomes=("same", "same", "left"))


def sums(*facts: TrajectoryFacts, sessions: bool = True) -> TrajectorySums:
    found = TrajectorySums()
    for number, one in enumerate(facts):
        sample: Sample = session(*STEPS, name=f"s{number}")
        found.add(sample if sessions else sample.model_copy(update={"session": "one"}), one)
    return found


def test_steps_are_as_on_record_diverged_or_not_scored() -> None:
    found = sums(SURVIVED, DIVERGED, LEFT).summary(None)

    assert found is not None
    assert (found.n, found.survived, found.diverged, found.left) == (3, 1, 1, 1)
    assert (found.steps, found.steps_same, found.steps_diverged, found.steps_not_scored) == (15, 8, 1, 6)
    assert (found.step_agreement, found.kinds) == (8 / 9, {"called": 1})


def test_a_session_that_was_left_is_at_risk_as_long_as_it_lasted() -> None:
    found = sums(LEFT, DIVERGED, DIVERGED).summary(None)

    assert found is not None
    assert [(one.step, one.at_risk, one.diverged) for one in found.curve] == [(2, 3, 2)]
    assert found.median_step == 2


def test_agreement_is_held_against_that_of_the_incumbent_for_a_step() -> None:
    interval = Interval(low=0.5, high=1.0, level=0.95, method="exact")
    ceiling = Ceiling(rate=0.5, interval=interval, n=9, step_rate=0.8)

    found = sums(DIVERGED).summary(ceiling)
    plain = sums(DIVERGED).summary(ceiling.model_copy(update={"step_rate": None}))

    assert found is not None
    assert plain is not None
    assert (found.of_ceiling, plain.of_ceiling) == (0.5 / 0.8, None)


def test_parts_of_one_logged_session_give_no_interval_alone() -> None:
    apart, together = sums(SURVIVED, DIVERGED).summary(None), sums(SURVIVED, DIVERGED, sessions=False).summary(None)

    assert apart is not None
    assert together is not None
    assert apart.curve[0].interval is not None
    assert together.curve[0].interval is None


def test_a_run_of_anything_else_has_no_summary_of_sessions() -> None:
    assert TrajectorySums().summary(None) is None
