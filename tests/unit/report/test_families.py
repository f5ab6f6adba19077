import pytest

from harness.records.summary import Interval, PartSummary
from harness.report import RunView
from harness.report.columns import columns_for
from harness.report.family import family_of, floor_of
from harness.report.formatloss import format_losses
from harness.report.group import group_of, groups_of
from harness.report.headline import headline, overview
from harness.report.measures import cells_of, kind_map, measure_table
from harness.report.rows import table_rows
from harness.report.section import section
from harness.report.trials import trial_plots
from harness.stats.judging import beside_people
from tests.support.report_families import (
    agent_run,
    answer_run,
    choice_run,
    code_run,
    instruct_run,
    lm_eval_run,
    rechecked_runs,
    unfit_run,
)
from tests.support.report_runs import made_run


def with_accuracy(run: RunView, low: float, high: float) -> RunView:
    """The run as if its accuracy were the middle of this interval; without lines, which would decide by themselves."""
    interval = Interval(low=low, high=high, level=0.95, method="Wilson")
    update = {"accuracy": (low + high) / 2, "accuracy_interval": interval}
    return RunView.of(run.manifest, run.summary.model_copy(update=update), run.samples)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (made_run(), "calls."),
        (instruct_run(), "prompts."),
        (code_run(), "programs pass their tests."),
        (answer_run(), "answers."),
        (agent_run(), "tasks done."),
        (lm_eval_run(), "questions."),
    ],
)
def test_title_counts_in_the_unit_of_the_family(run: RunView, words: str) -> None:
    title = headline(group_of([run])).title

    assert title.endswith(words)
    assert f"{run.exact()} of {run.summary.n_scored}" in title


@pytest.mark.parametrize("run", [instruct_run(), code_run(), answer_run(), agent_run(), lm_eval_run()])
def test_no_other_family_is_measured_by_never_calling(run: RunView) -> None:
    assert floor_of(run) is None
    assert "abstention" not in {column.key for column in columns_for(group_of([run]))}


def test_floor_of_choices_is_what_guessing_gets() -> None:
    floor = floor_of(choice_run())

    assert floor
    assert (floor.share, floor.name) == (0.25, "guesses")


def test_run_without_samples_is_told_by_its_figures() -> None:
    def bare(run: RunView) -> RunView:
        return RunView.of(run.manifest, run.summary)

    assert [family_of([bare(run)]).key for run in (made_run(), agent_run(), code_run())] == ["calls", "agents", "code"]


def test_protocol_is_left_out_where_no_tool_is_offered() -> None:
    alone, tools = group_of([instruct_run()]), group_of([agent_run()])

    assert "protocol" not in {column.key for column in columns_for(alone)}
    assert "protocol" in {column.key for column in columns_for(tools)}
    assert alone.names[alone.ranked[0].id] == "SmolLM2-135M-Instruct"


def test_runs_of_one_name_are_told_apart_by_their_weights() -> None:
    group = group_of([made_run(quantization="Q4_1"), made_run(quantization="Q8_0", started_at="2026-04-01T00:00:00Z")])

    assert sorted(group.names.values()) == [
        "SmolLM2-135M-Instruct, prompted, Q4_1",
        "SmolLM2-135M-Instruct, prompted, Q8_0",
    ]


def test_unfit_run_is_not_ranked_and_stands_below_with_its_reason() -> None:
    unfit = with_accuracy(unfit_run(), 0.9, 0.95)
    weak = with_accuracy(made_run(), 0.1, 0.2)

    group = groups_of([unfit, weak])[0]
    rows = table_rows(group, columns_for(group))
    found = headline(group)

    assert [(row.id, bool(row.rank), row.first_apart) for row in rows] == [
        (weak.id, True, False),
        (unfit.id, False, True),
    ]
    assert "the chat template drops the tools" in rows[1].apart
    assert rows[0].rank
    assert rows[0].rank.text == "1"
    assert found.title.startswith("SmolLM2-135M-Instruct")
    assert found.findings[-1].startswith("Not ranked: Qwen2.5 0.5B Instruct, native: the chat template drops")


def test_rerun_of_misses_stands_with_its_run_and_takes_no_place() -> None:
    parent, rerun = rechecked_runs()

    groups = groups_of([rerun, parent])
    rows = table_rows(groups[0], columns_for(groups[0]))

    assert len(groups) == 1
    assert [row.id for row in rows] == [parent.id, rerun.id]
    assert rows[1].apart == ("Not ranked: only what SmolLM2-135M-Instruct, prompted missed, put again under a grammar.")
    assert rerun.id not in {bar.run for bar in section(groups[0]).bars}


def test_rerun_is_replaced_with_the_run_that_it_belongs_to() -> None:
    parent, rerun = rechecked_runs()
    newer = made_run(protocol="prompted", started_at="2026-05-01T00:00:00Z")

    (group,) = groups_of([parent, rerun, newer])

    assert [run.id for run in group.current] == [newer.id]
    assert [run.id for run in group.older] == [parent.id, rerun.id]


