"""What a reply is scored against: one record for each kind of question, told apart by `kind`."""

from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, model_validator

from harness.records.base import Record
from harness.records.call import ReferenceLabel
from harness.records.chat import Message, Tool, ToolCall

__all__ = [
    "AcceptedCall",
    "AgentTarget",
    "CodeTarget",
    "Instruction",
    "InstructionTarget",
    "Language",
    "ReplayReference",
    "ReplayTarget",
    "ReplayText",
    "Target",
    "TaskTarget",
    "TextMatch",
    "TextTarget",
    "ToolTarget",
    "TrajectoryMatch",
    "TrajectoryStep",
    "TrajectoryTarget",
    "Turn",
]

Language = Literal["python", "java", "javascript"]


class AcceptedCall(Record):
    """A call that counts as right, with the values accepted for each argument."""

    name: str
    arguments: dict[str, tuple[JsonValue, ...]]
    """Accepted values per argument. An object among them, alone or in a list, holds per key the list of values
    accepted there, with `""` in that list where the key may be left out."""
    optional: tuple[str, ...] = ()
    """Arguments that may be left out, sorted."""


class ToolTarget(Record):
    """What the model should have done with the tools."""

    kind: Literal["tool_calls"] = "tool_calls"
    expect: Literal["calls", "no_call", "any_call"]
    """`calls`: exactly those of `calls`, in any order. `no_call`: none. `any_call`: at least one, whatever it is."""
    calls: tuple[AcceptedCall, ...] = ()
    language: Language = "python"
    """Whose literals string arguments hold: BFCL's Java and JavaScript categories pass values as source text."""
    types: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Per tool and parameter, the type as the data set declares it (`float`, `array<float>`, `HashMap`): finer than
    JSON Schema, which knows no difference between 1 and 1.0 and no Java."""


class Instruction(Record):
    """One verifiable instruction of a prompt, by the name that its checker has."""

    id: str
    """Such as `length_constraints:number_words`."""
    arguments: dict[str, JsonValue] = Field(default_factory=dict)
    """What the checker is built with; null and false ones left out, as lm-eval does."""


class InstructionTarget(Record):
    """Instructions that a program can check."""

    kind: Literal["instructions"] = "instructions"
    checker: Literal["ifeval", "ifbench"] = "ifeval"
    prompt: str
    """As some checkers need it again."""
    instructions: tuple[Instruction, ...] = Field(min_length=1)


class CodeTarget(Record):
    """A program with tests. What the model wrote is run in a sandbox, never in this process."""

    kind: Literal["code"] = "code"
    language: Literal["python"] = "python"
    prompt: str = ""
    """Code that the answer goes on from, such as a signature with its docstring; empty if the answer stands alone."""
    entry_point: str | None = None
    """Name of the function that the tests call."""
    tests: str
    """Program text that is run after the answer; whatever it raises is a failure."""
    extra_tests: str | None = None
    """Further tests (EvalPlus-style), counted apart: the answer passes if it passes both."""
    solution: str | None = None
    """Canonical answer: what follows `prompt`, or a whole program."""


TextMatch = Literal["exact", "normalised", "numeric", "choice", "regex", "json", "rouge", "embedding", "judge"]


class TextTarget(Record):
    """An answer in words, a number, a choice or JSON."""

    kind: Literal["text"] = "text"
    match: TextMatch
    accepted: tuple[str, ...] = ()
    """Answers that count as right, any of them; for `regex` patterns, for `choice` the label, for `json` JSON text."""
    choices: tuple[str, ...] = ()
    """For `choice`: the labels there are, in order."""
    choice_texts: tuple[str, ...] = ()
    """For `choice`: what each label stands for, where an answer may also name that; in the order of `choices`."""
    tolerance: float = Field(default=0.0, ge=0)
    """For `numeric`: absolute, or relative to the accepted number where `relative` is set."""
    relative: bool = False
    threshold: float | None = Field(default=None, ge=0, le=1)
    """For `rouge`, `embedding` and `judge`: from where on the answer passes; None: the measure itself is the value."""
    schema_: dict[str, JsonValue] | None = Field(default=None, alias="schema")
    """For `json`: the JSON Schema that the answer has to fulfil."""
    fields: tuple[str, ...] | None = None
    """For `json`: the keys to compare; None: all of the accepted object."""
    rubric: str | None = None
    """For `judge`: what makes an answer good."""
    human: float | None = Field(default=None, ge=0, le=1)
    """For `judge`: what a person gave to the recorded answer `human_answer`, where one did."""
    human_answer: str | None = None
    example: str | None = None
    """For `regex`: an answer that fits, to check the patterns with."""

    model_config = Record.model_config | {"populate_by_name": True, "serialize_by_alias": True}

    @model_validator(mode="after")
    def _can_be_judged(self) -> Self:
        if not self.accepted and self.match not in {"json", "judge"}:
            raise ValueError(f"accepted is empty: match {self.match} needs at least one answer that counts as right")
        if not all(one.strip() for one in self.accepted):
            raise ValueError("accepted holds an empty answer, and a reply that says nothing is never right")
        if self.match == "json" and not self.accepted and self.schema_ is None:
            raise ValueError("match json needs a schema, an accepted answer, or both")
        if self.match == "judge" and not self.accepted and not self.rubric:
            raise ValueError("match judge needs a rubric, an accepted answer to compare with, or both")
        if self.match == "choice" and not set(self.accepted) <= set(self.choices):
            raise ValueError(f"accepted {list(self.accepted)} is not among the choices {list(self.choices)}")
        if self.choice_texts and len(self.choice_texts) != len(self.choices):
            raise ValueError(f"{len(self.choice_texts)} choice_texts for {len(self.choices)} choices: one for each")
        if (self.human is None) != (self.human_answer is None):
            raise ValueError("human and human_answer belong together: what was answered, and what a person gave it")
        return self


class Turn(Record):
    """What comes to the agent after it has answered: messages of the user, and tools that are offered from then on."""

    messages: tuple[Message, ...] = ()
    tools: tuple[Tool, ...] = ()


class AgentTarget(Record):
    """A task to be done in an environment whose tools really run, in one turn or several."""

    kind: Literal["agent"] = "agent"
    environment: str
    """Name in the entry-point group `harness.environments`."""
    task: dict[str, JsonValue] = Field(default_factory=dict)
    """What the environment is set up from and checks against: its own business."""
    turns: tuple[Turn, ...] = ()
    """Turns after the first, which is the sample's own messages."""
    plan: tuple[tuple[ToolCall, ...], ...] = ()
    """Reference calls of each turn in order; empty where there is no reference."""


