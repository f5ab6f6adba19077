"""Our runs as Inspect's logs: written, read back by Inspect, and the same in values, usage and texts."""

from pathlib import Path

import pytest
from inspect_ai.log import (
    EvalLog,
    EvalSample,
    list_eval_logs,
    read_eval_log,
    read_eval_log_sample_summaries,
    read_eval_log_samples,
)
from inspect_ai.scorer import SampleScore, accuracy, stderr
from inspect_ai.scorer import Score as InspectScore

from harness.interop.exports import writer
from harness.interop.inspect_log import eval_log, export_inspect
from harness.interop.inspect_read import Asker, attempt_of
from harness.records import (
    AgentTarget,
    Attempt,
    Failure,
    Message,
    Reply,
    Sample,
    Score,
    Step,
    TextTarget,
    Timing,
    Tool,
    ToolCall,
    ToolResult,
    Usage,
)
from harness.records.manifest import MachineFacts, Manifest
from harness.records.summary import Summary
from harness.store.journal import Journal
from harness.store.runfolder import ATTEMPTS, MANIFEST, SAMPLES, SCORES, SUMMARY, write_atomic, write_record
from harness.store.runs import StoredRun, read_run

ADD = Tool(name="add", parameters={"type": "object", "properties": {"x": {"type": "integer"}}})
TIMING = Timing(at=1_790_000_000.0, first_content_ns=100_000_000, last_ns=500_000_000, end_ns=600_000_000)
LONG = "word " * 400
"""Longer than what Inspect keeps within an event."""


def sample(name: str) -> Sample:
    return Sample(
        id=name,
        category="sums",
        messages=(Message(role="system", content="Be brief."), Message(role="user", content=f"{name}? {LONG}")),
        tools=(ADD,),
        target=TextTarget(match="exact", accepted=("5", "five")),
        scorer="text",
    )


def attempt(name: str, trial: int = 0, **changes: object) -> Attempt:
    made = Attempt(
        sample=name,
        model="m",
        protocol="constrained",
        trial=trial,
        backend="llamacpp",
        seed=trial,
        reply=Reply(content=f'{{"name": "add", "arguments": {{"x": {trial}}}}}', finish_reason="stop"),
        timing=TIMING,
        usage=Usage(prompt_tokens=30, cached_tokens=20, output_tokens=5, counted_by="server"),
    )
    return made.model_copy(update=changes)


def agents() -> Attempt:
    call = ToolCall(name="add", arguments={"x": 1}, id="c1")
    steps = (
        Step(
            turn=0,
            reply=Reply(content="calling " + LONG, finish_reason="stop"),
            timing=TIMING,
            usage=Usage(prompt_tokens=10, output_tokens=2, counted_by="server"),
            results=(ToolResult(call=call, content=LONG, took_ns=5_000_000),),
        ),
        Step(
            turn=0,
            reply=Reply(content="It is 5.", finish_reason="stop"),
            timing=TIMING.model_copy(update={"at": TIMING.at + 1}),
            usage=Usage(prompt_tokens=20, output_tokens=3, counted_by="server"),
            results=(ToolResult(call=call, content="no", error=True),),
        ),
    )
    whole = Timing(at=TIMING.at, end_ns=2_000_000_000)
    usage = Usage(prompt_tokens=30, output_tokens=5, counted_by="server")
    return attempt("agent", steps=steps, reply=steps[-1].reply, timing=whole, usage=usage, ended="step_limit")


def score(of: Attempt, value: float | None, **more: object) -> Score:
    return Score(sample=of.sample, category="sums", trial=of.trial, scorer="text", value=value).model_copy(update=more)


