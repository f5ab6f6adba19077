"""Spans and observations: which of them are calls, and where their messages stand."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from harness.logs.formats.base import Item
from harness.logs.reading import read_logs
from harness.records.logs import LogRecord
from tests.support import log_lines as lines


def _read(folder: Path, entry: Any) -> list[Item]:
    file = folder / "log.json"
    file.write_bytes(orjson.dumps(entry, option=orjson.OPT_INDENT_2))
    return [one.item for one in read_logs([str(file)])]


def _one(folder: Path, entry: Any) -> LogRecord:
    (item,) = _read(folder, entry)
    assert item.record is not None, item
    return item.record


def _span(**held: Any) -> dict[str, Any]:
    return lines.otel_document(lines.otel_span(lines.attributes(**held)))


def test_span_gives_its_conversation_parent_and_duration(tmp_path: Path) -> None:
    record = _one(tmp_path, lines.otel_document(lines.otel_span(lines.otel_current())))

    assert (record.session, record.parent, record.span) == ("conv1", "eee19b7ec3c1b173", "eee19b7ec3c1b174")
    assert (record.latency_s, record.latency_kind, record.at) == (2.0, "end_to_end", 1754065160.5)
    assert record.params == {"temperature": 0.0, "stop": ["END"]}
    assert (record.agent, record.provider) == ("shop", "openai")


def test_prompt_n_attributes_are_read(tmp_path: Path) -> None:
    held: dict[str, Any] = {
        "gen_ai__request__model": "gpt-4o",
        "gen_ai__prompt__0__role": "user",
        "gen_ai__prompt__0__content": "hi",
        "gen_ai__prompt__10__role": "tool",
        "gen_ai__prompt__10__content": "rain",
        "gen_ai__prompt__10__tool_call_id": "c1",
        "gen_ai__prompt__2__role": "assistant",
        "gen_ai__prompt__2__tool_calls__0__name": "weather",
        "gen_ai__prompt__2__tool_calls__0__id": "c1",
        "gen_ai__prompt__2__tool_calls__0__arguments": "{}",
        "gen_ai__completion__0__role": "assistant",
        "gen_ai__completion__0__content": "Rain.",
        "gen_ai__completion__0__finish_reason": "stop",
        "gen_ai__usage__prompt_tokens": 9,
        "llm__request__functions__0__name": "weather",
        "llm__request__functions__0__parameters": "{}",
        "llm__request__type": "chat",
    }

    record = _one(tmp_path, _span(**held))

    assert record.messages == (
        {"role": "user", "content": "hi"},
        {"role": "assistant", "tool_calls": [{"id": "c1", "name": "weather", "arguments": "{}"}]},
        {"role": "tool", "content": "rain", "tool_call_id": "c1"},
    )
    assert record.reply == {"role": "assistant", "content": "Rain.", "finish_reason": "stop"}
    assert record.tools == ({"name": "weather", "parameters": {}},)
    assert record.usage.prompt_tokens == 9


def test_open_inference_attributes_are_read(tmp_path: Path) -> None:
    held: dict[str, Any] = {
        "openinference__span__kind": "LLM",
        "llm__model_name": "gpt-4o",
        "llm__invocation_parameters": {"temperature": 0.5, "model": "gpt-4o"},
        "llm__input_messages__0__message__role": "user",
        "llm__input_messages__0__message__contents__0__message_content__type": "text",
        "llm__input_messages__0__message__contents__0__message_content__text": "hi",
        "llm__output_messages__0__message__role": "assistant",
        "llm__output_messages__0__message__tool_calls__0__tool_call__id": "c1",
        "llm__output_messages__0__message__tool_calls__0__tool_call__function__name": "weather",
        "llm__output_messages__0__message__tool_calls__0__tool_call__function__arguments": '{"city": "Riga"}',
        "llm__tools__0__tool__json_schema": lines.TOOL,
        "llm__token_count__prompt": 9,
        "session__id": "s1",
        "user__id": "u7",
    }

    record = _one(tmp_path, _span(**held))

    assert record.messages == ({"role": "user", "content": "hi"},)
    assert record.reply == {"role": "assistant", "tool_calls": lines.NORMAL[2]["tool_calls"]}
    assert record.tools[0]["name"] == "weather"
    assert record.params == {"temperature": 0.5}
    assert (record.session, record.user, record.usage.prompt_tokens) == ("s1", "u7", 9)


def test_older_events_are_read(tmp_path: Path) -> None:
    def event(name: str, **held: Any) -> dict[str, Any]:
        return {"name": name, "timeUnixNano": "1754065160500000000", "attributes": lines.attributes(**held)}

    events = [
        event("gen_ai.system.message", content="Be brief."),
        event("gen_ai.user.message", content="hi"),
        event("gen_ai.choice", index=0, finish_reason="stop", message={"role": "assistant", "content": "Rain."}),
    ]
    held = lines.attributes(gen_ai__system="openai", gen_ai__operation__name="chat", gen_ai__request__model="gpt-4o")

    record = _one(tmp_path, lines.otel_document(lines.otel_span(held, events=events)))

    assert record.messages == ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"})
    assert record.reply == {"role": "assistant", "content": "Rain.", "finish_reason": "stop"}


def test_vercel_spans_are_read_and_the_outer_one_skipped(tmp_path: Path) -> None:
    inner = lines.attributes(
        ai__operationId="ai.streamText.doStream",
        ai__model__id="gpt-5",
        ai__prompt__messages=[{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        ai__response__toolCalls=[{"toolCallId": "c1", "toolName": "weather", "input": '{"city": "Riga"}'}],
        ai__response__finishReason="tool-calls",
        ai__response__msToFirstChunk=250,
        ai__usage__promptTokens=9,
    )
    outer = lines.attributes(ai__operationId="ai.streamText", ai__model__id="gpt-5", ai__prompt='{"prompt": "hi"}')

    items = _read(tmp_path, lines.otel_document(lines.otel_span(inner), lines.otel_span(outer, spanId="aa")))

    assert items[1].skipped == "no generation: the span around one"
    record = items[0].record
    assert record is not None
    assert record.reply == {
        "role": "assistant",
        "tool_calls": lines.NORMAL[2]["tool_calls"],
        "finish_reason": "tool_calls",
    }
    assert record.ttft_s == 0.25


@pytest.mark.parametrize(
    ("held", "rule"),
    [
        ({"gen_ai__operation__name": "embeddings", "gen_ai__request__model": "e"}, "embedding call"),
        ({"gen_ai__operation__name": "execute_tool", "gen_ai__tool__name": "f"}, "no generation: a tool span"),
        ({"gen_ai__operation__name": "invoke_agent", "gen_ai__request__model": "m"}, "no generation: an agent span"),
        ({"http__request__method": "GET"}, "no generation: span 'chat gpt-4.1' names no model"),
        ({"gen_ai__operation__name": "chat", "gen_ai__request__model": "m"}, "a call whose content was not captured"),
    ],
)
def test_spans_that_are_no_calls_are_skipped_by_rule(held: dict[str, Any], rule: str, tmp_path: Path) -> None:
    (item,) = _read(tmp_path, _span(**held))

    assert item.skipped == rule


def test_failed_span_names_its_error(tmp_path: Path) -> None:
    status = {"code": 2, "message": "timed out"}
    held = [*lines.otel_current(), *lines.attributes(error__type="Timeout")]

    record = _one(tmp_path, lines.otel_document(lines.otel_span(held, status=status)))

    assert record.failure is not None
    assert (record.failure.kind, record.failure.message) == ("Timeout", "timed out")


def test_agents_and_conversations_of_a_trace_hold_for_its_calls(tmp_path: Path) -> None:
    agent = lines.otel_span(
        lines.attributes(gen_ai__operation__name="invoke_agent", gen_ai__agent__name="planner"),
        spanId="eee19b7ec3c1b173",
        parentSpanId="eee19b7ec3c1b173",
    )

    items = _read(tmp_path, lines.otel_document(agent, lines.otel_span(lines.otel_current())))

    assert items[1].record is not None
    assert items[1].record.agent == "planner"


def test_log_record_with_the_details_of_a_call_is_one(tmp_path: Path) -> None:
    told = {
        "eventName": "gen_ai.client.inference.operation.details",
        "timeUnixNano": "1754065160500000000",
        "traceId": "5b8efff798038103d269b633813fc60c",
        "spanId": "eee19b7ec3c1b174",
        "attributes": lines.otel_current(),
    }

    record = _one(tmp_path, {"resourceLogs": [{"scopeLogs": [{"logRecords": [told]}]}]})

    assert record.messages[1] == {"role": "user", "content": "Weather in Riga?"}
    assert record.at == 1754065160.5


def test_observation_gives_its_session_user_times_and_cost(tmp_path: Path) -> None:
    record = _one(tmp_path, lines.langfuse_trace(lines.langfuse_observation()))

    assert (record.session, record.user, record.agent, record.parent) == ("s1", "u7", "support", "span1")
    assert (record.latency_s, record.ttft_s, record.cost_usd) == (2.0, 0.5, 0.002)
    assert record.step == 0


def test_observations_by_their_type_and_those_without_input_are_skipped(tmp_path: Path) -> None:
    trace = lines.langfuse_trace(
        lines.langfuse_observation(type="SPAN"),
        lines.langfuse_observation(type="EMBEDDING"),
        lines.langfuse_observation(input=None, output=None),
        lines.langfuse_observation(type="OTHER"),
    )

    items = _read(tmp_path, trace)

    assert [item.skipped for item in items[:3]] == [
        "no generation: span observation",
        "embedding call",
        "a generation without its input",
    ]
    assert items[3].problem == "type 'OTHER' is no observation's"


def test_of_two_generations_that_hold_one_call_one_is_kept(tmp_path: Path) -> None:
    outer = lines.langfuse_observation(id="outer", input="system: Be brief.\nuser: hi")
    inner = lines.langfuse_observation(parentObservationId="outer")

    items = _read(tmp_path, lines.langfuse_trace(outer, inner))

    assert items[0].skipped == "a generation around those that made the calls"
    assert items[1].record is not None


def test_the_one_score_of_a_trace_is_the_outcome(tmp_path: Path) -> None:
    scores = [{"name": "solved", "value": 1, "source": "ANNOTATION"}]

    record = _one(tmp_path, lines.langfuse_trace(lines.langfuse_observation(), scores=scores))

    assert (record.outcome, record.outcome_by) == (1.0, "human")


def test_blob_storage_rows_with_underscores_are_read(tmp_path: Path) -> None:
    row = {
        "id": "o1",
        "trace_id": "t1",
        "type": "GENERATION",
        "name": "chat",
        "start_time": "2025-08-01 16:19:20.500",
        "end_time": "2025-08-01 16:19:22.500",
        "provided_model_name": "gpt-4.1",
        "input": '[{"role": "user", "content": "hi"}]',
        "output": '{"role": "assistant", "content": "ho"}',
        "usage_details": {"input": 3, "output": 1, "total": 4},
        "cost_details": {"total": 0.001},
    }

    record = _one(tmp_path, row)

    assert record.messages == ({"role": "user", "content": "hi"},)
    assert (record.model, record.latency_s, record.cost_usd, record.session) == ("gpt-4.1", 2.0, 0.001, "t1")
