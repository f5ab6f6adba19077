"""Tables as CSV, Parquet, JSON and Markdown: the same values, nothing invented, and nothing to run."""

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from harness.config import ReportOptions
from harness.records.cluster import MapPoint
from harness.report.clusters import build_page, without_texts
from harness.report.decision_tables import audit_tables, gate_tables, selection_tables
from harness.report.export import Field, Table, csv_text, markdown_cell, write_tables
from harness.report.group import groups_of
from harness.report.leaderboard_tables import leaderboard_tables
from harness.report.machine_tables import cluster_tables, load_tables
from harness.report.tables import export_links, keep_tables
from tests.support.audits import audit_of, mixed
from tests.support.gates import gated, side
from tests.support.pictured import load_book, task_book
from tests.support.report_runs import four_runs, made_run

FIELDS = (
    Field("name", "text", "", "Its name."),
    Field("took", "number", "s", "Seconds."),
    Field("n", "count", "calls", "How many."),
    Field("ok", "flag", "", "Whether it was."),
)


def table(*rows: tuple[str | None, float | None, int | None, bool | None]) -> Table:
    return Table("things", "Things", FIELDS, rows)


def test_all_formats_hold_the_same_values(tmp_path: Path) -> None:
    write_tables(tmp_path, [table(("a", 0.25, 3, True), ("b|c", -1.5, 0, False))])

    told = json.loads((tmp_path / "things.json").read_text())["rows"]
    assert told == [{"name": "a", "took": 0.25, "n": 3, "ok": True}, {"name": "b|c", "took": -1.5, "n": 0, "ok": False}]
    assert pq.read_table(tmp_path / "things.parquet").to_pylist() == told
    assert list(csv.reader(io.StringIO((tmp_path / "things.csv").read_text()))) == [
        ["name", "took", "n", "ok"], ["a", "0.25", "3", "true"], ["b|c", "-1.5", "0", "false"],
    ]  # fmt: skip
    assert "| b\\|c | -1.5 | 0 | no |" in (tmp_path / "things.md").read_text()


def test_what_was_not_measured_stays_empty_and_is_no_zero(tmp_path: Path) -> None:
    write_tables(tmp_path, [table((None, None, None, None), ("x", float("nan"), 0, False))])

    nothing, something = json.loads((tmp_path / "things.json").read_text())["rows"]
    assert set(nothing.values()) == {None}
    assert something["took"] is None
    assert (tmp_path / "things.csv").read_text().splitlines()[1:] == [",,,", "x,,0,false"]
    assert pq.read_table(tmp_path / "things.parquet")["took"].null_count == 2


def test_a_table_without_a_row_keeps_the_types_of_its_columns(tmp_path: Path) -> None:
    write_tables(tmp_path, [table()])

    schema = pq.read_table(tmp_path / "things.parquet").schema
    assert [str(one) for one in schema.types] == ["string", "double", "int64", "bool"]
    assert schema.field("took").metadata == {b"unit": b"s", b"meaning": b"Seconds."}


def test_every_column_has_its_unit_and_meaning_beside_the_tables(tmp_path: Path) -> None:
    write_tables(tmp_path, [table(("a", 1.0, 1, True))])

    told = json.loads((tmp_path / "_columns.json").read_text())["things"]["columns"]
    assert told["took"] == {"key": "took", "kind": "number", "unit": "s", "meaning": "Seconds."}
    assert list(told) == ["name", "took", "n", "ok"]


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", " =1+1", "\t=1", "a\n=1+1", "a;=cmd|' /C calc'!A0", "＝1+1"],
    ids=["equals", "plus", "minus", "at", "blank", "tab", "line", "semicolon", "wide"],
)
def test_no_text_begins_a_formula_in_any_cell_that_a_spreadsheet_may_see(text: str) -> None:
    written = csv_text(FIELDS[:1], [(text,)])

    cell = next(row for place, row in enumerate(csv.reader(io.StringIO(written))) if place == 1)[0]
    for part in cell.replace("\t", "\n").replace(";", "\n").split("\n"):
        assert part.strip()[:1] not in {"=", "+", "-", "@", "＝"}


def test_numbers_below_zero_stay_numbers() -> None:
    assert csv_text(FIELDS[1:2], [(-0.5,)]) == "took\n-0.5\n"


def test_the_other_formats_hold_a_text_as_it_was(tmp_path: Path) -> None:
    write_tables(tmp_path, [table(("=1+1", None, None, None))])

    assert json.loads((tmp_path / "things.json").read_text())["rows"][0]["name"] == "=1+1"
    assert pq.read_table(tmp_path / "things.parquet")["name"].to_pylist() == ["=1+1"]