def test_rerun_does_not_replace_the_whole_run_of_its_protocol() -> None:
    parent, rerun = rechecked_runs()
    whole = made_run(protocol="constrained", started_at="2026-03-02T10:17:00Z")

    (group,) = groups_of([parent, whole, rerun])

    assert {run.id for run in group.ranked} == {parent.id, whole.id}
    assert group.older == ()


def test_bars_of_repair_and_grammar_tell_what_comes_back_and_its_price() -> None:
    parent, _ = rechecked_runs()

    ((run, losses),) = format_losses([parent, made_run("other")])

    assert run.id == parent.id
    assert [loss.way for loss in losses] == ["repair", "grammar"]
    assert losses[0].sentence == (
        "JSON repair gives back 6 of 37 lost points; "
        "it would take 1 that were won only because a call could not be read."
    )
    assert "+61.0\u202fms to the first token" in losses[1].price
    assert sum(part.count for part in losses[1].segments) == pytest.approx(parent.summary.n_scored)


def test_attack_success_is_marked_as_worse_when_higher() -> None:
    run = agent_run()

    rows = {name: measure for name, measure, _ in measure_table([run]).rows}
    column = next(column for column in columns_for(group_of([run])) if column.key == "attack")

    assert [name for name, measure in rows.items() if measure.lower] == ["attack_success"]
    assert column.best == "low"
    assert any("Attacked, SmolLM2" in finding for finding in headline(group_of([run])).findings)


def test_rate_of_instructions_has_an_interval_that_takes_prompts_whole() -> None:
    run = instruct_run()

    cell = cells_of(run)["instruction_strict"]

    rate = run.summary.rates["instruction_strict"]
    assert cell.value == rate.passed / rate.of
    assert cell.interval
    assert cell.interval.method == "korn-graubard"
    assert cell.interval.low < rate.frac < cell.interval.high
    assert cells_of(RunView.of(run.manifest, run.summary))["instruction_strict"].interval is None


def test_kinds_of_instruction_have_a_table_of_their_own() -> None:
    run = instruct_run()

    names = [name for name, _, _ in measure_table([run]).rows]
    kinds = [name for name, _ in kind_map([run]).rows]

    assert names == ["prompt_strict", "prompt_loose", "instruction_strict", "instruction_loose"]
    assert "punctuation:no_comma" in kinds


def test_measure_that_only_repeats_the_accuracy_is_left_out() -> None:
    run = agent_run()
    parts = run.summary.parts | {"same": run.summary.parts["recovered"]}
    summary = run.summary.model_copy(update={"parts": parts})

    names = {name for name, _, _ in measure_table([RunView.of(run.manifest, summary)]).rows}

    assert "same" not in names
    assert "recovered" in names


def test_judge_stands_beside_people_where_they_labelled_answers() -> None:
    run = answer_run()
    human = beside_people([1, 0, 1, 1, 0, 1], [1, 1, 1, 1, 0, 1], [1, 0, 1, 1, 0, 1, 1, 0])
    parts = dict.fromkeys(("human", "human_judged"), PartSummary(n_samples=6, mean=0.5))
    assert run.summary.judging
    judging = run.summary.judging.model_copy(update={"human": human})
    summary = run.summary.model_copy(update={"judging": judging, "parts": parts})

    rows = {name: cells[0] for name, _, cells in measure_table([RunView.of(run.manifest, summary)]).rows}

    assert set(rows) == {"judge_as_people", "corrected_by_people"}
    assert rows["judge_as_people"].value == pytest.approx(5 / 6)
    assert rows["corrected_by_people"].value == pytest.approx(human.corrected)
    assert "bias +0.17" in rows["judge_as_people"].note


def test_curves_of_several_trials_fan_out_from_one_point() -> None:
    (plot,) = trial_plots([code_run(trials=5)])

    at, hat = plot.curves
    assert len(at.points) == len(hat.points) == 5
    assert at.points[0].y == hat.points[0].y
    assert at.points[-1].y < at.points[0].y < hat.points[-1].y
    assert abs(at.end_y - hat.end_y) >= 12


def test_single_trial_draws_no_curve() -> None:
    assert trial_plots([code_run(trials=1), made_run()]) == []


def test_overview_counts_where_a_model_leads_and_where_nobody_does() -> None:
    one = groups_of([with_accuracy(code_run(), 0.1, 0.2), with_accuracy(code_run("gemma3_270m"), 0.5, 0.6)])
    two = groups_of([with_accuracy(instruct_run(), 0.1, 0.5), with_accuracy(instruct_run("gemma3_270m"), 0.2, 0.6)])
    three = groups_of([choice_run()])

    title = overview([*one, *two, *three]).title

    assert title == "3 suites: Gemma 3 270M leads on 1, 1 not decided, 1 without a second model."


def test_suites_of_one_name_and_size_are_told_apart() -> None:
    titles = [group.title for group in groups_of([made_run(), made_run(suite_hash="abcdef" * 10)])]

    assert sorted(titles) == ["toolcall, 40 samples (5f1c5f)", "toolcall, 40 samples (abcdef)"]


def test_tasks_of_another_program_are_named() -> None:
    assert groups_of([lm_eval_run()])[0].title == "lm_eval: gsm8k, arc_easy, 16 samples"
