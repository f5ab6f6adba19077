"""When a replayed step is the one on record."""

import json
from typing import Any

import pytest

from harness.records import Protocol, RawToolCall, Reply, Sample, Score, ToolCall
from harness.scorers.replay import ReplayScorer
from harness.scorers.replay_values import is_free_text
from tests.support.specimens.replay import called, on_record, sample

FULL = {"city": "Paris", "nights": 2, "price": 80.0, "arrival": "2026-05-01"}


def reply(*calls: ToolCall, text: str | None = None, **more: Any) -> Reply:
    raw = tuple(RawToolCall(name=one.name, arguments=json.dumps(one.arguments)) for one in calls)
    return Reply(content=text, tool_calls=raw, **more)


def judged(one: Sample, said: Reply, protocol: Protocol = "native") -> Score:
    return ReplayScorer().score(one, said, protocol)


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        (FULL, dict(reversed(FULL.items()))),
        (FULL, {**FULL, "price": 80}),
        (FULL, {**FULL, "price": 80.00000001}),
        ({"city": "Paris"}, {"city": "Paris", "nights": 1}),
        ({"city": "Paris", "nights": 1}, {"city": "Paris"}),
        ({"city": "Paris"}, {"city": "Paris", "note": None}),
        ({"city": "Paris", "extras": ["a", "b"]}, {"city": "Paris", "extras": ["b", "a"]}),
        (
            {"city": "Paris", "beds": [{"width": 1.5}, {"width": 1}, {"width": 2}]},
            {"city": "Paris", "beds": [{"width": 2.0, "count": 1}, {"width": 1.0}, {"width": 1.5}]},
        ),
        ({"city": "Paris", "booking_id": "A-1"}, {"city": "Paris", "booking_id": " A-1 "}),
        ({"city": "Paris", "note": "The guest comes late."}, {"city": "Paris", "note": "the guest comes late"}),
        (
            {"city": "Paris", "note": "The guest will come late at night."},
            {"city": "Paris", "note": "Guest will come very late at night."},
        ),
    ],
)
def test_arguments_are_the_same_by_their_schema(wanted: dict[str, Any], given: dict[str, Any]) -> None:
    score = judged(sample(on_record(called(**wanted))), reply(called(**given)))

    assert (score.value, score.miss, score.parts["arguments"]) == (1.0, None, 1.0)


@pytest.mark.parametrize(
    ("wanted", "given", "miss"),
    [
        (FULL, {**FULL, "nights": "2"}, "schema"),
        (FULL, {**FULL, "nights": True}, "schema"),
        (FULL, {**FULL, "nights": 3}, "wrong_value"),
        (FULL, {**FULL, "price": 80.01}, "wrong_value"),
        (FULL, {**FULL, "arrival": "2026-05-02"}, "wrong_value"),
        (FULL, {**FULL, "city": "paris"}, "wrong_value"),
        (FULL, {key: FULL[key] for key in ("city", "price", "arrival")}, "wrong_value"),
        (FULL, {key: FULL[key] for key in ("city", "nights", "price")}, "missing_argument"),
        ({"city": "Paris"}, {"city": "Paris", "price": 3}, "extra_argument"),
        ({"city": "Paris", "booking_id": "A-1"}, {"city": "Paris", "booking_id": "a-1"}, "wrong_value"),
        ({"city": "Paris", "guests": [{"age": 3}]}, {"city": "Paris", "guests": [{"age": 4}]}, "wrong_value"),
        ({"city": "Paris", "guests": [{"age": 3}]}, {"city": "Paris", "guests": []}, "wrong_value"),
        ({"city": "Paris", "extras": ["a", "b"]}, {"city": "Paris", "extras": ["a", "a"]}, "wrong_value"),
        ({"city": "Paris", "note": "Guest comes late."}, {"city": "Paris", "note": "A quiet room."}, "wrong_value"),
    ],
)
def test_a_wrong_argument_is_a_miss_of_its_class(wanted: dict[str, Any], given: dict[str, Any], miss: str) -> None:
    score = judged(sample(on_record(called(**wanted))), reply(called(**given)))

    assert (score.value, score.miss) == (0.0, miss)
    assert score.parts["arguments"] < 1
    assert "on record" in score.why


def test_near_free_text_counts_and_is_not_exact() -> None:
    one = sample(on_record(called(city="Paris", note="The guest will come late at night.")))

    score = judged(one, reply(called(city="Paris", note="Guest will come very late at night.")))

    assert (score.value, score.parts["exact"]) == (1.0, 0.0)


def test_without_a_threshold_near_free_text_is_wrong() -> None:
    one = sample(on_record(called(city="Paris", note="The guest will come late at night.")), free_text=None)

    score = judged(one, reply(called(city="Paris", note="Guest will come very late at night.")))

    assert (score.value, score.miss) == (0.0, "wrong_value")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("summary", "The customer wants a refund.", True),
        ("command", "list all the files", False),
        ("orderId", "the blue one here", False),
        ("reason", "ls -la /tmp && rm x.py", False),
        ("reason", "no longer", False),
    ],
)
def test_free_text_is_prose_under_a_name_that_means_none_else(name: str, value: str, expected: bool) -> None:
    assert is_free_text(name, value, {}) is expected