class TaskTarget(Record):
    """A question that belongs to another program (lm-eval), which judges the reply by its own rules."""

    kind: Literal["task"] = "task"
    task: str
    """Name of the task there."""
    data: dict[str, JsonValue] = Field(default_factory=dict)
    """What its judge needs to find the question again."""
    request: dict[str, JsonValue] = Field(default_factory=dict)
    """Request fields that the task decides (`stop`, `max_tokens`, `temperature`); they win over the model's."""
    pairs: tuple[tuple[str, str], ...] = ()
    """Contexts with continuations: where there are some, the model is asked how likely each is, and writes nothing."""


ReplayText = Literal["decision", "normalised", "rouge", "json"]


class ReplayReference(Record):
    """An answer that the log holds for right: calls, or words where there is none."""

    calls: tuple[ToolCall, ...] = ()
    text: str | None = None
    """What was said. Beside calls it is kept and never compared."""
    label: ReferenceLabel = "incumbent"
    count: int = Field(default=1, ge=1)
    """How many calls of the log answered so."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.calls and not (self.text or "").strip():
            raise ValueError("a reference needs calls or a text: a reply that says nothing is never right")
        return self


class ReplayTarget(Record):
    """A logged call asked again: the answers on record, any of which counts. The tools' schemas decide the types."""

    kind: Literal["replay"] = "replay"
    references: tuple[ReplayReference, ...] = Field(min_length=1)
    text: ReplayText = "decision"
    """When words count as right, where the reference is words. `decision`: any words, as long as nothing is called.
    `normalised`: equal in normal form. `rouge`: ROUGE-L F1 of `threshold` or more. `json`: an equal JSON value."""
    threshold: float = Field(default=0.5, gt=0, le=1)
    """For `rouge`."""
    free_text: float | None = Field(default=0.7, gt=0, le=1)
    """Token F1 from which on a free-text argument counts as right; None: only if it is equal in normal form."""
    tolerance: float = Field(default=1e-6, ge=0)
    """Of a number in the arguments, relative to the reference's."""

    @property
    def wants(self) -> Literal["call", "words", "either"]:
        """What was decided: `either` where the answers on record differ in that."""
        called = {bool(one.calls) for one in self.references}
        return "either" if len(called) > 1 else "call" if True in called else "words"


TrajectoryMatch = Literal["strict", "fifo"]
"""Which recorded result a call is given. `strict`: that of the equal call at the same step. `fifo`: that of the first
equal call of the record that has not been made yet, wherever it stands."""


class TrajectoryStep(Record):
    """One step of a session on record: what was answered, and what came back."""

    target: ReplayTarget
    """The answers on record. The session went on from the first; the others are to the same request elsewhere."""
    results: tuple[str | None, ...] = ()
    """What the tools gave back, one for each call of the first reference; null where the log has none."""
    then: tuple[Message, ...] = ()
    """What came besides before the next step: the user's turn, mostly."""


class TrajectoryTarget(Record):
    """A session on record, to be gone through again with the recorded results: no tool ever runs."""

    kind: Literal["trajectory"] = "trajectory"
    steps: tuple[TrajectoryStep, ...] = Field(min_length=1)
    match: TrajectoryMatch = "strict"
    read_only: tuple[str, ...] = ()
    """For `fifo`: tools that only look something up: an equal call made again is given the same result again."""

    @model_validator(mode="after")
    def _goes_on(self) -> Self:
        for number, step in enumerate(self.steps, 1):
            calls = step.target.references[0].calls
            whole = len(step.results) == len(calls) and None not in step.results
            if number < len(self.steps) and not whole:
                raise ValueError(f"step {number} has {len(calls)} calls, and the record has not a result for each")
            if len(step.results) > len(calls):
                raise ValueError(f"step {number} has {len(calls)} calls and {len(step.results)} results")
        return self


Target = Annotated[
    ToolTarget
    | InstructionTarget
    | CodeTarget
    | TextTarget
    | AgentTarget
    | TaskTarget
    | ReplayTarget
    | TrajectoryTarget,
    Field(discriminator="kind"),
]
