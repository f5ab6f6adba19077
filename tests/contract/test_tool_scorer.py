"""What a scorer of single tool calls must do; what every scorer must do is in test_every_scorer.py."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.protocols import Scorer
from harness.records import (
    PROTOCOLS,
    AcceptedCall,
    Message,
    Protocol,
    RawToolCall,
    Reply,
    Sample,
    Score,
    Tool,
    ToolCall,
    ToolTarget,
)
from harness.registry import load_plugin
from harness.scorers.gold import gold_calls

PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "nights": {"type": "integer"},
        "extras": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["city"],
}
TOOLS = (Tool(name="book_room", parameters=PARAMETERS), Tool(name="get_time"))
ROOM = AcceptedCall(
    name="book_room",
    arguments={"city": ("Paris",), "nights": (2, 3), "extras": (["breakfast"],)},
    optional=("extras",),
)
TYPES = {"book_room": {"city": "string", "nights": "integer", "extras": "array<string>"}, "get_time": {}}


def sample(*calls: AcceptedCall) -> Sample:
    return Sample(
        id="s",
        category="c",
        messages=(Message(role="user", content="A room in Paris for two nights."),),
        tools=TOOLS,
        target=ToolTarget(expect="calls" if calls else "no_call", calls=calls, types=TYPES if calls else {}),
        scorer="any",
    )


WANTING = [sample(ROOM), sample(ROOM, AcceptedCall(name="get_time", arguments={}))]
SILENT = sample()


def native(calls: tuple[ToolCall, ...]) -> Reply:
    raw = tuple(RawToolCall(name=call.name, arguments=json.dumps(call.arguments)) for call in calls)
    return Reply(tool_calls=raw, finish_reason="tool_calls")


def changed(one: Sample, arguments: dict[str, Any], dropped: str | None = None) -> Reply:
    first, *rest = gold_calls(one.tool_target)
    kept = {name: value for name, value in first.arguments.items() if name != dropped}
    return native((ToolCall(name=first.name, arguments={**kept, **arguments}), *rest))


@pytest.fixture(params=["bfcl"])
def scorer(request: pytest.FixtureRequest) -> Scorer:
    return made(request.param)


def made(name: str) -> Scorer:
    factory: Any = load_plugin("harness.scorers", name)
    instance: Scorer = factory()
    return instance


@pytest.mark.parametrize("one", WANTING)
def test_gold_scores_1(scorer: Scorer, one: Sample) -> None:
    score = scorer.score(one, native(gold_calls(one.tool_target)), "native")

    assert (score.value, score.miss, score.boundary, score.why) == (1.0, None, None, "")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("one", WANTING)
def test_an_empty_reply_scores_0_where_calls_are_wanted(scorer: Scorer, one: Sample, protocol: Protocol) -> None:
    score = scorer.score(one, Reply(content="", finish_reason="stop"), protocol)

    assert (score.value, score.boundary) == (0.0, "model")
    assert score.miss is not None
    assert score.why


@pytest.mark.parametrize("one", WANTING)
def test_a_missing_argument_scores_below_1(scorer: Scorer, one: Sample) -> None:
    score = scorer.score(one, changed(one, {}, dropped="city"), "native")

    assert score.value is not None
    assert score.value < 1
    assert score.miss == "missing_argument"


@pytest.mark.parametrize("one", WANTING)
def test_an_extra_argument_scores_below_1(scorer: Scorer, one: Sample) -> None:
    score = scorer.score(one, changed(one, {"pets": 1}), "native")

    assert score.value is not None
    assert score.value < 1
    assert score.miss == "extra_argument"


def test_a_call_scores_0_where_none_is_wanted(scorer: Scorer) -> None:
    score = scorer.score(SILENT, native((ToolCall(name="get_time", arguments={}),)), "native")

    assert (score.value, score.miss) == (0.0, "should_not_have_called")


def test_the_score_names_its_sample_and_trial(scorer: Scorer) -> None:
    score = scorer.score(SILENT, Reply(content="No tool fits."), "native", trial=3)

    assert (score.sample, score.category, score.trial, score.scorer) == ("s", "c", 3, scorer.name)


GARBAGE_TEXT = st.text(max_size=40) | st.sampled_from(
    [
        "null",
        "NaN",
        "-Infinity",
        "[[[[" * 5_000,
        "9" * 5_000,
        '{"city": 1e999}',
        '{"name": "book_room", "arguments": {"nights": NaN}}',
        '{"name": "book_room", "arguments": {"city": "\\ud800", "nights": ' + "9" * 4_000 + "}}",
        '[{"name": "book_room", "arguments": "x"}]',
        '{"nights": ' + "[" * 3_000 + "]" * 3_000 + "}",
        '{"city": "a", "city": "b", "": {}}',
        "\x00\ufffe",
    ]
)
GARBAGE = st.builds(
    Reply,
    content=st.none() | GARBAGE_TEXT,
    reasoning=st.none() | GARBAGE_TEXT,
    tool_calls=st.lists(
        st.builds(
            RawToolCall, name=st.sampled_from(["book_room", "get_time", ""]) | GARBAGE_TEXT, arguments=GARBAGE_TEXT
        ),
        max_size=3,
    ).map(tuple),
    finish_reason=st.sampled_from([None, "stop", "length", "tool_calls"]),
)


@pytest.mark.parametrize("name", ["bfcl"])
@settings(max_examples=150, deadline=None)
@given(reply=GARBAGE, one=st.sampled_from([*WANTING, SILENT]), protocol=st.sampled_from(PROTOCOLS))
def test_garbage_gets_a_score_that_can_be_written_and_is_the_same_again(
    name: str, reply: Reply, one: Sample, protocol: Protocol
) -> None:
    score, again = made(name).score(one, reply, protocol), made(name).score(one, reply, protocol)

    assert score == again == Score.model_validate_json(score.model_dump_json())
    assert score.value in {0.0, 1.0}


def test_a_huge_reply_gets_a_small_score(scorer: Scorer) -> None:
    huge = {"city": "x" * 10_000_000, "nights": 2, "extras": ["y"] * 100_000}

    score = scorer.score(WANTING[0], changed(WANTING[0], huge), "native")

    assert score.value == 0.0
    assert len(score.model_dump_json()) < 20_000
