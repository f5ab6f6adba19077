import json
from typing import Any

import pytest

from harness.records import AgentTarget, CodeTarget, InstructionTarget
from harness.report import RunView
from harness.report.details import MOST_STEPS
from harness.report.embed import embed
from harness.report.group import group_of
from tests.support.explorer_data import joined
from tests.support.report_families import agent_run, answer_run, code_run, instruct_run, lm_eval_run


def embedded(run: RunView, budget: int = 4_500_000) -> dict[str, Any]:
    return joined(embed([group_of([run])], budget).json)


def test_instructions_come_one_by_one_with_their_arguments() -> None:
    run = instruct_run()

    data = embedded(run)

    target = run.samples[0].target
    assert isinstance(target, InstructionTarget)
    name, arguments = data["samples"][0]["instructions"][0]
    assert name == target.instructions[0].id
    assert json.loads(data["texts"][arguments]) == target.instructions[0].arguments


def test_code_target_keeps_its_programs_as_text() -> None:
    run = code_run()

    data = embedded(run)

    sample, target = data["samples"][1], run.samples[1].target
    assert isinstance(target, CodeTarget)
    assert data["texts"][sample["tests"]] == target.tests
    assert data["texts"][sample["extra"]] == target.extra_tests
    assert sample["entry"] == target.entry_point
    row = data["runs"][0]["rows"][1]
    assert json.loads(data["texts"][row["got"]]).startswith("def ")


def test_verdict_of_a_judge_comes_with_what_it_took() -> None:
    run = answer_run()

    rows = embedded(run)["runs"][0]["rows"]

    place = next(place for place, score in enumerate(run.scores) if score.judge)
    assert rows[place]["judge"]["model"] == "qwen2.5-7b-instruct"
    assert isinstance(rows[place]["judge"]["agreed"], bool)


def test_value_after_repair_is_told_where_it_is_worth_more() -> None:
    run = answer_run()

    rows = embedded(run)["runs"][0]["rows"]

    assert [row.get("repaired") for row in rows] == [score.repaired for score in run.scores]
    assert 1.0 in [score.repaired for score in run.scores]


def test_likelihood_task_names_its_continuations() -> None:
    data = embedded(lm_eval_run())

    sample = data["samples"][0]
    assert sample["task"] == "arc_easy"
    assert [data["texts"][index] for _, index in sample["pairs"]] == [" 0", " 1", " 2", " 3"]


def test_every_step_of_an_agent_comes_with_calls_results_and_times() -> None:
    run = agent_run()

    data = embedded(run)

    row, attempt = data["runs"][0]["rows"][0], run.attempts[0]
    assert [step["i"] for step in row["steps"]] == list(range(len(attempt.steps)))
    first, call = row["steps"][0], row["steps"][0]["calls"][0]
    result = attempt.steps[0].results[0]
    assert (call["name"], call["disturbed"], call["error"]) == ("find_file", "timeout", True)
    assert data["texts"][call["result"]] == result.content
    assert call["ms"] == pytest.approx(result.took_ns / 1e6, abs=0.01)
    assert first["timing"]["end"] == pytest.approx((attempt.steps[0].timing.end_ns or 0) / 1e6, abs=0.01)
    assert data["texts"][row["steps"][1]["unreadable"]] == attempt.steps[1].unreadable


def test_plan_and_later_turns_of_a_task_are_there() -> None:
    run = agent_run()

    data = embedded(run)

    sample, target = data["samples"][1], run.samples[1].target
    assert isinstance(target, AgentTarget)
    assert data["texts"][sample["turns"][0]["messages"][0]["text"]] == target.turns[0].messages[0].content
    assert [[json.loads(data["texts"][call])["name"] for call in calls] for calls in sample["plan"]] == [
        ["find_file"],
        ["move_file"],
    ]


def test_long_task_keeps_its_first_steps_and_its_last() -> None:
    run = agent_run(trials=1)
    place = max(range(len(run.attempts)), key=lambda number: len(run.attempts[number].steps))
    long = run.attempts[place].model_copy(update={"steps": run.attempts[place].steps * 100})

    row = embedded(RunView.of(run.manifest, run.summary, run.samples, [long], run.scores[place : place + 1]))
    steps = row["runs"][0]["rows"][0]["steps"]

    assert len(steps) == MOST_STEPS < len(long.steps)
    assert [step["i"] for step in steps[:-1]] == list(range(MOST_STEPS - 1))
    assert steps[-1]["i"] == len(long.steps) - 1
    assert row["runs"][0]["rows"][0]["steps_cut"] == len(long.steps) - MOST_STEPS
