"""Logged calls made up for curating: sessions of an agent with tools, personal data, repeats and failures."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.assets.progress import silent
from harness.config.curate import CurateOptions
from harness.curate.curated import Curated, Source, curate
from harness.curate.redaction import Off
from harness.logs.store.portions import RowFacts
from harness.records import Usage
from harness.records.logs import LogRecord

START = 1_767_225_600.0
SYSTEM = {"role": "system", "content": "You are the support agent of a shop.\nBe brief.\nNever promise a refund."}
TOOLS = ({"name": "find_order", "parameters": {"type": "object", "properties": {"id": {"type": "string"}}}},)
WORDS = [
    *("amber", "basil", "cedar", "delta", "ember", "fjord", "grape", "hazel", "ivory"),
    *("jolly", "karma", "lemon", "mango", "noble", "olive", "pearl", "quilt", "raven"),
]


def said(*numbers: int, words: int = 30) -> str:
    """A text that differs with the numbers."""
    return " ".join(
        WORDS[(sum(numbers) * 7 + place * (3 + numbers[0]) + place**2) % len(WORDS)]
        + str(numbers[place % len(numbers)])
        for place in range(words)
    )


def call(name: str, question: str, *, step: int = 0, at: float | None = START, **more: Any) -> LogRecord:
    """A call with one question and an answer."""
    told: dict[str, Any] = {
        "id": f"{name}/{step}",
        "source": "test",
        "messages": (SYSTEM, {"role": "user", "content": question}),
        "tools": TOOLS,
        "params": {"temperature": 0.0},
        "reply": {"role": "assistant", "content": f"answer to {question[:20]}", "finish_reason": "stop"},
        "at": at,
        "session": name,
        "step": step,
        "agent": "support",
        "model": "big-1",
        "usage": Usage(prompt_tokens=10, output_tokens=5),
        "cost_usd": 0.001,
    }
    return LogRecord(**{**told, **more})


def session(number: int, steps: int = 4, **more: Any) -> Iterator[LogRecord]:
    """The calls of a session, each with the history before it; a tool is called in between."""
    history: tuple[dict[str, Any], ...] = (SYSTEM,)
    for step in range(steps):
        history = (*history, {"role": "user", "content": said(number, step)})
        asked = {"id": f"c{number}-{step}", "name": "find_order", "arguments": f'{{"id": "{number}-{step}"}}'}
        reply = {"role": "assistant", "tool_calls": [asked]}
        yield call(
            f"s{number}", "", step=step, at=START + number * 1000 + step, messages=history,
            reply={**reply, "finish_reason": "tool_calls"}, **more,
        )  # fmt: skip
        result = {"role": "tool", "tool_call_id": asked["id"], "content": said(number, step, 5)}
        history = (*history, reply, result)


def sessions(count: int, steps: int = 4, first: int = 1, **more: Any) -> list[LogRecord]:
    """The calls of many sessions that have nothing but the prompt in common."""
    return [one for number in range(first, first + count) for one in session(number, steps, **more)]


@dataclass(frozen=True)
class HeldReader:
    """Gives records that are held in memory."""

    records: tuple[LogRecord, ...]

    def open(self) -> Callable[[int, int], Iterator[LogRecord]]:
        """Rows are their places."""
        return lambda first, end: iter(self.records[first:end])


@dataclass(frozen=True)
class HeldLog:
    """A log that is held in memory."""

    records: Sequence[LogRecord]

    @property
    def reader(self) -> HeldReader:
        """For this process."""
        return HeldReader(tuple(self.records))

    def noted(self) -> AbstractContextManager[None]:
        """Nobody takes note."""
        return nullcontext()

    def facts(self, text: str) -> Iterator[RowFacts]:
        """What each record tells by itself."""
        for one in self.records:
            extra = json.dumps(one.extra)
            yield RowFacts(
                one.id, one.session, one.user, one.human_chat, one.cached, one.agent, one.model, one.at, one.outcome,
                extra if text in extra else None, len(one.messages),
            )  # fmt: skip

    def names(self, first: int, end: int) -> Iterator[str]:
        """Of sessions, spans and parents."""
        names = (name for one in self.records[first:end] for name in (one.session, one.span, one.parent))
        return (name for name in names if name)


def curated(folder: Path, records: Sequence[LogRecord], name: str = "it", **options: Any) -> Curated:
    """Curates without redaction."""
    chosen = CurateOptions(name=name, out=str(folder), pii="off", i_know=True, **options)
    return curate(Source(HeldLog(records), "test", Off(chosen)), chosen, silent)
