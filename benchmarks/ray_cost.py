"""What Ray costs on one machine, and what a second node costs: the same work without Ray, with it, and over two nodes.

`python -m benchmarks.ray_cost --gguf FILE` (in an environment with the extra ray) makes the same run in four places, in
turn and every other round backwards, and writes ray_cost.json: medians, their ratios, and the load of each run.

local: executor=local. own: executor=ray on a cluster that comes up and ends with the command. one: a cluster that is up
already, one node of two processors. two: the same with two nodes of one processor, each held to a processor of its own.
Work: `server`, a loopback server that takes --latency-ms for an answer, eight calls at once; `engines`, SmolLM2 in
llama.cpp: without Ray one engine of two slots and two threads, with Ray two engines of one slot and one thread;
`engine`, one engine of one slot and one thread in either case, which needs no processor to itself to be fair: the
threads of an engine wait for each other, so that one of two that is held up holds both.

`run_s`: from the first request to the last answer, as the run's manifest has it. `wall_s`: the whole command, with what
it takes to start Python, Ray and the engines. The aim: own at most 1.25 × local, two at most 1.15 × one.
`--calls N` adds the pipeline: collect, curate, cluster and build of N made-up calls, on two processes and on Ray.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.scale import measured
from harness.store.runfolder import read_manifest, read_summary

PLACES = ("local", "own", "one", "two")
PORTS = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port", "runtime_env_agent_port")
MOST = {("own", "local"): 1.25, ("one", "local"): 1.25, ("two", "one"): 1.15}


@contextmanager
def server(latency_ms: float) -> Iterator[str]:
    """The base URL of a server that answers every question alike, in so many milliseconds."""
    command = [sys.executable, "-m", "benchmarks.loopback_server", "--ttft-ms", str(latency_ms)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(child.stdout.readline())}/v1"
    finally:
        child.communicate()


@contextmanager
def cluster(nodes: int, processors: Sequence[int]) -> Iterator[str]:
    """The address of a cluster of local processes whose nodes share these processors equally."""
    from ray.cluster_utils import Cluster

    here, each = os.sched_getaffinity(0), len(processors) // nodes
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **ports()})
    try:
        for number in range(nodes):
            os.sched_setaffinity(0, processors[number * each : (number + 1) * each])
            made.add_node(num_cpus=each, **ports())
        os.sched_setaffinity(0, here)
        yield made.address
    finally:
        os.sched_setaffinity(0, here)
        made.shutdown()


def ports() -> dict[str, int]:
    """Free ports for a node's agents: Ray then does not end a node whose agents take 15 s to start."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in PORTS]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return {name: one.getsockname()[1] for name, one in zip(PORTS, sockets, strict=True)}


def run_in(place: str, words: dict[str, list[str]], folder: Path) -> dict[str, float]:
    """Seconds of the run and of the whole command in one of the places."""
    executor = [] if place == "local" else ["executor=ray", "executor.cores=2"]
    with ExitStack() as stack:
        if place in {"one", "two"}:
            address = stack.enter_context(cluster(1 if place == "one" else 2, sorted(os.sched_getaffinity(0))[:2]))
            executor = ["executor=ray", f"executor.address={address}"]
        command = [sys.executable, "-m", "harness", *words["local" if place == "local" else "ray"], *executor]
        load, began = os.getloadavg()[0], time.perf_counter()
        said = subprocess.run(
            [*command, "run.resume=never", "progress=off"], cwd=folder, capture_output=True, text=True
        )
        wall_s = time.perf_counter() - began
    if said.returncode:
        raise SystemExit(f"{place}: ended with {said.returncode}:\n{said.stderr[-2_000:]}")
    latest = folder / "results" / "run" / "latest"
    summary = read_summary(latest)
    if not summary.complete or summary.n_failed:
        raise SystemExit(f"{place}: {summary.n_failed} failed, {summary.n_not_run} not run")
    return {"run_s": read_manifest(latest).wall_s, "wall_s": wall_s, "load": load}


