"""How long clustering takes and how much memory it needs, over made-up calls whose tasks are known.

`python -m benchmarks.cluster_scale --calls 100000 1000000 --nodes 8` makes a folder of curated calls for each size,
runs `do=cluster` on it in a process of its own, and writes cluster_scale.json: seconds, peak memory, bytes of the
folder, and the adjusted Rand index between the tasks that were planted and those that were found.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from sklearn.metrics import adjusted_rand_score

from harness.records import Usage
from harness.records.call import Call, Reference
from harness.records.curated import CuratedManifest
from harness.store.calls import CALLS, CONTENTS, CallWriter, sha256_of

TASKS = 200
WORDS_OF_A_TASK, WORDS_OF_ALL = 24, 4_000
START = 1_767_571_200.0
SYLLABLES = (
    "ba",
    "ke",
    "li",
    "mo",
    "nu",
    "ra",
    "so",
    "ti",
    "ve",
    "zu",
    "dar",
    "fen",
    "gil",
    "hop",
    "jun",
    "kas",
    "lem",
)


def planted(count: int, nodes: int, seed: int = 0) -> Iterator[tuple[str, Call]]:
    """Calls with their task: some tasks a hundred times as frequent as others, six words of the task, five of all."""
    draw = random.Random(seed)
    words = sorted({"".join(draw.choices(SYLLABLES, k=3)) for _ in range(3 * WORDS_OF_ALL)})
    draw.shuffle(words)
    common = words[:WORDS_OF_ALL]
    own = [draw.sample(words[WORDS_OF_ALL:], WORDS_OF_A_TASK) for _ in range(TASKS)]
    often = [1 / (1 + task / 2) for task in range(TASKS)]
    tools = [tuple({"name": f"tool_{node}_{place}"} for place in range(3)) for node in range(nodes)]
    for number, task in enumerate(draw.choices(range(TASKS), often, k=count)):
        node = task % nodes
        text = draw.sample(own[task], 6) + draw.choices(common, k=5)
        draw.shuffle(text)
        yield f"t{task}", _call(number, node, f"{' '.join(text)} {number}", tools[node], task % 3 == 0)


def _call(number: int, node: int, text: str, tools: tuple[dict[str, str], ...], acts: bool) -> Call:
    said: dict[str, Any] = {"role": "assistant", "content": f"An answer of desk {node}, long enough to read as one."}
    if acts:
        said = {"role": "assistant", "tool_calls": [{"id": "x", "name": tools[0]["name"], "arguments": "{}"}]}
    system = f"You are desk {'ABCDEFGHIJKLMNOP'[node]} of a shop. Be brief. Never promise what was not granted."
    return Call(
        id=f"{number:032x}",
        record=f"record-{number}",
        messages=({"role": "system", "content": system}, {"role": "user", "content": text}),
        reference=Reference(said, "incumbent", 1),
        split="train",
        duplicate_group=f"g{number}",
        tools=tools,
        session=f"s{number // 3}",
        step=0,
        at=START + number % 100 * 86_400.0,
        usage=Usage(prompt_tokens=100, output_tokens=10),
        latency_s=0.5,
        cost_usd=0.01,
    )


def make_folder(folder: Path, count: int, nodes: int) -> list[str]:
    """A folder of curated calls; the planted task of each."""
    folder.mkdir(parents=True, exist_ok=True)
    tasks = []
    with CallWriter(folder) as writer:
        for task, call in planted(count, nodes):
            writer.add(call)
            tasks.append(task)
    manifest = CuratedManifest(
        name=folder.name,
        source="made up",
        records_hash="0",
        settings={},
        redaction={},
        read=count,
        kept=count,
        dropped=(),
        splits={"train": count, "calibration": 0, "test": 0},
        split_weights={"train": count, "calibration": 0, "test": 0},
        groups=count,
        largest_group=1,
        files={name: sha256_of(folder / name) for name in (CALLS, CONTENTS)},
        made="2026-01-05T00:00:00+00:00",
        harness="0",
    )
    (folder / "manifest.json").write_text(manifest.model_dump_json())
    return tasks


def measured(count: int, nodes: int, embedding: str, scratch: Path) -> dict[str, Any]:
    """What `do=cluster` took, in a process of its own, and how much of what was planted it found."""
    name = f"calls{count}n{nodes}"
    tasks = make_folder(scratch / name, count, nodes)
    asked = [f"cluster.calls={scratch / name}", f"cluster.out={scratch / 'clusters'}", f"cluster.embedding={embedding}"]
    command = [sys.executable, "-m", "harness", "do=cluster", *asked, "cluster.fresh=true", "progress=off"]
    load, before, began = os.getloadavg()[0], _child_s(), time.perf_counter()
    subprocess.run([*command, f"paths.reports={scratch / 'reports'}"], check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - began
    table = pq.read_table(scratch / "clusters" / name / "assignments.parquet").to_pydict()
    found = dict(zip(table["call"], table["cluster"], strict=True))
    labels = [found[f"{number:032x}"] for number in range(count)]
    book = json.loads((scratch / "clusters" / name / "clusters.json").read_text())
    return {
        "calls": count,
        "nodes": nodes,
        "embedding": embedding,
        "wall_s": round(wall, 1),
        "cpu_s": round(_child_s() - before, 1),
        "peak_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10,
        "folder_mb": sum((scratch / name / file).stat().st_size for file in (CALLS, CONTENTS)) >> 20,
        "load_before": round(load, 1),
        "tasks": sum(not one["noise"] and one["rows"] > 0 for one in book["clusters"]),
        "coverage": book["coverage"],
        "ari": round(float(adjusted_rand_score(tasks, labels)), 4),
    }


def _child_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Sizes from the smallest on: the peak of a child is the highest of all that have ended."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--calls", type=int, nargs="+", default=[10_000, 100_000])
    asked.add_argument("--nodes", type=int, default=8)
    asked.add_argument("--embedding", default="tfidf")
    asked.add_argument("--scratch", type=Path, default=Path("cluster_scale"))
    options = asked.parse_args()
    found = []
    for count in sorted(options.calls):
        found.append(measured(count, options.nodes, options.embedding, options.scratch))
        print(json.dumps(found[-1]), flush=True)
    (options.scratch / "cluster_scale.json").write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
