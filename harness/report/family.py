"""What a suite asks for, in the words that fit it: calls, instructions, programs, answers, tasks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from harness.records import (
    AgentTarget,
    CodeTarget,
    InstructionTarget,
    ReplayTarget,
    Sample,
    TaskTarget,
    TextTarget,
    ToolTarget,
    TrajectoryTarget,
)
from harness.records.summary import Summary
from harness.report.formats import counted
from harness.report.view import RunView

__all__ = ["FAMILIES", "Family", "Floor", "family_of", "floor_of"]


@dataclass(frozen=True, slots=True)
class Family:
    """The words for one kind of question."""

    key: str
    title: str
    unit: str
    """What one attempt is about; its plural ends in s."""
    won: str
    """One word for an attempt worth 1."""
    score: str
    """How many attempts are worth 1, with `{won}` and `{of}`."""
    rule: str
    """When an attempt is worth 1."""
    order: str
    """How a reply can fail, first things first."""

    @property
    def units(self) -> str:
        """More than one of them."""
        return f"{self.unit}s"

    def result(self, won: int, of: int) -> str:
        """How many are worth 1, as part of a sentence."""
        return self.score.format(won=f"{won:,}", of=counted(of, self.unit))


_CALLS: Final = Family(
    "calls", "Tool calls", "call", "exact", "exact on {won} of {of}",
    "A call counts only if tool, arguments and values are all right.",
    "no answer, unreadable, wrong decision, wrong tool, wrong argument, wrong value",
)  # fmt: skip
_INSTRUCTIONS: Final = Family(
    "instructions", "Instructions", "prompt", "all followed", "every instruction followed on {won} of {of}",
    "A prompt counts only if each of its instructions is followed.",
    "no answer, cut off, an instruction missed",
)  # fmt: skip
_CODE: Final = Family(
    "code", "Programs", "program", "passes", "{won} of {of} pass their tests",
    "A program counts only if it passes all of its tests.",
    "no answer, no program in it, does not compile, fails a test, out of time or memory",
)  # fmt: skip
_ANSWERS: Final = Family(
    "answers", "Answers", "answer", "right", "right on {won} of {of}",
    "An answer counts by the measure of its suite: equal, within a tolerance, similar, or judged.",
    "no answer, none that can be read, a wrong one",
)  # fmt: skip
_AGENTS: Final = Family(
    "agents", "Agents' tasks", "task", "done", "{won} of {of} done",
    "A task counts only if the world is as it should be at the end.",
    "no answer, unreadable, nothing done, no end found, a wrong result",
)  # fmt: skip
_TASKS: Final = Family(
    "tasks", "Tasks of another program", "question", "full marks", "full marks on {won} of {of}",
    "Judged by the rules of the program that the task comes from.",
    "no answer, none that can be read, a wrong one",
)  # fmt: skip
_STEPS: Final = Family(
    "steps", "Replayed steps", "step", "as on record", "as on record in {won} of {of}",
    "A step counts only if the agent does what the log has: the same calls with the same arguments, or words.",
    "no answer, unreadable, wrong decision, wrong tool, wrong argument, wrong value, other words",
)  # fmt: skip
_SESSIONS: Final = Family(
    "sessions", "Replayed sessions", "session", "as on record", "as on record to the end in {won} of {of}",
    "A session counts only if every one of its steps is as on record, each chosen by the model itself.",
    "no answer, unreadable, wrong decision, wrong tool, wrong argument, wrong value, other words, stopped early",
)  # fmt: skip
_OTHER: Final = Family(
    "other", "Samples", "attempt", "full marks", "full marks on {won} of {of}",
    "Judged by the scorer of each sample.",
    "no answer, unreadable, wrong",
)  # fmt: skip

FAMILIES: Final[dict[type, Family]] = {
    ToolTarget: _CALLS,
    InstructionTarget: _INSTRUCTIONS,
    CodeTarget: _CODE,
    TextTarget: _ANSWERS,
    AgentTarget: _AGENTS,
    TaskTarget: _TASKS,
    ReplayTarget: _STEPS,
    TrajectoryTarget: _SESSIONS,
}
"""By kind of target."""


def family_of(runs: Sequence[RunView]) -> Family:
    """The family that all samples of these runs belong to; the general one if they differ.

    Of runs without samples it is what their figures betray.
    """
    kinds = {type(sample.target) for run in runs for sample in run.samples}
    if len(kinds) == 1:
        return FAMILIES[kinds.pop()]
    if kinds:
        return _OTHER
    return next(filter(None, (_betrayed(run.summary) for run in runs)), _OTHER)


def _betrayed(summary: Summary) -> Family | None:
    if summary.trajectories is not None:
        return _SESSIONS
    if summary.calls_per_task is not None:
        return _AGENTS
    if summary.decisions is not None:
        return _CALLS
    for name, family in (("instruction_missed", _INSTRUCTIONS), ("tests_failed", _CODE), ("wrong_answer", _ANSWERS)):
        if name in summary.misses:
            return family
    return None


@dataclass(frozen=True, slots=True)
class Floor:
    """What a model reaches that understands nothing."""

    share: float
    name: str
    """What such a model does: `never calls a tool`."""
    warning: str
    """What is to be said of a run that is no better."""

    @property
    def text(self) -> str:
        """The share with its name."""
        return f"a model that {self.name}: {self.share * 100:.0f} %"


def _any_words(sample: Sample) -> bool:
    """Whether, where no call is wanted, anything else is right."""
    return not isinstance(sample.target, ReplayTarget) or sample.target.text == "decision"


def floor_of(run: RunView) -> Floor | None:
    """The accuracy that a model would have on this run's scored samples by never calling a tool, or by guessing.

    None without samples, or if neither makes sense for all of them.
    """
    scored = run.sample_values()
    asked = [sample for sample in run.samples if sample.id in scored]
    if not asked:
        return None
    wants = [sample.wants_call if _any_words(sample) else None for sample in asked]
    if None not in wants:
        share = wants.count(False) / len(wants)
        what = f"No better than never calling a tool: {share * 100:.0f} % of these samples want no call."
        return Floor(share, "never calls a tool", what)
    chances = [
        1 / len(sample.target.choices)
        for sample in asked
        if isinstance(sample.target, TextTarget) and sample.target.match == "choice" and sample.target.choices
    ]
    if len(chances) < len(asked):
        return None
    share = sum(chances) / len(chances)
    return Floor(share, "guesses", f"No better than guessing, which gets {share * 100:.0f} % of these right.")
