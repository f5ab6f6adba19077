"""Answers on record, judged as if they had just been given."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.backends.recorded import Recorded
from harness.config import ModelConfig, RecordedConfig
from harness.errors import ConfigError, DataError
from harness.records import AgentTarget, Attempt
from harness.runner.identity import Job
from harness.runner.job import Outcome, execute
from harness.store.runfolder import read_manifest
from harness.store.runs import read_run
from tests.support import openai_server as fake
from tests.support.echo_job import SAMPLES, Echo, echo_job
from tests.support.openai_server import serve_in_thread

MODEL = ModelConfig(name="old", title="Old", licence="unknown", protocol="native")


def recorded(path: Path) -> Recorded:
    return Recorded(RecordedConfig(name="recorded", path=str(path)), MODEL)


def job(path: Path, tmp: Path, **run: object) -> Job:
    found = echo_job("", tmp, Echo(), SAMPLES, **run)
    config = found.config.model_copy(
        update={"model": MODEL, "backend": RecordedConfig(name="recorded", path=str(path))}
    )
    return replace(found, config=config, backend=recorded(path))


def once(plan: Job) -> Outcome:
    (outcome,) = execute([plan])
    return outcome


def lines(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return path


def test_a_file_of_replies_is_scored_without_a_call_and_nothing_is_timed(tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", *({"id": f"s{n}", "content": "yes" if n < 9 else "no"} for n in range(12)))

    outcome = once(job(file, tmp_path))

    assert (outcome.summary.n_scored, outcome.summary.accuracy, outcome.summary.complete) == (12, 0.75, True)
    assert (outcome.summary.ttft_s, outcome.summary.e2e_s, outcome.summary.wall_s) == (None, None, None)
    assert outcome.summary.backend == "recorded"


def test_what_is_not_on_record_is_not_run_and_said(tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", {"id": "s0", "content": "yes"}, {"id": "elsewhere", "content": "yes"})

    summary = once(job(file, tmp_path)).summary

    assert (summary.n_scored, summary.n_not_run, summary.complete) == (1, 11, False)
    assert any("11 of 12 attempts have no answer on record" in warning for warning in summary.warnings)


def test_an_earlier_run_is_judged_anew_with_its_own_times(tmp_path: Path) -> None:
    with serve_in_thread(lambda _n, _b: fake.reply("yes")) as server:
        before = once(echo_job(server.url, tmp_path, trials=2))

    after = once(job(before.folder, tmp_path, trials=2))

    assert after.folder != before.folder
    assert after.summary.accuracy == before.summary.accuracy == 1.0
    assert after.summary.ttft_s == before.summary.ttft_s
    assert read_run(after.folder).attempts == read_run(before.folder).attempts


def one(path: Path) -> Attempt:
    (attempt,) = recorded(path).attempts()
    return attempt


def test_a_chat_completion_is_read_with_its_calls_and_usage(tmp_path: Path) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    choice = {"message": {"role": "assistant", "content": None, "tool_calls": [call]}, "finish_reason": "tool_calls"}
    usage = {"prompt_tokens": 7, "completion_tokens": 3}
    row = {"id": "s0", "trial": 2, "latency_s": 1.5, "response": {"choices": [choice], "usage": usage}}

    attempt = one(lines(tmp_path / "a.jsonl", row))

    assert attempt.reply is not None
    assert (attempt.reply.tool_calls[0].name, attempt.reply.tool_calls[0].arguments) == ("f", '{"a": 1}')
    assert (attempt.trial, attempt.reply.finish_reason, attempt.timing.end_ns) == (2, "tool_calls", 1_500_000_000)
    assert (attempt.usage.prompt_tokens, attempt.usage.output_tokens) == (7, 3)


def test_arguments_may_stand_as_an_object(tmp_path: Path) -> None:
    attempt = one(lines(tmp_path / "a.jsonl", {"id": "s", "tool_calls": [{"name": "f", "arguments": {"a": [1]}}]}))

    assert attempt.reply is not None
    assert json.loads(attempt.reply.tool_calls[0].arguments) == {"a": [1]}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["{"], "line 1 is not JSON"),
        (["[]"], "line 1 is no JSON object"),
        ([{"content": "x"}], 'line 1 has no "id"'),
        ([{"id": "a", "response": {"choices": []}}], "line 1 holds no reply that can be read"),
        ([{"id": "a", "tool_calls": [{"arguments": {}}]}], "line 1 holds no reply that can be read"),
        ([{"id": "a", "content": 3}], "line 1: content=3"),
        ([{"id": "a", "content": "x"}, {"id": "a", "content": "y"}], "lines 1 and 2 are both a#0"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(tmp_path: Path, rows: list[object], words: str) -> None:
    with pytest.raises(DataError) as failed:
        list(recorded(lines(tmp_path / "a.jsonl", *rows)).attempts())
    assert words in str(failed.value)


def test_a_file_that_is_not_there_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not there; name a file of replies or a run folder"):
        recorded(tmp_path / "none.jsonl").prepare()


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no run folder"):
        list(recorded(tmp_path).attempts())


def test_answers_of_an_earlier_run_are_not_read_in_another_form(tmp_path: Path) -> None:
    with serve_in_thread(lambda _n, _b: fake.reply("yes")) as server:
        before = once(echo_job(server.url, tmp_path))
    prompted = MODEL.model_copy(update={"protocol": "prompted"})

    with pytest.raises(ConfigError, match=r"are native, model.protocol is prompted: add model.protocol=native"):
        list(Recorded(RecordedConfig(name="recorded", path=str(before.folder)), prompted).attempts())


def test_what_is_left_aside_is_counted(tmp_path: Path) -> None:
    rows = [{"id": "s0", "content": "yes", "trial": trial} for trial in range(3)] + [{"id": "odd", "content": "yes"}]

    warnings = once(job(lines(tmp_path / "a.jsonl", *rows), tmp_path)).summary.warnings

    assert any("recorded answers of later trials than run.trials=1, left aside: 2" in one for one in warnings)
    assert any("recorded answers to samples that this run does not have, left aside: 1" in one for one in warnings)


def test_answers_to_nothing_but_foreign_samples_are_refused_with_both_kinds_of_ids(tmp_path: Path) -> None:
    path = lines(tmp_path / "answers.jsonl", {"id": "1000", "content": "x"}, {"id": "1001", "content": "y"})

    with pytest.raises(DataError, match=rf"none of 2 recorded answers .* such as '1000', the suite '{SAMPLES[0].id}'"):
        once(job(path, tmp_path / "results"))

    (manifest,) = {one.resolve() for one in tmp_path.rglob("manifest.json")}
    assert read_manifest(manifest.parent).status == "failed"


def test_a_plain_reply_is_no_agents_task(tmp_path: Path) -> None:
    sample = SAMPLES[0].model_copy(update={"target": AgentTarget(environment="toy")})
    file = lines(tmp_path / "a.jsonl", {"id": sample.id, "content": "done"})
    plan = replace(job(file, tmp_path), samples=(sample,))

    with pytest.raises(DataError, match="has no steps, and an agent's task is judged by what was done"):
        once(plan)
