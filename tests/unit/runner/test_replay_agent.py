"""Sessions of a log gone through again by the real runner, with a server that follows the record or leaves it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.config import AgentConfig
from harness.records import Sample, ToolCall, TrajectoryTarget, target_of
from harness.runner.identity import config_hash
from harness.runner.job import execute
from harness.scorers.trajectory import TrajectoryScorer
from tests.support import openai_server as fake
from tests.support.agent_runs import Played, calls_reply, job_at, play
from tests.support.openai_server import Step, serve_in_thread
from tests.support.specimens.trajectory import STEPS, called, session

Said = list[ToolCall] | str


def on_record(sample: Sample) -> list[Said]:
    firsts = [step.target.references[0] for step in target_of(sample, TrajectoryTarget).steps]
    return [list(one.calls) or one.text or "" for one in firsts]


class Server:
    """Says what a script has for the place that a request has come to: the answers since the question."""

    def __init__(self, script: Sequence[Said], *, as_text: bool = False) -> None:
        self._script, self._as_text = script, as_text

    def __call__(self, number: int, body: dict[str, Any]) -> Sequence[Step]:
        said = self._script[sum(message["role"] == "assistant" for message in body["messages"])]
        if not self._as_text:
            return fake.reply(*said.split()) if isinstance(said, str) else calls_reply(said)
        made = [ToolCall(name="answer", arguments={"text": said})] if isinstance(said, str) else said
        told = [{"name": one.name, "arguments": one.arguments} for one in made]
        return fake.reply(json.dumps(told[0] if len(told) == 1 else {"calls": told}))


def played(tmp: Path, sample: Sample, script: Sequence[Said], **more: Any) -> Played:
    as_text = more.get("model", {}).get("protocol", "native") != "native"
    return play(tmp, [sample], Server(script, as_text=as_text), scorer=TrajectoryScorer(), **more)


@pytest.mark.parametrize("protocol", ["native", "prompted", "constrained"])
def test_a_model_that_follows_the_record_survives(tmp_path: Path, protocol: str) -> None:
    sample = session(*STEPS)

    run = played(tmp_path, sample, on_record(sample), model={"protocol": protocol})

    assert run.score.value == 1.0, run.score.why
    assert (run.complete, len(run.bodies), run.attempt.ended) == (True, 5, "answered")


def test_calls_are_given_the_recorded_results_and_no_tool_runs(tmp_path: Path) -> None:
    sample = session(*STEPS)

    run = played(tmp_path, sample, on_record(sample))

    last = run.bodies[-1]["messages"]
    assert [one["content"] for one in last if one["role"] == "tool"][:3] == [
        "find_order A1",
        "find_user U1",
        "find_order A2",
    ]
    assert [one["content"] for one in last if one["role"] == "user"][1:] == ["The first."]
    results = [result for step in run.attempt.steps for result in step.results]
    assert results
    assert not any(result.ran for result in results)


def test_the_history_holds_the_models_own_words(tmp_path: Path) -> None:
    sample = session(*STEPS)
    script = on_record(sample)
    script[2] = "Which one, dear customer?"

    run = played(tmp_path, sample, script)

    said = [one["content"] for one in run.bodies[-1]["messages"] if one["role"] == "assistant"]
    assert "".join(said[2].split()) == "Whichone,dearcustomer?"
    assert run.score.value == 1.0


def test_a_model_that_diverges_is_not_asked_again(tmp_path: Path) -> None:
    sample = session(*STEPS)
    script = on_record(sample)
    script[3] = [called("find_user", "U9")]

    run = played(tmp_path, sample, script)

    assert (len(run.bodies), run.attempt.ended, run.score.parts["depth"]) == (4, "off_record", 0.6)
    facts = run.summary.trajectories
    assert facts is not None
    assert (facts.steps_same, facts.steps_diverged, facts.steps_not_scored) == (3, 1, 1)
    assert facts.kinds == {"other_tool": 1}
    assert [(point.step, point.at_risk, point.diverged, point.share) for point in facts.curve] == [(4, 1, 1, 0.0)]


def test_calls_in_another_order_go_on_first_in_first_out(tmp_path: Path) -> None:
    sample = session(*STEPS, match="fifo")
    first, both, *rest = on_record(sample)
    assert isinstance(first, list)
    assert isinstance(both, list)

    run = played(tmp_path, sample, [[both[1]], [both[0]], first, *rest])

    assert run.score.value == 1.0, run.score.why
    results = [step.results[0].content for step in run.attempt.steps[:3]]
    assert results == ["find_order A2", "find_user U1", "find_order A1"]


def test_a_model_that_looks_the_same_up_for_ever_is_out_of_replies(tmp_path: Path) -> None:
    sample = session(*STEPS, match="fifo", read_only=("find_order",))
    script: list[Said] = [[called()]] * 40

    run = played(tmp_path, sample, script)

    assert (len(run.bodies), run.attempt.ended, run.score.miss) == (20, "step_limit", "step_limit")
    assert run.score.parts["depth"] == 0.2


def test_each_step_has_its_own_times_and_tokens(tmp_path: Path) -> None:
    sample = session(*STEPS)

    run = played(tmp_path, sample, on_record(sample))

    assert [step.usage.prompt_tokens for step in run.attempt.steps] == [100, 100, 10, 100, 10]
    assert run.attempt.usage.prompt_tokens == 320
    assert all(step.timing.end_ns for step in run.attempt.steps)
    assert run.summary.calls_per_task == 5
    assert [step.turn for step in run.attempt.steps] == [0, 0, 0, 1, 1]


def test_a_session_whose_server_fails_is_lost_and_not_scored(tmp_path: Path) -> None:
    sample = session(*STEPS)
    record = Server(on_record(sample))

    def failing(number: int, body: dict[str, Any]) -> Sequence[Step]:
        return fake.error(500, {"error": {"message": "down"}}) if number == 2 else record(number, body)

    run = play(tmp_path, [sample], failing, scorer=TrajectoryScorer(), run={"max_failed_frac": 1.0})

    assert (run.score.value, run.score.trajectory, run.summary.n_failed) == (None, None, 1)
    assert run.summary.trajectories is None
    assert len(run.attempt.steps) == 2


def test_a_context_that_overflows_on_the_way_keeps_its_depth(tmp_path: Path) -> None:
    sample = session(*STEPS)
    record = Server(on_record(sample))
    full = {"error": {"message": "the request exceeds the available context size", "type": "exceed_context_size_error"}}

    def small(number: int, body: dict[str, Any]) -> Sequence[Step]:
        return fake.error(400, full) if len(body["messages"]) > 6 else record(number, body)

    run = play(tmp_path, [sample], small, scorer=TrajectoryScorer())

    assert (run.score.value, run.score.miss) == (0.0, "context_overflow")
    assert run.score.trajectory is not None
    assert (run.score.trajectory.depth, run.score.trajectory.kind) == (3, "context_overflow")


def test_a_run_goes_on_with_the_sessions_that_are_left(tmp_path: Path) -> None:
    samples = [session(*STEPS, name=name) for name in ("one", "two")]
    record = Server(on_record(samples[0]))
    down = {"two": True}

    def now_and_then(number: int, body: dict[str, Any]) -> Sequence[Step]:
        second = "(two)" in body["messages"][0]["content"]
        return fake.error(500, {"error": {"message": "down"}}) if second and down["two"] else record(number, body)

    with serve_in_thread(now_and_then) as server:
        job = job_at(tmp_path, samples, server.url, scorer=TrajectoryScorer(), run={"max_failed_frac": 1.0})
        (first,) = execute([job])
        down["two"] = False
        named = {"max_failed_frac": 1.0, "resume": str(first.folder)}
        (again,) = execute([job_at(tmp_path, samples, server.url, scorer=TrajectoryScorer(), run=named)])

    assert (first.summary.n_scored, first.summary.n_failed, again.folder) == (1, 1, first.folder)
    assert (again.summary.n_scored, again.summary.accuracy, len(server.bodies)) == (2, 1.0, 5 + 1 + 5)


def test_the_limit_of_replies_decides_what_a_run_is(tmp_path: Path) -> None:
    job = job_at(tmp_path, [session(*STEPS, match="fifo")], "http://127.0.0.1:9/v1", scorer=TrajectoryScorer())
    other = replace(job, config=job.config.model_copy(update={"agent": AgentConfig(max_steps=3)}))

    assert config_hash(job) != config_hash(other)
