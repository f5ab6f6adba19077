"""What the scorer of text reads out of replies, and what it makes of it."""

import json
import random
import time
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.errors import DataError
from harness.records import Message, Reply, Sample, Score, TextTarget
from harness.scorers.text import TextScorer
from harness.scorers.text_choice import AmbiguousChoiceError, choice_of
from harness.scorers.text_json import answer_json
from harness.scorers.text_number import answer_number, numbers
from harness.scorers.text_words import normal_form, rouge, token_f1
from harness.toolcalling.strict_json import NotJson


def sample(**target: Any) -> Sample:
    asked = (Message(role="user", content="?"),)
    return Sample(id="s", category="c", messages=asked, target=TextTarget(**target), scorer="text")


def score(said: str | None, finish: str = "stop", repair: bool = True, **target: Any) -> Score:
    reply = Reply(content=said, finish_reason=finish)
    return TextScorer(repair=repair).score(sample(**target), reply, "native")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", "42"),
        ("1,234,567.89", "1234567.89"),
        ("1.234.567,89", "1234567.89"),
        ("1 234 567", "1234567"),
        ("10\u00a0000 km", "10000"),
        ("12'345", "12345"),
        ("in 2023 500 people", "500"),
        ("3,14", "3.14"),
        ("0,125", "0.125"),
        ("1,234", "1234"),
        ("1.234", "1.234"),
        ("1,2,3", "3"),
        ("−5", "-5"),
        ("3-5", "5"),
        ("covid-19", "19"),
        ("1e-3", "0.001"),
        ("3 × 10^8 m/s", "300000000"),
        (r"3 \times 10^{8}", "300000000"),
        ("3/4", "0.75"),
        ("1 3/4", "1.75"),
        ("1½ cups", "1.5"),
        (r"\boxed{\frac{3}{4}}", "0.75"),
        (r"\boxed{12{,}000}", "12000"),
        ("50 %", "50%"),
        ("50 percent", "50%"),
        ("-$1,000.50", "-1000.5"),
        ("1.5 million", "1500000"),
        ("#### 1,200", "1200"),
        ("The answer is **42**. Check: 84 / 2 = 43", "42"),
        ("Answer: 6 * 7 = 42 apples", "42"),
        ("First 3, then 4.\nSo 7 in all.", "7"),
        ("5.", "5"),
    ],
)
def test_number_is_read_as_people_write_it(text: str, value: str) -> None:
    assert str(answer_number(text)) == value


@pytest.mark.parametrize("text", ["", "none", "H2O", "x2", "version 1.10.2", "1/0", "1e999999", "9" * 500, "NaN inf"])
def test_what_is_no_number_is_none(text: str) -> None:
    assert answer_number(text) is None


@given(st.decimals(min_value=-(10**12), max_value=10**12, places=3))
def test_every_decimal_is_read_back_exactly(value: Any) -> None:
    grouped, bare = f"{value:,f}", f"{value:f}"

    assert [one.value for one in numbers(f"it is {bare} km")] == [Fraction(bare)]
    assert [one.value for one in numbers(f"it is {grouped} km")] == [Fraction(bare)]


@pytest.mark.parametrize(
    ("said", "accepted", "more", "value"),
    [
        ("0.30", "0.3", {}, 1),
        ("0.1", "0.2", {"tolerance": 0.1}, 1),
        ("0.35", "0.3", {"tolerance": 0.04}, 0),
        ("103", "100", {"tolerance": 0.03, "relative": True}, 1),
        ("-103", "-100", {"tolerance": 0.03, "relative": True}, 1),
        ("104", "100", {"tolerance": 0.03, "relative": True}, 0),
        ("50%", "0.5", {}, 1),
        ("50", "50%", {}, 1),
        ("0.5", "50%", {}, 1),
        ("5%", "50%", {}, 0),
        ("0.5%", "50%", {}, 0),
    ],
)
def test_numbers_are_compared_within_the_tolerance(said: str, accepted: str, more: Any, value: float) -> None:
    assert score(said, match="numeric", accepted=(accepted,), **more).value == value


@pytest.mark.parametrize(
    "text",
    ["1 " * 30_000, "1," * 30_000, "1/" * 30_000, "\\boxed{" * 9_000, "9" * 90_000, "1 111" * 15_000, "####\n" * 9_000],
)
def test_no_text_makes_reading_numbers_slow(text: str) -> None:
    began = time.process_time()

    answer_number(text)

    assert time.process_time() - began < 5  # a twentieth of it on a slow machine; a backtracking pattern takes hours


ABCD = ("A", "B", "C", "D")
CITIES = ("Rome", "Paris", "Bonn", "New York")