def write_run(folder: Path, status: str = "complete") -> Path:
    folder.mkdir(parents=True)
    lost = Failure(boundary="infrastructure", kind="timeout", message="no end within 2 s")
    filtered = Failure(boundary="model", kind="content_filter", message="refused")
    outcomes: list[tuple[Attempt, float | None, dict[str, object]]] = [
        (attempt("a"), 1.0, {"extracted": "5"}),
        (attempt("a", 1), 0.0, {"miss": "wrong_answer", "boundary": "model", "why": "6, not 5", "parts": {"f": 0.5}}),
        (attempt("b"), 0.25, {"miss": "wrong_answer", "boundary": "model"}),
        (agents(), 0.0, {"miss": "step_limit", "boundary": "model"}),
        (attempt("lost", reply=None, failure=lost), None, {"boundary": "infrastructure", "why": "lost"}),
        (attempt("filtered", reply=None, failure=filtered), 0.0, {"boundary": "model", "miss": "decode"}),
    ]
    names = list(dict.fromkeys(one.sample for one, _, _ in outcomes))
    samples = [sample(name) for name in names]
    target = AgentTarget(environment="sums", plan=((ToolCall(name="add", arguments={"x": 1}),),))
    samples[names.index("agent")] = sample("agent").model_copy(update={"target": target})
    write_atomic(folder / SAMPLES, "".join(one.model_dump_json() + "\n" for one in samples))
    with Journal(folder / ATTEMPTS) as attempts, Journal(folder / SCORES) as scores:
        for one, value, more in outcomes:
            attempts.append(one)
            scores.append(score(one, value, **more))
    write_record(folder / MANIFEST, manifest(folder.name, status))
    write_record(folder / SUMMARY, summary(folder.name, len(samples)))
    return folder


def manifest(run: str, status: str) -> Manifest:
    return Manifest.model_validate(
        {
            "run": run,
            "job": "j",
            "started_at": "2026-10-01T10:00:00+00:00",
            "ended_at": "2026-10-01T10:01:00+00:00",
            "harness_version": "0",
            "commit": None,
            "dirty": None,
            "config": {
                "model": {"generation": {"temperature": 0.0, "max_tokens": 64, "stop": ["END"]}},
                "suite": {"categories": ["sums"]},
            },
            "config_hash": "c" * 64,
            "suite": "sums",
            "suite_hash": "s" * 64,
            "model": "m",
            "protocol": "constrained",
            "machine": MachineFacts(system="x", cpu="y", cores=2, memory_bytes=None, python="3.11"),
            "packages": {"numpy": "2"},
            "seed": 3,
            "status": status,
        }
    )


def summary(run: str, n: int) -> Summary:
    nothing = {name: None for name, field in Summary.model_fields.items() if field.is_required()}
    told = {
        "run": run, "suite": "sums", "suite_hash": "s" * 64, "model": "m", "model_title": "M",
        "protocol": "constrained", "backend": "llamacpp", "trials": 2, "started_at": "2026-10-01T10:00:00+00:00",
        "complete": True, "n_planned": 2 * n, "n_samples": n, "n_scored": 5, "n_failed": 1, "n_model_failures": 1,
        "n_not_run": 0, "by_category": {}, "misses": {}, "failures": {},
    }  # fmt: skip
    return Summary.model_validate(nothing | told)


@pytest.fixture
def run(tmp_path: Path) -> StoredRun:
    return read_run(write_run(tmp_path / "run"))


@pytest.fixture
def log(run: StoredRun) -> EvalLog:
    out = run.folder / "export"
    out.mkdir()
    return read_eval_log(str(export_inspect(run.folder, out)), resolve_attachments="full")


def told(log: EvalLog, name: str, epoch: int = 1) -> EvalSample:
    return next(one for one in log.samples or [] if (one.id, one.epoch) == (name, epoch))


def test_the_log_comes_back_with_values_usage_and_texts(run: StoredRun, log: EvalLog) -> None:
    asker = Asker("harness/m", "m", "constrained", "llamacpp", seed=0)
    scores = {(one.sample, one.trial): one.value for one in run.scores}

    for original in run.attempts:
        back = told(log, original.sample, original.trial + 1)
        value = None if not back.scores else back.scores["text"].value
        assert value == scores[original.sample, original.trial]
        if original.reply is not None:
            expected = original.model_copy(update={"steps": tuple(without_ids(original.steps))})
            read = attempt_of(back, asker)
            assert read.model_copy(update={"steps": tuple(without_ids(read.steps))}) == expected


