"""How the memory of a run grows with its attempts: the real runner, a resumed run, and a million records.

`python -m benchmarks.memory` runs each part in a process of its own and writes memory.json:
- `runner`: peak memory over 10,000 and 100,000 attempts of 200 samples, and what their difference says of a million;
- `resume`: the same for a sitting that finds all of them done;
- `table`: the process that makes the Parquet table of such a run, beside the one that waits for it;
- `records`: a million attempts of a million samples through both journals, the tally and the summary, without network.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.compare import ROOT, SAMPLES, environment, loopback
from benchmarks.contestants.harness_run import job
from benchmarks.contestants.plan import Plan, forget_peak, peak_mb, read_plan
from benchmarks.material import PROTOCOL, reply_text, write_material
from harness.records import Attempt, Reply, Sample, Timing, Usage
from harness.records.manifest import MachineFacts, Manifest
from harness.runner.job import execute
from harness.runner.summarise import summarise
from harness.runner.tally import Tally
from harness.scorers.bfcl import BfclScorer
from harness.store.compact import compact
from harness.store.journal import Journal

MILLION = 1_000_000
TARGET_MB = 500


def runner(plan: Plan, attempts: int) -> dict[str, Any]:
    """A run of so many attempts; before it, a run of one trial brings everything in that a run needs."""
    samples = _samples(plan)
    execute([job(plan, samples, 1)])
    return _grown(plan, samples, attempts, resume="never")


def resume(plan: Plan, attempts: int) -> dict[str, Any]:
    """The run that `runner` left, taken up again: nothing is left to do, everything has to be read."""
    folder = plan.scratch / "results" / "run" / "latest"
    return _grown(plan, _samples(plan), attempts, resume=str(folder.resolve()))


def table(plan: Plan, attempts: int) -> dict[str, Any]:
    """The Parquet table of the run that `runner` left, made anew in a process of its own, as the runner does it."""
    folder = plan.scratch / "results" / "run" / "latest"
    forget_peak()
    before, started = peak_mb(), time.perf_counter()
    written = compact(folder.resolve()).stat().st_size
    return {
        "before_mb": before,
        "peak_mb": peak_mb(),
        "wall_s": time.perf_counter() - started,
        "written_mb": written >> 20,
        "of": attempts,
    }


def _grown(plan: Plan, samples: tuple[Sample, ...], attempts: int, *, resume: str) -> dict[str, Any]:
    forget_peak()
    before, started = peak_mb(), time.perf_counter()
    summary = execute([job(plan, samples, attempts // len(samples), resume=resume)])[0].summary
    assert summary.n_scored == attempts
    return {"before_mb": before, "peak_mb": peak_mb(), "wall_s": time.perf_counter() - started}


def records(plan: Plan, attempts: int) -> dict[str, Any]:
    """So many attempts of as many samples, written, counted and summarised as the runner does it."""
    samples, scorer, tally = _samples(plan), BfclScorer(), Tally()
    made = [(sample, _attempt(sample)) for sample in samples]
    judged = [(sample, one, scorer.score(sample, one.reply or Reply(), PROTOCOL)) for sample, one in made]
    forget_peak()
    before, started = peak_mb(), time.perf_counter()
    plan.scratch.mkdir(parents=True, exist_ok=True)
    with Journal(plan.scratch / "attempts.jsonl") as first, Journal(plan.scratch / "scores.jsonl") as second:
        for number in range(attempts):
            sample, attempt, score = judged[number % len(judged)]
            named = {"sample": f"{sample.id}_{number}"}
            first.append(attempt := attempt.model_copy(update=named))
            second.append(score := score.model_copy(update=named))
            tally.add(sample.model_copy(update={"id": named["sample"]}), attempt, score)
    counted, wall = peak_mb(), time.perf_counter() - started
    config = job(plan, samples, 1).config
    summary = summarise(tally, _manifest(), config, attempts, "Bench")
    assert summary.n_samples == attempts
    written = sum(file.stat().st_size for file in plan.scratch.glob("*.jsonl"))
    return {
        "before_mb": before,
        "counted_mb": counted,
        "peak_mb": peak_mb(),
        "wall_s": wall,
        "written_mb": written >> 20,
    }


def _samples(plan: Plan) -> tuple[Sample, ...]:
    lines = (plan.material / "samples.jsonl").read_bytes().splitlines()
    return tuple(Sample.model_validate_json(line) for line in lines)


def _attempt(sample: Sample) -> Attempt:
    marks = tuple(range(10_000_000, 90_000_000, 10_000_000))
    return Attempt(
        sample=sample.id,
        model="bench",
        protocol=PROTOCOL,
        backend="endpoint",
        reply=Reply(content=reply_text(sample), finish_reason="stop"),
        timing=Timing(at=0, first_content_ns=marks[0], last_ns=marks[-1], end_ns=marks[-1], chunks_ns=marks),
        usage=Usage(prompt_tokens=100, output_tokens=8, counted_by="server"),
    )


def _manifest() -> Manifest:
    machine = MachineFacts(system="", cpu="", cores=1, memory_bytes=None, python="")
    return Manifest(
        run="bench", job="bench", started_at="", harness_version="", commit=None, dirty=None, config={}, config_hash="",
        suite="bench", suite_hash="", model="bench", protocol=PROTOCOL, machine=machine, packages={}, seed=0,
    )  # fmt: skip


def _in_process(part: str, plan: dict[str, Any], attempts: int, scratch: Path) -> dict[str, Any]:
    file = scratch / "memory.plan.json"
    file.write_text(json.dumps(plan | {"small": 0, "large": attempts, "scratch": str(scratch / f"{attempts}")}))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", "--part", part, "--plan", file],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT, env=environment(), check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    found |= {"attempts": attempts, "grown_mb": found["peak_mb"] - found["before_mb"]}
    print(f"{part:8} {attempts:9,}  {found['grown_mb']:7.1f} MB more  {found['wall_s']:6.1f} s", flush=True)
    return found


def _slope(pair: list[dict[str, Any]]) -> dict[str, Any]:
    """Bytes for each attempt more, and what they make of a million."""
    less, more = pair
    each = (more["grown_mb"] - less["grown_mb"]) / (more["attempts"] - less["attempts"])
    million = more["peak_mb"] + max(0.0, each) * (MILLION - more["attempts"])
    return {"runs": pair, "bytes_per_attempt": each * 2**20, "million_mb": million, "holds": million < TARGET_MB}


def measure(sizes: list[int], million: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        write_material(scratch / "material", SAMPLES)
        with loopback(8, scratch / "material" / "replies.json") as url:
            plan = {"url": url, "concurrency": 32, "chunks": 8, "material": str(scratch / "material")}
            parts = ("runner", "resume", "table")
            runs = [{part: _in_process(part, plan, n, scratch) for part in parts} for n in sizes]
            found = _in_process("records", plan, million, scratch)
    return {
        "load_after": os.getloadavg(),
        **{part: _slope([run[part] for run in runs]) for part in parts},
        "records": found | {"holds": found["peak_mb"] < TARGET_MB},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs=2, default=[10_000, 100_000])
    parser.add_argument("--records", type=int, default=MILLION)
    parser.add_argument("--out", type=Path, default=ROOT / "reports" / "bench")
    parser.add_argument("--part", choices=["runner", "resume", "table", "records"], help=argparse.SUPPRESS)
    parser.add_argument("--plan", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        plan = read_plan(arguments.plan)
        part = {"runner": runner, "resume": resume, "table": table, "records": records}[arguments.part]
        print(json.dumps(part(plan, plan.large)))
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    result = measure(arguments.sizes, arguments.records)
    (arguments.out / "memory.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
