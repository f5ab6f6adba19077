"""Runs that differ in a setting which can change a verdict stand beside each other, under names that say so."""

from pydantic import JsonValue

from harness.report import RunView
from harness.report.group import groups_of
from harness.report.view import latest
from tests.support.report_runs import made_run


def with_config(run: RunView, more: dict[str, JsonValue], name: str) -> RunView:
    manifest = run.manifest.model_copy(update={"config": run.manifest.config | more, "run": name})
    summary = run.summary.model_copy(update={"run": name})
    return RunView.of(manifest, summary, run.samples, run.attempts, run.scores)


PLAIN = with_config(made_run(), {"agent": {"disturb": None, "max_steps": 20}}, "plain")
DISTURBED = with_config(made_run(), {"agent": {"disturb": "error", "max_steps": 20}}, "disturbed")


def test_a_disturbed_run_does_not_replace_the_undisturbed_one() -> None:
    current, older = latest([PLAIN, DISTURBED])

    assert {run.id for run in current} == {"plain", "disturbed"}
    assert older == []


def test_their_names_tell_the_setting() -> None:
    (group,) = groups_of([PLAIN, DISTURBED])

    assert group.names["disturbed"].endswith(", disturb=error")
    assert "disturb" not in group.names["plain"]


def test_defaults_written_out_are_the_same_set_up_as_defaults_left_out() -> None:
    bare = with_config(made_run(), {}, "bare")

    current, older = latest([PLAIN, bare])

    assert len(current) == len(older) == 1


def test_an_adapter_and_options_of_a_suite_are_settings() -> None:
    tuned = with_config(made_run(), {"backend": {"lora": [{"path": "a.gguf"}]}}, "tuned")
    attacked = with_config(made_run(), {"suite": {"options": {"attack": "direct"}}}, "attacked")

    assert tuned.settings == {"backend.lora": '[{"path":"a.gguf"}]'}
    assert attacked.settings == {"suite.options.attack": "direct"}
    assert len(latest([PLAIN, tuned, attacked])[0]) == 3
