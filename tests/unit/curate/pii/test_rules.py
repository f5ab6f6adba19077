"""The detector as a whole: order, overlap, length of texts, time."""

import random
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.config.pii import PiiConfig
from harness.curate.pii.rules import rules_detector
from harness.curate.pii.spans import Span, settle

DETECTOR = rules_detector(PiiConfig(kinds=("all",), remember=0))
MAIL = "ann.lee@example.org"


@given(st.text(max_size=300))
def test_any_text_gives_spans_in_order_within_it(text: str) -> None:
    spans = DETECTOR.find(text)

    ends = [0, *(span.end for span in spans)]
    assert all(before <= span.start < span.end <= len(text) for before, span in zip(ends, spans, strict=False))


@given(before=st.text("ab é漢😀\n\t.,;", max_size=40), after=st.text("ab é漢😀\n\t,;", max_size=40))
def test_value_is_found_at_its_place_among_any_letters(before: str, after: str) -> None:
    text = f"{before} {MAIL} {after}"

    found = [(span.start, span.end) for span in DETECTOR.find(text) if span.kind == "EMAIL_ADDRESS"]

    assert found == [(len(before) + 1, len(before) + 1 + len(MAIL))]


def test_letter_that_grows_when_made_small_moves_no_span() -> None:
    text = "İİİ my zip code is 92193"

    assert [text[span.start : span.end] for span in DETECTOR.find(text)] == ["92193"]


def test_value_deep_in_a_long_text_is_found() -> None:
    text = "x = f(y)\n" * 20_000 + MAIL + "\nz = 1" * 20_000

    assert [text[span.start : span.end] for span in DETECTOR.find(text)] == [MAIL]


def test_surrogate_that_is_half_a_character_stops_nothing() -> None:
    assert [span.kind for span in DETECTOR.find("\ud800 " + MAIL)] == ["EMAIL_ADDRESS"]


def test_many_texts_give_what_each_gives() -> None:
    texts = [MAIL, "", "12 Oak Street", MAIL]
    fields = [None, None, "address1", "email"]

    assert DETECTOR.find_all(texts, fields) == [
        DETECTOR.find(text, field) for text, field in zip(texts, fields, strict=True)
    ]


def test_remembered_text_gives_the_same_spans_and_the_field_counts() -> None:
    detector = rules_detector(PiiConfig(remember=2))

    first = [detector.find(text, field) for text in ("92193", MAIL, "x", "92193") for field in (None, "zip")]

    assert first == [detector.find(text, field) for text in ("92193", MAIL, "x", "92193") for field in (None, "zip")]
    assert first[0] == []
    assert [span.kind for span in first[1]] == ["ZIP_CODE"]


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20), st.sampled_from([0.4, 0.5, 0.9, 1.0])), max_size=12))
def test_settled_spans_do_not_overlap_and_keep_the_surest_whole(parts: list[tuple[int, int, float]]) -> None:
    spans = [Span(start, start + length, "X", score, "t") for start, length, score in parts]

    kept = settle(spans)

    assert all(one.end <= two.start for one, two in pairwise(kept))
    covered = {place for span in kept for place in range(span.start, span.end)}
    surest = max(spans, key=lambda span: (span.score, span.end - span.start, -span.start), default=None)
    assert surest is None or set(range(surest.start, surest.end)) <= covered


_UNITS = (
    "1", " ", "a@", "1 ", "1-", "1.", "A", "Ab ", "12 Oak ", "Apt. 1, ", "Mr. A ", "sk-", "eyJ", "(1", '"a": "',
    "://a:", "the corner of a ", "name is ", "-" * 5 + "BEGIN PRIVATE" + " KEY" + "-" * 5, "::", "a_1", "key=",
)  # fmt: skip


@pytest.mark.parametrize("unit", _UNITS)
def test_time_grows_with_the_length_and_not_with_its_square(unit: str) -> None:
    def seconds(length: int) -> float:
        text = unit * (length // len(unit))
        began = time.process_time()
        DETECTOR.find(text)
        return time.process_time() - began

    short = min(seconds(5_000) for _ in range(2))

    # Ten times the text: a square would take a hundred times as long. Room for a busy machine.
    assert seconds(50_000) < max(40 * short, 2)


@pytest.mark.slow
@pytest.mark.parametrize("unit", _UNITS)
def test_a_megabyte_of_anything_takes_seconds(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    began = time.process_time()

    DETECTOR.find(text)

    assert time.process_time() - began < 20


def test_random_code_and_hashes_hold_nobody() -> None:
    draw = random.Random(3)
    lines = [
        f"{draw.getrandbits(160):040x} {draw.randint(0, 9)}.{draw.randint(0, 99)}.{draw.randint(0, 99)} "
        f"x[{draw.randint(0, 10**6)}] = f({draw.random()})"
        for _ in range(400)
    ]

    assert DETECTOR.find("\n".join(lines)) == []
