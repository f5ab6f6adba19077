"""What a reply was worth, and if not everything, why."""

from typing import Literal

from pydantic import Field, JsonValue

from harness.records.attempt import Boundary
from harness.records.base import Record

__all__ = ["MissClass", "Score"]

MissClass = Literal[
    "transport",
    "context_overflow",
    "length",
    "decode",
    "schema",
    "should_have_called",
    "should_not_have_called",
    "wrong_tool",
    "wrong_count",
    "missing_argument",
    "extra_argument",
    "wrong_value",
]
"""Where a sample was lost, in the order of the waterfall from transport over format and decision to the values."""


class Score(Record):
    """The verdict on one attempt. `value` is None when it was not scored: that is not 0."""

    sample: str
    category: str
    trial: int = 0
    scorer: str
    value: float | None = Field(default=None, ge=0, le=1)
    parts: dict[str, float] = Field(default_factory=dict)
    """Partial results 0..1 by name (for tool calls: `decoded`, `decision`, `tools`, `arguments`)."""
    miss: MissClass | None = None
    """None if the value is 1."""
    boundary: Boundary | None = None
    """Whose failure it was, for misses and for unscored attempts."""
    why: str = ""
    """One sentence with the value seen and the values accepted."""
    extracted: JsonValue = None
    """What was read out of the reply."""
