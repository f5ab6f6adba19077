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
    "Divergence",
    "JudgeFacts",
    "MissClass",
    "Score",
    "StepOutcome",
    "TrajectoryFacts",
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


Divergence = Literal[
    "called",
    "words",
    "stopped_early",
    "other_tool",
    "other_arguments",
    "other_count",
    "other_order",
    "unknown_call",
    "repeated_call",
    "other_words",
    "unreadable",
    "cut_off",
    "silent",
    "content_filter",
    "context_overflow",
    "step_limit",
]
"""How a replayed session left the record for the first time.

`called`: a call where the log has words. `words`: words where it has a call, and a user's turn comes later;
`stopped_early`: the same, and none comes. Of calls where calls are on record: `other_order` (an equal one is on record,
elsewhere), `repeated_call` (it was made as often as the record has it), `other_arguments` (the tool of this step),
`other_tool` (a tool of the record), `unknown_call` (a tool that the record never calls), `other_count` (each call is
right, and they are too many or too few). `other_words`: words where words are on record, and the rule does not take
them. `unreadable`, `cut_off`, `silent`: no reply that can be read. The rest are failures of the model's own."""

StepOutcome = Literal["same", "out_of_order", "repeated", "left"] | Divergence
"""What one reply of a replayed session was: as on record at its step; calls that are on record for another step; calls
of read-only tools made again; an answer that the log has elsewhere for this request (`left`); or a divergence."""


class TrajectoryFacts(Record):
    """How far a replayed session went along with the record."""

    match: Literal["strict", "fifo"]
    steps: int = Field(ge=1)
    """Of the record."""
    depth: int = Field(ge=0)
    """Steps of the record, from its first on and without a gap, that were done before the end."""
    ended: Literal["survived", "diverged", "left"]
    """`survived`: the whole record was done. `left`: the answer is one that the log has too, but from which this record
    does not go on: nothing was wrong, and nothing after it can be scored."""
    kind: Divergence | None = None
    """Of the divergence."""
    outcomes: tuple[StepOutcome, ...] = ()
    """Of each reply, in order."""

    @property
    def not_scored(self) -> int:
        """Steps of the record after the end, about which nothing is known."""
        return self.steps - self.depth - (self.ended == "diverged")


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
    trajectory: TrajectoryFacts | None = Field(default=None, exclude_if=lambda found: found is None)
    """Of a replayed session."""
