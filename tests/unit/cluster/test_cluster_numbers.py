"""What clustering reaches on labelled real data, labels hidden."""

import csv
import gzip
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from harness.cluster.build import build
from harness.cluster.features import features_of
from harness.cluster.folder import Kept
from harness.cluster.nodes import find_nodes
from harness.cluster.vectors import embedding_named
from harness.config import ClusterOptions
from harness.logs.normal import messages_of, reply_of
from harness.records.call import Call, Reference
from tests.support.planted_calls import call

DATA = Path(__file__).parents[4] / "shared" / "data"
DEV, BANKING = DATA / "dev.jsonl.xz", DATA / "bench" / "banking77_{}.csv.gz"


def dev_calls() -> Iterator[Call]:
    with lzma.open(DEV) as lines:
        for place, line in enumerate(lines):
            logged: dict[str, Any] = orjson.loads(line)
            asked = logged["request"]
            tools = [tool.get("function", tool) for tool in asked.get("tools") or ()]
            yield Call(
                id=str(place),
                record=logged["agent"],
                messages=tuple(messages_of(asked["messages"])),
                reference=Reference(reply_of(logged["response"]["choices"][0]["message"]) or {}, "incumbent", 1),
                split="train",
                duplicate_group=str(place),
                tools=tuple({"name": tool["name"]} for tool in tools),
            )


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.skipif(not DEV.is_file(), reason="needs ../shared/data/dev.jsonl.xz")
def test_the_nodes_of_nine_real_agents_are_recovered_without_their_names() -> None:
    agents: list[str] = []

    def seen() -> Iterator[Call]:
        for one in dev_calls():
            agents.append(one.record)
            yield one

    nodes = find_nodes(features_of(seen()))

    labels = [0] * len(agents)
    for number, node in enumerate(nodes):
        for row in node.rows:
            labels[row] = number
    assert adjusted_rand_score(agents, labels) >= 0.95


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.model
@pytest.mark.skipif(not Path(str(BANKING).format("test")).is_file(), reason="needs ../shared/data/bench/banking77_*")
@pytest.mark.parametrize("part", ["test", "train"])
@pytest.mark.parametrize(
    ("algorithm", "k", "nmi", "ari"),
    [
        ("kmeans", 77, 0.795, 0.52),
        ("agglomerative", 77, 0.795, 0.52),
        ("kmeans", None, 0.75, 0.40),
        ("hdbscan", None, 0.75, 0.40),
    ],
)
def test_intents_of_banking77_are_found(part: str, algorithm: str, k: int | None, nmi: float, ari: float) -> None:
    with gzip.open(str(BANKING).format(part), "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    calls = [call(place, row["text"]) for place, row in enumerate(rows)]
    options = ClusterOptions.model_validate({"calls": "x", "algorithm": algorithm, "k": k, "stability": 0})

    built = build(features_of(calls), options, embedding_named("minilm"), Kept())

    intents = [row["category"] for row in rows]
    found = [built.kept.assigned[one.id] for one in calls]
    assert len(built.book.nodes) == 1
    assert normalized_mutual_info_score(intents, found) >= nmi
    assert adjusted_rand_score(intents, found) >= ari
