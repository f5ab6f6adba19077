"""What an audit shows of the words that were typed."""

import sys
from pathlib import Path

import pytest

from harness.verbs.audit_words import audit_command, model_commands, typed

SUITE = ("suite=local", "suite.path=replay/suites/x")


def test_every_model_of_a_list_has_a_command_of_its_own_without_the_words_of_other_steps() -> None:
    words = ["do=audit", "logs.path=calls.jsonl", "model=[a,b]", "stats=strict", "build.margin=.1", "run.concurrency=4"]

    found = model_commands(words, SUITE)

    start = "python -m harness suite=local suite.path=replay/suites/x"
    assert found == [f"{start} model=a run.concurrency=4", f"{start} model=b run.concurrency=4"]


def test_names_and_protocols_multiply_in_the_order_of_the_command_line() -> None:
    words = ["model=endpoint", "model.name=[x,y]", "model.protocol=[native,prompted]"]

    found = [one.partition("replay/suites/x ")[2] for one in model_commands(words, SUITE)]

    assert found == [
        "model.name=x model.protocol=native model=endpoint",
        "model.name=x model.protocol=prompted model=endpoint",
        "model.name=y model.protocol=native model=endpoint",
        "model.name=y model.protocol=prompted model=endpoint",
    ]


def test_folders_of_this_machine_and_keys_are_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    words = [
        f"logs.path={tmp_path}/calls.jsonl",
        "store.key_file=/home/jo/store.key",
        "model.url=https://x/v1?key=AIzaSyA0123",
    ]
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "harness", *words, "--cfg"])

    assert typed() == ["logs.path=calls.jsonl", "store.key_file=…/store.key", "model.url=https://x/v1?key=[key]"]


def test_words_that_a_shell_would_read_are_quoted() -> None:
    assert audit_command(["model=[a,b]", "do=audit"]) == "python -m harness 'model=[a,b]' do=audit"
