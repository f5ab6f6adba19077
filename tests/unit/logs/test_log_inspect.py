"""Inspect logs, made by Inspect itself."""

import random
from pathlib import Path
from typing import Any

import pytest

from harness.logs.reading import detect, read_logs
from harness.records.logs import LogRecord

pytest.importorskip("inspect_ai", reason="needs the extra suites")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluation of two samples: the model calls a tool, then answers."""
    from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalSample, EvalSpec, write_eval_log
    from inspect_ai.scorer import Score

    spec = EvalSpec(
        run_id="run1",
        eval_id="eval1",
        created="2025-08-01T16:19:20+00:00",
        task="weather",
        dataset=EvalDataset(),
        model="mockllm/model",
        config=EvalConfig(),
    )
    samples = [
        EvalSample(
            id=name,
            epoch=1,
            uuid=f"sample-{name}",
            input="Weather?",
            target=target,
            events=_events(),
            scores={"includes": Score(value=value)},
        )
        for name, target, value in [("one", "Rain", "C"), ("two", "Sun", "I")]
    ]
    file = tmp_path_factory.mktemp("inspect") / "weather.eval"
    write_eval_log(EvalLog(eval=spec, status="success", samples=samples), str(file))
    return file


def _events() -> list[Any]:
    from inspect_ai.event import ModelEvent
    from inspect_ai.model import (
        ChatCompletionChoice,
        ChatMessageAssistant,
        ChatMessageTool,
        ChatMessageUser,
        GenerateConfig,
        ModelOutput,
        ModelUsage,
    )
    from inspect_ai.tool import ToolInfo, ToolParams
    from inspect_ai.util import JSONSchema

    called = ModelOutput.for_tool_call("mockllm/model", "weather", {"city": "Riga"}, tool_call_id="c1")
    answered = ModelOutput(
        model="mockllm/model",
        choices=[ChatCompletionChoice(message=ChatMessageAssistant(content="Rain."), stop_reason="stop")],
        usage=ModelUsage(input_tokens=10, input_tokens_cache_read=80, output_tokens=12, total_tokens=102),
        time=1.5,
    )
    asked = ChatMessageUser(content="Weather?")
    result = ChatMessageTool(content="rain in Riga", tool_call_id="c1", function="weather")
    tool = ToolInfo(
        name="weather",
        description="Weather of a city",
        parameters=ToolParams(properties={"city": JSONSchema(type="string")}, required=["city"]),
    )
    return [
        ModelEvent(
            model="mockllm/model",
            input=messages,
            tools=[tool],
            tool_choice="auto",
            config=GenerateConfig(temperature=0.5, stop_seqs=["END"]),
            output=output,
            uuid=f"event{n}",
        )
        for n, (messages, output) in enumerate(
            [([asked], called), ([asked, called.choices[0].message, result], answered)]
        )
    ]


def _records(log: Path) -> list[LogRecord]:
    return [one.item.record for one in read_logs([str(log)]) if one.item.record]


def test_each_model_event_is_a_call_of_its_sample(log: Path) -> None:
    records = _records(log)

    assert detect(log).name == "inspect"
    assert [(record.session or "").split("/", 1)[1] for record in records] == ["one/1", "one/1", "two/1", "two/1"]
    assert [record.step for record in records] == [0, 1, 0, 1]
    assert [record.outcome for record in records] == [1.0, 1.0, 0.0, 0.0]
    assert {record.outcome_by for record in records} == {"includes"}


def test_calls_results_and_tools_are_in_normal_form(log: Path) -> None:
    first, second = _records(log)[:2]

    assert first.reply is not None
    (call,) = first.reply["tool_calls"]
    assert (call["name"], call["arguments"]) == ("weather", '{"city":"Riga"}')
    assert second.messages[2] == {
        "role": "tool",
        "content": "rain in Riga",
        "name": "weather",
        "tool_call_id": call["id"],
    }
    assert second.reply is not None
    assert second.reply["content"] == "Rain."
    assert first.tools[0]["name"] == "weather"
    assert first.tools[0]["parameters"]["required"] == ["city"]


def test_input_tokens_are_counted_with_the_cached_ones(log: Path) -> None:
    usage = _records(log)[1].usage

    assert (usage.prompt_tokens, usage.cached_tokens, usage.output_tokens) == (90, 80, 12)


def test_a_damaged_log_is_a_problem(log: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.eval"
    broken.write_bytes(log.read_bytes()[:-300])

    (one,) = read_logs([str(broken)])

    assert str(one.item.problem).startswith("no Inspect log: ")


def test_an_imported_log_is_not_read_again(log: Path) -> None:
    assert list(read_logs([str(log)], after={str(log): log.stat().st_size})) == []


def test_parameters_and_latency_are_kept(log: Path) -> None:
    record = _records(log)[1]

    assert record.params == {"temperature": 0.5, "stop": ["END"], "tool_choice": "auto"}
    assert (record.latency_s, record.latency_kind) == (1.5, "end_to_end")


@pytest.mark.parametrize("suffix", [".eval", ".json"])
def test_no_damage_to_a_log_escapes_the_books(suffix: str, log: Path, tmp_path: Path) -> None:
    from inspect_ai.log import read_eval_log, write_eval_log

    pick = random.Random(suffix)
    whole = tmp_path / f"whole{suffix}"
    write_eval_log(read_eval_log(str(log)), str(whole))
    raw = whole.read_bytes()
    file = tmp_path / f"damaged{suffix}"
    for _ in range(40):
        at = pick.randrange(len(raw))
        file.write_bytes(
            raw[:at] + pick.choice((b"", b"\xff", b"0", b'"x"', b"null")) + raw[at + pick.choice((1, 2, 30)) :]
        )

        items = [one.item for one in read_logs([str(file)], "inspect")]

        assert items
        assert all((item.record is None) != (item.problem is None and item.skipped is None) for item in items)
        assert not any("unforeseen" in (item.problem or "") for item in items)
