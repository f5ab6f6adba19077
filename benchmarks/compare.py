"""Calls per second and per CPU second, ours against every peer that is installed: side by side, in rounds.

`python -m benchmarks.compare` starts one loopback server and then runs the contestants one after the other, A B C,
A B C, each time in a new process of its own environment. Writes engine.json, engine.md and a picture.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any
from urllib.request import urlopen

from benchmarks.material import PROTOCOL, write_material

ROOT = Path(__file__).parent.parent
SAMPLES = 200
OURS = "harness_run"


@dataclass(frozen=True, slots=True)
class Contestant:
    """Who runs, in which environment, and for how many calls."""

    module: str
    title: str
    package: str
    environment: str
    calls: int
    """By which the large run is larger: a few seconds' worth."""
    does: str
    small: int = 100

    @property
    def python(self) -> Path:
        return ROOT / self.environment / "bin" / "python"


CONTESTANTS = (
    Contestant(OURS, "this harness", "slm-harness", ".venv", 8000, "streams, scores, journals", SAMPLES),
    Contestant("inspect_run", "inspect_ai", "inspect-ai", ".venv-bench", 500, "streams, scores, logs"),
    Contestant("litellm_loop", "litellm", "litellm", ".venv-bench-litellm", 600, "streams"),
    Contestant("lm_eval_run", "lm-eval", "lm-eval", ".venv-bench", 2000, "scores, does not stream"),
    Contestant("guidellm_run", "guidellm", "guidellm", ".venv-bench-guidellm", 1500, "streams, measures, reports"),
    Contestant("openai_loop", "openai SDK", "openai", ".venv-bench", 1500, "streams"),
    Contestant("httpx_loop", "httpx, bare", "httpx", ".venv-bench", 2000, "reads bytes"),
    Contestant("aiohttp_loop", "aiohttp, bare", "aiohttp", ".venv-bench", 12000, "reads bytes"),
)


def environment() -> dict[str, str]:
    """What the contestants find in their environment: no network, no telemetry, no key."""
    return {
        **os.environ,
        "DO_NOT_TRACK": "1",
        "GUIDELLM__LOGGING__CONSOLE_LOG_LEVEL": "ERROR",
        "HF_DATASETS_OFFLINE": "1",
        "HF_HUB_OFFLINE": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "NO_PROXY": "127.0.0.1",
        "OPENAI_API_KEY": "none",
        "PYTHONWARNINGS": "ignore",
        "TOKENIZERS_PARALLELISM": "false",
    }


