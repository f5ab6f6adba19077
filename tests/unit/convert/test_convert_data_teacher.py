"""A teacher is asked by the ordinary runner, once, and only its right answers are learned."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.config import (
    EndpointConfig,
    HardwareConfig,
    LlamaCppConfig,
    LoraConfig,
    ModelConfig,
    PriceConfig,
    RunConfig,
    RunnerConfig,
    SuiteConfig,
    WeightsConfig,
)
from harness.config.convert import ConvertData
from harness.convert.data import prepare
from harness.convert.data.answers import Answer
from harness.convert.data.files import read_rows
from harness.convert.data.making import labels_of
from harness.convert.data.teacher import Lesson, choose
from harness.convert.data.tokens import _refuse_too_large
from harness.errors import BackendError, ConfigError
from harness.records import ReplayTarget, ToolCall
from tests.support.convert_samples import asked, setup, shop
from tests.support.openai_server import Step, error, reply, serve_in_thread


def teacher(url: str, **more: object) -> RunConfig:
    price = PriceConfig(input_usd_per_mtok=1.0, output_usd_per_mtok=2.0, as_of="2026-01-01")
    fields: dict[str, object] = {"name": "big", "title": "Big", "licence": "x", "protocol": "prompted", "price": price}
    return RunConfig(
        do="run",
        suite=SuiteConfig(name="x"),
        model=ModelConfig.model_validate({**fields, "url": url, "hosted": True, **more}),
        backend=EndpointConfig(name="endpoint", check=False),
        hardware=HardwareConfig(name="none", title="None"),
        run=RunnerConfig(warmup=0, retries=0, order="suite"),
    )


def right_for_even(_number: int, body: dict[str, object]) -> Sequence[Step]:
    """The right call where the number of the order is even, another item elsewhere."""
    messages = body["messages"]
    assert isinstance(messages, list)
    question = messages[-1]["content"]
    sample = next(one for one in shop(40, 0) if one.messages[0].content == question)
    assert isinstance(sample.target, ReplayTarget)
    (call,) = sample.target.references[0].calls
    even = int(str(call.arguments["order"])[1:]) % 2 == 0
    said = {"name": call.name, "arguments": call.arguments if even else {**call.arguments, "item": "anvil"}}
    return reply(json.dumps(said), prompt_tokens=100)


TAUGHT = ConvertData(teacher="big", labels=("teacher", "incumbent"), validation=0)


def test_only_right_answers_are_learned_and_the_cost_is_counted(tmp_path: Path) -> None:
    samples = [asked(n) for n in range(12)]
    even = sum(n * 7919 % 100_000 % 2 == 0 for n in range(12))
    data = TAUGHT.model_copy(update={"labels": ("teacher", "human"), "near": None})

    with serve_in_thread(right_for_even) as server:
        manifest = prepare(data, samples, setup(teacher=teacher(server.url)), tmp_path)

    assert {one.name: one.train for one in manifest.sources} == {"teacher:big": even, "human": 12 - even}
    assert (manifest.teacher, manifest.teacher_calls, manifest.teacher_kept) == ("big", 12, even)
    assert manifest.teacher_wrong == 12 - even
    assert manifest.teacher_usd == pytest.approx(12 * (100 * 1.0 + 1 * 2.0) / 1e6)
    assert manifest.teacher_tokens == 12 * 101


def test_answers_are_written_as_the_student_has_to_write_them(tmp_path: Path) -> None:
    def native(_number: int, _body: dict[str, object]) -> Sequence[Step]:
        return reply('{"name": "no_call"}')

    with serve_in_thread(native) as server:
        given = setup("native", teacher=teacher(server.url))
        prepare(TAUGHT.model_copy(update={"teacher_keep": "all"}), shop(2, 0), given, tmp_path)

    rows = read_rows(tmp_path / "train.jsonl")
    assert {one.source for one in rows} == {"teacher:big"}
    assert all(one.tools is not None and "tool_calls" not in one.reply for one in rows)


def test_what_was_asked_is_not_asked_again(tmp_path: Path) -> None:
    samples = [asked(n) for n in range(4)]
    with serve_in_thread(right_for_even) as server:
        prepare(TAUGHT, samples, setup(teacher=teacher(server.url)), tmp_path / "data")
        (tmp_path / "data" / "dataset.json").unlink()

        again = prepare(TAUGHT, samples, setup(teacher=teacher(server.url)), tmp_path / "data")

        assert len(server.bodies) == 4
    assert again.teacher_calls == 4


def test_a_teacher_that_is_not_there_is_no_data_set(tmp_path: Path) -> None:
    def down(_number: int, _body: dict[str, object]) -> Sequence[Step]:
        return error(500, {"error": {"message": "out of order"}})

    with serve_in_thread(down) as server, pytest.raises(BackendError):
        prepare(TAUGHT, shop(4, 0), setup(teacher=teacher(server.url)), tmp_path)

    assert not (tmp_path / "dataset.json").exists()


A, B = (Answer((ToolCall(name="f", arguments={"a": n}),), None, "teacher:big") for n in (1, 2))


@pytest.mark.parametrize(
    ("lessons", "keep", "referenced", "expected"),
    [
        ([Lesson(A, 0.0), Lesson(B, 1.0)], "scored", False, (B, True)),
        ([Lesson(A, 0.0), Lesson(A, 0.0), Lesson(B, 1.0)], "agreeing", False, (A, False)),
        ([Lesson(A, 0.0), Lesson(A, 0.0), Lesson(B, 1.0)], "agreeing", True, (B, True)),
        ([Lesson(A, 0.0), Lesson(B, 0.0), Lesson(None, 0.0)], "agreeing", False, None),
        ([Lesson(A, None), Lesson(B, None)], "agreeing", False, None),
        ([Lesson(None, 0.0), Lesson(B, 0.0)], "all", False, (B, False)),
        ([Lesson(B, 0.0)], "all", True, None),
        ([], "all", False, None),
    ],
    ids=["scored", "most agree", "a reference decides", "all differ", "one each", "readable", "not right", "nothing"],
)
def test_which_answer_is_kept(
    lessons: list[Lesson], keep: str, referenced: bool, expected: tuple[Answer, bool] | None
) -> None:
    assert choose(lessons, keep, referenced=referenced) == expected  # type: ignore[arg-type]


def test_a_teacher_comes_first_where_its_place_is_not_named() -> None:
    assert labels_of(ConvertData(teacher="big", labels=("human",))) == ("teacher", "human")
    assert labels_of(ConvertData(teacher="big", labels=("human", "teacher"))) == ("human", "teacher")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (ConvertData(labels=("teacher",)), "convert.data.teacher names none"),
        (ConvertData(distill="logits"), "needs a teacher"),
        (ConvertData(teacher="big", teacher_keep="agreeing"), "convert.data.teacher_trials=3"),
        (ConvertData(teacher="big", top_k=4), "convert.data.top_k is of a teacher's probabilities"),
        (ConvertData(teacher="big", temperature=2.0), "type convert.data.distill=logits"),
    ],
    ids=["no teacher", "no logits", "one answer", "tokens", "temperature"],
)
def test_settings_without_effect_are_refused(data: ConvertData, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        labels_of(data)


def test_logits_of_a_hosted_teacher_are_refused_with_the_reason(tmp_path: Path) -> None:
    data = ConvertData(teacher="big", distill="logits", validation=0)

    with pytest.raises(ConfigError, match="big is served elsewhere"):
        prepare(data, shop(), setup(teacher=teacher("http://127.0.0.1:1/v1")), tmp_path)


def test_a_teacher_with_an_adapter_beside_it_is_no_weights_to_weigh_by(tmp_path: Path) -> None:
    lora = LlamaCppConfig(name="llamacpp", lora=(LoraConfig(path="adapter.gguf"),))
    local = ModelConfig(name="big", title="Big", licence="x", weights=WeightsConfig(path="big.gguf"))
    asked_with = teacher("http://127.0.0.1:1/v1").model_copy(update={"model": local, "backend": lora})
    data = ConvertData(teacher="big", distill="logits", validation=0)

    with pytest.raises(ConfigError, match="has an adapter beside its base; export it merged"):
        prepare(data, shop(), setup(teacher=asked_with), tmp_path)


def test_a_teacher_that_memory_does_not_hold_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    header = json.dumps({"__metadata__": {}, "w": {"dtype": "BF16", "shape": [1_000_000, 1_000_000]}}).encode()
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)

    with pytest.raises(BackendError, match=r"the teacher big needs about 4400\.\d GB .* take a smaller teacher"):
        _refuse_too_large(tmp_path, "big")
