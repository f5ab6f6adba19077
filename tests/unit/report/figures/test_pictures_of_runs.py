from itertools import pairwise
from math import isclose

from harness.records.summary import CategorySummary, Interval
from harness.report.figures import Grid, Plot, Stacks
from harness.report.figures.collect import plots_of, run_figures
from harness.report.figures.heat import heat_grid
from harness.report.figures.history import history_plots
from harness.report.figures.latency import e2e_distribution, ttft_distribution
from harness.report.figures.prompt import ttft_by_prompt
from harness.report.figures.throughput import throughput_of_runs
from harness.report.figures.tradeoff import tradeoff_by_cost, tradeoff_by_time
from harness.report.figures.waterfall import STAGES, failure_waterfall
from harness.report.group import group_of, groups_of
from harness.report.view import RunView
from tests.support.pictured import at_concurrency, cached_run, dated_runs, many_runs
from tests.support.report_families import every_family, rechecked_runs
from tests.support.report_runs import four_runs, made_run


def of(plot: Plot | None) -> Plot:
    assert plot is not None
    return plot


def changed(run: RunView, **update: object) -> RunView:
    return RunView.of(
        run.manifest, run.summary.model_copy(update=update), run.samples, run.attempts, run.scores
    )  # fmt: skip


def categories(**accuracies: tuple[float, float, float]) -> dict[str, CategorySummary]:
    return {
        name: CategorySummary(
            n_samples=30, n_scored=30, accuracy=value, title="Refund an order" if name == "c1" else None,
            interval=Interval(low=low, high=high, level=0.95, method="Clopper–Pearson"),
        )
        for name, (value, low, high) in accuracies.items()
    }  # fmt: skip


def test_the_front_of_the_trade_off_holds_what_nothing_beats_in_both() -> None:
    plot = of(tradeoff_by_time(group_of(four_runs())))

    points = [point for one in plot.series if one.draw == "points" for point in one.points]
    front = [point for point in points if point.strong]
    assert front
    for point in points:
        beaten = any(other.x <= point.x and other.y >= point.y and other is not point for other in points)
        assert point.strong != beaten


def test_cost_is_that_of_a_thousand_successes() -> None:
    runs = four_runs()

    plot = of(tradeoff_by_cost(group_of(runs)))

    found = {point.label: point.x for one in plot.series if one.key == "constrained" for point in one.points}
    wanted = next(run for run in runs if run.title == "Gemma 3 270M" and run.summary.protocol == "constrained")
    assert wanted.summary.cost_usd_per_success is not None
    assert isclose(found["Gemma 3 270M"], 1000 * wanted.summary.cost_usd_per_success)


def test_a_run_without_a_price_is_named_and_not_drawn() -> None:
    runs = [made_run(), made_run("b", "Second"), made_run("c", "Free", usd_per_s=None)]

    plot = of(tradeoff_by_cost(group_of(runs)))

    assert plot.left_out == ("Free, prompted",)
    assert sum(len(one.points) for one in plot.series if one.draw == "points") == 2


def test_one_run_alone_has_no_trade_off_and_still_its_distributions() -> None:
    keys = [plot.key for plot in plots_of(group_of([made_run()]))]

    assert keys == ["ttft-ecdf", "e2e-ecdf"]


def test_of_many_runs_only_the_front_and_the_best_are_named() -> None:
    plot = of(tradeoff_by_time(group_of(many_runs(50))))

    points = [point for one in plot.series if one.draw == "points" for point in one.points]
    assert len(points) == 50
    assert all(point.label for point in points if point.strong)
    assert sum(bool(point.label) for point in points) < 20


def test_a_distribution_rises_to_all_replies_and_has_the_summary_s_median() -> None:
    run = made_run()

    plot = of(e2e_distribution(group_of([run])))

    (one,) = plot.series
    assert all(a.x <= b.x and a.y <= b.y for a, b in pairwise(one.points))
    assert one.points[-1].y == 1
    assert run.summary.e2e_s is not None
    below = max(point.y for point in one.points if point.x <= run.summary.e2e_s.p50)
    assert abs(below - 0.5) <= 1.5 / len(run.attempts)


def test_answers_from_a_cache_of_replies_are_in_no_distribution() -> None:
    run = made_run()
    attempts = [one.model_copy(update={"origin": "cached"}) for one in run.attempts]

    cached = RunView.of(run.manifest, run.summary, run.samples, attempts, run.scores)

    assert ttft_distribution(group_of([cached])) is None


