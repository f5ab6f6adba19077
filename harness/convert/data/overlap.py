"""What the gate's samples share with the rows without being given away by them: templates, values, tools."""

import re
from collections.abc import Iterable, Iterator, Sequence

from pydantic import JsonValue

from harness.convert.data.likeness import normal_words
from harness.records import ReplayTarget, Sample, ToolCall, ToolTarget
from harness.records.convert import DataOverlap
from harness.scorers.gold import gold_calls

__all__ = ["overlap_of", "template_of"]

_NUMBER = re.compile(r"\d+")
_LEAST = 2
"""Characters of a value that is looked for in a question."""


def overlap_of(rows: Sequence[Sample], gate: Sequence[Sample]) -> DataOverlap:
    """How much of the gate is new: questions by template, argument values of the answers, tools."""
    templates = {template_of(one) for one in rows}
    seen = {value for one in rows for value in _values(one)}
    known_tools = {call.name for one in rows for call in _calls(one)}
    values = {value for one in gate for value in _values(one)}
    told = [set(_values(one)) for one in gate]
    return DataOverlap(
        n=len(gate),
        same_template=sum(template_of(one) in templates for one in gate),
        values=len(values),
        values_seen=len(values & seen),
        all_values_seen=sum(bool(one) and one <= seen for one in told),
        unseen_tools=tuple(sorted({call.name for one in gate for call in _calls(one)} - known_tools)),
    )


def template_of(sample: Sample) -> str:
    """The last question with argument values of its answer and numbers left out.

    >>> from harness.records import Message, ReplayReference, ReplayTarget
    >>> calls = (ToolCall(name="refund", arguments={"order": "A7", "why": "broken"}),)
    >>> target = ReplayTarget(references=(ReplayReference(calls=calls),))
    >>> asked = Message(role="user", content="Refund A7, it came broken after 3 days")
    >>> template_of(Sample(id="1", category="a", messages=(asked,), target=target, scorer="replay"))
    'refund ⟨⟩, it came ⟨⟩ after 0 days'
    """
    question = next((one.content for one in reversed(sample.messages) if one.role == "user"), "")
    text = normal_words(question)
    for value in sorted(set(_values(sample)), key=lambda one: (-len(one), one)):
        if len(value) >= _LEAST:
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "⟨⟩", text)
    return _NUMBER.sub("0", text)


def _calls(sample: Sample) -> Iterable[ToolCall]:
    target = sample.target
    if isinstance(target, ToolTarget):
        return gold_calls(target)
    return target.references[0].calls if isinstance(target, ReplayTarget) else ()


def _values(sample: Sample) -> list[str]:
    return [text for call in _calls(sample) for text in map(normal_words, _leaves(call.arguments)) if text]


def _leaves(value: JsonValue) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from _leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
