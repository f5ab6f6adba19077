"""From runs to a frontier, its page and its table."""

import re
from pathlib import Path

import pytest

from harness.quantize.plan import find_folder, read_plan, write_plan
from harness.records.frontier import Frontier
from harness.report.quantize import build_page, write_page
from harness.report.quantize_table import headline, markdown_page, print_frontier, verdict_text
from tests.support.frontiers import frontier_of, stored, views_of


def test_pairs_are_counted_against_the_baseline(tmp_path: Path) -> None:
    frontier = frontier_of(tmp_path, {"F16": stored("F16", 0), "Q2_K": stored("Q2_K", 20), "Q8_0": stored("Q8_0", 1)})

    base, worse, same = frontier.points
    assert base.comparison is None
    assert worse.comparison is not None
    assert (worse.comparison.n, worse.comparison.lost, worse.comparison.gained) == (40, 20, 0)
    assert worse.comparison.verdict.verdict == "fail"
    assert same.comparison is not None
    assert same.comparison.verdict.verdict == "need_more"
    assert same.bytes_per_weight == same.bytes / 32
    assert frontier.baseline == "F16"
    assert any("its own α" in note for note in frontier.notes)


def test_values_between_are_judged_as_scores(tmp_path: Path) -> None:
    frontier = frontier_of(tmp_path, {"F16": stored("F16", 0), "Q8_0": stored("Q8_0", 3, value=0.5)})

    point = frontier.points[1]
    assert point.comparison is not None
    assert point.comparison.outcome == "score"
    assert point.comparison.verdict.method == "Gaffke's bound"
    assert "need" in verdict_text(point)


def test_a_type_without_a_verdict_says_why(tmp_path: Path) -> None:
    frontier = frontier_of(tmp_path, {"F16": stored("F16", 0), "Q8_0": stored("Q8_0", 3)})
    silent = frontier.points[1].model_copy(update={"comparison": None, "no_verdict": "no verdict: nothing shared"})
    frontier = frontier.model_copy(update={"points": (frontier.points[0], silent)})

    assert "nothing shared" in verdict_text(silent)
    assert "nothing shared" in build_page(frontier, views_of({"F16": stored("F16", 0)}))


def test_times_of_runs_in_sequence_are_called_so(tmp_path: Path) -> None:
    runs = {"F16": stored("F16", 0), "Q8_0": stored("Q8_0", 0)}

    assert any("one after the other" in note for note in frontier_of(tmp_path, runs, together=False).notes)
    assert not any("one after the other" in note for note in frontier_of(tmp_path, runs).notes)


def test_the_headline_claims_no_more_than_the_verdicts(tmp_path: Path) -> None:
    few = {"F16": stored("F16", 0), "Q8_0": stored("Q8_0", 0)}
    bad = {"F16": stored("F16", 0), "Q2_K": stored("Q2_K", 25)}

    undecided, passed = frontier_of(tmp_path, few), frontier_of(tmp_path, few, margin=0.1)

    assert headline(undecided) == "No type is shown to lose less than 2 points against F16 on 40 samples."
    assert headline(passed).startswith("Q8_0 is shown to lose less than 10 points against F16 at ")
    assert headline(frontier_of(tmp_path, bad)) == "Every type is shown to lose more than 2 points against F16."


def test_the_page_needs_no_network_and_shows_every_type(tmp_path: Path) -> None:
    runs = {"F16": stored("F16", 0), "Q8_0": stored("Q8_0", 1), "Q2_K": stored("Q2_K", 22)}
    page = tmp_path / "reports" / "quantize.html"

    write_page(frontier_of(tmp_path, runs), views_of(runs), page)

    text = page.read_text()
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", text)
    assert "<script" not in text
    assert text.count("<svg") == 6  # three pictures, each at two widths
    assert all(f">{name}<" in text for name in runs)
    assert "need ≈" in text
    assert "nan" not in text.lower().replace("finance", "")


def test_the_table_has_a_row_for_each_type(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frontier = frontier_of(tmp_path, {"F16": stored("F16", 0), "Q2_K": stored("Q2_K", 20)})

    print_frontier(frontier)
    printed, page = capsys.readouterr().out, markdown_page(frontier)

    assert re.search(r"│ Q2_K .*│ fail ", printed)
    assert "- A note." in printed
    assert "| Q2_K |" in page
    assert "20 − 0 +" in page


def test_a_frontier_reads_back_as_it_was_written(tmp_path: Path) -> None:
    frontier = frontier_of(tmp_path, {"F16": stored("F16", 0), "Q2_K": stored("Q2_K", 20)})

    assert Frontier.model_validate_json(frontier.model_dump_json()) == frontier


def test_an_unfinished_frontier_is_found_again_and_a_finished_one_is_not(tmp_path: Path) -> None:
    first = find_folder(tmp_path, "key", "auto")

    assert find_folder(tmp_path, "key", "auto") == first
    assert find_folder(tmp_path, "other key", "auto") != first
    assert find_folder(tmp_path, "key", "never") != first
    for folder in (tmp_path / "quantize").iterdir():
        plan = read_plan(folder)
        assert plan is not None
        write_plan(folder, plan.model_copy(update={"complete": True}))
    assert find_folder(tmp_path, "key", "auto") not in {first}
