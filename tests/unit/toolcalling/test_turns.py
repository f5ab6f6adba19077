"""Examples as turns of the chat, by protocol."""

import json

from harness.records import Message, Protocol, Sample, Tool, ToolCall, ToolTarget
from harness.toolcalling.encode import PromptOptions, encode

CALL = ToolCall(name="find", arguments={"id": "7"})
EXAMPLES = (
    Message(role="user", content="Where is 7?"),
    Message(role="assistant", tool_calls=(CALL,)),
    Message(role="user", content="Sing!"),
    Message(role="assistant", content="I cannot."),
)


def sample(*examples: Message) -> Sample:
    return Sample(
        id="s",
        category="c",
        messages=(Message(role="system", content="Be brief."), Message(role="user", content="Where is 8?")),
        tools=(Tool(name="find"),),
        target=ToolTarget(expect="no_call"),
        scorer="bfcl",
        examples=examples,
    )


def test_native_examples_call_and_get_a_result() -> None:
    messages = encode(sample(*EXAMPLES), "native", PromptOptions()).messages

    assert [one["role"] for one in messages] == ["system", "user", "assistant", "tool", "user", "assistant", "user"]
    call = json.loads(json.dumps(messages[2]["tool_calls"]))[0]
    assert call["id"] == messages[3]["tool_call_id"]
    assert messages[-1]["content"] == "Where is 8?"


def test_written_examples_call_as_they_are_asked_to() -> None:
    protocols: tuple[Protocol, ...] = ("prompted", "constrained")
    for protocol in protocols:
        messages = encode(sample(*EXAMPLES), protocol, PromptOptions()).messages

        assert [one["role"] for one in messages] == ["system", "user", "assistant", "user", "assistant", "user"]
        assert json.loads(str(messages[2]["content"])) == {"name": "find", "arguments": {"id": "7"}}
        assert json.loads(str(messages[4]["content"])) == {"name": "no_call"}
        assert str(messages[0]["content"]).startswith("Be brief.")


def test_without_examples_nothing_changes() -> None:
    bare = sample()

    assert len(encode(bare, "native", PromptOptions()).messages) == 2
    assert "examples" not in bare.model_dump()
