"""What holds for the tool protocols whatever a model says and whatever a tool looks like."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from harness.records import PROTOCOLS, Protocol, RawToolCall, Reply, Tool, ToolCall
from harness.toolcalling.decode import decode
from harness.toolcalling.prompt import PromptOptions, answer_text, instructions
from harness.toolcalling.schema import calls_schema
from harness.toolcalling.shape import decline_name
from tests.support.json_schema_check import accepts, keywords

PROTOCOL: st.SearchStrategy[Protocol] = st.sampled_from(PROTOCOLS)
TOOLS = (Tool(name="get"), Tool(name="put"))
PIECES = st.sampled_from(
    [
        *(
            '{"name": "get"',
            ', "arguments": {',
            "}",
            "}}",
            "[",
            "]",
            "get(",
            "<tool_call>",
            "</tool_call>",
            "```json\n",
        ),
        *(
            "<think>",
            "</think>",
            '"calls": [',
            '{"name": "no_call"}',
            "NaN",
            "1e999",
            "\\ud800",
            '"',
            "\\",
            "\n",
            " so ",
        ),
    ]
)
TEXT = st.text() | st.text(alphabet='{}[]",:\\ n1e<>/') | st.lists(PIECES | st.text(max_size=3)).map("".join)
LONE = st.text(st.characters(categories=["Cs"]), max_size=3)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
CALLS = st.lists(
    st.builds(ToolCall, name=st.sampled_from(["get", "put"]), arguments=st.dictionaries(st.text(), VALUES, max_size=3)),
    max_size=4,
).map(tuple)
SCHEMAS: st.SearchStrategy[Any] = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["string", "integer", "float", "dict", "array", "any", "tuple", "boolean"])
            | VALUES,
            "enum": st.lists(VALUES, max_size=3) | VALUES,
            "const": VALUES,
            "nullable": VALUES,
            "$ref": st.sampled_from(["#", "#/properties/a", "#/x", "x"]) | VALUES,
            "description": VALUES,
            "default": VALUES,
            "required": VALUES,
        },
    )
    | VALUES,
    lambda inner: st.fixed_dictionaries(
        {"type": st.sampled_from(["object", "array", ["object", "null"]])},
        optional={
            "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=3) | inner,
            "items": inner,
            "anyOf": st.lists(inner, max_size=2),
            "allOf": st.lists(inner, max_size=2),
            "additionalProperties": inner,
            "required": st.lists(st.sampled_from("abcd"), max_size=3),
        },
    ),
    max_leaves=6,
)


@given(TEXT | LONE, st.lists(st.tuples(st.text(max_size=3), TEXT), max_size=2), PROTOCOL)
def test_decoding_never_raises(text: str, calls: list[tuple[str, str]], protocol: Protocol) -> None:
    raw = tuple(RawToolCall(name=name, arguments=arguments) for name, arguments in calls)

    decoded = decode(Reply(content=text, tool_calls=raw), protocol, TOOLS)

    assert decoded.error is None or (decoded.calls == () and decoded.error and "\n" not in decoded.error)
    assert all(call.model_dump_json() for call in decoded.calls)


@given(CALLS, PROTOCOL)
def test_calls_answered_as_asked_are_read_back(calls: tuple[ToolCall, ...], protocol: Protocol) -> None:
    decoded = decode(perfect_reply(calls, protocol), protocol, TOOLS)

    assert decoded.error is None
    assert decoded.calls == calls


@given(CALLS.filter(bool), st.integers(min_value=1), st.sampled_from(["prompted", "constrained"]))
def test_an_answer_cut_short_is_an_error_and_never_silence(
    calls: tuple[ToolCall, ...], cut: int, protocol: Protocol
) -> None:
    whole = answer_text(calls, "no_call")
    text = whole[: max(len('{"'), len(whole) - cut)]

    assert decode(Reply(content=text), protocol, TOOLS).error


@given(st.dictionaries(st.sampled_from("abc"), SCHEMAS, max_size=3), st.lists(st.sampled_from("abcd"), max_size=3))
def test_any_parameters_make_a_schema_of_known_keywords_and_a_prompt(properties: Any, required: Any) -> None:
    tool = Tool(name="get", parameters={"type": "object", "properties": properties, "required": required})

    schema = calls_schema((tool,))

    assert accepts(schema, {"name": decline_name((tool,))})
    assert "enum" in keywords(schema)
    assert json.dumps(schema, allow_nan=False)
    assert "get(" in instructions((tool,), PromptOptions(style="signature"))


def perfect_reply(calls: tuple[ToolCall, ...], protocol: Protocol) -> Reply:
    """What a model without fault would answer."""
    if protocol == "native":
        return Reply(
            tool_calls=tuple(RawToolCall(name=call.name, arguments=json.dumps(call.arguments)) for call in calls)
        )
    return Reply(content=answer_text(calls, decline_name(TOOLS)))
