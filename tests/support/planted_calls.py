"""Calls made up for clustering: planted tasks of two agents, with drift and noise, and the folder that holds them."""

import random
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.records import Usage
from harness.records.call import Call, Reference
from harness.records.curated import CuratedManifest
from harness.store.calls import CALLS, CONTENTS, CallWriter, sha256_of

WEEK = 7 * 86_400.0
START = 1_767_571_200.0
"""2026-01-05, a Monday."""
TOPICS = {
    "card": "card lost stolen block replacement pin bank plastic",
    "flight": "flight airport booking luggage seat gate boarding pilot",
    "recipe": "recipe oven flour butter sugar bake dough cake",
    "garden": "garden soil seeds watering roses pruning compost lawn",
}
TOOLS = ({"name": "lookup"}, {"name": "answer"})


def call(
    number: int,
    text: str,
    *,
    system: str | None = None,
    tools: Sequence[str] = (),
    action: str = "text",
    at: float = START,
) -> Call:
    """One call with a system message and a user's text."""
    reply = {"role": "assistant", "content": "Here is a longer answer that tells the person what to do about it next."}
    if action != "text":
        reply = {"role": "assistant", "tool_calls": [{"id": "x", "name": action, "arguments": "{}"}]}  # type: ignore[dict-item]
    messages = [{"role": "system", "content": system}] if system is not None else []
    return Call(
        id=f"call-{number:05d}",
        record=f"record-{number}",
        messages=(*messages, {"role": "user", "content": text}),
        reference=Reference(reply, "incumbent", 1),
        split="train",
        duplicate_group=f"g{number}",
        tools=tuple({"name": name} for name in tools),
        session=f"s{number}",
        step=0,
        at=at,
        usage=Usage(prompt_tokens=100, output_tokens=10),
        latency_s=0.5,
        cost_usd=0.01,
    )


def planted(
    topics: Iterable[str], each: int, *, first: int = 0, system: str = "You help people."
) -> list[tuple[str, Call]]:
    """Calls with the topic that they are of, in turn; five words of the topic and one of no topic in each."""
    draw = random.Random(first)
    names = list(topics)
    found = []
    for place in range(each * len(names)):
        topic = names[place % len(names)]
        words = [*draw.sample(TOPICS[topic].split(), 5), draw.choice(["please", "today", "again", "maybe"])]
        at = START + WEEK * (place * 4 // (each * len(names)))
        found.append((topic, call(first + place, " ".join(words), system=system, at=at)))
    return found


def write_folder(folder: Path, calls: Iterable[Call]) -> Path:
    """A curated folder with these calls."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    with CallWriter(folder) as writer:
        for one in calls:
            writer.add(one)
            count += 1
    manifest = CuratedManifest(
        name=folder.name,
        source="logstore",
        records_hash="0",
        settings={},
        redaction={},
        read=count,
        kept=count,
        dropped=(),
        splits={"train": count, "calibration": 0, "test": 0},
        split_weights={"train": count, "calibration": 0, "test": 0},
        groups=count,
        largest_group=min(1, count),
        files={name: sha256_of(folder / name) for name in (CALLS, CONTENTS)},
        made="2026-01-05T00:00:00+00:00",
        harness="0",
    )
    (folder / "manifest.json").write_text(manifest.model_dump_json())
    return folder
