"""Each format gives the same call in the same normal form, and keeps what its log says beside it."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from harness.logs.formats.base import Item
from harness.logs.reading import read_logs
from harness.records.logs import LogRecord
from tests.support import log_lines as lines


def _read(folder: Path, *entries: Any, format: str | None = None) -> list[Item]:
    file = folder / "log.jsonl"
    file.write_bytes(b"\n".join(orjson.dumps(entry) for entry in entries))
    return [one.item for one in read_logs([str(file)], format)]


def _one(folder: Path, entry: Any, format: str | None = None) -> LogRecord:
    (item,) = _read(folder, entry, format=format)
    assert item.problem is None, item.problem
    assert item.record is not None
    return item.record


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("openai", lines.chat_line()),
        ("responses", lines.responses_line()),
        ("flywheel", lines.flywheel_line()),
        ("litellm", lines.litellm_line()),
        ("otel", lines.otel_document(lines.otel_span(lines.otel_current()))),
        ("langfuse", lines.langfuse_trace(lines.langfuse_observation())),
    ],
)
def test_a_call_reads_the_same_in_every_format(name: str, entry: Any, tmp_path: Path) -> None:
    record = _one(tmp_path, entry)

    assert record.source == name
    assert [{**one, **_canonical(one)} for one in record.messages] == [
        {**one, **_canonical(one)} for one in lines.NORMAL
    ]
    assert record.tools[0]["name"] == "weather"
    assert record.tools[0]["parameters"] == lines.SCHEMA
    assert record.reply is not None
    assert record.reply["content"] == "Rain."
    assert (record.usage.prompt_tokens, record.usage.cached_tokens, record.usage.output_tokens) == (90, 64, 12)


def _canonical(message: dict[str, Any]) -> dict[str, Any]:
    """Calls with their arguments as objects: a log that has them as an object leaves no spaces."""
    calls = message.get("tool_calls", [])
    return {"tool_calls": [{**call, "arguments": orjson.loads(call["arguments"])} for call in calls]} if calls else {}


def test_line_of_the_shared_format_keeps_what_stands_around_the_call(tmp_path: Path) -> None:
    record = _one(tmp_path, lines.chat_line(outcome={"reward": 1.0, "task_id": "7"}, latency_source="timestamp_delta"))

    assert (record.session, record.step, record.agent, record.at) == ("t1", 3, "support", 1754065160.0)
    assert (record.latency_s, record.latency_kind, record.cost_usd) == (1.25, "end_to_end", 0.002)
    assert (record.outcome, record.outcome_by) == (1.0, "verified")
    assert record.params == {"temperature": 0}
    assert (record.model, record.answered_by) == ("gpt-4.1", "gpt-4.1-2025-04-14")
    assert record.extra["outcome"]["task_id"] == "7"


def test_what_a_server_says_of_its_own_time_is_service_latency(tmp_path: Path) -> None:
    record = _one(tmp_path, lines.chat_line(latency_source="openai-processing-ms"))

    assert record.latency_kind == "service"


def test_human_chat_and_answers_from_a_cache_are_told(tmp_path: Path) -> None:
    record = _one(tmp_path, lines.chat_line(human_chat=True, cached=True, provider="api.example.com"))

    assert (record.human_chat, record.cached, record.provider) == (True, True, "api.example.com")


def test_fields_of_another_shape_beside_the_call_are_kept_beside_it(tmp_path: Path) -> None:
    record = _one(tmp_path, lines.chat_line(user={"id": "u7"}, cost_usd={"total": 0.1}))

    assert (record.user, record.cost_usd) == (None, None)
    assert record.extra == {"user": {"id": "u7"}, "cost_usd": {"total": 0.1}}


def test_what_a_log_does_not_say_is_none(tmp_path: Path) -> None:
    record = _one(tmp_path, {"messages": [{"role": "user", "content": "hi"}], "completion": "ho"})

    assert record.reply == {"role": "assistant", "content": "ho"}
    said = (
        record.at,
        record.session,
        record.step,
        record.latency_s,
        record.latency_kind,
        record.cost_usd,
        record.cached,
    )
    assert said == (None,) * 7
    assert record.usage.prompt_tokens is None
    assert record.outcome is None


def test_arguments_may_be_an_object(tmp_path: Path) -> None:
    call = {"id": "c1", "function": {"name": "weather", "arguments": {"b": 1, "a": [2]}}}

    record = _one(tmp_path, lines.chat_line(response=lines.chat_response(content=None, tool_calls=[call])))

    assert record.reply is not None
    assert record.reply["tool_calls"] == [{"id": "c1", "name": "weather", "arguments": '{"a":[2],"b":1}'}]


def test_legacy_functions_are_tools_and_calls(tmp_path: Path) -> None:
    request = {
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "1"},
        ],
        "functions": [{"name": "f", "parameters": {}}],
        "function_call": {"name": "f"},
    }

    record = _one(tmp_path, {"request": request, "response": lines.chat_response()})

    assert record.tools == ({"name": "f", "parameters": {}},)
    assert record.messages[1] == {"role": "assistant", "tool_calls": [{"name": "f", "arguments": "{}"}]}
    assert record.messages[2] == {"role": "tool", "content": "1", "name": "f"}
    assert record.params["tool_choice"] == {"type": "function", "function": {"name": "f"}}


def test_parts_stay_parts_only_where_there_is_more_than_text(tmp_path: Path) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:x"}}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "user", "content": [{"type": "text", "text": "a"}, picture]},
    ]

    record = _one(tmp_path, {"messages": messages, "completion": "c"})

    assert record.messages[0]["content"] == "a\nb"
    assert record.messages[1]["content"] == [{"type": "text", "text": "a"}, picture]


def test_refusal_and_reasoning_are_kept(tmp_path: Path) -> None:
    answer = lines.chat_response(content=None, refusal="No.", reasoning_content="Hm.")

    record = _one(tmp_path, lines.chat_line(response=answer))

    assert record.reply is not None
    assert record.reply["content"] == [{"type": "refusal", "refusal": "No."}]
    assert record.reply["reasoning"] == "Hm."


def test_further_choices_are_further_replies(tmp_path: Path) -> None:
    answer = lines.chat_response()
    answer["choices"].append(
        {"index": 1, "message": {"role": "assistant", "content": "Sun."}, "finish_reason": "length"}
    )

    record = _one(tmp_path, lines.chat_line(response=answer))

    assert record.more_replies == ({"role": "assistant", "content": "Sun.", "finish_reason": "length"},)


def test_error_answer_is_a_failure_with_its_status(tmp_path: Path) -> None:
    error = {"error": {"type": "rate_limit_error", "message": "slow down"}}

    record = _one(tmp_path, lines.chat_line(response=error, status=429))

    assert record.failure is not None
    assert (record.failure.kind, record.failure.message, record.failure.status) == (
        "rate_limit_error",
        "slow down",
        429,
    )
    assert record.reply is None


def test_error_beside_the_response_is_the_failure_too(tmp_path: Path) -> None:
    record = _one(tmp_path, {"request": lines.chat_request(), "response": None, "error": "timed out", "status": 504})

    assert record.failure is not None
    assert (record.failure.message, record.failure.status) == ("timed out", 504)


def test_request_and_response_may_be_logged_as_text(tmp_path: Path) -> None:
    texts = {
        "request": orjson.dumps(lines.chat_request()).decode(),
        "response": orjson.dumps(lines.chat_response()).decode(),
    }

    record = _one(tmp_path, {**texts, "timestamp": 1754065160123})

    assert record.messages == lines.NORMAL
    assert record.at == 1754065160.123


def test_gemini_calls_are_read_in_pairs_too(tmp_path: Path) -> None:
    request = {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": {}}]}],
    }
    content = {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 1}}}]}
    response = {
        "candidates": [{"content": content, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 3, "thoughtsTokenCount": 2},
    }

    record = _one(tmp_path, {"request": request, "response": response})

    assert record.messages == ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"})
    assert record.reply is not None
    assert record.reply["tool_calls"] == [{"name": "f", "arguments": '{"a":1}'}]
    assert (record.usage.prompt_tokens, record.usage.output_tokens, record.usage.reasoning_tokens) == (5, 5, 2)


def test_a_reply_cut_by_a_content_filter_has_failed(tmp_path: Path) -> None:
    answer = lines.chat_response()
    answer["choices"][0]["finish_reason"] = "content_filter"

    record = _one(tmp_path, lines.chat_line(response=answer))

    assert record.failure is not None
    assert record.failure.kind == "content_filter"


def test_chunks_of_a_stream_are_put_together(tmp_path: Path) -> None:
    chunks = [
        {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": end}]}
        for delta, end in [
            ({"role": "assistant", "content": "Ra"}, None),
            ({"content": "in."}, None),
            ({"tool_calls": [{"index": 0, "id": "c9", "function": {"name": "f", "arguments": '{"a"'}}]}, None),
            ({"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}, "tool_calls"),
        ]
    ]

    record = _one(tmp_path, lines.chat_line(response=chunks))

    assert record.reply == {
        "role": "assistant",
        "content": "Rain.",
        "tool_calls": [{"id": "c9", "name": "f", "arguments": '{"a":1}'}],
        "finish_reason": "tool_calls",
    }


def test_frugon_and_open_pipe_lines_are_read(tmp_path: Path) -> None:
    frugon = {
        "model": "gpt-4.1",
        "request": {"messages": lines.MESSAGES},
        "response": {"choices": lines.chat_response()["choices"]},
        "usage": lines.USAGE,
        "timestamp": "2025-08-01T16:19:20Z",
    }
    open_pipe = {"input": lines.chat_request(), "output": lines.chat_response(), "tags": {"prompt": "weather"}}

    first, second = (item.record for item in _read(tmp_path, frugon, open_pipe))

    assert first is not None
    assert second is not None
    assert first.messages == second.messages == lines.NORMAL
    assert (first.usage.prompt_tokens, second.usage.prompt_tokens) == (90, 90)
    assert second.extra["tags"] == {"prompt": "weather"}


def test_embeddings_and_moderations_are_skipped_by_rule(tmp_path: Path) -> None:
    embedding = {
        "request": {"model": "text-embedding-3-small", "input": "x"},
        "response": {"object": "list", "data": [{"embedding": [0.1]}]},
    }
    moderation = {"request": {"input": "x"}, "response": {"id": "modr-1", "results": [{"flagged": False}]}}

    items = _read(tmp_path, lines.chat_line(), embedding, moderation)

    assert [item.skipped for item in items] == [None, "embedding call", "moderation call"]


def test_items_of_one_responses_turn_are_one_message(tmp_path: Path) -> None:
    record = _one(tmp_path, lines.responses_line(processing_ms=800))

    assert record.reply == {
        "role": "assistant",
        "content": "Rain.",
        "reasoning": "It rains.",
        "finish_reason": "stop",
    }
    assert record.params["provider_tools"] == [{"type": "web_search"}]
    assert record.params["max_completion_tokens"] == 50
    assert record.tools[0]["strict"] is True
    assert (record.latency_s, record.latency_kind) == (0.8, "service")


def test_anthropic_blocks_become_messages_calls_and_results(tmp_path: Path) -> None:
    record = _one(tmp_path, lines.anthropic_line())

    assert record.messages[0] == {"role": "system", "content": "Be brief."}
    assert record.messages[2] == {
        "role": "assistant",
        "tool_calls": [{"id": "c1", "name": "weather", "arguments": '{"city":"Riga"}'}],
    }
    assert record.messages[3:] == (
        {"role": "tool", "content": "rain", "tool_call_id": "c1"},
        {"role": "user", "content": "So?"},
    )
    assert record.reply == {"role": "assistant", "content": "Rain.", "reasoning": "It rains.", "finish_reason": "stop"}
    assert record.params["tool_choice"] == "required"


def test_anthropic_input_tokens_are_counted_with_the_cached_ones(tmp_path: Path) -> None:
    record = _one(tmp_path, lines.anthropic_line())

    assert (record.usage.prompt_tokens, record.usage.cached_tokens, record.usage.cache_write_tokens) == (90, 64, 16)


def test_one_file_may_mix_the_protocols(tmp_path: Path) -> None:
    items = _read(tmp_path, lines.anthropic_line(), lines.responses_line(), lines.chat_line())

    assert [item.record.source for item in items if item.record] == ["anthropic", "responses", "openai"]


def test_litellm_latency_is_the_whole_call_and_ttft_only_where_it_streamed(tmp_path: Path) -> None:
    whole = _one(tmp_path, lines.litellm_line())
    streamed = _one(tmp_path, lines.litellm_line(stream=True, response_time=0.5))

    assert (whole.latency_s, whole.ttft_s, whole.streamed) == (2.0, None, False)
    assert (streamed.latency_s, streamed.ttft_s, streamed.streamed) == (2.0, 0.5, True)
    assert streamed.latency_kind == "end_to_end"


def test_litellm_answer_from_the_cache_has_no_latency(tmp_path: Path) -> None:
    record = _one(tmp_path, lines.litellm_line(cache_hit=True, response_cost=0.0))

    assert (record.cached, record.latency_s, record.ttft_s, record.cost_usd) == (True, None, None, 0.0)


def test_litellm_failure_says_why(tmp_path: Path) -> None:
    told = {"error_class": "RateLimitError", "error_code": "429", "error_message": "slow down"}

    record = _one(tmp_path, lines.litellm_line(status="failure", response=None, error_information=told))

    assert record.failure is not None
    assert (record.failure.kind, record.failure.status, record.reply) == ("RateLimitError", 429, None)
    assert record.user == "u7"


def test_litellm_embeddings_are_skipped(tmp_path: Path) -> None:
    (item,) = _read(tmp_path, lines.litellm_line(call_type="aembedding"))

    assert item.skipped == "embedding call"


def test_litellm_content_that_was_redacted_is_skipped_by_rule(tmp_path: Path) -> None:
    (item,) = _read(tmp_path, lines.litellm_line(messages=[{"role": "user", "content": "redacted-by-litellm"}]))

    assert item.skipped == "a call whose content litellm was told not to log"


def test_litellm_spend_log_rows_are_read(tmp_path: Path) -> None:
    row = {
        "request_id": "r1",
        "call_type": "acompletion",
        "spend": 0.002,
        "startTime": "2025-08-01T16:19:20Z",
        "endTime": "2025-08-01T16:19:22Z",
        "cache_hit": "False",
        "messages": {},
        "proxy_server_request": lines.chat_request(),
        "response": lines.chat_response(),
        "model": "gpt-4.1",
    }

    record = _one(tmp_path, row)

    assert record.messages == lines.NORMAL
    assert (record.cost_usd, record.latency_s, record.cached, record.span) == (0.002, 2.0, False, "r1")


def test_flywheel_workload_is_the_agent_and_the_client_no_person(tmp_path: Path) -> None:
    record = _one(tmp_path, lines.flywheel_line())

    assert (record.agent, record.user, record.session) == ("router", None, None)
    assert record.extra["client_id"] == "shop"


def test_flywheel_record_without_a_required_key_is_a_problem(tmp_path: Path) -> None:
    broken = lines.flywheel_line()
    del broken["client_id"]

    items = _read(tmp_path, lines.flywheel_line(), broken)

    assert items[1].problem == "the record lacks client_id"


def test_tensorzero_row_is_a_call_of_its_function_in_its_episode(tmp_path: Path) -> None:
    record = _one(tmp_path, lines.tensorzero_line())

    assert record.messages == (*lines.NORMAL[:3], {**lines.NORMAL[3], "name": "weather"})
    assert (record.agent, record.session) == ("answer", "019864f1-0000-7000-8000-000000000000")
    assert (record.latency_s, record.latency_kind) == (1.25, "service")
    assert record.at == pytest.approx(int("019864f10a5c", 16) / 1000)
    assert record.params == {"tool_choice": "auto", "temperature": 0}


def test_tensorzero_json_function_answers_with_its_raw_text(tmp_path: Path) -> None:
    row = lines.tensorzero_line(
        output='{"raw": "{\\"a\\": 1}", "parsed": {"a": 1}}', output_schema='{"type": "object"}'
    )

    record = _one(tmp_path, row)

    assert record.reply == {"role": "assistant", "content": '{"a": 1}'}
    assert record.params["response_format"]["json_schema"]["schema"] == {"type": "object"}
