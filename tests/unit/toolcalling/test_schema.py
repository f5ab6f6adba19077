"""The schema of a constrained answer: what it lets through, and what it keeps out."""

from typing import Any

import pytest

from harness.records import Tool
from harness.toolcalling.schema import argument_schema, calls_schema
from tests.support.json_schema_check import accepts, keywords

ROOM = Tool(
    name="book_room",
    parameters={
        "type": "object",
        "properties": {
            "note": {"type": "string", "maxLength": 3, "pattern": "^a$", "default": "x"},
            "nights": {"type": "integer", "minimum": 1},
            "kind": {"type": "string", "enum": ["single", "double"]},
            "guests": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["nights", "kind"],
    },
)
TOOLS = (ROOM, Tool(name="ping"))
GOOD = {"name": "book_room", "arguments": {"nights": 2, "kind": "single"}}
PING: dict[str, Any] = {"name": "ping", "arguments": {}}


def parameter(schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What a parameter's schema becomes."""
    made: Any = argument_schema({"type": "object", "properties": {"x": schema}, **more})
    found: dict[str, Any] = made["properties"]["x"]
    return found


@pytest.mark.parametrize(
    "answer",
    [
        GOOD,
        {"name": "book_room", "arguments": {"nights": 2, "kind": "single", "note": "late", "guests": []}},
        PING,
        {"calls": [GOOD, PING]},
        {"name": "no_call"},
    ],
)
def test_one_call_several_and_declining_fit(answer: Any) -> None:
    assert accepts(calls_schema(TOOLS), answer)


@pytest.mark.parametrize(
    "answer",
    [
        {"name": "book", "arguments": {"nights": 2, "kind": "single"}},
        {"name": "book_room", "arguments": {"nights": 2}},
        {"name": "book_room", "arguments": {"nights": "2", "kind": "single"}},
        {"name": "book_room", "arguments": {"nights": 2, "kind": "triple"}},
        {"name": "book_room", "arguments": {"nights": 2, "kind": "single", "price": 3}},
        {"name": "book_room", "arguments": {"nights": 2, "kind": "single", "guests": [1]}},
        {"name": "ping", "arguments": {"x": 1}},
        {"name": "ping"},
        {"name": "no_call", "arguments": {"x": 1}},
        {"calls": []},
        {"calls": [GOOD]},
        {"calls": [GOOD, {"name": "no_call"}]},
        {"calls": [PING] * 17},
        [GOOD],
        [],
        "ping",
    ],
)
def test_wrong_names_types_keys_and_shapes_do_not_fit(answer: Any) -> None:
    assert not accepts(calls_schema(TOOLS), answer)


def test_arguments_stand_required_ones_first() -> None:
    made: Any = argument_schema(ROOM.parameters)

    assert list(made["properties"]) == ["nights", "kind", "note", "guests"]


def test_only_keywords_that_grammar_compilers_know_are_left() -> None:
    assert keywords(calls_schema(TOOLS)) == {
        *("type", "enum", "properties", "required", "additionalProperties"),
        *("items", "minItems", "maxItems", "anyOf"),
    }


def test_a_tool_called_no_call_can_be_told_from_declining() -> None:
    schema = calls_schema((Tool(name="no_call"),))

    assert accepts(schema, {"name": "no_call", "arguments": {}})
    assert accepts(schema, {"name": "no_call_"})
    assert not accepts(schema, {"name": "no_call"})


def test_no_tools_leave_declining_alone() -> None:
    assert accepts(calls_schema(()), {"name": "no_call"})
    assert not accepts(calls_schema(()), PING)


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({"type": "float"}, {"type": "number"}),
        ({"type": "HashMap"}, {"type": "object"}),
        ({"type": "any"}, {}),
        ({}, {}),
        ({"type": ["string", "null"]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"type": "string", "nullable": True}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"type": "boolean", "enum": ["true", "false"]}, {"type": "boolean"}),
        ({"type": "integer", "enum": [1, "2", 1, True]}, {"type": "integer", "enum": [1]}),
        ({"enum": ["a", 1]}, {"enum": ["a", 1]}),
        ({"type": "integer", "default": None}, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        ({"type": "integer", "default": "dontcare"}, {"anyOf": [{"type": "integer"}, {"enum": ["dontcare"]}]}),
        ({"type": "integer", "default": 3}, {"type": "integer"}),
        (
            {"type": "string", "enum": ["s"], "default": "N/A"},
            {"anyOf": [{"type": "string", "enum": ["s"]}, {"enum": ["N/A"]}]},
        ),
        ({"const": 3}, {"enum": [3]}),
        (
            {"type": "array", "enum": ["a"], "items": {"type": "string"}},
            {"type": "array", "items": {"type": "string", "enum": ["a"]}},
        ),
        (
            {"type": "array", "enum": [["a"]], "items": {"type": "string"}},
            {"type": "array", "items": {"type": "string"}},
        ),
        ({"type": "array"}, {"type": "array"}),
        ({"type": "object", "required": ["a"]}, {"type": "object"}),
        (
            {"type": "object", "additionalProperties": {"type": "integer"}},
            {"type": "object", "additionalProperties": {"type": "integer"}},
        ),
        ({"oneOf": [{"type": "string"}, {"type": "string"}]}, {"type": "string"}),
        ({"anyOf": [{"type": "string"}, {}]}, {}),
        ({"allOf": [{"type": "string"}]}, {"type": "string"}),
        ({"$ref": "#/$defs/word"}, {"type": "string"}),
        ({"$ref": "#/$defs/nowhere"}, {}),
        ({"$ref": "elsewhere.json"}, {}),
    ],
)
def test_a_parameter_is_mapped(given: dict[str, Any], made: dict[str, Any]) -> None:
    assert parameter(given, **{"$defs": {"word": {"type": "string"}}}) == made


def test_a_schema_that_refers_to_itself_ends_in_any_value() -> None:
    tree = {"type": "object", "properties": {"left": {"$ref": "#/$defs/tree"}, "name": {"type": "string"}}}

    made = parameter({"$ref": "#/$defs/tree"}, **{"$defs": {"tree": tree}})

    assert accepts(made, {"left": {"left": {"name": "leaf"}}})
    assert not accepts(made, {"left": {"left": {"name": 3}}})