@pytest.mark.parametrize(
    ("said", "choice"),
    [
        ("B", "B"),
        ("(b)", "B"),
        ("**B**", "B"),
        ("B) Paris", "B"),
        ("B.\nBecause it is the capital.", "B"),
        ("A.\nRome\nB.\nParis\nThe answer is B", "B"),
        ("B) the capital of France", "B"),
        ("Paris", "B"),
        ("The answer is (B).", "B"),
        ("The correct answer is option B, since A is in Italy.", "B"),
        ("Answer: C. No, wait. Final answer: D", "D"),
        (r"so $\boxed{\text{B}}$", "B"),
        ("(A) is in Italy.\nThe answer is: **B**", "B"),
        ("A cat would say Paris", "B"),
        ("I think it is B", "B"),
        ("It must be New York, I am sure", "D"),
        ("The answer is a bit unclear, but C fits", "C"),
        ("no idea", None),
        ("A good question", None),
    ],
)
def test_choice_is_read_by_the_stated_rules(said: str, choice: str | None) -> None:
    assert choice_of(said, ABCD, CITIES) == choice


@pytest.mark.parametrize("said", ["A or B", "(A) is close, (B) too", "The answer is A or B.", "Rome and Paris"])
def test_a_reply_that_settles_on_no_choice_is_refused(said: str) -> None:
    with pytest.raises(AmbiguousChoiceError):
        choice_of(said, ABCD, CITIES)


@pytest.mark.parametrize(("said", "choice"), [("Yes.", "yes"), ("No, it is not.", "no"), ("The answer is no", "no")])
def test_labels_may_be_words(said: str, choice: str) -> None:
    assert choice_of(said, ("yes", "no")) == choice


def test_ambiguous_choice_is_a_miss_with_its_reason() -> None:
    found = score("It is A or B.", match="choice", accepted=("A",), choices=ABCD)

    assert (found.value, found.miss) == (0, "no_answer")
    assert "A and B" in found.why


def test_normal_form_is_that_of_squad_with_unicode() -> None:
    assert normal_form(" The  “Eiffel” Tower，Ｐａｒｉｓ! ") == "eiffel towerparis"
    assert token_f1("the tall tower", "a tower") == pytest.approx(2 / 3)
    assert score("+", match="normalised", accepted=("+",)).value == 1
    assert score("-", match="normalised", accepted=("+",)).value == 0


def test_rouge_gives_the_values_of_the_reference_package() -> None:
    scorers = pytest.importorskip("rouge_score.rouge_scorer", reason="pip install 'slm-harness[suites]'")
    reference = scorers.RougeScorer(["rouge1", "rouge2", "rougeL"])
    rng = random.Random(7)
    words = ["the", "cat", "sat", "Mat,", "on-it", "it's", "7", "...", "dog"]

    for _ in range(200):
        left, right = (" ".join(rng.choices(words, k=rng.randint(0, 30))) for _ in range(2))
        theirs, ours = reference.score(right, left), rouge(left, right)
        wanted = [theirs[name].fmeasure for name in ("rouge1", "rouge2", "rougeL")]
        assert [ours.rouge_1, ours.rouge_2, ours.rouge_l] == pytest.approx(wanted)


def test_rouge_is_the_value_itself_or_held_against_the_threshold() -> None:
    whole: dict[str, Any] = {"match": "rouge", "accepted": ("the cat sat", "a dog ran far")}

    assert score("the cat ran", **whole).value == pytest.approx(2 / 3)
    assert score("the cat ran", **whole, threshold=0.6).value == 1
    assert score("the cat ran", **whole, threshold=0.7).value == 0


def test_exact_takes_no_liberty_but_white_space_at_the_ends() -> None:
    assert score(" ok\n", match="exact", accepted=("no", "ok")).value == 1
    assert score("OK", match="exact", accepted=("ok",)).value == 0


def test_pattern_is_searched_for_in_the_answer() -> None:
    found = score("on 2026-01-31, I think", match="regex", accepted=(r"\d{4}-\d{2}-\d{2}",))

    assert (found.value, found.extracted) == (1, "2026-01-31")
    assert score("on 2026-01-31", match="regex", accepted=(r"^\d{4}",)).value == 0


def test_pattern_that_runs_away_leaves_the_attempt_unscored() -> None:
    found = score("a" * 5_000 + "b", match="regex", accepted=(r"^(a|aa)+$",))

    assert (found.value, found.miss, found.boundary) == (None, None, "harness")
    assert "without nested repetition" in found.why


def test_pattern_that_is_none_is_an_error_of_the_data() -> None:
    with pytest.raises(DataError, match=r"sample s: .* is no regular expression"):
        score("a", match="regex", accepted=("(",))


