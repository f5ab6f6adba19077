"""What more training rows brought: accuracy by their number, with intervals."""

from typing import Literal

from pydantic import Field, model_validator

from harness.records.base import Record
from harness.records.interval import Interval

__all__ = ["LEARNING_CURVE", "LearningCurve", "LearningPoint"]

LEARNING_CURVE = "learning_curve.json"
"""Name of the file in the folder of a conversion."""


class LearningPoint(Record):
    """A model trained on so many rows, on samples that none of them is from."""

    n_rows: int = Field(ge=0)
    """Training rows; 0: the model as it was."""
    accuracy: float = Field(ge=0, le=1)
    low: float | None = Field(default=None, ge=0, le=1)
    """Lower end of the interval; None without one."""
    high: float | None = Field(default=None, ge=0, le=1)
    label: str = ""
    """What is said beside it: `as it was`, `all rows`."""
    n_scored: int | None = Field(default=None, ge=1)
    run: str | None = None
    """Name of the run folder that it was measured in."""

    @model_validator(mode="after")
    def _both_ends(self) -> "LearningPoint":
        if (self.low is None) != (self.high is None):
            msg = "an interval has two ends: give low and high, or neither"
            raise ValueError(msg)
        return self


class LearningCurve(Record):
    """`learning_curve.json`."""

    format: Literal[1] = 1
    name: str
    """Of the conversion."""
    model_title: str
    suite: str
    suite_hash: str
    split: str
    """Of the suite that it was measured on: never the one that was trained on."""
    method: str = ""
    """How it was trained: `lora`, rank 16."""
    made_at: str
    """ISO 8601, UTC."""
    points: tuple[LearningPoint, ...] = Field(min_length=1)
    goal: Interval | None = None
    """Of the model to be replaced, on the same samples; None where it was not measured."""
    goal_accuracy: float | None = Field(default=None, ge=0, le=1)
    notes: tuple[str, ...] = ()
