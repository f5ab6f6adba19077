"""What a reply was worth, and if not everything, why."""

from typing import Literal

from pydantic import Field, JsonValue

from harness.records.attempt import Boundary
from harness.records.base import Record

__all__ = [
    "CALLED",
    "HUMAN",
    "HUMAN_JUDGED",
    "JUDGED",
    "LOWER_IS_BETTER",
    "READABLE",
    "JudgeFacts",
    "MissClass",
    "Score",
]

JUDGED, HUMAN, HUMAN_JUDGED = "judged", "human", "human_judged"
"""Parts of a score by a model that judges: the value it led to; what a person gave to the recorded answer, and what the
judge gives to that same answer."""
READABLE, CALLED = "readable", "called"
"""Counts of agents' tasks: replies that could be read, as calls or words; tasks with a call, of those that need any."""

LOWER_IS_BETTER = frozenset({"attack_success"})
"""Parts and counts of which less is better: the harms."""

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
    "no_answer",
    "does_not_compile",
    "wrong_answer",
    "instruction_missed",
    "tests_failed",
    "program_limit",
    "task_refused",
    "step_limit",
    "wrong_result",
]
"""Where a sample was lost, in the order of the waterfall from transport over format and decision to the values.

Then those of other families. Text: `no_answer`, `wrong_answer`. Instructions: `instruction_missed`. Code:
`does_not_compile`, `tests_failed`, `program_limit` (time, memory, output). Agents: `task_refused` (ended without a call
where some were needed), `step_limit`, `wrong_result`."""


class JudgeFacts(Record):
    """What a model that judged cost; None where it is not known."""

    model: str
    calls: int = Field(ge=1)
    seconds: float = Field(ge=0)
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    agreed: bool | None = None
    """Whether both orders of presentation led to the same verdict."""


class Score(Record):
    """The verdict on one attempt. `value` is None when it was not scored: that is not 0."""

    sample: str
    category: str
    trial: int = 0
    scorer: str
    value: float | None = Field(default=None, ge=0, le=1)
    parts: dict[str, float] = Field(default_factory=dict)
    """Partial results 0..1 by name (for tool calls: `decoded`, `decision`, `tools`, `arguments`)."""
    counts: dict[str, tuple[int, int]] = Field(default_factory=dict)
    """(passed, of) by name, where a rate over all samples is wanted: the instructions of a prompt, for example."""
    miss: MissClass | None = None
    """None if the value is 1."""
    boundary: Boundary | None = None
    """Whose failure it was, for misses and for unscored attempts."""
    why: str = ""
    """One sentence with the value seen and the values accepted."""
    repaired: float | None = Field(default=None, ge=0, le=1)
    """What the reply would have been worth after JSON repair; None where nothing was repaired."""
    judge: JudgeFacts | None = None
    extracted: JsonValue = None
    """What was read out of the reply."""
