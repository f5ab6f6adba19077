"""Which answer of a sample is learned, and how it is written."""

import json

import pytest

from harness.config import ModelConfig
from harness.convert.data.answers import Answer, Unfit, answer_on_record, message_of, reply_of
from harness.convert.data.rows import make_row
from harness.protocols import Endpoint
from harness.records import (
    PROTOCOLS,
    AcceptedCall,
    Message,
    Protocol,
    ReplayReference,
    ReplayTarget,
    Sample,
    TextTarget,
    ToolCall,
    ToolTarget,
)
from harness.records.manifest import BackendFacts
from harness.runner.request import request_body
from harness.scorers.replay import ReplayScorer
from harness.suite.examples import NO_TOOL_FITS
from harness.toolcalling.decode import decode
from tests.support.convert_samples import asked, silent

CALL = ToolCall(name="refund", arguments={"order": "A1", "item": "lamp"}, id="drawn-at-random")


def model(protocol: Protocol, **more: object) -> ModelConfig:
    return ModelConfig.model_validate(
        {"name": "m", "title": "M", "licence": "MIT", "protocol": protocol, **more}
    )  # fmt: skip


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_row_has_the_very_messages_and_tools_that_the_runner_sends(protocol: Protocol) -> None:
    student = model(protocol, prompt={"style": "json", "examples": 2})
    sample = asked(3)
    endpoint = Endpoint("http://127.0.0.1:1/v1", "m", BackendFacts(name="endpoint"))

    row = make_row(sample, Answer((CALL,), None, "human"), student, ReplayScorer(), scored=False)

    sent = json.loads(request_body(sample, student, endpoint, 0))
    assert list(row.messages) == sent["messages"]
    assert (None if row.tools is None else list(row.tools)) == sent.get("tools")


def test_in_context_examples_of_the_suite_are_left_off() -> None:
    shown = (Message(role="user", content="Refund B2"), Message(role="assistant", content="Done."))
    sample = asked(3).model_copy(update={"examples": shown})

    row = make_row(sample, Answer((CALL,), None, "human"), model("prompted"), ReplayScorer(), scored=False)

    assert all("B2" not in str(one["content"]) for one in row.messages)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_call_is_read_back_as_itself(protocol: Protocol) -> None:
    sample = asked(1)

    message = message_of(Answer((CALL,), None, "human"), sample, protocol, say=False)

    read = decode(reply_of(message), protocol, sample.tools)
    assert [(one.name, one.arguments) for one in read.calls] == [(CALL.name, CALL.arguments)]


def test_ids_of_calls_on_record_are_not_learned() -> None:
    message = message_of(Answer((CALL,), None, "human"), asked(1), "native", say=False)

    assert "drawn-at-random" not in json.dumps(message)


@pytest.mark.parametrize(
    ("protocol", "say", "written"),
    [
        ("prompted", False, '{"name": "no_call"}'),
        ("prompted", True, "We are open."),
        ("constrained", True, '{"name": "no_call"}'),
        ("native", False, "We are open."),
    ],
)
def test_words_where_tools_are_offered(protocol: Protocol, say: bool, written: str) -> None:
    message = message_of(Answer((), "We are open.", "human"), silent(1), protocol, say=say)

    assert message == {"role": "assistant", "content": written}


def test_a_native_abstention_without_words_on_record_says_that_no_tool_fits() -> None:
    message = message_of(Answer((), None, "suite"), silent(1), "native", say=False)

    assert message["content"] == NO_TOOL_FITS


def test_words_that_look_like_a_call_make_no_row() -> None:
    answer = Answer((), 'Type {"name": "refund", "arguments": } yourself', "human")

    with pytest.raises(Unfit, match="cannot be read back"):
        make_row(silent(1), answer, model("prompted"), ReplayScorer(), say=True)


def test_an_answer_that_the_scorer_finds_wrong_makes_no_row() -> None:
    wrong = Answer((ToolCall(name="track", arguments={}),), None, "human")

    with pytest.raises(Unfit, match=r"does not find its answer right under prompted \(wrong_tool\)"):
        make_row(asked(1), wrong, model("prompted"), ReplayScorer())


def test_words_that_have_to_be_compared_cannot_be_learned_under_a_grammar() -> None:
    said = ReplayTarget(references=(ReplayReference(text="Open until nine in the evening."),), text="rouge")
    sample = silent(1).model_copy(update={"target": said})

    with pytest.raises(Unfit, match="under constrained"):
        make_row(sample, Answer((), "Open until nine in the evening.", "human"), model("constrained"), ReplayScorer())


def test_the_answer_of_a_label_is_the_one_given_most_often() -> None:
    references = (
        ReplayReference(text="once", label="human"),
        ReplayReference(text="often", label="human", count=3),
        ReplayReference(text="most often", label="incumbent", count=9),
    )
    sample = silent(1).model_copy(update={"target": ReplayTarget(references=references)})

    found = answer_on_record(sample, "human")

    assert found == Answer((), "often", "human")
    assert answer_on_record(sample, "outcome-verified") is None


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (ToolTarget(expect="any_call"), None),
        (ToolTarget(expect="no_call"), Answer((), None, "suite")),
        (TextTarget(match="exact", accepted=("42", "forty-two")), Answer((), "42", "suite")),
        (TextTarget(match="regex", accepted=("4.",), example="42"), Answer((), "42", "suite")),
        (TextTarget(match="judge", rubric="short"), None),
        (
            ToolTarget(expect="calls", calls=(AcceptedCall(name="f", arguments={"a": ("", 1, 2)}),)),
            Answer((ToolCall(name="f", arguments={"a": 1}),), None, "suite"),
        ),
    ],
    ids=["any call", "no call", "text", "pattern", "judged", "gold"],
)
def test_answers_of_suites_that_are_not_from_logs(target: ToolTarget | TextTarget, expected: Answer | None) -> None:
    sample = Sample(id="1", category="a", messages=(), target=target, scorer="x")

    assert answer_on_record(sample, "suite") == expected
    assert answer_on_record(sample, "human") is None
