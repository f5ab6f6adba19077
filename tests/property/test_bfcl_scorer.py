"""What holds for the tool-call scorer whatever a model says."""

import math
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.records import AcceptedCall, Language, ToolCall, ToolTarget
from harness.scorers.bfcl import judge
from harness.scorers.literals import read_java, read_javascript
from harness.scorers.values import judge_argument
from harness.scorers.wording import plain_json

TEXTS = st.text(max_size=8) | st.sampled_from(["a", "A ", "x", "[1,2]", "new int[]{1}", "{a: 1}", "5L", "[" * 50])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)
NAMES = st.sampled_from(["f", "g", "f.g", "f_g", "", "\n"])
ARGUMENTS = st.dictionaries(st.sampled_from(["a", "b", "c", ""]), JSON, max_size=3)
CALLS = st.lists(st.builds(ToolCall, name=NAMES, arguments=ARGUMENTS), max_size=4).map(tuple)
TYPES = st.sampled_from(
    ["integer", "float", "string", "boolean", "dict", "array<float>", "array<dict>", "tuple<any>", "any", "HashMap", ""]
)
WANTED = st.builds(
    AcceptedCall,
    name=st.sampled_from(["f", "g", "f_g"]),
    arguments=st.dictionaries(st.sampled_from(["a", "b"]), st.lists(JSON, max_size=3).map(tuple), max_size=2),
    optional=st.sampled_from([(), ("a",), ("a", "b")]),
)
LANGUAGES: st.SearchStrategy[Language] = st.sampled_from(["python", "java", "javascript"])
TARGETS = st.builds(
    ToolTarget,
    expect=st.sampled_from(["calls", "calls", "no_call", "any_call"]),
    calls=st.lists(WANTED, min_size=1, max_size=3).map(tuple),
    language=LANGUAGES,
    types=st.dictionaries(
        st.sampled_from(["f", "g", "f_g"]), st.dictionaries(st.sampled_from(["a", "b"]), TYPES), max_size=3
    ),
)


@given(CALLS, TARGETS)
def test_a_verdict_is_1_without_a_miss_or_0_with_one(calls: tuple[ToolCall, ...], target: ToolTarget) -> None:
    verdict = judge(calls, target, ())

    assert (verdict.value, verdict.miss is None, verdict.why == "") in {(1.0, True, True), (0.0, False, False)}
    assert all(math.isfinite(part) and 0 <= part <= 1 for part in verdict.parts.values())
    assert verdict.miss is not None or set(verdict.parts.values()) == {1.0}
    assert "\n" not in verdict.why


@given(CALLS, TARGETS, st.randoms(use_true_random=False))
def test_the_order_of_calls_changes_neither_value_nor_parts(
    calls: tuple[ToolCall, ...], target: ToolTarget, order: Any
) -> None:
    shuffled = list(calls)
    order.shuffle(shuffled)

    before, after = judge(calls, target, ()), judge(shuffled, target, ())

    assert (before.value, before.parts["decision"]) == (after.value, after.parts["decision"])
    assert before.parts.get("tools") == after.parts.get("tools")


@given(CALLS, TARGETS)
def test_the_same_calls_get_the_same_verdict(calls: tuple[ToolCall, ...], target: ToolTarget) -> None:
    assert judge(calls, target, ()) == judge(calls, target, ())


@given(JSON, st.lists(JSON, max_size=3), TYPES, LANGUAGES)
def test_judging_an_argument_never_raises(value: Any, accepted: list[Any], declared: str, language: Language) -> None:
    fault = judge_argument("x", value, accepted, declared, language)

    assert fault is None or fault.miss in {"schema", "wrong_value"}


@settings(max_examples=300)
@given(
    st.text(alphabet="[]{}()<>\"'`,:;\\ \nnewArrayListHashMapputadd01.9-+eEfFlLtrue", max_size=60),
    st.sampled_from(["", "new ArrayList<>(", "new int[] {", "new HashMap<>() {{", "[", "{", "new Array("]),
    st.sampled_from(["Array", "ArrayList", "HashMap", "long", "float", "array", "dict", "Bigint", "String", "any"]),
    st.sampled_from([None, "any", "integer", "String", "float", "char"]),
)
def test_reading_a_literal_never_raises(text: str, head: str, base: str, inner: str | None) -> None:
    for read in (read_java, read_javascript):
        orjson.dumps(plain_json(read(head + text, base, inner)))
