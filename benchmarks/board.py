"""What a large leaderboard costs: time and memory to build it, its size, and how fast it is in a browser.

`python -m benchmarks.board` makes run folders of 20 models and of 50, 5,000 samples each, builds the page of each in a
process of its own as `do=report` does, opens it in headless Chromium without a network, and writes board.json and
board.md. `--models 20 --samples 500` makes a single smaller one.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.board_runs import write_runs
from benchmarks.compare import ROOT
from benchmarks.contestants.plan import forget_peak, peak_mb

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = Path("/usr/bin/chromium")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
           "--disable-component-update", "--disable-sync"]  # fmt: skip
ROUNDS = 5
LIMITS = {"page_mb": 5.0, "first_paint_ms": 1000.0, "sort_ms": 200.0}
_PAINTED = """(act) => new Promise((done) => {
  requestAnimationFrame(() => {
    const from = performance.now(), channel = new MessageChannel();
    channel.port1.onmessage = () => done(performance.now() - from);
    act();
    requestAnimationFrame(() => channel.port2.postMessage(0));
  });
})"""
_ACTS = {
    "sort": "() => document.querySelector('.board th[data-key=e2e_p50] button').click()",
    "filter": "() => { const box = document.getElementById('find');"
    " box.value = box.value ? '' : 'model 1'; box.dispatchEvent(new Event('input', { bubbles: true })); }",
    "column": "() => document.querySelector('[name=column][value=tokens]').click()",
    "protocol": "() => document.querySelector('[name=protocol]').click()",
}


def build(results: Path, reports: Path) -> dict[str, float]:
    """Builds the page here and says how long it took and what it needed; to be called in a process of its own."""
    from harness.verbs.report import refresh_leaderboard

    forget_peak()
    started, computed = time.perf_counter(), time.process_time()
    page = refresh_leaderboard(results, reports)
    took, cpu = time.perf_counter() - started, time.process_time() - computed
    beside = sum(one.stat().st_size for one in reports.rglob("*") if one.is_file() and one != page)
    size = page.stat().st_size / 1e6
    return {"build_s": took, "build_cpu_s": cpu, "peak_mb": peak_mb(), "page_mb": size, "beside_mb": beside / 1e6}


def browse(page: Path) -> dict[str, float]:
    """Medians over several openings: first paint, loaded, and from a click to the painted frame.

    `_cpu_ms` is what the page's main thread computed meanwhile, which another program's load does not lengthen.
    """
    from playwright.sync_api import sync_playwright

    found: dict[str, list[float]] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        for _ in range(ROUNDS):
            context = browser.new_context(viewport={"width": 1400, "height": 900}, offline=True)
            context.set_default_timeout(300_000)
            for name, value in _once(context.new_page(), page).items():
                found.setdefault(name, []).append(value)
            context.close()
        browser.close()
    return {name: median(values) for name, values in found.items()}


def _once(view: "Page", page: Path) -> dict[str, float]:
    session = view.context.new_cdp_session(view)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def cpu_ms() -> float:
        told = session.send("Performance.getMetrics")["metrics"]
        return 1000 * next(float(one["value"]) for one in told if one["name"] == "TaskDuration")

    view.goto(page.as_uri(), wait_until="load")
    view.wait_for_function("performance.getEntriesByType('paint').length > 1")
    times: dict[str, float] = view.evaluate(
        "() => ({ first_paint_ms: performance.getEntriesByName('first-contentful-paint')[0].startTime,"
        " loaded_ms: performance.getEntriesByType('navigation')[0].loadEventEnd })"
    )
    times["open_cpu_ms"] = cpu_ms()
    for name, act in _ACTS.items():
        before = cpu_ms()
        times[f"{name}_ms"] = view.evaluate(f"({_PAINTED})({act})")
        times[f"{name}_cpu_ms"] = cpu_ms() - before
    return times


def measure(models: int, samples: int, clusters: int, folder: Path) -> dict[str, Any]:
    """One board: made, built, opened."""
    results, reports = folder / "results", folder / "reports"
    write_runs(results, models, samples, clusters)
    command = [sys.executable, "-m", "benchmarks.board", "--build", str(results), str(reports)]
    built = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    seen = browse(reports / "leaderboard.html") if CHROMIUM.exists() else {}
    return {"models": models, "samples": samples, "clusters": clusters, **built, **seen}


def page_text(found: dict[str, Any]) -> str:
    """The results as Markdown."""
    said = found["conditions"]
    heads = list(found["boards"][0])
    lines = [
        "# Board benchmark",
        "",
        f"{said['cores']} cores, {said['system']}, Python {said['python']}; load before {said['load']:.1f}. Browser: "
        f"medians of {ROUNDS} openings in headless Chromium, from a file, offline; clicks to the next painted frame.",
        "",
        "| " + " | ".join(heads) + " |",
        "|" + "--:|" * len(heads),
    ]
    lines += [
        "| " + " | ".join(f"{one.get(name, float('nan')):,.4g}" for name in heads) + " |" for one in found["boards"]
    ]
    missed = [
        f"{name} {one[name]:,.0f} of {limit:,.0f} at {one['models']} models"
        for one in found["boards"]
        for name, limit in LIMITS.items()
        if one.get(name, 0.0) > limit
    ]
    return "\n".join([*lines, "", f"Over the limit: {'; '.join(missed)}." if missed else "Every limit is kept.", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "reports" / "bench")
    parser.add_argument("--models", type=int, nargs="+", default=[20, 50])
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--clusters", type=int, default=20)
    parser.add_argument("--keep", type=Path, help="folder to leave the run folders and pages in")
    parser.add_argument("--build", type=Path, nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.build:
        print(json.dumps(build(*asked.build)))
        return
    load = os.getloadavg()[0]
    asked.out.mkdir(parents=True, exist_ok=True)
    boards: list[dict[str, Any]] = []
    for models in asked.models:
        with tempfile.TemporaryDirectory() as scratch:
            folder = asked.keep / str(models) if asked.keep else Path(scratch)
            boards.append(measure(models, asked.samples, asked.clusters, folder))
        _keep(asked.out, boards, load)
    print((asked.out / "board.md").read_text())


def _keep(out: Path, boards: list[dict[str, Any]], load: float) -> None:
    """Writes what is measured so far."""
    found = {
        "conditions": {
            "cores": os.cpu_count(), "system": platform.system(), "python": platform.python_version(), "load": load,
        },
        "boards": boards,
    }  # fmt: skip
    (out / "board.json").write_text(json.dumps(found, indent=2))
    (out / "board.md").write_text(page_text(found))


if __name__ == "__main__":
    main()
