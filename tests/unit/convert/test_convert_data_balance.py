"""Equal and nearly equal rows are one, with counts; no-call rows reach their share from real ones alone."""

from collections.abc import Sequence

import pytest

from harness.convert.data.answers import answer_on_record
from harness.convert.data.balance import Made, Merged, balanced, merged, shuffled
from harness.convert.data.likeness import Likeness
from harness.convert.data.rows import make_row
from harness.records import Message, Sample
from harness.scorers.replay import ReplayScorer
from tests.support.convert_samples import asked, setup, silent

LONG = " ".join(f"word{n}" for n in range(60))


def made(sample: Sample) -> Made:
    answer = answer_on_record(sample, "human")
    assert answer is not None
    return sample, make_row(sample, answer, setup().model, ReplayScorer())


def said(sample: Sample, text: str) -> Sample:
    return sample.model_copy(update={"messages": (Message(role="user", content=text),)})


def merge(samples: Sequence[Sample], threshold: float | None = 0.9) -> Merged:
    with Likeness(samples) as likeness:
        return merged([made(one) for one in samples], likeness, threshold)


def test_equal_rows_are_one_with_their_number() -> None:
    again = asked(1, id="again", session="other")

    result = merge([asked(1), asked(2), again])

    assert [one.count for _, one in result.rows] == [2, 1]
    assert (result.duplicates, result.near) == (1, 0)


def test_one_question_with_two_answers_is_learned_with_the_first() -> None:
    other = said(asked(2), asked(1).messages[0].content or "")

    result = merge([asked(1), other])

    assert [sample.id for sample, _ in result.rows] == ["train-1"]
    assert result.other_answers == 1


def test_nearly_the_same_question_of_another_session_with_the_same_answer_is_one_row() -> None:
    first = said(silent(1), LONG)
    near = said(silent(2), LONG + " more")

    result = merge([first, near])

    assert [one.count for _, one in result.rows] == [2]
    assert result.near == 1


def test_nearly_the_same_questions_stay_where_that_is_turned_off() -> None:
    assert len(merge([said(silent(1), LONG), said(silent(2), LONG + " more")], threshold=None).rows) == 2


def test_nearly_the_same_question_with_another_answer_is_a_row_of_its_own() -> None:
    first, near = said(asked(1), LONG), said(asked(2), LONG + " more")

    assert len(merge([first, near]).rows) == 2


def test_steps_of_one_session_are_never_made_one() -> None:
    first, near = said(silent(1), LONG), said(silent(2), LONG + " more")

    assert len(merge([first, near.model_copy(update={"session": first.session})]).rows) == 2


def calls(n: int) -> list[Made]:
    return [made(asked(number)) for number in range(n)]


def words(n: int, first: int = 0) -> list[Made]:
    return [made(silent(number)) for number in range(first, first + n)]


def share(rows: Sequence[Made]) -> float:
    return sum(not one.wants_call for _, one in rows) / len(rows)


def test_without_a_share_the_rows_stay_as_they_are() -> None:
    own = [*calls(3), *words(1)]

    assert balanced(own, words(5, 10), None, None) == (own, 0)


def test_missing_no_call_rows_come_from_elsewhere_and_are_counted() -> None:
    rows, added = balanced([*calls(8), *words(0)], words(9, 10), 0.2, None)

    assert (len(rows), added) == (10, 2)
    assert share(rows) == pytest.approx(0.2)


def test_the_clusters_own_come_first() -> None:
    rows, added = balanced([*calls(8), *words(4)], words(9, 10), 0.25, None)

    assert (len(rows), added) == (12, 0)


def test_what_is_not_there_is_not_made_up() -> None:
    rows, added = balanced(calls(8), words(1, 10), 0.5, None)

    assert (len(rows), added) == (9, 1)


def test_a_limit_of_rows_holds_with_the_share() -> None:
    rows, added = balanced([*calls(20), *words(3)], words(9, 30), 0.5, 10)

    assert (len(rows), added) == (10, 2)
    assert share(rows) == 0.5


def test_the_order_is_that_of_the_seed_whatever_order_they_come_in() -> None:
    rows = calls(12)

    assert shuffled(rows, 1) == shuffled(rows[::-1], 1)
    assert shuffled(rows, 1) != shuffled(rows, 2)
    assert sorted(one.sample for _, one in shuffled(rows, 1)) == sorted(one.sample for _, one in rows)