def version(one: Contestant) -> str | None:
    """The version that is installed in the contestant's environment; None where it is not."""
    code = f"import importlib.metadata as m; print(m.version({one.package!r}))"
    if not one.python.exists():
        return None
    found = subprocess.run([one.python, "-c", code], capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else None


@contextmanager
def loopback(chunks: int, replies: Path) -> Iterator[str]:
    """The server as a process of its own; its address up to /v1."""
    command = [sys.executable, "-m", "benchmarks.loopback_server", "--chunks", str(chunks), "--replies", str(replies)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        server.stdin.close()


def run(one: Contestant, plan: dict[str, Any], scratch: Path) -> dict[str, Any]:
    """One run of a contestant: what it printed, or the last words of its failure.

    The server's own count says whether the calls were made: a contestant that answers out of a cache has failed.
    """
    file = scratch / f"{one.module}.plan.json"
    file.write_text(json.dumps(plan | {"small": one.small, "large": one.small + one.calls, "scratch": str(scratch)}))
    command = [str(one.python), "-m", "benchmarks.contestants", one.module, str(file)]
    load, before = os.getloadavg()[0], _answered(plan["url"])
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=ROOT, env=environment(), timeout=300, check=False
        )
    except subprocess.TimeoutExpired:
        return {"failed": "no end within 300 s", "load_before": load}
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing said").splitlines()
        return {"failed": said[-1][:300], "load_before": load}
    made, wanted = _answered(plan["url"]) - before, 2 * one.small + one.calls
    if made < wanted - 2 * plan["concurrency"]:
        return {"failed": f"{made} of {wanted} calls reached the server", "load_before": load}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    rates = {"calls_per_cpu_s": found["calls"] / found["cpu_s"], "calls_per_s": found["calls"] / found["wall_s"]}
    if "in_flight_cpu_s" in found:
        rates["in_flight_calls_per_cpu_s"] = found["calls"] / found["in_flight_cpu_s"]
    return found | rates | {"load_before": load}


def _answered(url: str) -> int:
    """How many completions the server has sent so far."""
    with urlopen(f"{url}/count", timeout=10) as reply:
        return int(reply.read())


def compare(chosen: list[Contestant], rounds: int, concurrency: int, chunks: int) -> dict[str, Any]:
    """Everything measured, with its conditions."""
    installed = {one.module: version(one) for one in chosen}
    here = [one for one in chosen if installed[one.module]]
    runs: dict[str, list[dict[str, Any]]] = {one.module: [] for one in here}
    conditions = conditions_now() | {"rounds": rounds, "concurrency": concurrency, "chunks": chunks}
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        write_material(scratch / "material", SAMPLES)
        with loopback(chunks, scratch / "material" / "replies.json") as url:
            plan = {"url": url, "concurrency": concurrency, "chunks": chunks, "material": str(scratch / "material")}
            for number in range(rounds):
                for one in here:
                    found = run(one, plan, scratch)
                    runs[one.module].append(found)
                    print(f"round {number + 1}/{rounds}  {one.title:15} {_shown(found)}", flush=True)
    ours = runs.get(OURS, [])
    rows = [row(one, installed[one.module], runs.get(one.module, []), ours) for one in chosen]
    return {"conditions": conditions | {"load_after": os.getloadavg()}, "rows": rows}


def row(
    one: Contestant, installed: str | None, runs: list[dict[str, Any]], ours: list[dict[str, Any]]
) -> dict[str, Any]:
    """Medians over the rounds, and our rate over theirs round by round."""
    made: dict[str, Any] = {**asdict(one), "version": installed, "runs": runs}
    good = [each for each in runs if "failed" not in each]
    made["failed"] = next((each["failed"] for each in runs if "failed" in each), None)
    if good:
        for key in ("calls_per_cpu_s", "calls_per_s", "peak_rss_mb", "in_flight_calls_per_cpu_s"):
            made[key] = median(each[key] for each in good) if key in good[0] else None
        made["cpu_us"] = 1e6 / made["calls_per_cpu_s"]
        pairs = [pair for pair in zip(ours, runs, strict=False) if not any("failed" in each for each in pair)]
        for key in ("calls_per_cpu_s", "calls_per_s"):
            ratios = sorted(mine[key] / theirs[key] for mine, theirs in pairs)
            made[f"ours_over_{key}"] = (
                {"median": median(ratios), "low": ratios[0], "high": ratios[-1]} if pairs else None
            )
    return made


def conditions_now() -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "cpu": _cpu_name(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load_before": os.getloadavg(),
        "protocol": PROTOCOL,
        "samples": SAMPLES,
    }


def _cpu_name() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _shown(found: dict[str, Any]) -> str:
    if "failed" in found:
        return f"failed: {found['failed']}"
    return f"{found['calls_per_cpu_s']:8,.0f} calls/CPU s  {found['calls_per_s']:8,.0f} calls/s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--chunks", type=int, default=8)
    parser.add_argument("--only", nargs="*", default=[], help="modules of benchmarks/contestants")
    parser.add_argument("--out", type=Path, default=ROOT / "reports" / "bench")
    arguments = parser.parse_args()
    chosen = [one for one in CONTESTANTS if not arguments.only or one.module in arguments.only]
    result = compare(chosen, arguments.rounds, arguments.concurrency, arguments.chunks)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "engine.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
