"""What is sent for a sample by each protocol."""

import json
from typing import Any

import pytest

from harness.errors import ConfigError
from harness.records import Message, Protocol, Reply, Sample, TextTarget, Tool, ToolCall, ToolTarget
from harness.toolcalling.decode import decode
from harness.toolcalling.encode import ChatRequest, PromptOptions, encode
from harness.toolcalling.prompt import answer_text, instructions

ROOM = Tool(
    name="book_room",
    description="Books a hotel room.",
    parameters={
        "type": "object",
        "properties": {
            "note": {"type": "string", "description": "What the\n hotel should know.", "default": "none"},
            "nights": {"type": "integer", "description": "Length of the stay."},
            "kind": {"type": "string", "enum": ["single", "double"]},
            "guests": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"age": {"type": "integer", "description": "In years."}},
                    "required": ["age"],
                },
            },
        },
        "required": ["nights"],
    },
)
USER = Message(role="user", content=" A room, please. ")


def sample(*messages: Message, tools: tuple[Tool, ...] = (ROOM,)) -> Sample:
    target = ToolTarget(expect="no_call")
    return Sample(id="s", category="c", messages=messages or (USER,), tools=tools, target=target, scorer="bfcl")


def sent(protocol: Protocol, *messages: Message, **options: Any) -> ChatRequest:
    return encode(sample(*messages), protocol, PromptOptions(**options))


def test_native_sends_the_tools_beside_unchanged_messages() -> None:
    request = sent("native", Message(role="system", content="Be brief."), USER)

    assert request.messages == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": " A room, please. "},
    ]
    assert request.tools == [
        {
            "type": "function",
            "function": {
                "name": "book_room",
                "description": "Books a hotel room.",
                "parameters": ROOM.parameters,
            },
        }
    ]
    assert (request.tool_choice, request.response_format) == ("auto", None)


def test_prompted_puts_the_tools_behind_the_sample_s_own_system_message() -> None:
    request = sent("prompted", Message(role="system", content="Be brief."), USER)

    assert [message["role"] for message in request.messages] == ["system", "user"]
    assert str(request.messages[0]["content"]).startswith("Be brief.\n\n")
    assert "book_room" in str(request.messages[0]["content"])
    assert (request.tools, request.tool_choice, request.response_format) == (None, None, None)


@pytest.mark.parametrize("style", ["signature", "json"])
@pytest.mark.parametrize("examples", [0, 1, 3])
def test_constrained_differs_from_prompted_by_the_schema_alone(style: str, examples: int) -> None:
    prompted = sent("prompted", style=style, examples=examples)
    constrained = sent("constrained", style=style, examples=examples)

    assert constrained.messages == prompted.messages
    assert constrained.response_format is not None
    assert constrained.response_format["type"] == "json_schema"


@pytest.mark.parametrize("protocol", ["native", "prompted", "constrained"])
def test_a_sample_without_tools_is_sent_bare(protocol: Protocol) -> None:
    request = encode(sample(tools=()), protocol, PromptOptions())

    assert request == ChatRequest(messages=[{"role": "user", "content": " A room, please. "}])


ORDER: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]}


def wanting(tools: tuple[Tool, ...] = (), **target: Any) -> Sample:
    given = TextTarget.model_validate({"match": "json", **target})
    return Sample(id="s", category="c", messages=(USER,), tools=tools, target=given, scorer="text")


def form(one: Sample, protocol: Protocol = "constrained") -> Any:
    return encode(one, protocol, PromptOptions()).response_format


