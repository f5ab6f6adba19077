"""What the tool-call scorer says of single replies."""

from typing import Any

import pytest
from pydantic import JsonValue

from harness.records import AcceptedCall, Language, MissClass, Tool, ToolCall, ToolTarget
from harness.scorers.bfcl import Verdict, judge, judge_decoded
from harness.toolcalling.decode import Decoded

TOOLS = (Tool(name="book_room"), Tool(name="get_time"))


def wanted(name: str = "book_room", optional: tuple[str, ...] = (), **arguments: tuple[JsonValue, ...]) -> AcceptedCall:
    return AcceptedCall(name=name, arguments=arguments, optional=optional)


def target(*calls: AcceptedCall, language: Language = "python", **types: str) -> ToolTarget:
    declared = {call.name: types for call in calls}
    return ToolTarget(expect="calls", calls=calls, types=declared, language=language)


def call(name: str = "book_room", **arguments: Any) -> ToolCall:
    return ToolCall(name=name, arguments=arguments)


CITY = target(wanted(city=("Paris", "Paris, FR"), nights=(2,), optional=("nights",)), city="string", nights="integer")


@pytest.mark.parametrize(
    ("calls", "miss", "why"),
    [
        ((call(city="Paris"),), None, ""),
        ((call(city="PARIS - fr", nights=2),), None, ""),
        ((), "should_have_called", "no call was made, wanted: book_room"),
        ((call("get_time"),), "wrong_tool", "get_time was called, accepted: book_room"),
        ((call("fly"),), "wrong_tool", "fly was called, which is not offered, accepted: book_room"),
        ((call(city="Paris"), call(city="Paris")), "wrong_count", "2 calls made, 1 wanted: book_room"),
        ((call(nights=2),), "missing_argument", 'book_room lacks city, accepted: "Paris" or "Paris, FR"'),
        ((call(city="Paris", pets=1),), "extra_argument", "book_room was given pets=1, accepted: city, nights"),
        ((call(city=7),), "schema", "in book_room, city is 7, not of type string"),
        ((call(city="Rome"),), "wrong_value", 'in book_room, city is "Rome", accepted: "Paris" or "Paris, FR"'),
        ((call(city="Rome", nights="2"),), "schema", 'in book_room, nights is "2", not of type integer'),
    ],
)
def test_a_miss_is_named_with_the_value_seen_and_the_values_accepted(
    calls: tuple[ToolCall, ...], miss: MissClass | None, why: str
) -> None:
    verdict = judge(calls, CITY, TOOLS)

    assert (verdict.miss, verdict.why) == (miss, why)
    assert verdict.value == (1.0 if miss is None else 0.0)


def test_parts_tell_how_near_a_miss_was() -> None:
    near = judge((call(city="Rome", nights=2),), CITY, TOOLS)
    far = judge((call("get_time"),), CITY, TOOLS)

    assert near.parts == {"decision": 1.0, "tools": 1.0, "arguments": 0.5}
    assert far.parts == {"decision": 1.0, "tools": 0.0, "arguments": 0.0}


def test_arguments_of_calls_without_partner_count_as_lost() -> None:
    two = target(wanted(city=("Paris",)), wanted(city=("Rome",)), city="string")

    assert judge((call(city="Paris"),), two, TOOLS).parts["arguments"] == 0.5


def test_no_call_is_right_where_none_is_wanted() -> None:
    silence = ToolTarget(expect="no_call")

    assert judge((), silence, TOOLS) == Verdict(1.0, {"decision": 1.0}, None, "")
    assert judge((call(),), silence, TOOLS).miss == "should_not_have_called"


def test_any_call_is_right_where_any_is_wanted() -> None:
    anything = ToolTarget(expect="any_call")

    assert judge((call("get_time"),), anything, TOOLS).value == 1.0
    assert judge((), anything, TOOLS).miss == "should_have_called"


def test_dots_in_a_name_count_as_underscores() -> None:
    dotted = target(wanted("math_gcd", a=(1,)), a="integer")

    assert judge((call("math.gcd", a=1),), dotted, TOOLS).value == 1.0


def test_parallel_calls_are_paired_so_that_all_are_right_if_they_can_be() -> None:
    either_first = target(wanted(city=("Paris", "Rome")), wanted(city=("Paris",)), city="string")

    assert judge((call(city="Paris"), call(city="Rome")), either_first, TOOLS).value == 1.0


def test_explanation_of_parallel_calls_is_about_the_nearest_pairing() -> None:
    two = target(
        wanted(city=("Paris",), nights=(1,)), wanted(city=("Rome",), nights=(3,)), city="string", nights="integer"
    )

    verdict = judge((call(city="Rome", nights=4), call(city="Paris", nights=1)), two, TOOLS)

    assert verdict.why == "in book_room, nights is 4, accepted: 3"


def test_a_call_that_cannot_be_read_is_a_decode_miss() -> None:
    verdict = judge_decoded(Decoded((), "arguments are no JSON", '{"a":'), CITY, TOOLS, cut=False)

    assert (verdict.value, verdict.miss) == (0.0, "decode")
    assert verdict.why == "the call could not be read: arguments are no JSON"
    assert verdict.parts == {"decoded": 0.0, "decision": 0.0, "tools": 0.0, "arguments": 0.0}


def test_a_call_that_was_cut_off_is_a_length_miss() -> None:
    verdict = judge_decoded(Decoded((), "arguments are no JSON", '{"a":'), CITY, TOOLS, cut=True)

    assert verdict.miss == "length"


def test_thinking_to_the_limit_is_a_length_miss_but_talking_to_it_is_not() -> None:
    silent = judge_decoded(Decoded((), None, None), CITY, TOOLS, cut=True)
    talking = judge_decoded(Decoded((), None, "Let me tell you"), CITY, TOOLS, cut=True)

    assert (silent.miss, talking.miss) == ("length", "should_have_called")


def test_an_unreadable_attempt_passes_where_no_call_is_wanted() -> None:
    verdict = judge_decoded(Decoded((), "no JSON", "{"), ToolTarget(expect="no_call"), TOOLS, cut=False)

    assert (verdict.value, verdict.parts["decoded"]) == (1.0, 0.0)