def test_invisible_characters_are_spelled_out_in_every_format(tmp_path: Path) -> None:
    write_tables(tmp_path, [table(("a\u202eb\ud800", None, None, None))])

    for name in ("things.csv", "things.json", "things.md"):
        assert "a⟦U+202E⟧b⟦U+D800⟧" in (tmp_path / name).read_text().replace("\\[", "[")
    assert pq.read_table(tmp_path / "things.parquet")["name"].to_pylist() == ["a⟦U+202E⟧b⟦U+D800⟧"]


def test_no_text_is_markup_in_markdown() -> None:
    assert markdown_cell("<img src=x> [a](b) *c*\n| d") == "&lt;img src=x&gt; \\[a\\](b) \\*c\\* \\| d"


def test_files_of_tables_that_are_no_more_are_removed(tmp_path: Path) -> None:
    write_tables(tmp_path, [table(), Table("others", "Others", FIELDS, ())])

    write_tables(tmp_path, [table()])

    assert {one.stem for one in tmp_path.iterdir()} == {"things", "_columns"}


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "tables").write_text("in the way")

    with pytest.raises(Exception, match=r"cannot be written .*report\.tables=false"):
        keep_tables(tmp_path, "leaderboard", [table()], ReportOptions())


def test_tables_that_are_turned_off_are_not_left_from_before(tmp_path: Path) -> None:
    keep_tables(tmp_path, "leaderboard", [table(("a", 1.0, 1, True))], ReportOptions())

    kept = keep_tables(tmp_path, "leaderboard", [table()], ReportOptions(tables=False))

    assert kept is None
    assert not (tmp_path / "tables" / "leaderboard").exists()


def test_only_tables_with_a_row_are_linked(tmp_path: Path) -> None:
    kept = keep_tables(tmp_path, "x", [table(("a", 1.0, 1, True)), Table("none", "None", FIELDS, ())], ReportOptions())

    links = export_links(kept, "../")

    assert set(links) == {"things", "_columns"}
    assert links["things"][0] == ("csv", "../tables/x/things.csv")


def test_the_leaderboards_tables_say_what_the_page_says() -> None:
    views = four_runs()

    tables = {one.name: one for one in leaderboard_tables(groups_of(views))}

    runs = [dict(zip((field.key for field in tables["runs"].fields), row, strict=True)) for row in tables["runs"].rows]
    assert {row["run"]: row["accuracy"] for row in runs} == {view.id: view.summary.accuracy for view in views}
    assert len(tables["categories"].rows) == sum(len(view.summary.by_category) for view in views)
    misses = [row for row in tables["misses"].rows if row[0] == views[0].id]
    assert sum(int(row[-1] or 0) for row in misses) == views[0].summary.n_planned
    assert len(tables["protocols"].rows) == 2


def test_an_older_run_is_a_row_of_runs_alone() -> None:
    views = [made_run(), made_run(started_at="2026-05-02T10:15:00Z")]

    tables = {one.name: one for one in leaderboard_tables(groups_of(views))}

    place = [field.key for field in tables["runs"].fields].index("status")
    assert sorted(str(row[place]) for row in tables["runs"].rows) == ["older", "ranked"]
    assert {row[0] for row in tables["categories"].rows} == {views[1].id}


def test_every_column_of_every_table_is_described() -> None:
    for one in leaderboard_tables(groups_of(four_runs())):
        keys = [field.key for field in one.fields]
        assert len(keys) == len(set(keys))
        assert all(field.meaning.endswith(".") for field in one.fields)
        assert all(len(row) == len(keys) for row in one.rows)


def test_clusters_told_without_texts_show_no_example_and_no_template() -> None:
    book, places = task_book()
    told = book.model_copy(
        update={
            "clusters": tuple(one.model_copy(update={"examples": ("SECRET example",)}) for one in book.clusters),
            "nodes": tuple(one.model_copy(update={"template": "SECRET template"}) for one in book.nodes),
        }
    )
    points = [MapPoint(**one.model_dump(), call=f"c{place}", text="SECRET dot") for place, one in enumerate(places)]

    shown, bare = build_page(told, points), build_page(*without_texts(told, points))

    assert "SECRET" in shown
    assert "SECRET" not in bare
    assert '<meta name="samples" content="left out">' in bare
    assert not any("SECRET" in str(row) for table in cluster_tables(told, texts=False) for row in table.rows)


def test_every_column_of_the_other_pages_is_described() -> None:
    selection = mixed()
    tables = [
        *selection_tables(selection), *audit_tables(audit_of(selection)), *cluster_tables(task_book()[0]),
        *gate_tables(gated(side("old", [1] * 60), side("new", [1] * 60))), *load_tables(load_book()),
    ]  # fmt: skip

    for one in tables:
        assert all(field.meaning.endswith(".") for field in one.fields), one.name
        assert all(len(row) == len(one.fields) for row in one.rows), one.name
    assert {one.name for one in tables if one.rows} >= {
        "verdicts",
        "evidence",
        "variants",
        "matrix",
        "checks",
        "speeds",
    }