def compared(words: dict[str, list[str]], rounds: int, folder: Path, places: Sequence[str]) -> dict[str, Any]:
    """Medians of each place and their ratios, from runs in turn."""
    taken: dict[str, list[dict[str, float]]] = {place: [] for place in places}
    for number in range(rounds):
        for place in places if number % 2 == 0 else reversed(places):
            taken[place].append(run_in(place, words, folder))
            print(json.dumps({"round": number, "place": place, **taken[place][-1]}), flush=True)
    middle = {
        place: {key: round(median(one[key] for one in runs), 3) for key in ("run_s", "wall_s")}
        for place, runs in taken.items()
    }
    ratios = {
        f"{one}/{other}": {
            "run": round(middle[one]["run_s"] / middle[other]["run_s"], 3),
            "wall": round(middle[one]["wall_s"] / middle[other]["wall_s"], 3),
            "most": most,
        }
        for (one, other), most in MOST.items()
        if {one, other} <= set(places)
    }
    return {"median": middle, "ratio": ratios, "runs": taken}


def piped(calls: int, rounds: int) -> dict[str, Any]:
    """The four steps on a log of so many calls, on two processes of this machine and on Ray."""
    places = {"local": ["executor.cores=2"], "own": ["executor=ray", "executor.cores=2"]}
    taken: dict[str, list[dict[str, Any]]] = {place: [] for place in places}
    for number in range(rounds):
        for place in places if number % 2 == 0 else reversed(places):
            with tempfile.TemporaryDirectory(prefix="ray-cost-") as scratch:
                taken[place].append(measured(calls, Path(scratch), places[place]))
    steps = ("collect", "curate", "cluster", "build")
    middle = {
        place: {step: round(median(one[step]["wall_s"] for one in runs), 2) for step in steps}
        for place, runs in taken.items()
    }
    whole = {place: round(median(one["wall_s"] for one in runs), 2) for place, runs in taken.items()}
    return {"calls": calls, "median": middle, "whole": whole, "ratio": round(whole["own"] / whole["local"], 3)}


@contextmanager
def words_of(work: str, options: argparse.Namespace) -> Iterator[dict[str, list[str]]]:
    """What is typed for a work, without Ray and with it."""
    words = ["suite=toolcall", "suite.categories=[simple_python]"]
    if work == "server":
        with server(options.latency_ms) as url:
            words += [f"suite.limit={options.limit}", "model=endpoint", f"model.url={url}", "model.name=bench"]
            words.append("run.concurrency=8")
            yield {"local": words, "ray": [*words, "executor.workers=2"]}
        return
    words += [f"suite.limit={options.engine_limit}", "model=local", "model.name=smollm2"]
    words.append(f"model.weights.path={options.gguf.resolve()}")
    single = [*words, "backend.slots=1", "backend.threads=1"]
    if work == "engine":
        single.append("run.concurrency=1")
        yield {"local": single, "ray": [*single, "executor.workers=1"]}
    else:
        both = [*words, "backend.slots=2", "backend.threads=2", "run.concurrency=2"]
        yield {"local": both, "ray": [*single, "run.concurrency=2", "executor.workers=2"]}


def main() -> None:
    """The works that were asked for, one after the other."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--gguf", type=Path, help="SmolLM2, for `engine` and `engines`")
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--works", nargs="*", default=["server"], choices=["server", "engines", "engine"])
    asked.add_argument("--places", nargs="+", default=list(PLACES), choices=PLACES)
    asked.add_argument("--limit", type=int, default=400, help="calls to the server")
    asked.add_argument("--engine-limit", type=int, default=60, help="calls to engines")
    asked.add_argument("--latency-ms", type=float, default=200)
    asked.add_argument("--calls", type=int, default=0, help="of the pipeline")
    asked.add_argument("--out", type=Path, default=Path("ray_cost.json"))
    options = asked.parse_args()
    found: dict[str, Any] = {"processors": len(os.sched_getaffinity(0))}
    with tempfile.TemporaryDirectory(prefix="ray-cost-") as scratch:
        for work in options.works:
            with words_of(work, options) as words:
                found[work] = compared(words, options.rounds, Path(scratch), options.places)
    if options.calls:
        found["pipeline"] = piped(options.calls, options.rounds)
    options.out.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps({name: one.get("ratio") for name, one in found.items() if isinstance(one, dict)}, indent=2))


if __name__ == "__main__":
    main()
