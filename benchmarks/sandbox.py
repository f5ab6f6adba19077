"""Programs judged a second: HumanEval's canonical solutions in the sandbox, against no sandbox and against its parts.

python -m benchmarks.sandbox [--kind bwrap|docker|none] [--workers N] [--programs N]
"""

import argparse
import asyncio
import os
import time

from harness.assets import cache_dir
from harness.config import SandboxConfig, SuiteConfig
from harness.records import CodeTarget, Sample, target_of
from harness.sandbox.box import Box
from harness.sandbox.run import Job, find_box, judge
from harness.scorers.code_gold import gold_reading
from harness.suite.spec import load_suite


async def _judged_per_s(box: Box, config: SandboxConfig, samples: list[Sample], workers: int) -> float:
    work = iter(samples)

    async def judge_each() -> None:
        for sample in work:
            target = target_of(sample, CodeTarget)
            job = Job(gold_reading(target), target.tests, target.prompt, target.entry_point)
            verdict = await judge(box, config, job)
            assert verdict.outcome == "passed", (sample.id, verdict)

    began = time.perf_counter()
    await asyncio.gather(*(judge_each() for _ in range(workers)))
    return len(samples) / (time.perf_counter() - began)


def main() -> None:
    """Prints the numbers with the load of the machine beside them: on a busy one they say little."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", default="bwrap", choices=("bwrap", "docker", "none"))
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--programs", type=int, default=164)
    given = parser.parse_args()
    suite = load_suite(SuiteConfig(name="humaneval"), cache_dir())
    samples = [suite.samples[number % len(suite.samples)] for number in range(given.programs)]
    config = SandboxConfig(kind=given.kind)
    before = os.getloadavg()[0]
    cpu = os.times()
    rate = asyncio.run(_judged_per_s(find_box(config), config, samples, given.workers))
    after = os.times()
    used = sum(after[:4]) - sum(cpu[:4])
    print(f"{given.kind}: {rate:.1f} programs a second, {given.workers} at once, {os.cpu_count()} processors")
    print(f"processor time that this process and its children account for: {1000 * used / given.programs:.1f} ms each")
    print(f"load before: {before:.1f}")


if __name__ == "__main__":
    main()
