"""Values that cross between the program and the tests."""

import math
from collections import Counter, OrderedDict, deque
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sandbox.inside.plainjson import dumps, loads
from harness.sandbox.inside.wire import Json, decode, encode

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.complex_numbers(allow_nan=False)
)
_KEYS = st.booleans() | st.integers() | st.text() | st.binary() | st.tuples(st.integers(), st.text())
VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(_KEYS, inner)
        | st.sets(_KEYS)
        | st.frozensets(_KEYS)
        | st.lists(inner).map(deque)
    ),
    max_leaves=30,
)


def refuse(*_: object) -> Json:
    raise AssertionError("no object is among these")


def there_and_back(value: object) -> object:
    return decode(loads(dumps(encode(value, refuse))), refuse)


def _same(one: object, other: object) -> bool:
    return type(one) is type(other) and repr(one) == repr(other)


@given(VALUES)
def test_plain_data_comes_back_as_it_went(value: object) -> None:
    back = there_and_back(value)

    assert type(back) is type(value)
    assert back == value


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        -0.0,
        1,
        True,
        10**400,
        -(10**5000),
        math.inf,
        -math.inf,
        range(3, 9, 2),
        Decimal("1.50"),
        Fraction(1, 3),
        "\ud800",
        "\0",
        bytearray(b"a"),
        [[]],
        ((),),
        {(): {}},
    ],
    ids=lambda one: repr(type(one)),
)
def test_rarer_values_keep_their_type(value: object) -> None:
    assert type(there_and_back(value)) is type(value)
    assert there_and_back(value) == value


def test_not_a_number_stays_none() -> None:
    back = there_and_back(math.nan)

    assert isinstance(back, float)
    assert math.isnan(back)


def test_views_of_a_dictionary_stay_views() -> None:
    one = {"a": 1, "b": 1}

    assert there_and_back(one.keys()) == {"a", "b"}
    assert list(there_and_back(one.values())) == [1, 1]  # type: ignore[call-overload]
    assert there_and_back(one.items()) == {("a", 1), ("b", 1)}


def test_subclasses_count_as_what_they_are_made_from() -> None:
    class Colour(IntEnum):
        RED = 3

    class Agreeing(int):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = int.__hash__

    class Pair(NamedTuple):
        a: int
        b: int

    assert type(there_and_back(Colour.RED)) is int
    assert there_and_back(Agreeing(7)) != 3
    assert there_and_back(Pair(1, 2)) == (1, 2)
    assert there_and_back(Counter("aab")) == {"a": 2, "b": 1}
    assert there_and_back(OrderedDict(a=1)) == {"a": 1}


@pytest.mark.parametrize(
    "data",
    [
        {"t": 1},
        {"d": [[1]]},
        {"d": [[[], 1]]},
        {"i": 3},
        {"i": "z"},
        {"b": "x"},
        {"c": [1]},
        {"r": []},
        {"a": 1, "b": 2},
        {},
        {"D": "x"},
        {"F": "1/0"},
    ],
    ids=str,
)
def test_what_stands_for_no_value_is_refused(data: Json) -> None:
    with pytest.raises((ValueError, TypeError, ArithmeticError)):
        decode(data, refuse)


@pytest.mark.parametrize("line", [b"", b"{", b"[1] 2", b"[1,]", b"\xff", b"nul"])
def test_a_line_that_is_no_json_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  any of its kinds
        loads(line)


def test_objects_go_by_number() -> None:
    class Own:
        pass

    one = Own()

    assert encode([one, 1], lambda value: {"h": 5} if value is one else None) == [{"h": 5}, 1]
    assert decode([{"h": 5}], lambda mark, held: (mark, held)) == [("h", 5)]
