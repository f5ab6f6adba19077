"""The views of `do=query` over what the verbs beside `do=run` leave."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.query.engine import asked
from harness.query.source import Source
from harness.query.views import VIEWS
from harness.records.convert import LearningCurve
from harness.store.runfolder import write_record
from tests.support.every_result import SECRET_NAME, SECRET_WORDS, every_result

_ELSEWHERE = {"parts", "backlogs", "conversion_general", "clusters", "weeks"}
"""Views of which these made-up records have no row."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return every_result(tmp_path_factory.mktemp("views"))


def rows(sql: str, results: Path, *, texts: bool = True) -> list[tuple[Any, ...]]:
    source = Source(results, texts=texts)
    with asked(sql, source) as answer:
        found = list(answer.rows())
    assert source.left_out == []
    return found


@pytest.mark.parametrize("name", sorted(one.name for one in VIEWS.values() if one.table and one.name not in _ELSEWHERE))
def test_each_view_has_rows_and_says_what_its_columns_mean(name: str, results: Path) -> None:
    made = VIEWS[name].table
    assert made is not None

    found = made(Source(results))

    assert found.rows
    assert len({one.key for one in found.fields}) == len(found.fields)
    assert [one.key for one in found.fields if not one.meaning] == []


def test_sql_sees_all_of_them(results: Path) -> None:
    there = {one[0] for one in rows("SHOW TABLES", results)}

    assert there == set(VIEWS) - _ELSEWHERE


def test_a_policy_is_one_row_with_its_figures_and_its_kinds_join(results: Path) -> None:
    found = rows(
        "SELECT r.chosen, f.coverage = r.coverage, count(k.kind) FROM routes r JOIN route_figures f USING (route) "
        "JOIN route_kinds k USING (route) WHERE f.way = 'policy' GROUP BY ALL",
        results,
    )

    assert found == [("cascade", True, 2)]


def test_the_calls_of_a_policy_are_those_of_its_test_split(results: Path) -> None:
    (found,) = rows(
        "SELECT count(*) = any_value(tested_on), avg(kept::INT) > 0 FROM route_calls JOIN routes USING (route)", results
    )

    assert found == (True, True)


def test_moments_belong_to_monitors(results: Path) -> None:
    (found,) = rows("SELECT count(*), count(need) FROM moments JOIN monitors USING (folder, monitor)", results)

    assert found[0] == found[1] > 0


def test_the_curve_of_a_conversion_without_a_ledger_is_there(results: Path, tmp_path: Path) -> None:
    (kept,) = rows("SELECT rows, accuracy, low FROM curves", results)
    (ledger,) = (results / "convert").glob("*/ledger.json")
    curve = LearningCurve.model_validate(json.loads(ledger.read_bytes())["curve"])
    folder = tmp_path / "convert" / "begun" / "curve"
    folder.mkdir(parents=True)
    write_record(folder / "curve.json", curve)

    assert rows("SELECT conversion, suite, rows, accuracy, low FROM curves", tmp_path) == [("begun", None, *kept)]


def test_the_difference_of_a_setup_stands_in_its_interval(results: Path) -> None:
    found = rows("SELECT row, difference_low <= difference, difference <= difference_high FROM conversion_rows "
                 "WHERE difference IS NOT NULL", results)  # fmt: skip

    assert found
    assert all(low and high for _, low, high in found)


def test_samples_that_a_gate_saw_move_are_as_many_as_its_check_counts(results: Path) -> None:
    (found,) = rows("SELECT count(*) FILTER (what = 'lost'), count(*) FILTER (what = 'gained') FROM gate_samples",
                    results)  # fmt: skip

    assert found == (20, 5)


def test_words_of_a_look_stay_out_where_texts_do(results: Path) -> None:
    sql = "SELECT n.*, c.* FROM new_tasks n JOIN changes c USING (iteration)"

    whole, bare = (json.dumps(rows(sql, results, texts=one), default=str) for one in (True, False))

    assert SECRET_NAME in whole
    assert SECRET_WORDS in whole
    assert SECRET_NAME not in bare
    assert SECRET_WORDS not in bare


def test_a_damaged_record_is_named_and_the_others_are_there(results: Path, tmp_path: Path) -> None:
    for name, text in (("a", None), ("b", "{}")):
        folder = tmp_path / "route" / name
        folder.mkdir(parents=True)
        (source,) = (one for one in (results / "route").iterdir() if not one.is_symlink())
        (folder / "simulation.json").write_text(text or (source / "simulation.json").read_text())
    (tmp_path / "route" / "a" / "simulated.jsonl").write_text("{no call}\n{}\n")
    source_of = Source(tmp_path)

    with asked("SELECT route FROM routes", source_of) as answer:
        assert list(answer.rows()) == [("a",)]
    assert VIEWS["route_calls"].table is not None
    assert VIEWS["route_calls"].table(source_of).rows == ()
    assert [one for one in source_of.left_out if "simulation.json: written by another version" in one]
    assert [one for one in source_of.left_out if one.startswith("policy a: ")]
