"""Stop strings and tool calls in what a model says, piece by piece."""

import pytest

from harness.backends.transformers_text import Call, Speech

CALL = '<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>'


def said(speech: Speech, pieces: list[str]) -> list[str | Call]:
    return [one for piece in pieces for one in speech.feed(piece)] + speech.end()


def content(pieces: list[str | Call]) -> str:
    return "".join(one for one in pieces if isinstance(one, str))


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_a_stop_string_is_cut_off_however_it_arrives(size: int) -> None:
    speech, text = Speech(("STOP",), "none"), "one STO two STOP three"

    pieces = said(speech, [text[at : at + size] for at in range(0, len(text), size)])

    assert content(pieces) == "one STO two "
    assert speech.stopped


def test_the_first_of_several_stop_strings_counts() -> None:
    assert content(said(Speech(("b", "a"), "none"), ["xaxb"])) == "x"


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_calls_between_tags_are_told_from_words(size: int) -> None:
    speech, text = Speech((), "hermes"), f"Well. {CALL}\n{CALL}"

    pieces = said(speech, [text[at : at + size] for at in range(0, len(text), size)])

    assert content(pieces) == "Well. "
    assert [one for one in pieces if isinstance(one, Call)] == [Call("f", '{"a": 1}')] * 2
    assert speech.called


def test_a_call_whose_closing_tag_ended_the_reply_is_a_call() -> None:
    assert said(Speech((), "hermes"), [CALL.removesuffix("</tool_call>")]) == [Call("f", '{"a": 1}')]


@pytest.mark.parametrize(
    "text", ["<tool_call>not json</tool_call>", '<tool_call>{"name": "f", "argu', "<tool_call>[]</tool_call>", "<tool"]
)
def test_what_is_no_call_stays_content(text: str) -> None:
    speech = Speech((), "hermes")

    pieces = said(speech, [text])

    assert content(pieces) == text
    assert not speech.called


def test_a_reply_that_is_nothing_but_json_is_a_call_where_that_is_asked_for() -> None:
    assert said(Speech((), "json"), ['[{"name": "f", "para', 'meters": {"a": 1}}]']) == [Call("f", '{"a": 1}')]
    assert said(Speech((), "json"), ['Sure: {"name": "f"}']) == ['Sure: {"name": "f"}']


def test_without_a_parser_tags_are_content() -> None:
    assert content(said(Speech((), "none"), [CALL])) == CALL
