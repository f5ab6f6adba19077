from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import ValidationError

from harness.cluster.folder import BOOK, MAP, read_map, write_map
from harness.errors import DataError
from harness.records.cluster import MapPoint
from harness.records.learning import LEARNING_CURVE, LearningPoint
from harness.report.figures import Axis, Rule
from harness.report.figures.collect import stored_figures
from harness.report.figures.coverage import CoveragePoint, coverage_plot
from harness.report.figures.frontier import frontier_by_size
from harness.report.figures.learning import learning_plot
from harness.report.figures.tasks import task_map
from harness.report.figures.throughput import throughput_of_load
from harness.runner.traffic import named
from tests.support.frontiers import frontier_of, stored
from tests.support.pictured import learning_curve, load_book, task_book
from tests.support.report_runs import made_run


def test_a_frontier_names_each_precision_at_its_size(tmp_path: Path) -> None:
    frontier = frontier_of(tmp_path, {"F16": stored("F16", 0), "Q2_K": stored("Q2_K", 20), "Q8_0": stored("Q8_0", 1)})

    plot = frontier_by_size(frontier)

    assert plot is not None
    (points,) = [one.points for one in plot.series if one.draw == "points"]
    assert {point.label: point.x for point in points} == {one.type: float(one.bytes) for one in frontier.points}
    assert plot.rules[0].text == "baseline F16"


def test_a_learning_curve_goes_from_no_rows_to_all_with_the_goal_above() -> None:
    plot = learning_plot(learning_curve())

    (line,) = plot.series
    assert [point.x for point in line.points] == [0, 50, 200, 800]
    assert plot.rules == (Rule(0.8, "model to be replaced"),)
    assert "none of which is from that split" in plot.caption


def test_a_learning_point_has_both_ends_of_its_interval_or_none() -> None:
    with pytest.raises(ValidationError, match="two ends"):
        LearningPoint(n_rows=1, accuracy=0.5, low=0.4)


def test_the_load_curve_runs_over_the_open_calls() -> None:
    plot = throughput_of_load([load_book()])

    assert plot is not None
    (line,) = plot.series
    assert [(point.x, point.y, point.label) for point in line.points] == [
        (0.4, 0.5, "1 ×"), (1.1, 1.0, "2 ×"), (9.0, 1.4, "4 ×"),
    ]  # fmt: skip


def test_a_router_s_curve_is_ordered_by_coverage_and_marks_the_choice() -> None:
    points = [CoveragePoint(0.8, 0.002, threshold=0.3, chosen=True), CoveragePoint(0.2, 0.008), CoveragePoint(1, 0.001)]

    plot = coverage_plot("router", "Router", Axis("usd_per_call", "USD a call", "usd"), [("by margin", points)], "How.")

    assert plot is not None
    (line,) = plot.series
    assert all(a.x < b.x for a, b in pairwise(line.points))
    assert [point.label for point in line.points] == ["", "chosen", ""]
    assert "by margin keeps 80" in plot.message


def test_one_threshold_is_no_curve() -> None:
    axis = Axis("usd_per_call", "USD a call", "usd")

    assert coverage_plot("router", "Router", axis, [("by margin", [CoveragePoint(0.8, 0.002)])], "How.") is None


def test_the_map_colours_the_largest_tasks_and_greys_the_others() -> None:
    book, places = task_book()

    plot = task_map(book, places)

    assert plot is not None
    assert [one.quiet for one in plot.series] == [False] * 8 + [True]
    assert sum(len(one.points) for one in plot.series) == len(places)
    assert "3 smaller tasks" in plot.notes[0]


def test_stored_results_are_found_and_broken_ones_named(tmp_path: Path) -> None:
    for folder in ("load/a", "load/b", "convert/support"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "load/a/load.json").write_text(load_book().model_dump_json(), encoding="utf-8")
    (tmp_path / "load/b/load.json").write_text("{", encoding="utf-8")
    (tmp_path / "load/latest").symlink_to("a")
    (tmp_path / "convert/support" / LEARNING_CURVE).write_text(learning_curve().model_dump_json(), encoding="utf-8")

    figures, notes = stored_figures(tmp_path)

    assert [figure.key for figure in figures] == ["load-throughput", "learning-support_v1_smollm2"]
    assert len(notes) == 1
    assert "cannot be read" in notes[0]


def test_nothing_stored_makes_no_picture(tmp_path: Path) -> None:
    assert stored_figures(tmp_path) == ([], [])


def test_the_map_is_kept_without_a_word_of_the_calls(tmp_path: Path) -> None:
    book, places = task_book()
    points = [MapPoint(**place.model_dump(), call="call-7", text="My card is 4111") for place in places]
    (tmp_path / BOOK).write_text(book.model_dump_json(), encoding="utf-8")

    write_map(tmp_path, points)

    kept = (tmp_path / MAP).read_text(encoding="utf-8")
    assert "4111" not in kept
    assert "call-7" not in kept
    _, found = read_map(tmp_path)
    assert [one.cluster for one in found] == [one.cluster for one in places]


def test_a_folder_without_tasks_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="name a folder that do=cluster made"):
        read_map(tmp_path)


def test_a_summary_has_the_names_of_its_categories() -> None:
    summary = made_run(n=2).summary

    found = named(summary, {"simple_python": "Refund an order"})

    assert [one.title for one in found.by_category.values()] == ["Refund an order", None]
    assert '"title":' not in summary.model_dump_json()
