"""Data files into samples."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError, DataError
from harness.records import Sample
from harness.scorers.gold import gold_calls
from harness.suite.bfcl import Bfcl


def document(name: str = "geo.area", required: tuple[str, ...] = ("side",), **properties: Any) -> dict[str, Any]:
    return {
        "name": name,
        "description": "Area.",
        "parameters": {
            "type": "dict",
            "required": list(required),
            "properties": properties or {"side": {"type": "float", "description": "Length."}},
        },
    }


def written(
    folder: Path,
    category: str,
    functions: list[dict[str, Any]],
    truth: Any = None,
    question: Any = None,
    identity: str = "",
) -> Path:
    identity = identity or f"{category}_0"
    asked = [[{"role": "user", "content": "How large?"}]] if question is None else question
    line = {"id": identity, "question": asked, "function": functions}
    folder.joinpath(f"BFCL_v4_{category}.json").write_text(json.dumps(line) + "\n")
    folder.joinpath("possible_answer").mkdir(exist_ok=True)
    if truth is not None:
        answer = {"id": identity, "ground_truth": truth}
        folder.joinpath("possible_answer", f"BFCL_v4_{category}.json").write_text(json.dumps(answer) + "\n")
    return folder


def only(folder: Path, category: str) -> Sample:
    (sample,) = Bfcl(folder, (category,)).samples()
    return sample


def test_types_become_json_schema_at_every_level(tmp_path: Path) -> None:
    function = document(
        side={"type": "float", "description": "d", "optional": True},
        point={"type": "tuple", "items": {"type": "float"}},
        more={"type": "dict", "properties": {"x": {"type": "any"}}, "required": ["x", "ghost"]},
    )
    written(tmp_path, "simple_python", [function], [{"geo.area": {"side": [1.0]}}])

    (tool,) = only(tmp_path, "simple_python").tools

    assert tool.name == "geo_area"
    assert tool.parameters == {
        "type": "object",
        "properties": {
            "side": {"type": "number", "description": "d"},
            "point": {"type": "array", "items": {"type": "number"}},
            "more": {"type": "object", "properties": {"x": {}}, "required": ["x"]},
        },
        "required": ["side"],
    }


def test_allowed_values_that_no_value_could_satisfy_are_left_out(tmp_path: Path) -> None:
    function = document(
        side={"type": "boolean", "enum": ["True", "False"]},
        kinds={"type": "array", "items": {"type": "string"}, "enum": ["a", "b"]},
        unit={"type": "string", "enum": ["m", "km"]},
    )
    written(tmp_path, "irrelevance", [function])

    properties = only(tmp_path, "irrelevance").tools[0].parameters["properties"]

    assert properties == {
        "side": {"type": "boolean"},
        "kinds": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
        "unit": {"type": "string", "enum": ["m", "km"]},
    }


def test_names_that_clash_once_dots_are_gone_are_told_apart_in_tools_and_target(tmp_path: Path) -> None:
    functions = [document("a.b"), document("a_b"), document("a/b")]
    written(tmp_path, "multiple", functions, [{"a/b": {"side": [2.0]}}])

    sample = only(tmp_path, "multiple")

    assert [tool.name for tool in sample.tools] == ["a_b_2", "a_b", "a_b_3"]
    assert [call.name for call in sample.tool_target.calls] == ["a_b_3"]


def test_java_parameters_are_offered_as_source_text_and_keep_their_type_in_the_target(tmp_path: Path) -> None:
    function = document(side={"type": "ArrayList", "description": "Ids.", "items": {"type": "long"}})
    written(tmp_path, "simple_java", [function], [{"geo.area": {"side": [[1, 2]]}}])

    sample = only(tmp_path, "simple_java")

    assert sample.tools[0].parameters["properties"] == {
        "side": {
            "type": "string",
            "description": "Ids. Given as a string that holds the source text of a Java value of type ArrayList."
            " Its elements are of type long.",
        }
    }
    assert sample.tool_target.types == {"geo_area": {"side": "ArrayList<long>"}}
    assert gold_calls(sample.tool_target)[0].arguments == {"side": "new ArrayList<>(Arrays.asList(1L, 2L))"}


def test_an_argument_that_accepts_nothing_may_be_left_out_unless_the_tool_requires_it(tmp_path: Path) -> None:
    function = document(
        side={"type": "float"}, unit={"type": "string"}, ids={"type": "array", "items": {"type": "any"}}
    )
    truth = [{"geo.area": {"side": [1.0, ""], "unit": ["", "m"], "ids": ["", [1]]}}]
    written(tmp_path, "simple_python", [function], truth)

    (call,) = only(tmp_path, "simple_python").tool_target.calls

    assert call.optional == ("ids", "unit")
    assert call.arguments == {"side": (1.0,), "unit": ("m", ""), "ids": ([1], [])}


def test_all_messages_of_the_turn_are_kept(tmp_path: Path) -> None:
    turn = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]
    written(tmp_path, "live_irrelevance", [], question=[turn], identity="live_irrelevance_7-3-1")

    sample = only(tmp_path, "live_irrelevance")

    assert [(one.role, one.content) for one in sample.messages] == [("system", "s"), ("user", "u"), ("assistant", "a")]
    assert (sample.session, sample.tools, sample.tool_target.expect) == ("live_irrelevance_3", (), "no_call")


def test_relevance_wants_any_call(tmp_path: Path) -> None:
    written(tmp_path, "live_relevance", [document()], identity="live_relevance_0-0-0")

    assert only(tmp_path, "live_relevance").tool_target.expect == "any_call"


def test_categories_come_in_the_order_of_the_suite_whatever_was_asked(tmp_path: Path) -> None:
    written(tmp_path, "irrelevance", [])
    written(tmp_path, "multiple", [document()], [{"geo.area": {"side": [1.0]}}])

    loader = Bfcl(tmp_path, ("irrelevance", "multiple"))

    assert [sample.category for sample in loader.samples()] == ["multiple", "irrelevance"]


def test_the_folder_of_the_unpacked_package_will_do(tmp_path: Path) -> None:
    data = tmp_path / "bfcl_eval" / "data"
    data.mkdir(parents=True)
    written(data, "irrelevance", [])

    assert only(tmp_path, "irrelevance").id == "irrelevance_0"


def test_an_unknown_category_is_refused_with_those_allowed() -> None:
    with pytest.raises(ConfigError, match=r"'paralel', allowed: simple_python, .*did you mean parallel\?"):
        Bfcl(Path(), ("paralel",))


def test_no_category_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"suite\.categories is empty"):
        Bfcl(Path(), ())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"BFCL_v4_parallel\.json cannot be read"):
        list(Bfcl(tmp_path, ("parallel",)).samples())


@pytest.mark.parametrize(
    ("truth", "question", "said"),
    [
        ([{"other": {}}], None, "sample multiple_0 of category multiple cannot be read: 'other'"),
        ([{"geo.area": {"side": 1}}], None, "a list was expected, seen: int"),
        ([{"geo.area": {}}], [[], []], "exactly one turn"),
        ([{"geo.area": {}}], [[{"role": "judge", "content": "x"}]], "role"),
    ],
)
def test_an_odd_line_is_refused_with_its_sample(tmp_path: Path, truth: Any, question: Any, said: str) -> None:
    written(tmp_path, "multiple", [document()], truth, question)

    with pytest.raises(DataError, match=said):
        only(tmp_path, "multiple")


def test_an_answer_of_another_question_is_refused(tmp_path: Path) -> None:
    written(tmp_path, "multiple", [document()], [{"geo.area": {"side": [1.0]}}])
    answers = tmp_path / "possible_answer" / "BFCL_v4_multiple.json"
    answers.write_text(answers.read_text().replace("multiple_0", "multiple_1"))

    with pytest.raises(DataError, match="do not belong together at multiple_0"):
        only(tmp_path, "multiple")


def test_a_line_that_is_no_json_is_refused(tmp_path: Path) -> None:
    tmp_path.joinpath("BFCL_v4_irrelevance.json").write_text("{nope\n")

    with pytest.raises(DataError, match=r"BFCL_v4_irrelevance\.json holds a line that is no JSON object"):
        list(Bfcl(tmp_path, ("irrelevance",)).samples())
