"""A made-up agent's log as a file: JSON lines of OpenAI-shaped calls, with times, sessions and usage."""

import json
from pathlib import Path
from typing import Any

START = 1_767_225_600
TOOL = {
    "type": "function",
    "function": {"name": "find_order", "parameters": {"type": "object", "properties": {"id": {"type": "string"}}}},
}
_WORDS = ("amber", "basil", "cedar", "delta", "ember", "fjord", "grape", "hazel", "ivory", "jolly", "karma", "lemon")


def line(number: int, *, gap_s: float = 10.0, session: str | None = None) -> dict[str, Any]:
    """A call: every other one uses a tool, the rest answers in words. No two ask alike."""
    words = " ".join(_WORDS[(number * 7 + place * (3 + number % 5)) % len(_WORDS)] + str(number) for place in range(20))
    called = {
        "id": f"c{number}",
        "type": "function",
        "function": {"name": "find_order", "arguments": f'{{"id":"{number}"}}'},
    }
    message: dict[str, Any] = {"role": "assistant", "content": f"All is well with {words}."}
    if number % 2:
        message = {"role": "assistant", "content": None, "tool_calls": [called]}
    return {
        "timestamp": START + number * gap_s,
        "trace_id": session or f"s{number}",
        "step": 0,
        "agent": "support",
        "model": "big-1",
        "request": {
            "model": "big-1",
            "messages": [
                {"role": "system", "content": "You are the support agent of a shop."},
                {"role": "user", "content": f"What of {words}?"},
            ],
            "tools": [TOOL],
        },
        "response": {
            "choices": [{"message": message, "finish_reason": "tool_calls" if number % 2 else "stop"}],
            "usage": {"prompt_tokens": 100 + number, "completion_tokens": 10},
        },
        "latency_s": 0.5,
    }


def write_log(file: Path, calls: int = 30, *, gap_s: float = 10.0) -> Path:
    """The file, with so many calls."""
    file.write_text("".join(json.dumps(line(number, gap_s=gap_s)) + "\n" for number in range(calls)))
    return file
