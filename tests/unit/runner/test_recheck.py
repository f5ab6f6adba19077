"""Misses put again under a grammar: which, in what run, and what they gain."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.backends.recorded import Recorded
from harness.config import RecordedConfig, RunConfig
from harness.errors import ConfigError
from harness.records import InstructionTarget, Message, Protocol, Reply, Sample, Score, TextTarget, Tool, ToolTarget
from harness.records.summary import GrammarSummary
from harness.runner.identity import Job
from harness.runner.job import execute
from harness.runner.recheck import recheck, refuse_recheck
from harness.scorers.text import TextScorer
from harness.store.runfolder import read_manifest
from tests.support import openai_server as fake
from tests.support.echo_job import echo_job
from tests.support.openai_server import Step, serve_in_thread

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def sample(identity: str, target: Any, *tools: Tool) -> Sample:
    asked = (Message(role="user", content=identity),)
    return Sample(id=identity, category="c", messages=asked, tools=tools, target=target, scorer="text")


NUMBER = sample("number", TextTarget.model_validate({"match": "json", "schema": SCHEMA, "accepted": ['{"n": 2}']}))
ANY = sample("any", TextTarget(match="json", accepted=('{"n": 2}',)))
WORDS = sample("words", TextTarget(match="exact", accepted=("yes",)))
CALL = sample("call", ToolTarget(expect="any_call"), Tool(name="f"))
QUIET = sample("quiet", ToolTarget(expect="no_call"), Tool(name="f"))
FREE = sample("free", InstructionTarget.model_validate({"prompt": "p", "instructions": [{"id": "x:y"}]}))


class Graded:
    """The reply is its own value."""

    name = "graded"

    def score(self, sample: Sample, reply: Reply, protocol: Protocol, trial: int = 0) -> Score:
        value = float(reply.content or 0)
        return Score(sample=sample.id, category="c", trial=trial, scorer=self.name, value=value)


def prompted(job: Job, protocol: Protocol = "prompted") -> Job:
    return replace(job, config=under(job.config, protocol))


def under(config: RunConfig, protocol: Protocol) -> RunConfig:
    return config.model_copy(update={"model": config.model.model_copy(update={"protocol": protocol})})


def gained(job: Job) -> GrammarSummary | None:
    (outcome,) = execute([job])
    return recheck(job, outcome, lambda config: replace(job, config=config)).summary.grammar


def test_json_misses_are_put_again_under_their_schema_and_other_misses_are_not(tmp_path: Path) -> None:
    def answer(_n: int, body: dict[str, Any]) -> Sequence[Step]:
        return fake.reply('{"n": 2}' if "response_format" in body else "two")

    with serve_in_thread(answer) as server:
        found = gained(prompted(echo_job(server.url, tmp_path, TextScorer(), (NUMBER, ANY, WORDS))))

    assert found is not None
    assert (found.n_samples, found.points_back) == (2, 2.0)
    forms = [body["response_format"] for body in server.bodies if "response_format" in body]
    assert json.dumps(SCHEMA) in {json.dumps(one["json_schema"]["schema"]) for one in forms}  # type: ignore[index]


def test_what_comes_back_is_the_gain_of_those_that_gain_per_trial(tmp_path: Path) -> None:
    values = {(False, 0): "0.5", (False, 1): "1", (True, 0): "0.75", (True, 1): "0.25"}

    def answer(_n: int, body: dict[str, Any]) -> Sequence[Step]:
        return fake.reply(values["response_format" in body, body["seed"]])

    with serve_in_thread(answer) as server:
        found = gained(prompted(echo_job(server.url, tmp_path, Graded(), (NUMBER, ANY), trials=2)))

    assert found is not None
    assert found.points_back == pytest.approx(2 * 0.25 / 2)


def test_replies_lost_under_the_grammar_give_nothing_back(tmp_path: Path) -> None:
    def answer(_n: int, body: dict[str, Any]) -> Sequence[Step]:
        if "response_format" in body and body["messages"][0]["content"] == "any":
            return fake.error(500, {"error": "out of order"})
        return fake.reply("1" if "response_format" in body else "0.5")

    with serve_in_thread(answer) as server:
        found = gained(prompted(echo_job(server.url, tmp_path, Graded(), (NUMBER, ANY), max_failed_frac=1)))

    assert found is not None
    assert found.points_back == 0.5


def test_a_named_folder_is_the_first_run_s_and_not_the_second_s(tmp_path: Path) -> None:
    with serve_in_thread(lambda *_: fake.reply("0.5")) as server:
        job = prompted(echo_job(server.url, tmp_path, Graded(), (NUMBER,)))
        (first,) = execute([job])
        run = job.config.run.model_copy(update={"resume": str(first.folder)})
        found = gained(replace(job, config=job.config.model_copy(update={"run": run})))

    assert found is not None
    assert read_manifest(first.folder.parent / found.run).of_run == first.folder.name


def test_a_run_under_the_grammar_is_not_put_again(tmp_path: Path) -> None:
    with serve_in_thread(lambda *_: fake.reply("0.5")) as server:
        found = gained(prompted(echo_job(server.url, tmp_path, Graded(), (NUMBER,)), "constrained"))

    assert found is None
    assert len(server.bodies) == 1


@pytest.mark.parametrize("one", [NUMBER, ANY, CALL])
def test_samples_that_want_a_call_or_json_can_be_put_again(one: Sample, tmp_path: Path) -> None:
    refuse_recheck([prompted(echo_job("http://127.0.0.1:9/v1", tmp_path, Graded(), (WORDS, one)))])


@pytest.mark.parametrize("one", [WORDS, QUIET, FREE])
def test_a_suite_without_a_grammar_is_refused_before_it_runs(one: Sample, tmp_path: Path) -> None:
    job = prompted(echo_job("http://127.0.0.1:9/v1", tmp_path, Graded(), (one,)))

    with pytest.raises(ConfigError, match="samples that want a call or JSON, and suite=echo has none"):
        refuse_recheck([job])


def test_recorded_answers_cannot_be_put_again(tmp_path: Path) -> None:
    job = prompted(echo_job("http://127.0.0.1:9/v1", tmp_path, Graded(), (NUMBER,)))
    recorded = Recorded(RecordedConfig(name="recorded", path=str(tmp_path)), job.config.model)

    with pytest.raises(ConfigError, match="recorded answers cannot be asked"):
        refuse_recheck([replace(job, backend=recorded)])


def test_runs_that_are_all_under_the_grammar_are_refused_with_what_to_type(tmp_path: Path) -> None:
    job = prompted(echo_job("http://127.0.0.1:9/v1", tmp_path, Graded(), (NUMBER,)))
    held = prompted(job, "constrained")

    refuse_recheck([job, held])
    with pytest.raises(ConfigError, match=r"add model\.protocol=prompted"):
        refuse_recheck([held])