def test_runs_beyond_the_eighth_stay_in_the_background() -> None:
    plot = of(ttft_distribution(group_of(many_runs(12))))

    assert [one.quiet for one in plot.series] == [False] * 8 + [True] * 4
    assert any("4 more are grey" in note for note in plot.notes)


def test_cold_and_warm_prompts_are_apart() -> None:
    plot = of(ttft_by_prompt(group_of([cached_run()])))

    cold, warm = plot.series
    assert (cold.name, warm.name) == ("SmolLM2-135M-Instruct, prompted, cold", "SmolLM2-135M-Instruct, prompted, warm")
    assert max(point.y for point in warm.points) < min(point.y for point in cold.points)
    assert {cold.draw, warm.draw} == {"cloud", "squares"}


def test_prompts_of_one_length_make_no_picture_of_lengths() -> None:
    assert ttft_by_prompt(group_of([made_run()])) is None


def test_each_bar_of_the_waterfall_holds_every_scored_attempt() -> None:
    runs = rechecked_runs()

    found = failure_waterfall(groups_of(runs)[0])

    assert isinstance(found, Stacks)
    assert [bar.name for bar in found.bars] == ["prompted, raw", "repaired", "misses constrained"]
    assert all(isclose(bar.total, runs[0].summary.n_scored) for bar in found.bars)
    won = [bar.parts[0].count for bar in found.bars]
    assert won[0] < won[1] < won[2]


def test_every_class_of_miss_has_one_stage() -> None:
    from typing import get_args

    from harness.records import MissClass

    classes = [miss for _, _, misses in STAGES for miss in misses]
    assert sorted(classes) == sorted(get_args(MissClass))


def test_a_cell_whose_interval_reaches_the_best_is_undecided() -> None:
    best = changed(made_run("a", "A"), by_category=categories(c1=(0.9, 0.8, 0.95), c2=(0.5, 0.3, 0.7)))
    near = changed(made_run("b", "B"), by_category=categories(c1=(0.3, 0.2, 0.4), c2=(0.4, 0.25, 0.6)))

    grid = heat_grid(group_of([best, near]))

    assert isinstance(grid, Grid)
    cells = {name: [(cell.best, cell.undecided) for cell in row] for name, row in grid.rows}
    assert cells == {"Refund an order (c1)": [(True, False), (False, False)], "c2": [(True, True), (False, True)]}


def test_a_category_that_a_run_lacks_is_no_zero() -> None:
    wide, narrow = made_run(n=13), made_run("other", "Other", n=2)

    grid = heat_grid(group_of([wide, narrow]))

    assert grid is not None
    assert grid.rows[-1][1][0].value is not None
    assert grid.rows[-1][1][1].value is None


def test_throughput_is_a_line_over_the_concurrencies_of_one_model() -> None:
    runs = [at_concurrency(1, 40.0), at_concurrency(4, 20.0), at_concurrency(8, 16.0, kind="poisson")]

    plot = of(throughput_of_runs(groups_of(runs)[0]))

    (line,) = plot.series
    assert [point.x for point in line.points] == [1, 4]
    assert isclose(line.points[1].y, 2 * line.points[0].y)


def test_one_concurrency_makes_no_throughput_picture() -> None:
    assert throughput_of_runs(group_of([at_concurrency(1, 40.0)])) is None


def test_history_has_every_complete_run_of_a_set_up_by_date() -> None:
    accuracy, *_ = history_plots(groups_of(dated_runs())[0])

    line = accuracy.series[0]
    assert len(line.points) == 3
    assert all(a.x < b.x for a, b in pairwise(line.points))
    assert all(point.low is not None for point in line.points)
    assert [len(one.points) for one in accuracy.series] == [3, 1]


def test_runs_that_were_made_once_have_no_history() -> None:
    assert history_plots(group_of([run for run in dated_runs() if run.title == "Gemma 3 270M"])) == ()


def test_every_picture_says_its_message_and_its_conditions() -> None:
    runs = [every_family(), rechecked_runs(), dated_runs()]

    found = [figure for one in runs for group in groups_of(one) for figure in run_figures(group)]

    assert len(found) > 20
    for figure in found:
        assert figure.message.endswith(".")
        assert "Suite: " in figure.caption
        assert "nan" not in (figure.message + figure.caption).lower()