def without_ids(steps: tuple[Step, ...]) -> list[Step]:
    """Steps as they are but for what Inspect has no place for: whether a tool that failed had run."""
    return [
        step.model_copy(update={"results": tuple(one.model_copy(update={"ran": True}) for one in step.results)})
        for step in steps
    ]


def test_the_spec_says_what_was_run(log: EvalLog) -> None:
    spec = log.eval

    assert log.status == "success"
    assert (spec.task, spec.model, spec.run_id, spec.dataset.samples) == ("sums", "harness/m", "run", 5)
    assert (spec.model_generate_config.max_tokens, spec.model_generate_config.stop_seqs) == (64, ["END"])
    assert spec.config.epochs == 2
    assert (spec.metadata or {})["suite_hash"] == "s" * 64


def test_metrics_are_those_that_inspect_computes(log: EvalLog) -> None:
    reduced = [
        SampleScore(score=InspectScore(value=value), sample_id=name)
        for name, value in {"a": 0.5, "agent": 0.0, "b": 0.25, "filtered": 0.0}.items()
    ]
    assert log.results is not None
    (found,) = log.results.scores

    assert found.metrics["accuracy"].value == accuracy()(reduced)  # type: ignore[arg-type]
    assert found.metrics["stderr"].value == stderr()(reduced)  # type: ignore[arg-type]
    assert (found.scored_samples, found.unscored_samples) == (4, 1)


def test_messages_and_events_tell_an_agents_steps(log: EvalLog) -> None:
    agent = told(log, "agent")

    assert [message.role for message in agent.messages] == ["system", "user", "assistant", "tool", "assistant", "tool"]
    assert [event.event for event in agent.events] == ["model", "tool", "model", "tool", "score"]
    assert agent.messages[3].text == LONG
    assert agent.limit is not None
    assert agent.model_usage["harness/m"].total_tokens == 35
    assert "add" in str(agent.target)


def test_timing_is_in_the_outputs_metadata(log: EvalLog) -> None:
    assert (told(log, "a").output.metadata or {})["ttft_s"] == 0.1
    assert told(log, "a").working_time == 0.6


def test_a_decoded_call_is_a_call(log: EvalLog) -> None:
    (call,) = told(log, "a", 2).output.message.tool_calls or []

    assert (call.function, call.arguments) == ("add", {"x": 1})


def test_what_was_lost_has_an_error_and_no_score(log: EvalLog) -> None:
    lost, filtered = told(log, "lost"), told(log, "filtered")

    assert lost.error is not None
    assert (lost.error.message, lost.scores) == ("no end within 2 s", None)
    assert filtered.error is None
    assert filtered.scores is not None
    assert filtered.scores["text"].value == 0


def test_parts_and_reasons_go_with_the_score(log: EvalLog) -> None:
    given = (told(log, "a", 2).scores or {})["text"]

    assert given.explanation == "6, not 5"
    assert given.metadata == {"parts": {"f": 0.5}, "miss": "wrong_answer", "boundary": "model"}


@pytest.mark.parametrize(
    ("ours", "theirs"), [("interrupted", "cancelled"), ("failed", "error"), ("stopped", "cancelled")]
)
def test_how_the_run_ended_is_how_the_log_ends(tmp_path: Path, ours: str, theirs: str) -> None:
    assert eval_log(read_run(write_run(tmp_path / "run", ours))).status == theirs


def test_inspects_own_readers_list_stream_and_summarise_it(log: EvalLog, run: StoredRun) -> None:
    folder = str(run.folder / "export")

    (listed,) = list_eval_logs(folder)
    streamed = list(read_eval_log_samples(listed, all_samples_required=False))
    summaries = read_eval_log_sample_summaries(listed)

    assert len(streamed) == len(summaries) == 6


def test_the_writer_is_found_by_name(run: StoredRun, tmp_path: Path) -> None:
    assert writer("inspect")(run.folder, tmp_path).suffix == ".eval"
