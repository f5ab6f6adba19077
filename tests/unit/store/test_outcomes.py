"""Last outcomes with their scores: streamed, complete, and never joined with the score of another outcome."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import DataError
from harness.records import Attempt, Failure, Reply, Score, Timing
from harness.store.journal import Journal
from harness.store.outcomes import final_outcomes
from harness.store.runfolder import ATTEMPTS, SCORES

LOST = Failure(boundary="infrastructure", kind="reset", message="reset")


def attempt(sample: str, lost: bool, text: str = "x") -> Attempt:
    reply, failure = (None, LOST) if lost else (Reply(content=text), None)
    return Attempt(
        sample=sample, model="m", protocol="native", backend="b", reply=reply, failure=failure, timing=Timing(at=0)
    )


def score(sample: str, lost: bool, why: str = "") -> Score:
    boundary, value = ("infrastructure", None) if lost else (None, 1.0)
    return Score.model_validate(
        {"sample": sample, "category": "c", "scorer": "x", "value": value, "boundary": boundary, "why": why}
    )


def write(folder: Path, attempts: list[Attempt], scores: list[Score]) -> Path:
    with Journal(folder / ATTEMPTS) as journal:
        for one in attempts:
            journal.append(one)
    with Journal(folder / SCORES) as journal:
        for verdict in scores:
            journal.append(verdict)
    return folder


def test_a_score_that_is_not_on_disk_is_none(tmp_path: Path) -> None:
    folder = write(tmp_path, [attempt("a", False), attempt("b", False)], [score("a", False)])

    assert [(a.sample, s is None) for a, s in final_outcomes(folder)] == [("a", False), ("b", True)]


def test_the_score_of_a_lost_try_is_not_that_of_the_attempt_made_again(tmp_path: Path) -> None:
    folder = write(tmp_path, [attempt("a", True), attempt("a", False)], [score("a", True)])

    assert list(final_outcomes(folder)) == [(attempt("a", False), None)]


def test_scores_in_another_order_find_their_attempts(tmp_path: Path) -> None:
    scores = [score("b", False, "b"), score("x", False), score("a", False, "a")]
    folder = write(tmp_path, [attempt("a", False), attempt("b", False)], scores)

    assert [s and s.why for _, s in final_outcomes(folder)] == ["a", "b"]


@pytest.mark.parametrize("name", ["a", 'a"b', "a\\b", "ü", 'a","trial":7,', "a#1", " ", "\u2028"])
def test_whatever_a_sample_is_called_its_trials_find_their_scores(name: str, tmp_path: Path) -> None:
    trials = range(3)
    attempts = [attempt(name, False).model_copy(update={"trial": trial}) for trial in trials]
    scores = [score(name, False, str(trial)).model_copy(update={"trial": trial}) for trial in reversed(trials)]

    folder = write(tmp_path, attempts, scores)

    assert [(a.trial, s and s.why) for a, s in final_outcomes(folder)] == [(0, "0"), (1, "1"), (2, "2")]


def test_lines_of_another_program_are_told_by_their_keys_in_any_order(tmp_path: Path) -> None:
    folder = write(tmp_path, [attempt("a", False), attempt("b", False)], [])
    (folder / SCORES).write_text(
        '{"why": "of b", "value": 1, "trial": 0, "sample": "b", "category": "c", "scorer": "x"}\n'
        '{"category": "c", "scorer": "x", "value": 1, "why": "of a", "sample": "a"}\n'
    )

    assert [s and s.why for _, s in final_outcomes(folder)] == ["of a", "of b"]


def test_a_folder_without_journals_has_no_outcomes(tmp_path: Path) -> None:
    assert list(final_outcomes(tmp_path)) == []


def test_what_is_written_while_it_is_read_comes_with_the_next_reading(tmp_path: Path) -> None:
    folder = write(tmp_path, [attempt("a", False)], [score("a", False)])
    reading = final_outcomes(folder)
    first = next(reading)
    write(folder, [attempt("b", False)], [score("b", False)])

    assert [first, *reading] == [(attempt("a", False), score("a", False))]
    assert len(list(final_outcomes(folder))) == 2


def test_damage_in_a_score_is_an_error_that_names_the_line(tmp_path: Path) -> None:
    folder = write(tmp_path, [attempt("a", False)], [score("a", False), score("b", False)])
    data = bytearray((folder / SCORES).read_bytes())
    data[12] ^= 1
    (folder / SCORES).write_bytes(data)

    with pytest.raises(DataError, match=r"scores\.jsonl line 1 is damaged"):
        list(final_outcomes(folder))


EVENTS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.booleans(), st.booleans()), max_size=30)


@settings(max_examples=80, deadline=None)
@given(events=EVENTS)
def test_the_last_outcome_wins_as_a_dictionary_would_have_it(
    events: list[tuple[str, bool, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    attempts = [attempt(name, lost, str(place)) for place, (name, lost, _) in enumerate(events)]
    scores = [score(name, lost, str(place)) for place, (name, lost, kept) in enumerate(events) if kept]
    folder = write(tmp_path_factory.mktemp("run"), attempts, scores)

    found = list(final_outcomes(folder))

    last_score = {one.sample: one for one in scores}
    assert {a.sample: a for a, _ in found} == {one.sample: one for one in attempts}
    assert len(found) == len({name for name, _, _ in events})
    for one, verdict in found:
        expected = last_score.get(one.sample)
        same = expected is not None and (expected.boundary == "infrastructure") == (one.failure is not None)
        assert verdict == (expected if same else None)
