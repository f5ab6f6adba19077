"""`do=query`: what SQL sees, what it must not reach, and what is said where it is wrong."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from harness.app import _take_sql
from harness.config import QueryConfig, compose_apart
from harness.errors import ConfigError, DataError
from harness.query.engine import asked
from harness.query.making import columns_of
from harness.query.source import Source
from harness.query.views import EXAMPLES, VIEWS
from harness.store.compact import compact
from harness.store.runfolder import MANIFEST, SUMMARY
from harness.verbs import query
from tests.support.stored_runs import pair


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, one of them with its table of attempts."""
    base = tmp_path_factory.mktemp("results")
    first, _ = pair(base)
    compact(first)
    return base


def rows(sql: str, results: Path, *, texts: bool = True) -> list[tuple[Any, ...]]:
    with asked(sql, Source(results, texts=texts)) as answer:
        return list(answer.rows())


def refusal(sql: str, results: Path, *, texts: bool = True) -> str:
    with pytest.raises(DataError) as caught:
        rows(sql, results, texts=texts)
    return str(caught.value)


def test_runs_have_their_accuracy_and_interval(results: Path) -> None:
    found = rows("SELECT protocol, accuracy, accuracy_low < accuracy FROM runs ORDER BY protocol", results)

    assert [one[0] for one in found] == ["constrained", "prompted"]
    assert all(one[1] > 0 and one[2] for one in found)


def test_attempts_of_runs_with_and_without_a_table_stand_in_one_view(results: Path) -> None:
    assert rows("SELECT run, count(*) FROM attempts GROUP BY run ORDER BY run", results) == [
        (folder.name, 40) for folder in sorted((results / "run").iterdir())
    ]


def test_an_attempt_without_a_score_is_null_and_not_zero(results: Path) -> None:
    (lost,) = rows("SELECT value, boundary FROM scores WHERE boundary = 'infrastructure' LIMIT 1", results)

    assert lost == (None, "infrastructure")


def test_samples_join_with_attempts(results: Path) -> None:
    (found,) = rows("SELECT count(*), count(prompt) FROM attempts JOIN samples USING (run, sample)", results)

    assert found == (80, 80)


@pytest.mark.parametrize("name", sorted(name for name, one in VIEWS.items() if one.table is None))
def test_no_words_of_calls_are_in_a_view_where_texts_are_left_out(name: str, results: Path) -> None:
    said = json.dumps(rows(f"SELECT * FROM {name}", results, texts=False), default=str)

    assert "forecast" not in said.lower()
    assert "forecast" in json.dumps(rows(f"SELECT * FROM {name}", results), default=str).lower()


def test_left_out_texts_cannot_be_had_from_the_files_behind_the_views(results: Path) -> None:
    file = next(results.glob("run/*/attempts.parquet"))

    assert "views alone" in refusal(f"SELECT content FROM attempts, read_parquet('{file}')", results, texts=False)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('{}/run/*/samples.jsonl')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM runs, read_json('{}/run/*/manifest.json')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
    ],
)
def test_sql_reads_no_file(sql: str, results: Path) -> None:
    assert "views alone" in refusal(sql.format(results), results)


@pytest.mark.parametrize(
    "sql",
    [
        "COPY runs TO '{}'",
        "COPY (SELECT 1) TO '{}'",
        "ATTACH '{}'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "EXPORT DATABASE '{}'",
        "CREATE TABLE kept AS SELECT 1",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{}'",
        "PRAGMA database_list",
        "CALL pragma_version()",
    ],
)
def test_sql_that_is_no_select_is_refused_and_leaves_nothing(sql: str, results: Path, tmp_path: Path) -> None:
    said = refusal(sql.format(tmp_path / "out"), results)

    assert "results are only read" in said
    assert list(tmp_path.iterdir()) == []


def test_show_tables_names_the_views_that_have_results(results: Path) -> None:
    found = {one[0] for one in rows("SHOW TABLES", results)}

    assert {"runs", "attempts", "scores", "samples"} <= found
    assert "gates" not in found


def test_a_variable_of_python_is_no_view(results: Path) -> None:
    secret = pq.read_table(next(results.glob("run/*/attempts.parquet")))

    assert secret.num_rows
    assert "no view secret" in refusal("SELECT * FROM secret", results)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT acuracy FROM runs", "did you mean accuracy of runs?"),
        ("SELECT r.acuracy FROM runs r", "did you mean accuracy of runs?"),
        ("SELECT * FROM rnus", "did you mean runs?"),
        ("SELECT * FROM gates", "python -m harness do=gate"),
        ("SELECT 1; SELECT 2", "2 statements"),
        ("SELECT FROM WHERE", "syntax error"),
        ("", "0 statements"),
    ],
)
def test_a_mistake_is_told_in_a_line_with_what_to_type(sql: str, said: str, results: Path) -> None:
    found = refusal(sql, results)

    assert said in found
    assert "\n" not in found


