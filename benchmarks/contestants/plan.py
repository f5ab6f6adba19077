"""What every contestant is told, and the loop that those without one of their own are run in."""

import asyncio
import json
import resource
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Question:
    """One request with the reply that the server gives to it."""

    messages: list[dict[str, str]]
    reply: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Where to call, what to ask, how much at once."""

    url: str
    """Up to and including /v1."""
    concurrency: int
    chunks: int
    small: int
    large: int
    material: Path
    """Folder with questions.json and samples.jsonl."""
    scratch: Path
    """Folder for whatever a contestant writes."""

    def questions(self, number: int) -> list[Question]:
        """So many questions, those of the material over and over."""
        found = [Question(**one) for one in json.loads((self.material / "questions.json").read_text())]
        return list(islice(cycle(found), number))


@dataclass(frozen=True, slots=True)
class Told:
    """What a contestant knows of its own run beyond what can be seen from outside."""

    wall_s: float | None = None
    """Seconds that the calls took by its own report."""
    in_flight_cpu_s: float | None = None
    """CPU seconds from the first call to the last, without what it does once they are over."""


def cpu_s() -> float:
    """CPU seconds of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def read_plan(path: Path) -> Plan:
    data: dict[str, Any] = json.loads(path.read_text())
    return Plan(**data | {"material": Path(data["material"]), "scratch": Path(data["scratch"])})


def peak_mb() -> float:
    """The most memory that this process has had at once since `forget_peak`, or since its start.

    Linux: VmHWM, since ru_maxrss there starts from what the parent had.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (2**20 if sys.platform == "darwin" else 2**10)


def forget_peak() -> None:
    """Lowers the peak to what is in use now, where the system can (Linux)."""
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")


def check(said: str, question: Question) -> None:
    """Raises if the reply is not the one that the server gives."""
    if said != question.reply:
        raise RuntimeError(f"a reply came back wrong: {said[:80]!r} instead of {question.reply[:80]!r}")


async def in_flight(questions: list[Question], concurrency: int, call: Callable[[Question], Awaitable[None]]) -> None:
    """Makes the calls, so many at once."""
    left = iter(questions)

    async def worker() -> None:
        for question in left:
            await call(question)

    await asyncio.gather(*(worker() for _ in range(concurrency)))
