"""When an argument is right."""

import pytest
from pydantic import JsonValue

from harness.records import Language
from harness.scorers.values import judge_argument

RIGHT, TYPE, VALUE = None, "schema", "wrong_value"


@pytest.mark.parametrize(
    ("given", "accepted", "declared", "outcome"),
    [
        (5, (5,), "integer", RIGHT),
        (5.0, (5,), "integer", TYPE),
        (True, (1,), "integer", TYPE),
        (1, (True,), "boolean", TYPE),
        ("5", (5,), "integer", TYPE),
        (5, (5.0,), "float", RIGHT),
        (10**400, (5.0,), "float", TYPE),
        (None, (5,), "integer", TYPE),
        (None, (None,), "integer", RIGHT),
        ("April 1, 2024", ("april 1 2024",), "string", RIGHT),
        ("it's", ('it"s',), "string", RIGHT),
        ("", ("Rome", ""), "string", RIGHT),
        ("Rome", ("Paris",), "string", VALUE),
        ([1, 2], ([1, 2],), "array<integer>", RIGHT),
        ([2, 1], ([1, 2],), "array<integer>", VALUE),
        ([1, 2], ([1.0, 2.0],), "array<float>", TYPE),
        ([1, 2], ([1.0, 2.0], []), "array<float>", RIGHT),
        (["A b"], (["ab"],), "array<string>", RIGHT),
        ([["A b"]], ([["ab"]],), "array<array>", VALUE),
        ({"k": "A"}, ({"k": ["a", "b"]},), "dict", RIGHT),
        ({}, ({"k": ["a", ""]},), "dict", RIGHT),
        ({}, ({"k": ["a"]},), "dict", VALUE),
        ({"k": "a", "x": 1}, ({"k": ["a"]},), "dict", VALUE),
        ([{"k": 1}], ([{"k": [1]}],), "array<dict>", RIGHT),
        ([{"k": 1}, {"k": 1}], ([{"k": [1]}],), "array<dict>", VALUE),
        ([7], ([{"k": [1]}], []), "array<dict>", VALUE),
        ("radius", ("radius",), "integer", RIGHT),
        ("Radius", ("radius",), "integer", VALUE),
        (0.1, (0.1,), None, RIGHT),
        ([], (), "array<string>", TYPE),
    ],
)
def test_python_values(given: JsonValue, accepted: tuple[JsonValue, ...], declared: str, outcome: str | None) -> None:
    fault = judge_argument("x", given, accepted, declared, "python")

    assert (fault and fault.miss) == outcome


@pytest.mark.parametrize(
    ("language", "given", "accepted", "declared", "outcome"),
    [
        ("java", "42", 42, "integer", RIGHT),
        ("java", 42, 42, "integer", TYPE),
        ("java", "42L", 42, "long", RIGHT),
        ("java", "42", 42, "long", TYPE),
        ("java", "0.5f", 0.5, "float", RIGHT),
        ("java", "true", True, "boolean", RIGHT),
        ("java", "new int[]{1, 2}", [1, 2], "Array<integer>", RIGHT),
        ("java", 'new String[] {"a", "b"}', ["a", "b"], "Array<String>", RIGHT),
        ("java", "new ArrayList<Long>(Arrays.asList(1L, 2L))", [1, 2], "ArrayList<long>", RIGHT),
        ("java", "new ArrayList<>() {{ add(1); add(2); }}", [1, 2], "ArrayList<integer>", RIGHT),
        ("java", "new ArrayList<>()", [], "ArrayList<integer>", RIGHT),
        ("java", 'new ArrayList<>(Arrays.asList("a", 1, true))', ["a", 1, True], "ArrayList<any>", RIGHT),
        ("java", "List.of(1, 2)", [1, 2], "ArrayList<integer>", TYPE),
        ("java", 'new HashMap<String, Object>() {{ put("k", 50); }}', {"k": [50]}, "HashMap", RIGHT),
        ("java", "new HashMap<>()", {"k": [1, ""]}, "HashMap", RIGHT),
        ("java", "buffer", "buffer", "Array<char>", RIGHT),
        ("javascript", "'GET'", "GET", "String", RIGHT),
        ("javascript", "5n", 5, "Bigint", RIGHT),
        ("javascript", "[60, 30.0]", [60, 30], "array<float>", RIGHT),
        ("javascript", "new Array('a', 'b')", ["a", "b"], "array<String>", RIGHT),
        ("javascript", "[[1, 2], [3, 4]]", [[1, 2], [3, 4]], "array<array>", RIGHT),
        ("javascript", "{method: 'GET', retry: true}", {"method": ["GET"], "retry": [True]}, "dict", RIGHT),
        ("javascript", '{"m": ["a", "b"]}', {"m": [["a", "b"]]}, "dict", RIGHT),
        ("javascript", "[1,,2]", [1, 2], "array<integer>", TYPE),
        ("javascript", "false", True, "Boolean", VALUE),
        ("javascript", "[" * 3000, [], "array<integer>", TYPE),
    ],
)
def test_source_literals(
    language: Language, given: JsonValue, accepted: JsonValue, declared: str, outcome: str | None
) -> None:
    fault = judge_argument("x", given, (accepted,), declared, language)

    assert (fault and fault.miss) == outcome
