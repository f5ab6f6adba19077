"""Runs one contestant in this process and prints what a call costs it, as JSON.

A call's cost is a difference: a large run less a small one, over the difference in calls, after a warm-up. Set-up,
imports and whatever a contestant does once for each run fall out; what it does for each call stays, its final sums
among them. CPU seconds are those of this process and of its children.
"""

import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.contestants.plan import Told, cpu_s, peak_mb, read_plan


def cost(run: Callable[[int], Told | None], calls: int) -> dict[str, float]:
    """Seconds of so many calls: on the wall's clock, of CPU, and where it is known of CPU until the last reply."""
    before, started = cpu_s(), time.perf_counter()
    told = run(calls) or Told()
    wall_s, used_s = time.perf_counter() - started, cpu_s() - before
    found = {"wall_s": wall_s if told.wall_s is None else told.wall_s, "cpu_s": used_s}
    return found if told.in_flight_cpu_s is None else found | {"in_flight_cpu_s": told.in_flight_cpu_s}


def main() -> None:
    name, plan = sys.argv[1], read_plan(Path(sys.argv[2]))
    contestant = importlib.import_module(f"benchmarks.contestants.{name}")
    run: Callable[[int], Told | None] = contestant.prepare(plan)
    if getattr(contestant, "WARM_UP", True):
        run(plan.small)
    small, large = cost(run, plan.small), cost(run, plan.large)
    result = {name: large[name] - small[name] for name in large}
    result |= {"calls": plan.large - plan.small, "fixed_cpu_s": small["cpu_s"], "peak_rss_mb": peak_mb()}
    print(f"\n{json.dumps(result)}", flush=True)


if __name__ == "__main__":
    main()
