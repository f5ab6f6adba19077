"""What the engine `transformers` takes of a request, and what it refuses rather than leaving it out."""

import pytest

from harness.backends.blame import attribute
from harness.backends.transformers_ask import RefusalError, ask_of

HELLO = [{"role": "user", "content": "Hello"}]


def test_what_is_not_sent_is_what_asks_for_nothing() -> None:
    ask = ask_of({"messages": HELLO})

    assert (ask.temperature, ask.top_p, ask.top_k, ask.min_p, ask.repeat_penalty) == (1.0, 1.0, 0, 0.0, 1.0)
    assert (ask.seed, ask.max_tokens, ask.schema, ask.tools, ask.stops) == (None, None, None, None, ())


def test_every_sampling_field_of_the_harness_is_read() -> None:
    sent = {"temperature": 0.5, "top_p": 0.9, "top_k": 40, "min_p": 0.1, "repeat_penalty": 1.2, "seed": 7}

    ask = ask_of({"messages": HELLO, "max_completion_tokens": 9, "stop": "x", **sent})

    assert {name: getattr(ask, name) for name in sent} == sent
    assert (ask.max_tokens, ask.stops) == (9, ("x",))


def test_templates_get_text_for_null_and_objects_for_arguments() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}

    ask = ask_of({"messages": [*HELLO, {"role": "assistant", "content": None, "tool_calls": [call]}]})

    assert ask.messages[1]["content"] == ""
    assert ask.messages[1]["tool_calls"][0]["function"]["arguments"] == {"a": 1}
    assert call["function"] == {"name": "f", "arguments": '{"a": 1}'}


def test_tools_that_may_not_be_used_are_not_shown() -> None:
    assert ask_of({"messages": HELLO, "tools": [{"type": "function"}], "tool_choice": "none"}).tools is None


@pytest.mark.parametrize(
    "sent",
    [
        {"guided_regex": "a+"},
        {"logprobs": True},
        {"n": 2},
        {"tools": [{}], "tool_choice": "required"},
        {"response_format": {"type": "regex"}},
        {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
    ],
)
def test_what_it_does_not_do_is_the_requests_fault(sent: dict[str, object]) -> None:
    with pytest.raises(RefusalError) as refused:
        ask_of({"messages": HELLO, **sent})

    failure = attribute(refused.value.status, f'{{"error": {{"message": "{refused.value}"}}}}'.encode(), None)
    assert (failure.boundary, failure.kind) == ("harness", "unsupported_request")


@pytest.mark.parametrize(
    "body",
    [[], {}, {"messages": []}, {"messages": HELLO, "temperature": -1}, {"messages": HELLO, "max_tokens": 0}],
    ids=["no object", "no messages", "an empty list", "a negative temperature", "no tokens"],
)
def test_what_makes_no_sense_is_refused(body: object) -> None:
    with pytest.raises(RefusalError) as refused:
        ask_of(body)

    assert refused.value.status == 400