def test_constrained_holds_a_json_answer_to_the_target_s_own_schema() -> None:
    one = wanting(schema=ORDER, accepted=['{"n": 2}'])

    assert form(one) == {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": ORDER}}
    assert encode(one, "constrained", PromptOptions()).messages == encode(one, "prompted", PromptOptions()).messages


@pytest.mark.parametrize("protocol", ["native", "prompted"])
def test_a_json_answer_is_held_to_nothing_by_the_other_protocols(protocol: Protocol) -> None:
    assert form(wanting(schema=ORDER), protocol) is None


@pytest.mark.parametrize(
    ("accepted", "schema"),
    [
        (['{"city": "Oslo"}'], {"type": "object"}),
        (["[1]", "[2]"], {"type": "array"}),
        (['{"a": 1}', "[1]"], {"anyOf": [{"type": "object"}, {"type": "array"}]}),
        (["true"], {"type": "boolean"}),
        (["2", "2.5"], {"type": "number"}),
        (['"x"', "null"], {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        (["{not JSON"], {"type": "object"}),
    ],
)
def test_without_a_schema_any_json_of_the_accepted_types_passes_and_no_key_is_told(
    accepted: list[str], schema: dict[str, Any]
) -> None:
    held = form(wanting(accepted=accepted))["json_schema"]

    assert (held["schema"], held["strict"]) == (schema, False)


def test_an_answer_in_words_has_no_form() -> None:
    assert form(wanting(match="exact", accepted=["yes"])) is None


def test_where_tools_are_offered_the_form_is_that_of_calls() -> None:
    assert form(wanting(tools=(ROOM,), schema=ORDER))["json_schema"]["name"] == "calls"


def test_signatures_name_types_choices_defaults_and_what_is_optional() -> None:
    text = instructions([ROOM], PromptOptions(style="signature"))

    assert text.endswith(
        "Functions:\n"
        'book_room(nights: integer, note?: string, kind?: "single" | "double", guests?: {age: integer}[]):'
        " Books a hotel room.\n"
        '  note: What the hotel should know. Default: "none".\n'
        "  nights: Length of the stay.\n"
        "  guests: age: In years."
    )


def test_json_style_shows_the_schema_on_one_line() -> None:
    last = instructions([ROOM], PromptOptions(style="json")).splitlines()[-1]

    assert json.loads(last) == {
        "name": "book_room",
        "description": "Books a hotel room.",
        "parameters": ROOM.parameters,
    }


def test_more_examples_make_a_longer_prompt_and_each_decodes_as_it_says() -> None:
    texts = [instructions([ROOM], PromptOptions(examples=n)) for n in range(4)]
    replies = [line.removeprefix("Reply: ") for line in texts[3].splitlines() if line.startswith("Reply: ")]

    assert [text.count("Request: ") for text in texts] == [0, 1, 2, 3]
    assert [answer_text(decode_text(reply), "no_call") for reply in replies] == replies


def decode_text(reply: str) -> tuple[ToolCall, ...]:
    from_json = json.loads(reply)
    calls = from_json.get("calls", [from_json])
    return tuple(ToolCall.model_validate(call) for call in calls if call["name"] != "no_call")


def test_more_examples_than_there_are_is_refused() -> None:
    with pytest.raises(ConfigError, match="0 to 3 are allowed"):
        PromptOptions(examples=4)


CALL = Message(role="assistant", tool_calls=(ToolCall(name="book_room", arguments={"nights": 2}),))
TWO = Message(role="assistant", content="Both.", tool_calls=CALL.tool_calls * 2)
RESULT = Message(role="tool", name="book_room", content='{"room": 7}')


def test_native_history_links_results_to_calls_that_have_no_ids() -> None:
    messages: list[Any] = sent("native", USER, TWO, RESULT, RESULT).messages

    ids = [call["id"] for call in messages[1]["tool_calls"]]
    assert len(set(ids)) == 2
    assert [message["tool_call_id"] for message in messages[2:]] == ids
    assert json.loads(messages[1]["tool_calls"][0]["function"]["arguments"]) == {"nights": 2}


def test_prompted_history_shows_calls_as_they_are_asked_for_and_results_as_one_user_turn() -> None:
    messages = sent("prompted", USER, TWO, RESULT, RESULT, USER).messages[1:]

    assert [message["role"] for message in messages] == ["user", "assistant", "user", "user"]
    said = str(messages[1]["content"])
    assert said.startswith("Both.\n")
    assert str(messages[2]["content"]).count('Result of book_room: {"room": 7}') == 2


def test_the_request_is_json() -> None:
    request = sent("constrained", USER, CALL, RESULT)

    assert json.loads(json.dumps(request.messages)) == request.messages
    assert json.loads(json.dumps(request.response_format)) == request.response_format


def test_the_calls_of_a_history_decode_to_themselves() -> None:
    said = str(sent("prompted", USER, TWO).messages[-1]["content"])

    assert decode(Reply(content=said), "prompted", (ROOM,)).calls == TWO.tool_calls


def test_a_history_with_calls_is_told_as_text_where_the_step_has_no_tools() -> None:
    call = ToolCall(name="book_room", arguments={"nights": 2}, id="c1")
    messages = (
        USER,
        Message(role="assistant", tool_calls=(call,)),
        Message(role="tool", content="ok", tool_call_id="c1"),
    )

    request = encode(sample(*messages, tools=()), "prompted", PromptOptions())

    assert [one["role"] for one in request.messages] == ["user", "assistant", "user"]
    assert request.messages[1]["content"] == '{"name": "book_room", "arguments": {"nights": 2}}'
    assert request.messages[2]["content"] == "Result of book_room: ok"


def test_a_result_is_told_with_the_name_of_the_call_whose_id_it_has() -> None:
    calls = (ToolCall(name="a", arguments={}, id="1"), ToolCall(name="b", arguments={}, id="2"))
    results = [Message(role="tool", content=one, tool_call_id=one) for one in ("2", "1")]

    request = sent("prompted", USER, Message(role="assistant", tool_calls=calls), *results)

    assert request.messages[-1]["content"] == "Result of b: 2\nResult of a: 1"
