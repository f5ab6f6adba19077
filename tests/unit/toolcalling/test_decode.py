"""What each protocol reads as a call, as silence, and as a call that cannot be read."""

import json

import pytest

from harness.records import Protocol, RawToolCall, Reply, Tool, ToolCall
from harness.toolcalling.decode import Decoded, decode

WEATHER = Tool(name="get_weather", parameters={"type": "object", "properties": {"city": {"type": "string"}}})
TOOLS = (WEATHER, Tool(name="sum"))
OSLO = '{"name": "get_weather", "arguments": {"city": "Oslo"}}'
LIMA = '{"name": "get_weather", "arguments": {"city": "Lima"}}'
OSLO_CALL = ToolCall(name="get_weather", arguments={"city": "Oslo"})
LIMA_CALL = ToolCall(name="get_weather", arguments={"city": "Lima"})


def prompted(text: str | None) -> Decoded:
    return decode(Reply(content=text), "prompted", TOOLS)


def constrained(text: str | None) -> Decoded:
    return decode(Reply(content=text), "constrained", TOOLS)


def native(*calls: tuple[str, str], text: str | None = None) -> Decoded:
    raw = tuple(RawToolCall(name=name, arguments=arguments, id="c1") for name, arguments in calls)
    return decode(Reply(content=text, tool_calls=raw), "native", TOOLS)


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        (OSLO, [OSLO_CALL]),
        (f"\n {OSLO}\n", [OSLO_CALL]),
        (f"[{OSLO}]", [OSLO_CALL]),
        (f'{{"calls": [{OSLO}, {LIMA}]}}', [OSLO_CALL, LIMA_CALL]),
        (f"[{OSLO}, {LIMA}]", [OSLO_CALL, LIMA_CALL]),
        (f"```json\n{OSLO}\n```", [OSLO_CALL]),
        (f"Sure:\n```\n[{OSLO}]\n```\nDone.", [OSLO_CALL]),
        (f"<tool_call>\n{OSLO}\n</tool_call>\n<tool_call>\n{LIMA}\n</tool_call>", [OSLO_CALL, LIMA_CALL]),
        (f"First {OSLO}, then {LIMA}.", [OSLO_CALL, LIMA_CALL]),
        (f"{OSLO}\n{LIMA}", [OSLO_CALL, LIMA_CALL]),
        (f"It calls get_weather(city): {OSLO}", [OSLO_CALL]),
        (f"<think>Maybe {LIMA}?</think>{OSLO}", [OSLO_CALL]),
    ],
)
def test_prompted_reads_calls_as_asked_or_wrapped_in_text(text: str, calls: list[ToolCall]) -> None:
    decoded = prompted(text)

    assert decoded.error is None
    assert list(decoded.calls) == calls


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "   ",
        '{"name": "no_call"}',
        '{"name": "no_call", "arguments": {}}',
        '[{"name": "no_call"}]',
        '{"calls": []}',
        "[]",
        'None fits: {"name": "no_call"}',
        "I cannot book tables.",
        "The sum of 2 and 3 is 5 [1].",
        "The sum (of both) is consum(x)",
        "42",
        '"no"',
        "Use {braces} as you like",
        "[see below] and {this}",
    ],
)
def test_prompted_takes_declining_and_plain_text_for_no_call(text: str | None) -> None:
    decoded = prompted(text)

    assert decoded.calls == ()
    assert decoded.error is None


@pytest.mark.parametrize(
    "text",
    [
        OSLO[:-1],
        OSLO.replace('"', "'"),
        OSLO.replace(": {", " {"),
        f"[{OSLO}, {LIMA}",
        f"[{OSLO}}}]",
        f"{OSLO}\n{LIMA[:-5]}",
        "get_weather(city='Oslo')",
        "[get_weather(city='Oslo')]",
        '<tool_call>{"get_weather"</tool_call>',
        '{"name": "get_weather"}',
        '{"name": "get_weather", "parameters": {"city": "Oslo"}}',
        '{"name": "get_weather", "arguments": "{\\"city\\": \\"Oslo\\"}"}',
        '{"name": "get_weather", "arguments": null}',
        '{"name": "get_weather", "arguments": [1]}',
        '{"name": 3, "arguments": {}}',
        '{"name": "", "arguments": {}}',
        '{"get_weather": {"city": "Oslo"}}',
        '{"city": "Oslo"}',
        "{}",
        '{"calls": 3}',
        "[1]",
        f'[{OSLO}, {{"name": "no_call"}}]',
        f'{OSLO} or {{"name": "no_call"}}',
        f"// the call\n{OSLO[:-1]},}}",
    ],
)
def test_prompted_calls_that_cannot_be_read_are_errors_and_not_silence(text: str) -> None:
    decoded = prompted(text)

    assert decoded.calls == ()
    assert decoded.error
    assert "\n" not in decoded.error


