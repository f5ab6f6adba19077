"""Whole sessions on record: their steps read from a file, and what is said of all of them together."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.backends.recorded import Recorded
from harness.config import ModelConfig, RecordedConfig
from harness.errors import DataError
from harness.measure import e2e_s
from harness.records import Attempt, Sample, Score
from harness.runner.tally import Tally
from tests.support.specimens.trajectory import STEPS, session

MODEL = {"name": "m", "title": "M", "licence": "none", "protocol": "native"}
CALL = {"tool_calls": [{"name": "find_order", "arguments": {"id": "A1"}}], "latency_s": 1.5, "cost_usd": 0.5}
WORDS = {"content": "Done.", "latency_s": 0.25, "usage": {"prompt_tokens": 10, "completion_tokens": 2}}


def read(tmp: Path, **line: Any) -> Attempt:
    (tmp / "answers.jsonl").write_text(json.dumps({"id": "s", **line}))
    config = RecordedConfig(name="recorded", path=str(tmp / "answers.jsonl"))
    (found,) = Recorded(config, ModelConfig.model_validate(MODEL)).attempts()
    return found


def test_steps_are_read_each_as_an_answer(tmp_path: Path) -> None:
    attempt = read(tmp_path, steps=[CALL, WORDS])

    assert [step.reply.content for step in attempt.steps] == [None, "Done."]
    assert attempt.steps[0].reply.tool_calls[0].arguments == '{"id":"A1"}'
    assert (attempt.reply, attempt.ended, attempt.origin) == (attempt.steps[1].reply, "answered", "recorded")


def test_times_and_tokens_are_sums_over_the_steps(tmp_path: Path) -> None:
    attempt = read(tmp_path, steps=[CALL, WORDS])

    assert (e2e_s(attempt.timing), attempt.usage.prompt_tokens) == (1.75, 10)
    assert attempt.recorded_cost_usd is None  # the second step has none


def test_a_time_that_one_step_lacks_is_no_time_and_not_zero(tmp_path: Path) -> None:
    attempt = read(tmp_path, steps=[CALL, {"content": "Done."}])
    sample: Sample = session(*STEPS)
    tally = Tally()

    tally.add(sample, attempt, Score(sample="s", category="c", scorer="trajectory", value=0.0, miss="no_answer"))

    assert e2e_s(attempt.timing) is None
    assert list(tally.measured["task"]) == []
    assert list(tally.measured["e2e"]) == [1.5]


def test_a_failure_beside_the_steps_is_the_end_of_the_session(tmp_path: Path) -> None:
    attempt = read(tmp_path, steps=[CALL], failure={"kind": "context_overflow", "message": "too long"})

    assert attempt.failure is not None
    assert (attempt.failure.kind, attempt.ended, len(attempt.steps)) == ("context_overflow", None, 1)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ({"steps": []}, '"steps" is empty'),
        ({"steps": ["Done."]}, "an object was expected, seen: str"),
        ({"steps": [{"failure": "timeout"}, WORDS]}, "a step has no reply"),
    ],
    ids=["empty", "text", "failure"],
)
def test_steps_that_make_no_sense_are_told_with_their_line(tmp_path: Path, line: dict[str, Any], why: str) -> None:
    with pytest.raises(DataError, match=f"answers.jsonl line 1 .*{why}"):
        read(tmp_path, **line)
