"""Logged calls made up for tests: an agent's session whose every call repeats its history."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.records import Usage
from harness.records.logs import LogFailure, LogRecord

DAY = 86_400.0
START = 1_767_225_600.0
"""2026-01-01 00:00 UTC."""
SYSTEM = {"role": "system", "content": "You book trains."}
TOOLS = ({"name": "book", "parameters": {"type": "object", "properties": {"to": {"type": "string"}}}},)


def session(name: str, steps: int, *, at: float | None = START, user: str | None = None) -> Iterator[LogRecord]:
    """The calls of one session, in order."""
    history: tuple[dict[str, Any], ...] = (SYSTEM,)
    for step in range(steps):
        history = (*history, {"role": "user", "content": f"{name} asks {step} – grüße"})
        reply = {"role": "assistant", "content": f"{name} is told {step}"}
        yield LogRecord(
            id=f"{name}/{step}",
            source="test",
            messages=history,
            tools=TOOLS,
            params={"temperature": 0.0},
            reply={**reply, "finish_reason": "stop"},
            at=None if at is None else at + step,
            session=name,
            step=step,
            agent="booking",
            user=user,
            model="big-1",
            usage=Usage(prompt_tokens=10 * step, output_tokens=5),
            latency_s=0.5,
            latency_kind="end_to_end",
            cost_usd=0.001,
            extra={"tags": ["a", name]},
        )
        history = (*history, reply)


def odd_calls() -> list[LogRecord]:
    """Calls with what is rare: no messages, a failure, several replies, NUL, no time, a time that is none."""
    return [
        LogRecord(id="bare", source="test", messages=()),
        LogRecord(id="failed", source="test", messages=(SYSTEM,), failure=LogFailure("RateLimit", "slow down", 429)),
        LogRecord(id="several", source="test", messages=(SYSTEM,), reply={"role": "assistant"}, more_replies=(SYSTEM,)),
        LogRecord(id="nul", source="test", messages=({"role": "user", "content": "a\0b"},), at=1e18, cost_usd=0.0),
        LogRecord(id="said", source="test", messages=(), cached=False, streamed=True, human_chat=False, outcome=1.0),
    ]


def openai_line(number: int, session_name: str = "s0", text: str = "hello", user: str | None = None) -> str:
    """A line of an OpenAI request/response log."""
    asked = {"model": "big-1", "messages": [dict(SYSTEM), {"role": "user", "content": f"{text} {number}"}]}
    if user is not None:
        asked["user"] = user
    reply = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": f"answer {number}"}}
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    line = {"timestamp": START + number, "trace_id": session_name, "step": number, "agent": "booking", "request": asked}
    return json.dumps({**line, "response": {"id": f"r{session_name}{number}", "choices": [reply], "usage": usage}})


def write_openai(path: Path, count: int, first: int = 0, **told: Any) -> Path:
    """Writes a log of that many calls."""
    path.write_text("".join(openai_line(number, **told) + "\n" for number in range(first, first + count)))
    return path


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())
