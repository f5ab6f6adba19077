"""The table before and after: its rows, its verdict, when something cheaper is enough, and what a collapse does."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.convert.gate.rows import gate_suite, plain_protocol, rows_of, served_row
from harness.convert.words import gate_rows, general_words
from harness.records.convert import ExportResult, GateRow
from tests.support.conversions import BASE, convert_config, gate_table, runs_of
from tests.support.report_runs import made_run


def test_a_model_that_learned_its_task_is_shown_to_be_better_than_its_base() -> None:
    table = gate_table(runs_of())

    tuned = table.row("tuned_grammar")
    assert table.verdict == "pass"
    assert table.served == "tuned_grammar"
    assert tuned is not None
    assert tuned.p_adjusted is not None
    assert tuned.p_adjusted <= 0.05


def test_a_model_as_good_as_its_base_is_not_shown_to_be_better() -> None:
    table = gate_table(runs_of({"base": 0.5, "tuned_grammar": 0.5}))

    assert table.verdict == "inconclusive"
    assert "not shown" in table.why


def test_a_model_that_got_worse_fails() -> None:
    table = gate_table(runs_of({"base": 0.9, "tuned_grammar": 0.2}))

    assert table.verdict == "fail"


def test_a_grammar_as_good_as_the_training_is_said_to_be_enough_or_perhaps() -> None:
    table = gate_table(runs_of({"base": 0.1, "grammar": 0.95, "tuned_grammar": 0.95}, n=30))

    assert table.enough == "grammar"
    assert table.enough_why.startswith("base + grammar")


def test_nothing_without_training_is_enough_where_each_is_shown_to_be_worse() -> None:
    table = gate_table(runs_of({"base": 0.05, "grammar": 0.1, "tuned_grammar": 0.98}))

    assert table.enough is None
    assert "no set-up without training comes near" in table.enough_why


def test_general_ability_that_collapsed_fails_the_gate() -> None:
    before = made_run(skill=0.95, protocol="constrained", started_at="2026-03-03T10:00:00Z")
    after = made_run(skill=0.0, protocol="constrained", started_at="2026-03-03T10:00:01Z")

    table = gate_table(runs_of(), general=(before, after))

    assert table.verdict == "fail"
    assert "toolcall fell by" in table.why
    assert "collapsed" in general_words(table)[0]


def test_a_reference_that_is_shown_to_be_better_fails_the_gate() -> None:
    runs = runs_of({"base": 0.05, "tuned_grammar": 0.5})
    runs["reference"] = made_run(model="gpt", skill=1.0, protocol="native", started_at="2026-03-04T10:00:00Z")

    table = gate_table(runs)

    row = table.row("tuned_grammar")
    assert row is not None
    assert row.against_reference is not None
    assert table.verdict == "fail"
    assert table.reference is not None


def test_the_table_as_text_has_a_dash_for_what_was_not_measured_and_a_row_for_each_set_up() -> None:
    head, *rows = gate_rows(gate_table(runs_of()))

    assert [row[0] for row in rows] == [
        "base",
        "base + 3 examples",
        "base + grammar",
        "fine-tuned",
        "fine-tuned + grammar",
    ]
    assert all(len(row) == len(head) for row in rows)
    assert rows[0][2] == "–"


@pytest.mark.parametrize(
    ("protocol", "plain", "served"),
    [("constrained", "prompted", "tuned_grammar"), ("prompted", "prompted", "tuned"), ("native", "native", "tuned")],
)
def test_base_and_tuned_are_asked_by_the_protocol_that_was_learned(protocol: str, plain: str, served: GateRow) -> None:
    model = convert_config(f"model.protocol={protocol}").model

    assert (plain_protocol(model), served_row(model)) == (plain, served)


def test_rows_share_samples_of_the_test_split_and_differ_in_model_protocol_and_examples() -> None:
    config = convert_config("convert.gate.rows=[base,examples,tuned]", "convert.gate.limit=7")
    result = ExportResult(
        key="k",
        serve="adapter",
        name="mine",
        chosen="adapter",
        base=BASE,
        files=(),
        model_config_file="models/mine.yaml",
    )
    file = {"file": {"path": "export/a.gguf", "bytes": 1, "sha256": "0" * 64}, "type": "adapter", "made_by": "x"}
    result = ExportResult.model_validate({**result.model_dump(), "files": [file]})

    folder = Path("results/convert/mine")
    rows = rows_of(config, result, folder, ("refunds",))

    assert [row.name for row in rows] == ["base", "examples", "tuned", "tuned_grammar"]
    assert all(row.config.suite == gate_suite(config, ("refunds",)) for row in rows)
    assert all(row.config.suite.options["split"] == "test" for row in rows)
    assert all(row.config.suite.limit == 7 for row in rows)
    assert rows[1].config.model.examples == 3
    assert rows[2].config.backend.lora[-1].path == str(folder / "export" / "a.gguf")  # type: ignore[union-attr]
    assert not rows[0].config.backend.lora  # type: ignore[union-attr]


def test_a_warning_that_differs_in_its_figures_alone_is_said_once_of_all_set_ups() -> None:
    runs = runs_of()
    for place, (name, run) in enumerate(runs.items()):
        summary = run.summary.model_copy(update={"warnings": (f"late by {place + 1.5} ms: look",), "unfit": None})
        runs[name] = replace(run, summary=summary)

    table = gate_table(runs)

    assert [note for note in table.notes if "late by" in note] == [
        f"{', '.join(row.title for row in table.rows)}: late by 1.5 ms: look"
    ]
