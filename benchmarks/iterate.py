"""How long a look at many new calls takes: `python -m benchmarks.iterate --old 5000 --new 10000 FOLDER`.

Makes curated folders of made-up calls (as benchmarks/cluster_scale.py) and their clusters in FOLDER, looks once to fill
the cache of vectors, then again with a fresh state, each in a process of its own, and prints seconds, processor time
and peak memory. The last look, at the same state, shows what nothing new costs.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.cluster_scale import planted
from harness.records.call import Call
from tests.support.replay_calls import curated


def calls(count: int, nodes: int) -> list[Call]:
    """Made-up calls of the same tasks, four to a session, a minute apart."""
    return [
        replace(call, session=f"s{number // 4}", at=1_767_571_200.0 + 60 * number)
        for number, (_, call) in enumerate(planted(count, nodes))
    ]


def run(words: Sequence[str], where: Path) -> dict[str, float | int]:
    """Runs a command line, and says what it took."""
    began_s, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "harness", *words]
    done = subprocess.run(command, cwd=where, check=False, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in {0, 1}:
        raise SystemExit(done.stderr[-2000:])
    return {
        "seconds": time.perf_counter() - began_s,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_mb": after.ru_maxrss / 1024,
        "exit_code": done.returncode,
    }


def main() -> None:
    """Prints a JSON line for each command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--old", type=int, default=5_000)
    parser.add_argument("--new", type=int, default=10_000)
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--embedding", default="minilm")
    told = parser.parse_args()
    told.folder.mkdir(parents=True, exist_ok=True)
    made = calls(told.old + told.new, told.nodes)
    curated(told.folder / "curated" / "old", made[: told.old])
    curated(told.folder / "curated" / "new", made[told.old :])
    clustering = ["do=cluster", "cluster.calls=curated/old", "cluster.stability=0"]
    clustering.append(f"cluster.embedding={told.embedding}")
    look = ["do=iterate", "iterate.calls=curated/new", "iterate.clusters=clusters/old", "progress=off"]
    for name, words in (("cluster", clustering), ("first look, vectors made", look)):
        print(json.dumps({"what": name, **run(words, told.folder)}), flush=True)  # a benchmark's result
    shutil.rmtree(told.folder / "iterate")
    for name in ("look, vectors cached", "look, nothing new"):
        row = {"what": name, "load": os.getloadavg()[0], **run(look, told.folder)}
        print(json.dumps(row), flush=True)  # a benchmark's result


if __name__ == "__main__":
    main()
