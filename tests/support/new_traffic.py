"""Old and new calls of a made-up shop agent, with their folders: sessions of two calls, topics, a tool, outcomes."""

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.cluster.build import build
from harness.cluster.features import features_of
from harness.cluster.folder import Kept, write_kept
from harness.cluster.vectors import embedding_named
from harness.config import ClusterOptions
from harness.records import Usage
from harness.records.call import Call, Reference
from tests.support.replay_calls import curated, says, uses

START, WEEK = 1_767_571_200.0, 7 * 86_400.0
SYSTEM = "You help the customers of a shop. Be brief. Never promise a refund."
TOPICS = {
    "card": "card lost stolen block replacement pin bank plastic chip wallet",
    "flight": "flight airport booking luggage seat gate boarding pilot ticket cabin",
    "recipe": "recipe oven flour butter sugar bake dough cake yeast tin",
    "garden": "garden soil seeds watering roses pruning compost lawn hedge spade",
}
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}


def traffic(
    sessions: int,
    *,
    first: int = 0,
    at: float = START,
    topics: Sequence[str] = ("card", "flight", "recipe"),
    good: float = 0.9,
    **more: Any,
) -> list[Call]:
    """Calls of so many sessions over four weeks. more: `schema` of the tool, `system`, `model`."""
    draw = random.Random(f"{first} {good}")
    made: list[Call] = []
    for number in range(first, first + sessions):
        topic = topics[number % len(topics)]
        outcome = float(draw.random() < good)
        when = at + (number - first) * 4 * WEEK / sessions
        made += [_call(number, step, topic, draw, outcome, when, more) for step in range(2)]
    return made


def _call(
    number: int, step: int, topic: str, draw: random.Random, outcome: float, when: float, more: dict[str, Any]
) -> Call:  # fmt: skip
    words = [*draw.sample(TOPICS[topic].split(), 6), f"w{draw.randrange(400)}"]
    draw.shuffle(words)
    reply = uses("find_order", '{"id": "1"}') if topic == "card" else says("Here is what you can do about it.")
    return Call(
        id=f"call-{number:05d}-{step}",
        record=f"record-{number}-{step}",
        messages=(
            {"role": "system", "content": more.get("system", SYSTEM)},
            {"role": "user", "content": " ".join(words)},
        ),
        reference=Reference(reply, "incumbent", 1),
        split="test",
        duplicate_group=f"g{number}",
        tools=({"name": "find_order", "parameters": more.get("schema", SCHEMA)},),
        session=f"s{number}",
        step=step,
        agent="shop",
        model=more.get("model", "big-1"),
        at=when + step,
        usage=Usage(prompt_tokens=100, output_tokens=10),
        latency_s=0.5,
        cost_usd=0.01,
        outcome=outcome,
    )


def without_times(calls: Sequence[Call]) -> list[Call]:
    """The calls as a log without times has them."""
    return [replace(call, at=None) for call in calls]


def known_tasks(root: Path, calls: Sequence[Call], name: str = "shop") -> Path:
    """`curated/<name>` with these calls and `clusters/<name>` with their tasks, both below `root`."""
    folder = curated(root / "curated" / name, calls)
    options = ClusterOptions(calls=str(folder), name=name, embedding="tfidf", stability=0, k=3, algorithm="kmeans")
    built = build(features_of(calls), options, embedding_named("tfidf"), Kept())
    clusters = root / "clusters" / name
    write_kept(clusters, built.kept)
    return clusters
