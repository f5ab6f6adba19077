"""BFCL's multi-turn data as samples of an agent's task."""

from pathlib import Path

import pytest

from harness.errors import ConfigError, DataError
from harness.records import AgentTarget, Sample, target_of
from harness.suite.bfcl_multi_turn import BfclMultiTurn, parse_call
from tests.support.bfcl_multi_turn_data import QUESTION, TRUTH, write_folder


def sample_in(folder: Path, category: str = "multi_turn_base") -> Sample:
    (sample,) = BfclMultiTurn(folder, [category]).samples()
    return sample


def test_turns_become_messages_and_what_is_held_back_comes_with_its_turn(tmp_path: Path) -> None:
    sample = sample_in(write_folder(tmp_path))

    target = target_of(sample, AgentTarget)
    assert [message.content for message in sample.messages] == ["Add a ticket."]
    assert [[message.content for message in turn.messages] for turn in target.turns] == [["Now what?"], ["Thanks."]]
    assert [[tool.name for tool in turn.tools] for turn in target.turns] == [["show"], []]
    assert [tool.name for tool in sample.tools] == ["add", "add_tags", "odd", "break_down"]


def test_the_truth_becomes_calls_with_named_arguments(tmp_path: Path) -> None:
    target = target_of(sample_in(write_folder(tmp_path)), AgentTarget)

    written = [[(call.name, call.arguments) for call in turn] for turn in target.plan]
    assert written == [[("add", {"title": "x", "urgent": True})], [("show", {"number": 0})], []]


def test_a_sample_says_what_its_world_is_made_of_and_which_others_share_it(tmp_path: Path) -> None:
    question = QUESTION | {"id": "multi_turn_long_context_7"}
    truth = TRUTH | {"id": "multi_turn_long_context_7"}

    sample = sample_in(write_folder(tmp_path, question, truth, "multi_turn_long_context"), "multi_turn_long_context")

    target = target_of(sample, AgentTarget)
    assert (target.environment, sample.scorer, sample.session) == ("bfcl", "agent", "multi_turn_7")
    assert target.task == {"classes": ["TicketAPI"], "config": {"TicketAPI": {"owner": "ann"}}, "long_context": True}


@pytest.mark.parametrize("text", ["show(1, 2)", "nothing()", "show", "show(number=len('x'))", "show(number="])
def test_what_is_no_call_of_a_known_function_is_refused(text: str) -> None:
    with pytest.raises((ValueError, SyntaxError)):
        parse_call(text, {"show": ["number"]})


def test_answers_to_another_question_are_a_data_error(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, truth=TRUTH | {"id": "multi_turn_base_8"})

    with pytest.raises(DataError, match="do not belong together at multi_turn_base_7"):
        sample_in(folder)


def test_answers_for_more_turns_than_there_are_are_a_data_error(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, truth=TRUTH | {"ground_truth": [[]]})

    with pytest.raises(DataError, match=r"multi_turn_base_7 .* cannot be read: 1 turns of answers for 3 of questions"):
        sample_in(folder)


def test_a_turn_that_asks_nothing_is_a_data_error(tmp_path: Path) -> None:
    question = {key: value for key, value in QUESTION.items() if key != "missed_function"}

    with pytest.raises(DataError, match="turn 1 asks nothing"):
        sample_in(write_folder(tmp_path, question))


@pytest.mark.parametrize("missing", ["data/BFCL_v4_multi_turn_base.json", "constants/default_prompts.py"])
def test_a_missing_file_is_a_data_error_with_its_name(tmp_path: Path, missing: str) -> None:
    (write_folder(tmp_path) / missing).unlink()

    with pytest.raises(DataError, match=f"{Path(missing).name} cannot be read"):
        sample_in(tmp_path)


def test_an_unknown_category_is_a_config_error_with_the_names() -> None:
    with pytest.raises(ConfigError, match="did you mean multi_turn_miss_param"):
        BfclMultiTurn(Path(), ["miss_param"])
