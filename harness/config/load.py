"""What `do=load` plays, and what is asked of the engine."""

from math import inf
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from harness.records import Record

__all__ = ["LoadOptions"]


class LoadOptions(Record):
    """At which speeds, for how long, and when a call counts as served in time."""

    speeds: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    """1: as fast as in the log. From the lowest up; the first that is overloaded ends it."""
    minutes: float = Field(default=2.0, gt=0)
    """That each speed takes at most, without the calls still open at its end: the busiest stretch of the log."""
    calls: int = Field(default=500, ge=2)
    """Of each speed at most."""
    ttft_s: float | None = Field(default=2.0, gt=0)
    """In time: the first token within, from the intended send; None: it does not matter."""
    e2e_s: float | None = Field(default=10.0, gt=0)
    """In time: the last byte within; None: it does not matter."""
    share: float = Field(default=0.95, gt=0.5, lt=1)
    """Of the calls that have to be in time."""
    sessions: Literal["open", "ordered"] = "open"
    """`ordered`: a session's next call waits for the reply to the one before."""
    max_in_flight: int = Field(default=256, ge=1, le=65536)
    """Requests at once; what it holds back still counts from the time it was due."""
    deadline_s: float = Field(default=120.0, gt=0)
    """For one call; also how long open calls are waited for at the end."""
    warmup: int = Field(default=2, ge=0)
    """Requests before the clock counts."""
    seed: int = 0
    """As `run.seed`."""

    @field_validator("speeds", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, int | float) else value

    @field_validator("speeds")
    @classmethod
    def _above_nothing(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value or not all(0 < one < inf for one in value):
            raise ValueError("wanted are one or more numbers above 0, such as [1,2,4]")
        return value

    @field_validator("e2e_s")
    @classmethod
    def _some_goal(cls, value: float | None, info: ValidationInfo) -> float | None:
        if value is None and info.data.get("ttft_s", 0.0) is None:
            raise ValueError("load.ttft_s is null too: say when a call is in time by one of them")
        return value
