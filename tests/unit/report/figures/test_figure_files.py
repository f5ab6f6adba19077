import csv
import re
from pathlib import Path

import pytest

from harness.report.figures import Figure, Table, draw_plot
from harness.report.figures.collect import run_figures
from harness.report.figures.figure import Plot
from harness.report.figures.files import Chapter, write_figures
from harness.report.figures.html import csv_text
from harness.report.figures.learning import learning_plot
from harness.report.figures.paper import paper_png, paper_svg
from harness.report.figures.tasks import task_map
from harness.report.figures.throughput import throughput_of_load
from harness.report.group import group_of, groups_of
from tests.support.pictured import cached_run, learning_curve, load_book, many_runs, task_book
from tests.support.report_runs import four_runs, made_run

pytest.importorskip("matplotlib", reason="pictures for a paper need matplotlib (requirements/dev.txt)")

HOSTILE = "</text><script>alert(1)</script>\u202e$x_1$"


def one_of_each() -> list[Figure]:
    """The pictures that differ in how they are drawn."""
    wanted = {"latency", "e2e-ecdf", "waterfall", "categories"}
    found: list[Figure] = [one for one in run_figures(group_of(four_runs())) if one.key in wanted]
    found += [one for one in run_figures(group_of([cached_run()])) if one.key == "ttft-prompt"]
    load, tasks = throughput_of_load([load_book()]), task_map(*task_book())
    assert load is not None
    assert tasks is not None
    return [*found, learning_plot(learning_curve()), load, tasks]


def test_the_same_figure_gives_the_same_bytes_of_svg_without_a_date() -> None:
    for figure in one_of_each():
        first, second = paper_svg(figure), paper_svg(figure)

        assert first == second
        assert b"<dc:date>" not in first
        assert b"<text" not in first  # as paths: the same on every machine


def test_png_has_300_dots_to_an_inch() -> None:
    data = paper_png(learning_plot(learning_curve()))

    assert data.startswith(b"\x89PNG")
    place = data.index(b"pHYs")
    per_metre = int.from_bytes(data[place + 4 : place + 8], "big")
    assert round(per_metre * 0.0254) == 300


def test_drawing_leaves_the_settings_of_matplotlib_as_they_were() -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)

    paper_svg(learning_plot(learning_curve()))

    assert dict(mpl.rcParams) == before


def test_each_picture_has_svg_png_data_and_caption_and_a_place_on_the_page(tmp_path: Path) -> None:
    figures = tuple(one_of_each())

    written = write_figures([Chapter("toolcall, 40 samples", figures)], tmp_path)

    assert len(written) == len(figures)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    for svg in written:
        for end in (".svg", ".png", ".csv", ".txt"):
            assert svg.with_suffix(end).stat().st_size > 0
            assert f'href="{svg.with_suffix(end).name}"' in page
    assert "src=" not in page.partition("<script>")[0]


def test_the_data_beside_a_picture_is_what_it_shows(tmp_path: Path) -> None:
    curve = learning_curve()

    (svg,) = write_figures([Chapter("x", (learning_plot(curve),))], tmp_path)

    rows = list(csv.DictReader(svg.with_suffix(".csv").read_text(encoding="utf-8").splitlines()))
    assert [(float(row["training_rows"]), float(row["accuracy"])) for row in rows] == [
        (point.n_rows, point.accuracy) for point in curve.points
    ]
    assert all(float(row["accuracy_low"]) < float(row["accuracy"]) < float(row["accuracy_high"]) for row in rows)


def test_files_of_pictures_that_are_gone_are_removed_and_others_left_alone(tmp_path: Path) -> None:
    write_figures([Chapter("x", (learning_plot(learning_curve("old")),))], tmp_path)
    (tmp_path / "mine.svg").write_text("mine", encoding="utf-8")

    (svg,) = write_figures([Chapter("x", (learning_plot(learning_curve("new")),))], tmp_path)

    left = {path.name for path in tmp_path.iterdir()}
    assert left == {
        "mine.svg",
        "index.html",
        "figures.json",
        *(f"{svg.stem}{end}" for end in (".svg", ".png", ".csv", ".txt")),
    }


def test_a_list_that_names_files_elsewhere_removes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "figures"
    folder.mkdir()
    (tmp_path / "kept.svg").write_text("kept", encoding="utf-8")
    (folder / "figures.json").write_text('[{"files": ["../kept.svg"]}]', encoding="utf-8")

    write_figures([], folder)

    assert (tmp_path / "kept.svg").exists()


def test_two_pictures_of_one_name_have_files_of_their_own(tmp_path: Path) -> None:
    plot = learning_plot(learning_curve())

    first, second = write_figures([Chapter("x", (plot, plot))], tmp_path)

    assert first != second


def test_a_name_from_outside_is_text_everywhere(tmp_path: Path) -> None:
    runs = [made_run("a", HOSTILE), made_run("b", "Second", skill=0.5)]
    figures = tuple(run_figures(group_of(runs)))

    written = write_figures([Chapter(HOSTILE, figures)], tmp_path)

    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert page.count("<script") == 1
    for text in (page, *(path.read_text(encoding="utf-8") for path in written)):
        assert "\u202e" not in text
        assert "<script>alert" not in text


def test_a_cell_that_a_spreadsheet_would_run_is_quoted() -> None:
    assert csv_text(Table(("a", "b"), (("=1+1", -2.0), ("@x", None)))) == "a,b\n'=1+1,-2.0\n'@x,\n"


def test_each_name_stands_once_in_the_drawing() -> None:
    plot = next(one for one in run_figures(group_of(four_runs())) if one.key == "latency")
    assert isinstance(plot, Plot)

    drawn = draw_plot(plot)

    assert len(re.findall('<text class="name"', drawn)) == 4


@pytest.mark.parametrize("n", [2, 50])
def test_nothing_is_drawn_outside_of_its_picture(n: int) -> None:
    for plot in run_figures(groups_of(many_runs(n))[0]):
        if not isinstance(plot, Plot):
            continue
        for width, height in ((620.0, 400.0), (336.0, 340.0)):
            drawn = draw_plot(plot, "wide", width, height)
            places = [pair.split(",") for pair in re.findall(r'data-at="([^"]*)"', drawn)]
            assert all(0 <= float(x) <= width and 0 <= float(y) <= height for x, y in places)
            assert "nan" not in drawn.lower()
