"""How far replayed sessions go along with their record, over a whole run."""

from pydantic import Field

from harness.records.base import Record
from harness.records.interval import Interval
from harness.records.score import Divergence, StepOutcome
from harness.records.target import TrajectoryMatch

__all__ = ["SurvivalPoint", "TrajectorySummary"]


class SurvivalPoint(Record):
    """The share of sessions that still go along with the record after a step."""

    step: int = Field(ge=1)
    at_risk: int = Field(ge=0)
    """Sessions that came to this step."""
    diverged: int = Field(ge=0)
    """Of them, those that left the record at it."""
    share: float = Field(ge=0, le=1)
    """Kaplan-Meier estimate. A session whose record ends, or which an answer from elsewhere in the log leads off it, is
    censored: it counts as long as it lasted."""
    interval: Interval | None
    """Takes what is of one logged session together. None where all or none are left, and of a single one."""


class TrajectorySummary(Record):
    """Sessions by how they ended, steps by what is known of them, and the curve of survival."""

    match: TrajectoryMatch
    n: int = Field(ge=1)
    """Sessions with a verdict: attempts."""
    survived: int
    diverged: int
    left: int
    """Ended by an answer that the log has too, from which the record does not go on: no miss, and no value."""
    steps: int
    """Of all records."""
    steps_same: int
    """Done, as on record."""
    steps_diverged: int
    """At which sessions diverged."""
    steps_not_scored: int
    """After the end of their sessions: about them nothing is known."""
    step_agreement: float | None
    """steps_same / (steps_same + steps_diverged): the chance to go along with one more step, having come so far."""
    of_ceiling: float | None = None
    """The same as a share of the incumbent's agreement with itself; None where that is not known."""
    kinds: dict[Divergence, int]
    outcomes: dict[StepOutcome, int]
    """Of all replies."""
    median_step: int | None
    """The step at which half of the sessions are gone; None where the curve stays above."""
    curve: tuple[SurvivalPoint, ...]
    """At every step at which a session diverged, and at the last one that any came to."""