@pytest.mark.parametrize(
    "said",
    [
        '{"a": 1}',
        'Here:\n```json\n{"a": 1}\n```\nDone [1].',
        'The object {"a": 1} is it',
        '{"a": 1} or, which is the same, {"a": 1.0}',
        '<think>{"a": 2}</think>{"a": 1}',
    ],
)
def test_json_is_found_in_a_reply(said: str) -> None:
    assert score(said, match="json", accepted=('{"a": 1}',)).value == 1


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ('{"a": 1} or {"a": 2}', "2 different JSON values"),
        ('{"a": {"b": 1}', "delimiter"),
        ("{'a': 1}", "property name"),
        ('{"a": NaN}', "NaN"),
        ('{"a": 1, "a": 1}', "twice"),
        ("a: 1", "no JSON object or list"),
        ("{" * 5_000, "property name"),
        ('[{"a":' * 5_000, "deep"),
    ],
)
def test_json_that_is_broken_or_ambiguous_is_refused(said: str, why: str) -> None:
    with pytest.raises(NotJson, match=why):
        answer_json(said)


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}


def test_json_parts_tell_form_schema_and_fields_apart() -> None:
    target: dict[str, Any] = {"match": "json", "accepted": ('{"n": 1}',), "schema": SCHEMA}

    assert score('{"n": 1.0}', **target).parts == {"valid_json": 1, "valid_schema": 1, "fields": 1}
    assert score('{"n": 2}', **target).parts == {"valid_json": 1, "valid_schema": 1, "fields": 0}
    assert score('{"n": 1, "m": 0}', **target).parts == {"valid_json": 1, "valid_schema": 0, "fields": 1}
    assert score("n is 1", **target).parts == {"valid_json": 0, "valid_schema": 0, "fields": 0}
    assert [score(said, **target).miss for said in ('{"n": 2}', '{"n": "1"}', "n is 1", "")] == [
        "wrong_answer", "schema", "decode", "no_answer",
    ]  # fmt: skip


def test_fields_are_compared_one_by_one_and_counted() -> None:
    accepted = '{"a": 1, "b": {"c": [true]}, "d": null}'

    found = score('{"a": 1, "b": {"c": [1]}, "d": null, "e": 0}', match="json", accepted=(accepted,))

    assert (found.value, found.parts["fields"], found.counts["fields"]) == (0, 2 / 3, (2, 3))
    assert found.why == 'b is {"c":[1]}, accepted: {"c":[true]}'


def test_chosen_fields_may_lie_deeper_and_the_best_accepted_answer_counts() -> None:
    target: dict[str, Any] = {"match": "json", "accepted": ('{"a": 0}', '{"a": {"b": 7}}'), "fields": ("a.b",)}

    assert score('{"a": {"b": 7, "c": 1}}', **target).value == 1
    assert score('{"a": {"b": 8}}', **target).value == 0


def test_absent_is_not_null() -> None:
    assert score("{}", match="json", accepted=('{"a": null}',)).value == 0


def test_schema_that_points_elsewhere_fetches_nothing() -> None:
    with pytest.raises(DataError, match=r"points to https://example\.invalid/schema\.json, which is not in it"):
        score("{}", match="json", schema={"$ref": "https://example.invalid/schema.json"})


def test_schema_that_is_none_is_an_error_of_the_data() -> None:
    with pytest.raises(DataError, match="its schema is no JSON Schema"):
        score("{}", match="json", schema={"type": "thing"})


def test_broken_json_has_a_second_value_after_repair() -> None:
    target: dict[str, Any] = {"match": "json", "accepted": ('{"a": 1}',)}

    assert score("{'a': 1,}", **target).repaired == 1
    assert score("{'a': 2,}", **target).repaired == 0
    assert score("{'a': 1,}", repair=False, **target).repaired is None
    assert score('{"a": 2}', **target).repaired is None
    assert score('{"a": 1}', **target).repaired is None
    assert score('{"a": 1', finish="length", **target).repaired is None


@pytest.mark.parametrize("match", ["exact", "normalised", "numeric", "choice", "regex", "json", "rouge"])
def test_silence_is_no_answer_and_a_cut_reply_is_length(match: str) -> None:
    target: dict[str, Any] = {"match": match, "accepted": ("7",), "choices": ("7", "8")}

    assert (score("", **target).value, score(None, **target).miss) == (0, "no_answer")
    assert score("<think>7", finish="length", **target).miss == "length"
    assert score("<think>8, no.</think> 7", **target).value == 1