def test_a_damaged_run_is_named_and_the_others_are_there(tmp_path: Path) -> None:
    first, second = pair(tmp_path)
    (first / MANIFEST).write_text("{}")
    source = Source(tmp_path)

    with asked("SELECT DISTINCT run FROM attempts", source) as answer:
        assert list(answer.rows()) == [(second.name,)]
    assert any(first.name in one for one in source.left_out)


def test_a_run_without_a_summary_is_a_row_with_its_status(tmp_path: Path) -> None:
    first, _ = pair(tmp_path)
    (first / SUMMARY).unlink()

    found = rows(f"SELECT status, suite, accuracy FROM runs WHERE run = '{first.name}'", tmp_path)

    assert found == [("complete", "toolcall", None)]


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_examples_run(number: int, results: Path) -> None:
    assert isinstance(rows(EXAMPLES[number][1], results), list)


def test_the_statements_of_the_page_run(results: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "query.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    statements = [one for one in block.split(";") if one.strip()]

    assert len(statements) == 3
    for one in statements:
        assert rows(one, results)


def test_the_page_names_every_view() -> None:
    page = (Path(__file__).parents[3] / "docs" / "query.md").read_text(encoding="utf-8")

    assert [name for name in VIEWS if f"`{name}`" not in page] == []


@pytest.mark.parametrize("name", ["runs", "attempts", "scores", "samples", "categories", "misses"])
def test_every_column_says_what_it_means(name: str, results: Path) -> None:
    found = columns_of(name, Source(results))
    unsaid = [one.key for one in found if not one.meaning and not one.unit]

    assert found
    assert not unsaid


def config(results: Path, *words: str) -> QueryConfig:
    found = compose_apart("do=query", f"paths.results={results}", *_take_sql(list(words)))
    assert isinstance(found, QueryConfig)
    return found


def test_the_verb_lists_the_views_without_sql(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    query.main([config(results)])

    said = capsys.readouterr().out
    assert all(name in said for name in VIEWS)
    assert "python -m harness do=gate" in said


def test_sql_on_the_command_line_keeps_commas_quotes_and_backslashes(results: Path) -> None:
    sql = r"""SELECT 'a,{b}', "run", '\d+$', '${c}' FROM runs -- [x]"""

    assert config(results, f"sql={sql}").sql == sql


@pytest.mark.parametrize("kind", ["csv", "json", "md", "parquet"])
def test_an_answer_is_written_by_the_end_of_its_name(kind: str, results: Path, tmp_path: Path) -> None:
    out = tmp_path / f"answer.{kind}"

    query.main([config(results, "sql=SELECT run, n_scored FROM runs ORDER BY run", f"query.out={out}")])

    names = [one.name for one in sorted((results / "run").iterdir())]
    if kind == "csv":
        read = [one["run"] for one in csv.DictReader(out.read_text().splitlines())]
    elif kind == "json":
        read = [one["run"] for one in json.loads(out.read_text())]
    elif kind == "parquet":
        read = pq.read_table(out)["run"].to_pylist()
    else:
        read = [line.split(" | ")[0].removeprefix("| ").replace("\\", "") for line in out.read_text().splitlines()[2:]]
    assert read == names
    assert [one.name for one in tmp_path.iterdir()] == [out.name]


def test_csv_holds_no_formula(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    query.main([config(results, "sql=SELECT '=1+1' AS a", "query.format=csv")])

    assert capsys.readouterr().out == "a\n'=1+1\n"


def test_a_wide_row_is_printed_one_value_a_line(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    query.main([config(results, "sql=SELECT * FROM runs LIMIT 1")])

    said = capsys.readouterr().out.splitlines()
    assert any(line.startswith("row 1") for line in said)
    assert any(line.split()[:2] == ["suite", "toolcall"] for line in said)


@pytest.mark.parametrize("words", [("query.format=parquet", "sql=SELECT 1"), ("query.rows=0",)])
def test_what_cannot_be_is_refused_before_anything_is_read(words: tuple[str, ...], results: Path) -> None:
    with pytest.raises(ConfigError):
        config(results, *words)


def test_an_answer_that_cannot_be_written_says_so(results: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"query\.out"):
        query.main([config(results, "sql=SELECT 1", f"query.out={tmp_path}/no/answer.csv")])
