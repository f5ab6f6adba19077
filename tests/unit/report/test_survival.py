"""Replayed sessions on the page: the curve, its facts in words, and the record in the explorer."""

from pathlib import Path
from typing import Any

from harness.records.interval import Interval
from harness.records.survival import SurvivalPoint, TrajectorySummary
from harness.report.embed_sample import sample_json
from harness.report.family import FAMILIES
from harness.report.formats import percent
from harness.report.packing import Texts
from harness.report.survival import session_lines, survival_plots
from harness.report.table import markdown_page
from harness.report.view import RunView
from tests.support.report_runs import made_run
from tests.support.specimens.trajectory import STEPS, session


def curve(**more: Any) -> TrajectorySummary:
    half = Interval(low=0.2, high=0.8, level=0.95, method="greenwood, log-log")
    fields: dict[str, Any] = {
        "match": "strict",
        "n": 4,
        "survived": 1,
        "diverged": 2,
        "left": 1,
        "steps": 20,
        "steps_same": 9,
        "steps_diverged": 2,
        "steps_not_scored": 9,
        "step_agreement": 9 / 11,
        "of_ceiling": 0.9,
        "kinds": {"called": 2},
        "outcomes": {"same": 9, "called": 2},
        "median_step": 2,
        "curve": (
            SurvivalPoint(step=2, at_risk=4, diverged=2, share=0.5, interval=half),
            SurvivalPoint(step=6, at_risk=1, diverged=0, share=0.5, interval=None),
        ),
    }
    return TrajectorySummary.model_validate(fields | more)


def viewed(found: TrajectorySummary) -> RunView:
    run = made_run()
    return RunView.of(run.manifest, run.summary.model_copy(update={"trajectories": found}))


def test_the_curve_falls_in_stairs_from_one_hundred_per_cent() -> None:
    (plot,) = survival_plots([viewed(curve())])

    points = [tuple(map(float, pair.split(","))) for pair in plot.line.split()]
    ys = [y for _, y in points]
    assert ys == sorted(ys)
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert (len(points), plot.end) == (5, percent(0.5))
    assert (plot.corners[0].low, plot.corners[1].low) != (None, None)
    assert plot.corners[1].low is None


def test_steps_that_cannot_be_scored_are_told_with_the_others() -> None:
    lines = "\n".join(session_lines(viewed(curve()).summary))

    assert "1 of 4 sessions followed the record to its end, 2 diverged, 1 left it by an answer from elsewhere" in lines
    assert "Of 20 steps, 9 as on record, 2 where a session diverged, 9 after that: these cannot be scored." in lines
    assert "called where the log has words 2" in lines
    assert f"| 2 | 4 | 2 | {percent(0.5)} | 20" in lines


def test_a_markdown_page_has_the_curve_and_one_of_other_runs_has_not() -> None:
    title = "How far sessions go along with the record"

    assert title in markdown_page(viewed(curve()).summary)
    assert title not in markdown_page(made_run().summary)


def test_runs_of_other_suites_have_no_curve() -> None:
    assert survival_plots([made_run()]) == []


def test_sessions_have_words_of_their_own() -> None:
    assert FAMILIES[type(session(*STEPS).target)].unit == "session"


def test_the_record_is_shown_step_by_step() -> None:
    texts = Texts()

    data: dict[str, Any] = sample_json(session(*STEPS), texts)

    assert (data["kind"], data["match"], len(data["steps"])) == ("trajectory", "strict", 5)
    second, third = data["steps"][1:3]
    assert [texts.items[place] for place in second["results"]] == ["find_user U1", "find_order A2"]
    assert texts.items[third["text"]] == "Which of the two shall I cancel?"


def test_the_page_script_knows_sessions() -> None:
    script = (Path(__file__).parents[3] / "harness" / "report" / "static" / "explorer_target.js").read_text()

    assert "trajectory: trajectoryTarget" in script
