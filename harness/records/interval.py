"""An interval with the name of its method."""

from pydantic import Field

from harness.records.base import Record

__all__ = ["Interval"]


class Interval(Record):
    """A two-sided interval with its level and the name of its method."""

    low: float
    high: float
    level: float = Field(gt=0, lt=1)
    method: str
