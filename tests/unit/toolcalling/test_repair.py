"""Repair: what a broken form hid is found, and nothing is made up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records import RawToolCall, Reply, Tool
from harness.toolcalling.repair import repaired_calls, repaired_json

WEATHER = Tool(
    name="get_weather",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "wind": {"type": "boolean"}},
    },
)
OSLO = ("get_weather", {"city": "Oslo", "days": 3})


def calls(text: str) -> list[tuple[str, dict[str, object]]] | None:
    found = repaired_calls(Reply(content=text), (WEATHER,))
    return None if found is None else [(one.name, dict(one.arguments)) for one in found]


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "get_weather", "arguments": {"city": "Oslo", "days": 3',
        "{'name': 'get_weather', 'arguments': {'city': 'Oslo', 'days': 3}}",
        'Sure!\n```json\n{"name": "get_weather", "arguments": {"city": "Oslo", "days": 3,}}\n```\nDone.',
        '{"name": "get_weather", "parameters": {"city": "Oslo", "days": 3}}',
        '{"type": "function", "function": {"name": "get_weather", "arguments": {"city": "Oslo", "days": 3}}}',
        '{"name": "get_weather", "arguments": "{\\"city\\": \\"Oslo\\", \\"days\\": 3}"}',
        '{"get_weather": {"city": "Oslo", "days": 3}}',
        '{"name": "get_weather", "city": "Oslo", "days": 3}',
        '{"name": "get_weather", "arguments": {"city": "Oslo", "days": "3"}}',
        '{"tool_calls": [{"name": "get_weather", "arguments": {"city": "Oslo", "days": 3}}]}',
        'I call get_weather(city="Oslo", days=3).',
        'get_weather("Oslo", 3)',
        '<think>hm {"name": "x"}</think>{"name": "get_weather", "arguments": {"city": "Oslo", "days": 3}}',
    ],
)
def test_a_broken_form_is_read(text: str) -> None:
    assert calls(text) == [OSLO]


@pytest.mark.parametrize("text", ["", "It will rain.", "my_get_weather(1)", '{"name": "no_call"}', "[]", "get_weather"])
def test_nothing_is_read_where_there_is_no_call(text: str) -> None:
    assert calls(text) is None


def test_no_argument_is_guessed() -> None:
    assert calls('{"name": "get_weather", "arguments": {"town": "Oslo"}}') == [("get_weather", {"town": "Oslo"})]


def test_a_native_call_with_broken_arguments_is_read() -> None:
    raw = RawToolCall(name="get_weather", arguments='{"city": "Oslo", "wind": "true"')

    found = repaired_calls(Reply(tool_calls=(raw,)), (WEATHER,))

    assert found is not None
    assert found[0].arguments == {"city": "Oslo", "wind": True}


def test_python_calls_take_literals_only() -> None:
    assert calls('get_weather(city=__import__("os").name)') is None


@given(st.text(max_size=80) | st.text(alphabet="{}[]\"':,get_weather(1)", max_size=80))
def test_no_text_raises(text: str) -> None:
    repaired_json(text)
    calls(text)
