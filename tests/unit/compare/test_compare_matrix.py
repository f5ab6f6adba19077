"""Many runs on the same samples, each against each."""

import pytest

from harness.compare.matrix import compare_matrix
from harness.compare.pair import entry_of
from harness.config import CompareOptions
from harness.errors import DataError
from tests.unit.compare.test_compare_pair import valued


def test_every_run_is_held_against_every_other_in_both_directions() -> None:
    runs = [valued([1] * 100, "good"), valued([0] * 60 + [1] * 40, "bad"), valued([0] * 5 + [1] * 95, "fair")]

    found = compare_matrix("now", [entry_of(one) for one in runs], CompareOptions())

    verdicts = {(one.a.split("_")[2], one.b.split("_")[2]): one.verdict for one in found.cells}
    assert len(verdicts) == 6
    assert verdicts["bad", "good"] == "superior"
    assert verdicts["good", "bad"] == "inferior"
    assert verdicts["good", "fair"] == "inconclusive"
    assert [one.model for one in found.runs] == ["good", "fair", "bad"]


def test_p_are_corrected_over_all_cells() -> None:
    runs = [valued([1] * 80, name) for name in ("one", "two", "three")]

    plain, holm = (
        compare_matrix("now", [entry_of(one) for one in runs], CompareOptions(correction=one))
        for one in ("none", "holm")
    )

    assert {one.verdict for one in plain.cells} == {"non_inferior"}
    assert {one.verdict for one in holm.cells} == {"inconclusive"}


def test_set_ups_of_one_name_are_told_apart_by_their_date() -> None:
    runs = [valued([1] * 4, "same"), valued([1] * 4, "same", started="2026-04-02T10:15:00Z")]

    found = compare_matrix("now", [entry_of(one) for one in runs], CompareOptions())

    assert sorted(found.labels) == ["same, 2026-03-02 10-15-00", "same, 2026-04-02 10-15-00"]


def test_a_run_named_twice_is_refused() -> None:
    run = entry_of(valued([1] * 4, "same"))

    with pytest.raises(DataError, match=r"is named twice in compare\.runs"):
        compare_matrix("now", [run, run], CompareOptions())
