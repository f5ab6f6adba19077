"""Values in explanations and in files."""

import math

import orjson
import pytest
from pydantic import JsonValue

from harness.scorers.wording import plain_json, shown, shown_any


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\nb", '"a\\nb"'),
        (10**5000, '"integer of 16610 bits"'),
        (math.nan, '"nan"'),
        ("\ud800", '"?"'),
        ("x" * 10_000_000, '"' + "x" * 79 + "…"),
        ([1, {"a": None}], '[1,{"a":null}]'),
    ],
    ids=["newline", "huge_integer", "not_a_number", "lone_surrogate", "long_text", "nested"],
)
def test_any_value_is_shown_on_one_short_line(value: JsonValue, text: str) -> None:
    assert shown(value) == text


def test_only_some_of_many_accepted_values_are_shown() -> None:
    assert shown_any((1, 2, 3, 4, 5)) == "1 or 2 or 3 or 2 more"
    assert shown_any(()) == "none"


def test_deep_and_wide_values_are_cut_to_what_every_reader_takes() -> None:
    deep: JsonValue = []
    for _ in range(2000):
        deep = [deep]

    written = orjson.dumps(plain_json([deep, list(range(10_000)), {str(i): i for i in range(10_000)}]))

    assert len(written) < 10_000


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ([math.nan, None], ["nan", None]),
        ({"a": -math.inf}, {"a": "-inf"}),
        ([2**53, 2**53 + 1], [2**53, "integer of 54 bits"]),
        ({"\ud800": ["\ud800"]}, {"?": ["?"]}),
        (["null", None, True, 0.5, {"ü": []}], ["null", None, True, 0.5, {"ü": []}]),
        (["x" * 4_001], ["x" * 4_000 + "… 4001 characters"]),
        ([0] * 201, [0] * 200 + ["… 1 more"]),
        ([[[[[[[[[[[[1, []]]]]]]]]]]]], [[[[[[[[[[[[1, "…"]]]]]]]]]]]]),
    ],
    ids=["nan", "infinity", "integers", "surrogates", "plain", "long", "many", "deep"],
)
def test_small_values_are_kept_as_they_are_but_for_what_no_reader_takes(value: JsonValue, kept: JsonValue) -> None:
    assert plain_json(value) == kept
