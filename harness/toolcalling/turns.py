"""In-context examples written as turns of the chat, by each protocol's own way of calling."""

from collections.abc import Iterator, Sequence

from harness.records import Message, Protocol, Sample
from harness.toolcalling.prompt import answer_text
from harness.toolcalling.shape import decline_name

__all__ = ["with_turns"]

_DONE = "done"


def with_turns(sample: Sample, protocol: Protocol) -> Sample:
    """The sample with its examples as turns after its own system message, and without them as examples.

    native: an answer that calls is followed by a result for each call, since services refuse calls without one; the
    result says "done", for nobody ran them. prompted, constrained: calls stand as the text that is asked for, and an
    answer in words, where tools are offered, as declining by name.
    """
    own = list(sample.messages)
    system = [own.pop(0)] if own and own[0].role == "system" else []
    turns = list(_native(sample.examples) if protocol == "native" else _written(sample))
    return sample.model_copy(update={"messages": (*system, *turns, *own), "examples": ()})


def _native(examples: Sequence[Message]) -> Iterator[Message]:
    for place, one in enumerate(examples):
        calls = tuple(
            call.model_copy(update={"id": f"example_{place}_{number}"}) for number, call in enumerate(one.tool_calls)
        )
        yield one.model_copy(update={"tool_calls": calls}) if calls else one
        for call in calls:
            yield Message(role="tool", content=_DONE, tool_call_id=call.id, name=call.name)


def _written(sample: Sample) -> Iterator[Message]:
    decline = decline_name(sample.tools)
    for one in sample.examples:
        if one.role == "assistant" and sample.tools:
            yield Message(role="assistant", content=answer_text(one.tool_calls, decline))
        else:
            yield one