def test_calls_are_paired_whatever_their_order() -> None:
    one = sample(on_record(called(city="Paris"), called(city="Rome"), called("get_time")))

    score = judged(one, reply(called("get_time"), called(city="Rome"), called(city="Paris")))

    assert score.value == 1.0


@pytest.mark.parametrize(
    ("said", "miss", "decision"),
    [
        (reply(text="I will."), "should_have_called", 0.0),
        (reply(called("get_time")), "wrong_tool", 1.0),
        (reply(called(city="Paris"), called(city="Paris")), "wrong_count", 1.0),
        (Reply(content=None, tool_calls=(RawToolCall(name="book_room", arguments="{"),)), "decode", 0.0),
        (
            Reply(content=None, tool_calls=(RawToolCall(name="a", arguments="{"),), finish_reason="length"),
            "length",
            0.0,
        ),
    ],
)
def test_a_step_is_lost_where_the_waterfall_has_it(said: Reply, miss: str, decision: float) -> None:
    score = judged(sample(on_record(called(city="Paris"))), said)

    assert (score.value, score.miss, score.parts["decision"]) == (0.0, miss, decision)


def test_any_answer_on_record_counts() -> None:
    one = sample(on_record(called(city="Paris")), on_record(called(city="Rome")), on_record(text="Where?"))

    values = [judged(one, said).value for said in (reply(called(city="Rome")), reply(text="In which city?"))]

    assert values == [1.0, 1.0]
    assert one.wants_call is None
    assert "decision" not in judged(one, reply(text="In which city?")).parts


def test_where_words_are_on_record_a_call_is_wrong_and_other_words_are_right_by_decision() -> None:
    one = sample(on_record(text="Where?"))

    called_ = judged(one, reply(called(city="Rome")))
    worded = judged(one, reply(text="Which city would you like?"))

    assert (called_.miss, called_.parts["decision"]) == ("should_not_have_called", 0.0)
    assert (worded.value, worded.parts["exact"]) == (1.0, 0.0)


def test_saying_nothing_is_never_right() -> None:
    assert judged(sample(on_record(text="Where?")), reply(text="")).miss == "no_answer"


@pytest.mark.parametrize("protocol", ["prompted", "constrained"])
def test_declining_by_name_is_words_where_calls_come_as_text(protocol: Protocol) -> None:
    one = sample(on_record(text="Where?"))

    score = judged(one, Reply(content='{"name": "no_call"}'), protocol)

    assert (score.value, score.parts["decision"]) == (1.0, 1.0)


@pytest.mark.parametrize("protocol", ["prompted", "constrained"])
def test_a_call_as_text_is_judged_like_a_native_one(protocol: Protocol) -> None:
    one = sample(on_record(called(city="Paris")))

    score = judged(one, Reply(content='{"name": "book_room", "arguments": {"city": "Paris", "nights": 1}}'), protocol)

    assert score.value == 1.0


@pytest.mark.parametrize(
    ("rule", "reference", "said", "value"),
    [
        ("normalised", "Refund.", "refund", 1.0),
        ("normalised", "refund", "exchange", 0.0),
        ("rouge", "the order was sent on monday", "your order was sent on monday", 1.0),
        ("rouge", "the order was sent on monday", "no idea", 0.0),
        ("json", '{"a": 1, "b": [2]}', '```json\n{"b": [2.0], "a": 1}\n```', 1.0),
        ("json", '{"a": 1}', '{"a": 2}', 0.0),
    ],
)
def test_words_without_tools_are_judged_by_the_rule_of_the_target(
    rule: str, reference: str, said: str, value: float
) -> None:
    one = sample(on_record(text=reference), tools=(), text=rule)

    assert judged(one, reply(text=said)).value == value


def test_words_on_record_that_look_like_a_call_are_right_word_for_word() -> None:
    text = 'Send {"name": "x", "arguments": {}} to the server.'

    assert judged(sample(on_record(text=text)), reply(text=text)).value == 1.0


@pytest.mark.parametrize("given", [10**400, "x" * 300_000, [[[[[]]]]], {"a": {"$ref": "#"}}, None, True])
def test_no_argument_makes_it_raise(given: Any) -> None:
    for wanted in (FULL, {"city": given}, {"guests": given, "price": given}):
        score = judged(sample(on_record(called(**wanted))), reply(called(city="Paris", guests=given, price=given)))

        assert score.value in (0.0, 1.0)


def test_a_schema_that_refers_to_itself_ends() -> None:
    one = sample(on_record(called(city="Paris")))
    loop = one.tools[0].model_copy(update={"parameters": {"$ref": "#"}})

    score = judged(one.model_copy(update={"tools": (loop,)}), reply(called(city="Paris")))

    assert score.value == 1.0


def test_repair_is_a_second_number() -> None:
    one = sample(on_record(called(city="Paris")))

    score = judged(one, Reply(content="", tool_calls=(RawToolCall(name="book_room", arguments="{'city': 'Paris'"),)))

    assert (score.value, score.miss, score.repaired) == (0.0, "decode", 1.0)
