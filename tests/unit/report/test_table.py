import pytest

from harness.report.table import markdown_page, markdown_table, print_table
from tests.support.report_families import agent_run, answer_run, code_run, instruct_run, rechecked_runs, unfit_run
from tests.support.report_runs import made_run


def heads(table: str) -> list[str]:
    return [cell.strip() for cell in table.splitlines()[0].strip("|").split("|")]


def test_column_without_a_value_is_left_out_of_the_table() -> None:
    calls, agents = heads(markdown_table([made_run().summary])), heads(markdown_table([agent_run().summary]))

    assert "task p50" not in calls
    assert {"task p50", "replies", "pass^k", "attacked ↓"} <= set(agents)
    assert "judge USD" not in agents


def test_each_suite_is_printed_as_a_table_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([made_run().summary, agent_run().summary])

    lines = capsys.readouterr().out.splitlines()
    assert [line.strip() for line in lines if line.strip() in {"toolcall", "agentdojo"}] == ["toolcall", "agentdojo"]


def test_unranked_run_is_marked_last_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([unfit_run().summary, made_run().summary])

    out = capsys.readouterr().out
    assert out.index("smollm2 ") < out.index("qwen25_05b †")
    assert "† qwen25_05b, native: not ranked: the chat template drops the tools" in out


def test_page_of_an_agent_tells_parts_and_trials() -> None:
    run = agent_run()

    page = markdown_page(run.summary)

    last = run.summary.pass_hat[-1]
    assert "| attack succeeded (lower is better) |" in page
    assert f"| {last.k} | " in page
    assert f"{last.value:.1%}" in page
    assert "## Judged by a model" not in page


def test_page_tells_what_repair_grammar_and_judge_are_about() -> None:
    parent, _ = rechecked_runs()

    page, judged = markdown_page(parent.summary), markdown_page(answer_run().summary)

    assert "JSON repair gives back 6 of 37 lost points, and would take 1" in page
    assert "first token: +61 ms" in page
    assert "same verdict in both orders:" in judged


def test_kinds_of_instruction_stand_last_among_the_parts() -> None:
    lines = markdown_page(instruct_run().summary).splitlines()

    parts = [line.split("|")[1].strip() for line in lines if line.startswith("|")]
    assert (
        parts.index("prompts, strict") < parts.index("instructions, loose") < parts.index("strict:keywords:existence")
    )


def test_vertical_line_in_a_name_does_not_break_the_table() -> None:
    summary = code_run().summary.model_copy(update={"model": "a|b"})

    assert "| a\\|b |" in markdown_table([summary])