@pytest.mark.parametrize("match", ["exact", "normalised", "numeric", "choice", "regex", "json", "rouge"])
@given(said=st.text(max_size=80))
def test_no_reply_makes_it_raise(match: str, said: str) -> None:
    target: dict[str, Any] = {"match": match, "accepted": ("7",), "choices": ("7", "8"), "choice_texts": ("x", "y")}

    first, second = score(said, **target), score(said, **target)

    assert first == second
    assert 0 <= (first.value or 0) <= 1
    assert json.loads(first.model_dump_json())


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ({"match": "exact"}, "accepted is empty"),
        ({"match": "json"}, "needs a schema"),
        ({"match": "judge"}, "needs a rubric"),
        ({"match": "exact", "accepted": (" ",)}, "empty answer"),
        ({"match": "choice", "accepted": ("E",), "choices": ABCD}, "not among the choices"),
        ({"match": "choice", "accepted": ("A",), "choices": ABCD, "choice_texts": ("x",)}, "one for each"),
        ({"match": "judge", "rubric": "r", "human": 1.0}, "belong together"),
    ],
)
def test_target_that_cannot_be_judged_is_refused_when_it_is_read(target: Any, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        TextTarget(**target)


def test_accepted_number_that_is_none_is_an_error_of_the_data() -> None:
    with pytest.raises(DataError, match="holds 2 numbers, not one"):
        score("7", match="numeric", accepted=("7 or 8",))


def test_match_that_needs_a_model_names_its_scorer() -> None:
    with pytest.raises(DataError, match="scorer: judge"):
        score("x", match="judge", rubric="r")


RUNAWAY = "^(a|a)*$"
SLOW = "a" * 40 + "!"


@pytest.mark.parametrize(
    ("answer", "schema"),
    [
        ({"n": SLOW}, {"properties": {"n": {"pattern": RUNAWAY}}}),
        ({SLOW: 1}, {"patternProperties": {RUNAWAY: {}}}),
        ({SLOW: 1}, {"additionalProperties": False, "patternProperties": {RUNAWAY: {}}}),
        ({SLOW: 1}, {"propertyNames": {"pattern": RUNAWAY}}),
        (
            {"next": {"n": SLOW}},
            {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "properties": {"n": {"pattern": RUNAWAY}, "next": {"$ref": "#"}},
            },
        ),
    ],
)
def test_a_schema_whose_pattern_runs_away_on_an_answer_leaves_it_unscored(answer: object, schema: object) -> None:
    found = score(json.dumps(answer), match="json", schema=schema)

    assert (found.value, found.miss, found.boundary) == (None, None, "harness")
    assert RUNAWAY in found.why
    assert "takes longer than 0.2 s" in found.why


def test_the_patterns_of_a_schema_share_one_limit_of_time() -> None:
    answer = ["a" * 17 + "!"] * 200

    found = score(json.dumps(answer), match="json", schema={"items": {"anyOf": [{"pattern": RUNAWAY}, {}]}})

    assert found.value is None  # each string takes some 20 ms, all of them seconds


def test_a_number_too_large_for_the_schemas_fraction_does_not_fulfil_it() -> None:
    found = score('{"n": ' + "9" * 350 + "}", match="json", schema={"properties": {"n": {"multipleOf": 0.01}}})

    assert (found.value, found.miss, found.parts["valid_schema"]) == (0.0, "schema", 0.0)
    assert "too large" in found.why


@pytest.mark.parametrize(
    ("answer", "further", "value"),
    [
        ({"n": 1, "x_1": "a"}, False, 1.0),
        ({"n": 1, "x_1": 2}, False, 0.0),
        ({"n": 1, "y": 3}, False, 0.0),
        ({"n": 1, "y": 3}, {"type": "integer"}, 1.0),
        ({"n": 1, "y": "a"}, {"type": "integer"}, 0.0),
        ({"n": 1, "y": "a"}, True, 1.0),
    ],
)
def test_properties_by_pattern_and_the_further_ones_are_judged(answer: object, further: object, value: float) -> None:
    by_pattern = {"^x_": {"type": "string"}}
    schema = {"properties": {"n": {}}, "patternProperties": by_pattern, "additionalProperties": further}

    assert score(json.dumps(answer), match="json", schema=schema).value == value


def test_a_schema_whose_patterns_cannot_be_bounded_is_refused() -> None:
    schema = {"patternProperties": {"^x": {}}, "unevaluatedProperties": False}

    with pytest.raises(DataError, match="unevaluatedProperties beside patternProperties"):
        score('{"x": 1}', match="json", schema=schema)


@pytest.mark.parametrize("said", ["I cannot say.", '{"a": 1}'])
def test_an_accepted_answer_that_is_not_json_is_the_datas_fault_whatever_was_said(said: str) -> None:
    with pytest.raises(DataError, match=r"sample s: the accepted answer .* is not JSON"):
        score(said, match="json", accepted=["{bad"])
