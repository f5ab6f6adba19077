"""The real logs and exports beside the checkout: every call and every generation is accounted for."""

import gzip
import lzma
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from harness.logs.reading import detect, read_logs
from harness.records.logs import LogRecord

_DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not _DATA.is_dir(), reason="needs ../shared/data"),
]
_KEYS = {"role", "content", "tool_calls", "tool_call_id", "name", "reasoning"}


def _records(file: str) -> list[LogRecord]:
    items = list(read_logs([str(_DATA / file)]))
    assert [one.item for one in items if one.item.record is None] == []
    return [one.item.record for one in items if one.item.record is not None]


def _lines(file: str) -> list[dict[str, Any]]:
    opened = (lzma if file.endswith("xz") else gzip).open(_DATA / file)
    with opened as stream:
        return [orjson.loads(line) for line in stream]


@pytest.mark.parametrize(("file", "calls"), [("dev.jsonl.xz", 3587), ("sample500.jsonl.xz", 500)])
def test_every_logged_call_is_read_as_it_was_logged(file: str, calls: int) -> None:
    records, logged = _records(file), _lines(file)

    assert len(records) == len({record.id for record in records}) == calls
    for record, line in zip(records, logged, strict=True):
        assert [one["role"] for one in record.messages] == [one["role"] for one in line["request"]["messages"]]
        assert record.session == line["trace_id"]
        assert record.step == line["step"]
        assert record.latency_s == line.get("latency_s")
        assert record.cost_usd == line.get("cost_usd")
        assert (record.outcome is None) == ("outcome" not in line)
        assert len(record.tools) == len(line["request"].get("tools") or ())
        assert all(set(message) <= _KEYS for message in record.messages)
        usage = line["response"].get("usage") or {}
        assert record.usage.prompt_tokens == usage.get("prompt_tokens")


def test_arguments_of_logged_calls_are_the_logged_text() -> None:
    said = Counter[str]()
    for record, line in zip(_records("sample500.jsonl.xz"), _lines("sample500.jsonl.xz"), strict=True):
        message = line["response"]["choices"][0]["message"]
        logged = [call["function"]["arguments"] for call in message.get("tool_calls") or ()]
        assert record.reply is not None
        assert [call["arguments"] for call in record.reply.get("tool_calls", ())] == logged
        said["calls"] += len(logged)

    assert said["calls"] > 100


def test_calls_to_seventeen_providers_are_read() -> None:
    records = _records("formats_pydantic_chat.jsonl.gz")

    assert len(records) == 358
    assert all(record.reply is not None for record in records)
    assert {record.latency_kind for record in records} == {"service", None}


def test_calls_in_the_two_other_protocols_are_read() -> None:
    records, logged = _records("formats_pydantic_raw.jsonl.gz"), _lines("formats_pydantic_raw.jsonl.gz")

    assert Counter(record.source for record in records) == {"anthropic": 279, "responses": 265}
    for record, line in zip(records, logged, strict=True):
        response = line.get("response")
        answered = response is not None and bool(response.get("output") or response.get("content"))
        assert (record.reply is not None) == answered
        assert (record.failure is not None) == (line["status"] >= 400)


def test_tool_results_answer_calls_that_were_made_before() -> None:
    lost = 0
    for record in _records("formats_pydantic_raw.jsonl.gz"):
        called = {call.get("id") for message in record.messages for call in message.get("tool_calls", ())}
        lost += sum(message["role"] == "tool" and message["tool_call_id"] not in called for message in record.messages)

    # what was asked in a stored conversation stands in an earlier request
    assert lost < 20


def test_every_generation_of_the_langfuse_exports_is_accounted_for() -> None:
    sorts: Counter[str] = Counter()
    generations = 0
    files = sorted((_DATA / "formats_langfuse").iterdir())
    for file in files:
        observations = orjson.loads(file.read_bytes())["observations"]
        generations += sum(one["type"] == "GENERATION" for one in observations)
        items = [one.item for one in read_logs([str(file)])]
        assert detect(file).name == "langfuse"
        assert len(items) == len(observations)
        sorts.update("kept" if item.record else item.skipped or f"problem: {item.problem}" for item in items)

    assert len(files) == 24
    others = sum(count for rule, count in sorts.items() if rule.endswith(" observation"))
    assert generations == sum(sorts.values()) - others == 48
    assert {rule: count for rule, count in sorts.items() if not rule.endswith(" observation")} == {
        "kept": 43,
        "the same call is logged by the generation around it": 2,
        "a generation around those that made the calls": 1,
        "a generation without its input": 2,
    }


def test_langfuse_calls_keep_tools_calls_and_results() -> None:
    kept: dict[str, list[LogRecord]] = {}
    for one in read_logs([str(_DATA / "formats_langfuse")]):
        if one.item.record is not None:
            kept.setdefault(Path(one.file).name.split("-20")[0], []).append(one.item.record)

    assert {name for name, records in kept.items() if any(record.tools for record in records)} >= {
        "agno", "csharp-agent-with-gemini", "google-adk", "google-vertex-tools-langchain", "langgraph",
        "langgraph-python",
        "microsoft-agent", "openai-agents", "pydantic-ai-tools", "vercel-aisdk",
    }  # fmt: skip
    called = {
        name for name, records in kept.items() if any((record.reply or {}).get("tool_calls") for record in records)
    }
    assert called >= {"agno", "claude-agent", "google-adk", "koog", "langgraph-js", "openai-agents", "vercel-aisdk"}
    answers = {name for name, records in kept.items() if any(m["role"] == "tool" for r in records for m in r.messages)}
    assert answers >= {"koog", "langgraph-js", "microsoft-agent", "openai-agents", "pydantic-ai-tools", "google-adk"}
    assert all(record.step is not None and record.session for records in kept.values() for record in records)