def test_text_around_the_calls_is_kept() -> None:
    assert prompted(f"Here: {OSLO} Done.").text == "Here:  Done."


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 500, '"\\ud800"', "tRue", "01"])
@pytest.mark.parametrize("protocol", ["prompted", "constrained", "native"])
def test_values_that_json_does_not_have_are_refused(literal: str, protocol: Protocol) -> None:
    arguments = f'{{"city": {literal}}}'
    raw = (RawToolCall(name="get_weather", arguments=arguments),)
    reply = (
        Reply(tool_calls=raw)
        if protocol == "native"
        else Reply(content=f'{{"name": "get_weather", "arguments": {arguments}}}')
    )

    decoded = decode(reply, protocol, TOOLS)

    assert decoded.calls == ()
    assert decoded.error


def test_a_key_given_twice_is_refused_rather_than_one_of_its_values_chosen() -> None:
    decoded = constrained('{"name": "get_weather", "arguments": {"city": "Oslo", "city": "Lima"}}')

    assert decoded.error is not None
    assert "twice" in decoded.error


def test_a_tool_that_is_called_like_the_decline_word_can_be_called() -> None:
    tools = (Tool(name="no_call"),)

    called = decode(Reply(content='{"name": "no_call", "arguments": {}}'), "prompted", tools)
    declined = decode(Reply(content='{"name": "no_call_"}'), "prompted", tools)

    assert [call.name for call in called.calls] == ["no_call"]
    assert (declined.calls, declined.error) == ((), None)


@pytest.mark.parametrize("text", [OSLO, f'{{"calls": [{OSLO}, {LIMA}]}}', '{"name": "no_call"}'])
def test_constrained_reads_the_schema_s_shapes(text: str) -> None:
    assert constrained(text).error is None
    assert len(constrained(text).calls) == text.count("get_weather")


@pytest.mark.parametrize("text", [None, "", "I cannot.", f"Here: {OSLO}", f"```json\n{OSLO}\n```", OSLO[:-2], "42"])
def test_constrained_takes_anything_else_for_an_error(text: str | None) -> None:
    decoded = constrained(text)

    assert decoded.calls == ()
    assert decoded.error


def test_native_reads_the_server_s_calls_with_their_ids() -> None:
    decoded = native(("get_weather", '{"city": "Oslo"}'), ("sum", ""), text="One moment.")

    assert [call.arguments for call in decoded.calls] == [{"city": "Oslo"}, {}]
    assert decoded.calls[0].id == "c1"
    assert decoded.text == "One moment."


@pytest.mark.parametrize("arguments", ['"Oslo"', '{"city": "Oslo"', "[]", "null", "city=Oslo"])
def test_native_arguments_that_are_no_object_are_an_error_for_the_whole_reply(arguments: str) -> None:
    decoded = native(("sum", "{}"), ("get_weather", arguments))

    assert decoded.calls == ()
    assert decoded.error is not None
    assert "get_weather" in decoded.error


def test_native_text_is_no_call() -> None:
    assert native(text='The name is {"name": "Bob"}.') == Decoded((), None, 'The name is {"name": "Bob"}.')


def test_native_call_written_as_text_is_an_error() -> None:
    assert native(text=OSLO).error


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '[{"a":' * 100_000,
        '{"name": "sum", "arguments": {"a": ' + "[" * 100_000,
        '{"name": "sum", "arguments": {"a": ' + "[" * 400 + "]" * 400 + "}}",
        "{ " * 100_000,
        '{"' * 100_000,
        "get_weather" * 100_000,
        "get_weather(" * 100_000,
        "<tool_call>" * 100_000,
        "<think>" * 100_000 + "</think>",
        "'name'" + " " * 1_000_000,
        "{" + " " * 1_000_000,
        json.dumps({"name": "sum", "arguments": {"a": "x" * 10_000_000}}),
        '{"name": "sum", "arguments": {"a": "' + "x" * 10_000_000,
        '{"name": "sum", "arguments": {"a": ' + "1" * 1_000_000 + "}}",
        "a\ud800{",
    ],
)
@pytest.mark.parametrize("protocol", ["prompted", "constrained", "native"])
def test_long_and_deep_replies_are_read_or_refused_without_raising(text: str, protocol: Protocol) -> None:
    decoded = decode(Reply(content=text), protocol, TOOLS)

    assert decoded.error is None or len(decoded.error) < 300
