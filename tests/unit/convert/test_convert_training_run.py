"""The starter's side: what it reads of a child at work, what it judges, and what it says of its end."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from harness.convert.files import file_of
from harness.convert.training.child_process import run_child
from harness.convert.training.judge import Judge, heard
from harness.convert.training.run import _Watch, kept_result
from harness.errors import BackendError
from harness.records import Message, Sample, Tool
from harness.records.convert import TrainPlan, TrainPoint, TrainResult
from harness.records.manifest import WeightFacts
from harness.records.target import AcceptedCall, ToolTarget
from harness.runner.facts import machine_facts
from harness.scorers.bfcl import BfclScorer

TOOL = Tool(
    name="look_up",
    parameters={"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]},
)


def sample(name: str, order: str) -> Sample:
    target = ToolTarget(expect="calls", calls=(AcceptedCall(name="look_up", arguments={"order": (order,)}),))
    asked = (Message(role="user", content="Where is it?"),)
    return Sample(id=name, category="c", messages=asked, tools=(TOOL,), target=target, scorer="bfcl")


@pytest.fixture
def judge() -> Judge:
    samples = {"row1": sample("s1", "A1"), "row2": sample("s2", "B2")}
    return Judge(BfclScorer(), samples, "prompted")


def call(order: str) -> str:
    return json.dumps({"name": "look_up", "arguments": {"order": order}})


def test_the_metric_is_the_share_that_the_scorer_finds_right(judge: Judge) -> None:
    assert judge.metric([("row1", call("A1")), ("row2", call("A1"))]) == 0.5


def test_what_cannot_be_read_is_wrong_and_not_left_out(judge: Judge) -> None:
    assert judge.metric([("row1", call("A1")), ("row2", '{"name": "look_up", "arg')]) == 0.5


def test_rows_that_nobody_knows_have_no_metric(judge: Judge) -> None:
    assert judge.metric([("row9", call("A1"))]) is None


def test_a_native_call_is_heard_between_its_tags() -> None:
    reply = heard(f"<tool_call>{call('A1')}</tool_call>", "native")

    assert [(one.name, json.loads(one.arguments)) for one in reply.tool_calls] == [("look_up", {"order": "A1"})]
    assert reply.content is None


def test_a_prompted_call_stays_text() -> None:
    assert heard(call("A1"), "prompted").content == call("A1")


def test_points_are_told_once_and_half_a_line_is_left_for_later(tmp_path: Path) -> None:
    told: list[TrainPoint] = []
    watch = _Watch(tmp_path, None, told.append)
    whole = '{"step": 5, "loss": 1.5}\n'

    (tmp_path / "progress.jsonl").write_text(whole + '{"step": 10, "lo')
    watch()
    (tmp_path / "progress.jsonl").write_text(whole + '{"step": 10, "loss": 1.0}\n')
    watch()
    watch()

    assert [(one.step, one.loss) for one in told] == [(5, 1.5), (10, 1.0)]


def test_a_metric_at_a_step_that_was_told_is_told_too(tmp_path: Path) -> None:
    told: list[TrainPoint] = []
    watch = _Watch(tmp_path, None, told.append)
    file = tmp_path / "progress.jsonl"

    file.write_text('{"step": 5, "loss": 1.5}\n')
    watch()
    file.write_text('{"step": 5, "loss": 1.5}\n{"step": 5, "metric": 0.5}\n')
    watch()

    assert [(one.loss, one.metric) for one in told] == [(1.5, None), (None, 0.5)]


def test_the_child_is_answered_with_the_metric(tmp_path: Path, judge: Judge) -> None:
    folder = tmp_path / "evaluation"
    folder.mkdir()
    said = [{"id": "row1", "text": call("A1")}, {"id": "row2", "text": call("B2")}]
    (folder / "replies-40.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in said))

    _Watch(tmp_path, judge, lambda _: None)()

    assert json.loads((folder / "score-40.json").read_text()) == {"metric": 1.0}


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="this Python has torch")
def test_a_python_without_torch_is_told_what_to_type(tmp_path: Path) -> None:
    order = {"out": str(tmp_path), "processes": 1, "probe": 0}

    with pytest.raises(BackendError, match="make train-env"):
        run_child(Path(sys.executable), order, lambda: None)


@pytest.fixture
def result(tmp_path: Path) -> TrainResult:
    base = WeightFacts(file="base", bytes=1, sha256="0" * 64)
    plan = TrainPlan(
        key="k", method="lora", base=base, base_folder="base", data_key="d", seed=0, learning_rate=1e-3, epochs=1.0,
        batch=8, max_tokens=64, dtype="bfloat16", device="cpu",
    )  # fmt: skip
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_model.safetensors").write_bytes(b"weights")
    files = (file_of(adapter, adapter / "adapter_model.safetensors"),)
    made = TrainResult(
        plan=plan, status="complete", steps=1, seconds=1.0, machine=machine_facts(), folder="adapter", files=files
    )
    (tmp_path / "result.json").write_text(made.model_dump_json())
    return made


def test_a_whole_result_of_the_same_plan_is_kept(tmp_path: Path, result: TrainResult) -> None:
    assert kept_result(result.plan, tmp_path) == result


def test_a_result_of_another_plan_is_trained_anew(tmp_path: Path, result: TrainResult) -> None:
    assert kept_result(result.plan.model_copy(update={"key": "other"}), tmp_path) is None


def test_a_result_whose_weights_were_changed_is_trained_anew(tmp_path: Path, result: TrainResult) -> None:
    (tmp_path / "adapter" / "adapter_model.safetensors").write_bytes(b"other w")

    assert kept_result(result.plan, tmp_path) is None
