"""A planted contamination of every kind is found, and a clean split is not accused."""

import pytest

from harness.config.convert import ConvertData
from harness.convert.data.contamination import Checked, check, compare
from harness.convert.data.likeness import Likeness
from harness.errors import DataError
from harness.records import Message, Sample, ToolCall
from tests.support.convert_samples import asked, shop

LONG = (
    "My parcel with the green lantern was left behind the wooden shed of a neighbour whose dog has since eaten the "
    "label, the invoice and a good half of the lantern itself, which I find rather hard to explain to my aunt."
)


def found(rows: list[Sample], gate: list[Sample]) -> Checked:
    with Likeness([*rows, *gate]) as likeness:
        return compare(rows, gate, likeness)


def said(sample: Sample, *texts: str, **more: object) -> Sample:
    messages = tuple(Message(role="user" if n % 2 == 0 else "assistant", content=text) for n, text in enumerate(texts))
    return sample.model_copy(update={"messages": messages, **more})


def test_a_clean_split_is_clean_and_says_how_much_was_compared() -> None:
    samples = shop(train=30, test=10)

    checked = found(samples[:30], samples[30:])

    assert checked.pairs == []
    assert set(checked.counts().values()) == {0}


def test_the_same_question_is_found_whatever_its_case_blanks_and_id() -> None:
    gate = asked(50, "test")
    copy = said(asked(1), f"  {(gate.messages[0].content or '').upper()} \n")

    (pair,) = found([asked(0), copy], [gate]).pairs

    assert (pair.kind, pair.row, pair.gate) == ("same_content", "train-1", "test-50")


def test_a_session_in_both_is_found() -> None:
    (pair,) = found([asked(1, session="s9")], [asked(50, "test", session="s9")]).pairs

    assert pair.kind == "same_session"


def test_samples_without_a_session_are_not_of_one() -> None:
    assert found([asked(1, session=None)], [asked(50, "test", session=None)]).pairs == []


def test_a_question_with_a_word_changed_is_nearly_the_same() -> None:
    gate = said(asked(50, "test"), LONG)
    near = said(asked(1), LONG.replace("green", "red"))

    (pair,) = found([near, asked(2)], [gate, asked(51, "test")]).pairs

    assert (pair.kind, pair.row, pair.gate) == ("near_duplicate", "train-1", "test-50")
    assert 0.8 <= pair.likeness < 1


def test_a_question_within_a_longer_chat_is_found_by_its_runs_of_words() -> None:
    gate = said(asked(50, "test"), LONG)
    other = " ".join(f"word{n}" for n in range(120))
    hidden = said(asked(1), f"{other} {LONG}", "I see.", "What now?")

    (pair,) = found([hidden, asked(2)], [gate, asked(51, "test")]).pairs

    assert (pair.kind, pair.row) == ("ngram_overlap", "train-1")


def test_what_a_tool_gave_back_and_was_given_counts() -> None:
    def acted(sample: Sample) -> Sample:
        messages = (
            Message(role="user", content=f"Look for number {sample.id} please"),
            Message(role="assistant", tool_calls=(ToolCall(name="track", arguments={"note": LONG}, id="c1"),)),
            Message(role="tool", content=f"Found: {LONG[::-1]}", tool_call_id="c1"),
        )
        return sample.model_copy(update={"messages": messages})

    (pair,) = found([acted(asked(1)), asked(2)], [acted(asked(50, "test")), asked(51, "test")]).pairs

    assert pair.kind == "near_duplicate"


def test_a_shared_system_prompt_and_greeting_are_no_contamination() -> None:
    def told(sample: Sample) -> Sample:
        head = (Message(role="system", content=LONG), Message(role="user", content="Hello"))
        return sample.model_copy(update={"messages": (*head, *sample.messages)})

    rows, gate = [told(asked(n)) for n in range(6)], [told(asked(50 + n, "test")) for n in range(6)]

    assert found(rows, gate).pairs == []


def test_samples_that_are_all_template_are_not_called_alike_for_that() -> None:
    def only(sample: Sample) -> Sample:
        return sample.model_copy(update={"messages": (Message(role="system", content=LONG),)})

    near = [one for one in found([only(asked(1))], [only(asked(50, "test"))]).pairs if one.kind != "same_content"]

    assert near == []


def test_the_hard_stop_names_pairs_kinds_and_what_to_do() -> None:
    gate = asked(50, "test")
    rows = [said(asked(n), gate.messages[0].content or "") for n in range(7)]

    with Likeness([*rows, gate]) as likeness, pytest.raises(DataError) as stopped:
        check(rows, [gate], likeness)

    told = str(stopped.value)
    assert "7 same_content" in told
    assert "train-0 and test-50: the same question" in told
    assert "and 2 more" in told
    assert "do=curate" in told


def test_no_key_of_the_configuration_allows_contamination() -> None:
    assert not [name for name in ConvertData.model_fields if "contam" in name or "allow" in name]
