"""Streams put together: the same response as the provider sends in one piece, whatever was cut off."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.capture.streams import assembled


def sse(*events: object) -> bytes:
    return b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in events)


def chunk(index: int = 0, finish: str | None = None, **delta: object) -> dict[str, object]:
    return {"id": "c", "model": "m", "choices": [{"index": index, "delta": delta, "finish_reason": finish}]}


def test_chat_deltas_of_two_calls_become_two_whole_calls() -> None:
    raw = sse(
        chunk(role="assistant", content=""),
        chunk(tool_calls=[{"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x"'}}]),
        chunk(tool_calls=[{"index": 1, "id": "b", "function": {"name": "g", "arguments": ""}}]),
        chunk(tool_calls=[{"index": 0, "function": {"arguments": ": 1}"}}]),
        chunk(finish="tool_calls"),
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
    )

    found = assembled(raw + b"data: [DONE]\n\n", "openai.chat")

    (choice,) = found.response["choices"]
    assert [one["function"] for one in choice["message"]["tool_calls"]] == [
        {"name": "f", "arguments": '{"x": 1}'},
        {"name": "g", "arguments": ""},
    ]
    assert (choice["finish_reason"], found.response["usage"]["prompt_tokens"], found.whole) == ("tool_calls", 3, True)


def test_the_first_piece_is_the_first_that_holds_an_answer() -> None:
    opening, first = sse(chunk(role="assistant", content="")), sse(chunk(content="Hi"))

    found = assembled(opening + first + sse(chunk(content="!")), "openai.chat")

    assert found.first_at is not None
    assert len(opening) <= found.first_at < len(opening + first)
    assert found.response["choices"][0]["message"]["content"] == "Hi!"
    assert not found.whole


def test_anthropic_blocks_grow_to_text_and_to_a_tools_input() -> None:
    raw = sse(
        {"type": "message_start", "message": {"id": "x", "role": "assistant", "content": [],
                                              "usage": {"input_tokens": 7, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Let me "}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "look."}},
        {"type": "content_block_start", "index": 1,
         "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"city": '}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '"Oslo"}'}},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    )  # fmt: skip

    found = assembled(raw, "anthropic.messages")

    text, call = found.response["content"]
    assert text["text"] == "Let me look."
    assert call["input"] == {"city": "Oslo"}
    assert found.response["usage"] == {"input_tokens": 7, "output_tokens": 9}
    assert (found.response["stop_reason"], found.whole) == ("tool_use", True)


def test_a_tools_input_that_was_cut_off_stays_as_text() -> None:
    raw = sse(
        {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "name": "f", "input": {}}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": '{"ci'}},
    )

    found = assembled(raw, "anthropic.messages")

    assert (found.response["content"][0]["input"], found.whole) == ('{"ci', False)


def test_the_last_event_of_openais_responses_is_the_response() -> None:
    raw = sse(
        {"type": "response.created", "response": {"id": "r", "status": "in_progress", "output": []}},
        {"type": "response.output_text.delta", "delta": "Hi"},
        {"type": "response.completed", "response": {"id": "r", "status": "completed", "output": [{"type": "message"}]}},
    )

    found = assembled(raw, "openai.responses")

    assert (found.response["status"], found.whole, found.first_at is not None) == ("completed", True, True)


def test_what_was_done_of_a_response_that_was_cut_off_is_kept() -> None:
    raw = sse(
        {"type": "response.created", "response": {"id": "r", "output": []}},
        {"type": "response.output_item.done", "item": {"type": "message", "content": []}},
    )

    found = assembled(raw, "openai.responses")

    assert (found.response["output"], found.whole) == ([{"type": "message", "content": []}], False)


def test_geminis_parts_are_joined() -> None:
    raw = sse(
        {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}}]},
        {"candidates": [{"content": {"parts": [{"text": "!"}]}, "finishReason": "STOP"}], "usageMetadata": {"a": 1}},
    )

    found = assembled(raw, "gemini.generate")

    assert found.response["candidates"][0]["content"]["parts"] == [{"text": "Hi"}, {"text": "!"}]
    assert (found.whole, found.response["usageMetadata"]) == (True, {"a": 1})


@pytest.mark.parametrize("kind", ["openai.chat", "openai.responses", "anthropic.messages", "gemini.generate"])
@given(raw=st.binary(max_size=300), value=st.recursive(
    st.none() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(
        st.sampled_from(["choices", "delta", "type", "index", "message", "content_block", "candidates", "response"]),
        inner, max_size=4),
    max_leaves=8,
))  # fmt: skip
def test_no_stream_whatever_it_holds_is_more_than_unreadable(kind: str, raw: bytes, value: object) -> None:
    """The recorder counts a line that cannot be made; it must stay a plain error of the data, never a hang."""
    try:
        found = assembled(raw + sse(value), kind)
    except (AttributeError, TypeError, KeyError, ValueError):
        return

    assert isinstance(found.response, dict)
