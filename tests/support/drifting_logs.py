"""Logs whose second half is known: unchanged, or with a new task, a changed tool and a silent drop of quality planted.

`python -m tests.support.drifting_logs DEV.jsonl.xz OUT` writes first.jsonl, same.jsonl and planted.jsonl of a real
log: sessions are put in a random order and given times week by week, so that the second half differs from the first by
chance alone; what is planted is planted on top of it.
"""

import copy
import json
import lzma
import random
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Line = dict[str, Any]
START = 1_767_225_600.0
WEEK_S = 7 * 86_400.0
NEW_TASK = (
    "Hello, I would like to have my parcel gift-wrapped with a greeting card, ribbon colour {}, for order {}.",
    "Can you add gift wrapping and a handwritten birthday card with {} ribbon to order {} before it ships?",
    "Please put order {1} into a gift box with a {0} bow and a congratulation card.",
)
COLOURS = ("red", "blue", "green", "golden", "silver", "white", "purple", "orange")


def shuffled(lines: Iterable[Line], seed: int, weeks: float = 8.0) -> list[list[Line]]:
    """The sessions in a random order, each with times of its own within so many weeks."""
    sessions: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        sessions[str(line["trace_id"])].append(line)
    order = [sessions[name] for name in sorted(sessions)]
    random.Random(seed).shuffle(order)
    step = weeks * WEEK_S / max(1, len(order))
    for place, session in enumerate(order):
        for number, line in enumerate(session):
            line["timestamp"] = datetime.fromtimestamp(START + place * step + 20 * number, UTC).isoformat()
    return order


def halves(order: Sequence[list[Line]]) -> tuple[list[list[Line]], list[list[Line]]]:
    """The first half of the sessions, and the second."""
    middle = len(order) // 2
    return list(order[:middle]), list(order[middle:])


def with_new_task(sessions: Sequence[list[Line]], agent: str, count: int, seed: int) -> list[list[Line]]:
    """The sessions and so many of one call that ask an agent for something that nobody asked before."""
    draw = random.Random(seed)
    example = next(line for session in sessions for line in session if line["agent"] == agent)
    span = [datetime.fromisoformat(session[0]["timestamp"]).timestamp() for session in sessions]
    made = []
    for number in range(count):
        line = copy.deepcopy(example)
        system = [one for one in line["request"]["messages"] if one["role"] == "system"]
        said = draw.choice(NEW_TASK).format(draw.choice(COLOURS), f"#W{draw.randrange(10**6, 10**7)}")
        line["request"]["messages"] = [*system, {"role": "user", "content": said}]
        line["response"]["choices"][0]["message"] = {"role": "assistant", "content": "I will see to the gift wrapping."}
        at = draw.uniform(min(span), max(span))
        line |= {"trace_id": f"gift {number}", "step": 1, "timestamp": datetime.fromtimestamp(at, UTC).isoformat()}
        made.append([line])
    return [*sessions, *made]


def with_changed_tool(sessions: Sequence[list[Line]], agent: str, tool: str) -> None:
    """Gives a tool of an agent a further required property, and takes the type of one that it had for another."""
    for line in (line for session in sessions for line in session if line["agent"] == agent):
        for one in line["request"].get("tools") or ():
            function = one.get("function", one)
            if function.get("name") == tool:
                schema = copy.deepcopy(function["parameters"])
                schema["properties"]["reason_code"] = {"type": "string", "enum": ["damaged", "late", "other"]}
                schema["required"] = [*schema.get("required", []), "reason_code"]
                function["parameters"] = schema


def with_quality_drop(sessions: Sequence[list[Line]], agent: str, share: float, seed: int) -> None:
    """Lets a share of an agent's sessions that ended well end badly; nothing that was said changes."""
    draw = random.Random(seed)
    for session in sessions:
        if any(line["agent"] == agent for line in session) and draw.random() < share:
            for line in session:
                if isinstance(line.get("outcome"), dict):
                    line["outcome"] = {**line["outcome"], "reward": 0.0}


def tools_of(sessions: Iterable[list[Line]], agent: str) -> list[str]:
    """Names of the tools that an agent is offered, sorted."""
    names = {
        one.get("function", one).get("name")
        for session in sessions
        for line in session
        if line["agent"] == agent
        for one in line["request"].get("tools") or ()
    }
    return sorted(name for name in names if name)


def write(file: Path, sessions: Iterable[list[Line]]) -> Path:
    """The sessions as a log, a call a line, by time."""
    lines = sorted((line for session in sessions for line in session), key=lambda line: str(line["timestamp"]))
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file


def write_real(source: Path, out: Path, seed: int = 0) -> None:
    """first.jsonl, same.jsonl and planted.jsonl of a real log."""
    out.mkdir(parents=True, exist_ok=True)
    with lzma.open(source, "rt", encoding="utf-8") as file:
        first, second = halves(shuffled(map(json.loads, file), seed))
    write(out / "first.jsonl", first)
    write(out / "same.jsonl", second)
    planted = with_new_task(copy.deepcopy(second), "tau2-retail", 60, seed)
    with_changed_tool(planted, "tau2-retail", tools_of(planted, "tau2-retail")[0])
    with_quality_drop(planted, "tau2-airline", 0.9, seed)
    write(out / "planted.jsonl", planted)


if __name__ == "__main__":
    write_real(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
