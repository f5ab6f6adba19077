"""A suite's scorer put to the proof: what is wrong with a sample or a scorer is a finding, never a traceback."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from harness.errors import BackendError
from harness.protocols import Case, Scorer
from harness.records import AgentTarget, Message, Protocol, Reply, Sample, Score, TextTarget, ToolTarget
from harness.records.target import Target
from harness.runner.validate import Validation, validate
from harness.scorers.agent import AgentScorer
from harness.scorers.bfcl import BfclScorer
from harness.scorers.context import ScorerContext
from harness.scorers.text import TextScorer


def sample(target: Target, name: str = "s") -> Sample:
    return Sample(id=name, category="c", messages=(Message(role="user", content="?"),), target=target, scorer="x")


def text(name: str = "s", **target: Any) -> Sample:
    return sample(TextTarget(**target), name)


def checked(scorer: Any, *samples: Sample) -> Validation:
    return asyncio.run(validate(scorer, samples))


@dataclass
class Raising:
    """Right about everything but what has brackets, where it raises."""

    error: Exception
    name: str = "raising"

    def score(self, sample: Sample, reply: Reply, protocol: Protocol, trial: int = 0) -> Score:
        if "[" in (reply.content or ""):
            raise self.error
        right = reply.content == "yes"
        return Score(sample=sample.id, category=sample.category, trial=trial, scorer=self.name, value=float(right))

    def cases(self, sample: Sample) -> Iterator[Case]:
        del sample
        yield Case("gold", "yes", Reply(content="yes"))
        yield Case("gold", "yes again", Reply(content="yes"))


@pytest.mark.parametrize(
    ("scorer", "unfit", "words"),
    [
        (TextScorer(), text(match="regex", accepted=["(a"], example="a"), "is no regular expression"),
        (TextScorer(), text(match="numeric", accepted=["1 or 2"]), "holds 2 numbers, not one"),
        (TextScorer(), text(match="json", accepted=["{bad"]), "is not JSON"),
        (TextScorer(), text(match="json", schema={"type": 7}), "no JSON Schema"),
        (TextScorer(), text(match="judge", rubric="Is good."), "write scorer: judge"),
        (BfclScorer(), text(match="exact", accepted=["a"]), "its scorer reads tool_calls"),
        (TextScorer(), sample(ToolTarget(expect="no_call")), "its scorer reads text"),
        (AgentScorer.from_context(ScorerContext()), sample(AgentTarget(environment="moon")), "'moon' is not known"),
    ],
)
def test_a_sample_that_cannot_be_judged_is_one_finding_and_the_others_are_judged(
    scorer: Scorer, unfit: Sample, words: str
) -> None:
    found = checked(scorer, unfit, unfit.model_copy(update={"id": "t"}))

    assert [finding.sample for finding in found.findings] == ["s", "t"]
    assert words in found.findings[0].why


def test_a_failure_of_what_judges_is_a_finding_of_its_sample() -> None:
    found = checked(Raising(BackendError("the sandbox did not come up")), text(match="exact", accepted=["yes"]))

    (finding,) = found.findings
    assert (finding.sample, finding.why) == ("s", "the sandbox did not come up")
    assert found.checked["gold"] == 2


def test_a_scorer_that_raises_on_a_reply_is_a_finding_for_that_reply_alone() -> None:
    found = checked(Raising(TypeError("no brackets,\nplease")), text(match="exact", accepted=["yes"]))

    (deep,) = found.findings
    assert deep.case.startswith("garbage: garbage '[[[")
    assert deep.why == "raises TypeError: no brackets, please"
    assert found.checked["garbage"] == 8


def test_cases_that_cannot_be_made_are_a_finding() -> None:
    class Caseless(Raising):
        def cases(self, sample: Sample) -> Iterator[Case]:
            raise ZeroDivisionError(sample.id)

    found = checked(Caseless(ValueError()), text(match="exact", accepted=["yes"]))

    assert [(one.case, one.why) for one in found.findings] == [("its cases", "raises ZeroDivisionError: s")]


def test_samples_with_two_right_outcomes_count_once() -> None:
    numberless = text("b", match="regex", accepted=["a"])

    found = checked(TextScorer(), text("a", match="exact", accepted=["x", "y"]), numberless)

    assert found.checked["gold"] == 3
    assert found.without_gold == 1
