"""The rows in other programs' formats: what each of them demands of a line, and what it cannot hold."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.config import ModelConfig, WeightsConfig
from harness.config.model import SafetensorsWeights
from harness.convert.data.answers import answer_on_record
from harness.convert.data.exports import WRITERS, export_rows
from harness.convert.data.rows import make_row
from harness.records import Message, Sample, ToolCall
from harness.records.convert import DatasetRow
from harness.scorers.replay import ReplayScorer
from tests.support.convert_samples import asked, row, setup, silent


def rows(protocol: str = "native", samples: Sequence[Sample] = ()) -> list[DatasetRow]:
    student = setup(protocol).model
    made = []
    for sample in samples or [*map(asked, range(3)), *map(silent, range(2))]:
        answer = answer_on_record(sample, "human")
        assert answer is not None
        made.append(make_row(sample, answer, student, ReplayScorer()))
    return made


def acted(*, words: str | None = None, first: str = "user") -> Sample:
    """A question after two calls at once."""
    calls = tuple(ToolCall(name="track", arguments={"n": n}, id=f"c{n}") for n in range(2))
    begun = (Message(role="assistant", content="Hello!"),) if first == "assistant" else ()
    messages = (
        Message(role="system", content="Be kind."),
        *begun,
        Message(role="user", content="Where are my two parcels?"),
        Message(role="assistant", content=words, tool_calls=calls),
        Message(role="tool", content="in Arden", tool_call_id="c0"),
        Message(role="tool", content="in Bosk", tool_call_id="c1"),
    )
    return asked(5, messages=messages)


def written(name: str, folder: Path, made: Sequence[DatasetRow], **more: Any) -> tuple[list[dict[str, Any]], list[str]]:
    notes = export_rows(name, folder, made, made[:1], setup("native", **more))
    file = "training/train.jsonl" if name == "nemo" else "train.jsonl"
    return [json.loads(line) for line in (folder / name / file).read_text().splitlines()], notes


@pytest.mark.parametrize("name", sorted(WRITERS))
@pytest.mark.parametrize("protocol", ["native", "prompted", "constrained"])
def test_every_row_of_one_question_is_in_every_format(name: str, protocol: str, tmp_path: Path) -> None:
    lines, notes = written(name, tmp_path, rows(protocol))

    assert len(lines) == 5
    assert [one for one in notes if "rows are not in" in one] == []


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_no_format_holds_a_path_of_this_machine(name: str, tmp_path: Path) -> None:
    written(name, tmp_path, rows())

    for file in (tmp_path / name).rglob("*.*"):
        assert str(tmp_path) not in file.read_text()


def test_llamafactory_turns_alternate_with_results_of_parallel_calls_as_one(tmp_path: Path) -> None:
    (line,), _ = written("llamafactory", tmp_path, rows(samples=[acted()]))

    assert [one["from"] for one in line["conversations"]] == ["human", "function_call", "observation", "function_call"]
    assert line["system"] == "Be kind."
    assert "in Arden" in line["conversations"][2]["value"]
    assert "in Bosk" in line["conversations"][2]["value"]
    assert json.loads(line["conversations"][3]["value"])[0]["name"] == "refund"
    assert [one["name"] for one in json.loads(line["tools"])] == ["refund", "track"]


def test_llamafactory_puts_an_empty_question_before_an_assistant_that_speaks_first_and_says_so(tmp_path: Path) -> None:
    (line,), notes = written("llamafactory", tmp_path, rows(samples=[acted(first="assistant")]))

    assert [one["from"] for one in line["conversations"]][:3] == ["human", "gpt", "human"]
    assert any("an empty question stands before it" in one for one in notes)


def test_what_llamafactory_has_no_place_for_is_counted(tmp_path: Path) -> None:
    lines, notes = written("llamafactory", tmp_path, rows(samples=[acted(words="One moment."), asked(1)]))

    assert len(lines) == 1
    assert any("1 rows are not in train.jsonl: a call with words beside it" in one for one in notes)


def test_llamafactory_finds_the_files_that_its_configuration_names(tmp_path: Path) -> None:
    written("llamafactory", tmp_path, rows())
    folder = tmp_path / "llamafactory"

    config = yaml.safe_load((folder / "train.yaml").read_text())
    info = json.loads((folder / "dataset_info.json").read_text())

    for name in (config["dataset"], config["eval_dataset"]):
        assert (folder / info[name]["file_name"]).is_file()
    assert config["mask_history"] is True


def test_axolotl_trains_on_the_last_turn_alone(tmp_path: Path) -> None:
    (line,), _ = written("axolotl", tmp_path, rows(samples=[acted()]))

    config = yaml.safe_load((tmp_path / "axolotl" / "axolotl.yaml").read_text())
    assert [one["train"] for one in line["messages"]] == [False] * 5 + [True]
    assert config["datasets"][0]["message_field_training"] == "train"
    assert config["datasets"][0]["roles_to_train"] == []


@pytest.mark.parametrize("name", ["axolotl", "trl"])
def test_tools_are_json_text_where_arrow_would_mix_their_keys(name: str, tmp_path: Path) -> None:
    lines, _ = written(name, tmp_path, rows())

    assert [one["function"]["name"] for one in json.loads(lines[0]["tools"])] == ["refund", "track"]


def test_trl_has_prompt_and_completion_and_a_program_that_is_python(tmp_path: Path) -> None:
    lines, _ = written("trl", tmp_path, rows())

    program = (tmp_path / "trl" / "train.py").read_text()
    compile(program, "train.py", "exec")
    assert "completion_only_loss=True" in program
    assert [one["role"] for one in lines[0]["completion"]] == ["assistant"]


def test_openai_weighs_the_reply_alone(tmp_path: Path) -> None:
    (line,), _ = written("openai", tmp_path, rows(samples=[acted(words="One moment.")]))

    assert [one.get("weight") for one in line["messages"] if one["role"] == "assistant"] == [0, None]
    assert isinstance(line["messages"][-1]["tool_calls"][0]["function"]["arguments"], str)
    assert all(value is not None for one in line["messages"] for value in one.values())


def test_openai_limits_are_told(tmp_path: Path) -> None:
    long = row(messages=({"role": "user", "content": "x" * 70_000},))
    named = {"id": "c", "type": "function", "function": {"name": "a.b", "arguments": "{}"}}
    refused = row(reply={"role": "assistant", "content": None, "tool_calls": [named]})

    lines, notes = written("openai", tmp_path, [long, refused])

    told = "\n".join(notes)
    assert len(lines) == 1
    assert "has 1 examples, and the service wants 10 at least" in told
    assert "1 examples have more than 65,536 bytes" in told
    assert "1 rows are not in train.jsonl: a tool's name" in told


def test_nemo_has_arguments_as_objects_and_a_recipe_of_the_same_files(tmp_path: Path) -> None:
    (line,), _ = written("nemo", tmp_path, rows(samples=[acted()]))

    recipe = yaml.safe_load((tmp_path / "nemo" / "automodel.yaml").read_text())
    assert line["messages"][-1]["tool_calls"][0]["function"]["arguments"]["order"]
    assert line["messages"][-1]["content"] == ""
    assert (tmp_path / "nemo" / recipe["dataset"]["path_or_dataset_id"]).is_file()
    assert recipe["dataset"]["mask_history"] is True


@pytest.mark.parametrize(
    ("name", "file"), [("llamafactory", "train.yaml"), ("axolotl", "axolotl.yaml"), ("nemo", "automodel.yaml")]
)
def test_the_base_is_the_models_repository_where_it_has_one(name: str, file: str, tmp_path: Path) -> None:
    weights = WeightsConfig(safetensors=SafetensorsWeights(repo="org/base"))
    model = ModelConfig(name="smollm2", title="x", licence="x", protocol="native", weights=weights)

    written(name, tmp_path, rows(), model=model)

    assert "org/base" in (tmp_path / name / file).read_text()
