"""What is asked: messages and tools, with the target that a reply is scored against."""

from typing import Literal, TypeVar

from pydantic import Field, JsonValue

from harness.errors import DataError
from harness.records.base import Record
from harness.records.chat import Message, Tool
from harness.records.target import ReplayTarget, Target, ToolTarget

__all__ = ["Sample", "target_of"]

T = TypeVar("T")


class Sample(Record):
    """One question of a suite with its target."""

    id: str
    category: str
    """Stratum or cluster that the sample belongs to."""
    session: str | None = None
    """Unit of dependence: samples of one session are not independent. None: a session of its own."""
    weight: float = Field(default=1.0, gt=0)
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    target: Target
    scorer: str
    arrival_s: float | None = None
    """When the logged call came, in seconds on the log's own clock; None where no log is behind the sample."""
    split: Literal["train", "calibration", "test"] = "test"
    params: dict[str, JsonValue] = Field(default_factory=dict, exclude_if=lambda params: not params)
    """What a logged call asked for besides, as the OpenAI protocol names it; wins over the model's configuration.
    Not written where there is none, so that hashes of suites without any stay what they were."""
    examples: tuple[Message, ...] = Field(default=(), exclude_if=lambda turns: not turns)
    """Questions with their answers that stand before this one (`model.examples`): no part of the suite, and written
    only where there are some."""

    @property
    def tool_target(self) -> ToolTarget:
        """The target of a tool-calling sample. Raises DataError for a sample of another kind."""
        return target_of(self, ToolTarget)

    @property
    def wants_call(self) -> bool | None:
        """Whether a call is wanted; None where the question is not one of calling."""
        if isinstance(self.target, ReplayTarget):
            wanted = {"call": True, "words": False}.get(self.target.wants)
            return wanted if self.tools else None
        return self.target.expect != "no_call" if isinstance(self.target, ToolTarget) else None


def target_of(sample: Sample, kind: type[T]) -> T:
    """The sample's target as the kind that a scorer reads. Raises DataError if it is of another."""
    if isinstance(sample.target, kind):
        return sample.target
    wanted = getattr(kind, "model_fields", {})["kind"].default
    raise DataError(f"sample {sample.id} has a target of kind {sample.target.kind}, its scorer reads {wanted}")
