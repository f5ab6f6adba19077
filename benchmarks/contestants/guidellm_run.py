"""guidellm as its users run it: so many streams at once over a list of prompts, its report written as JSON."""

import asyncio
from collections.abc import Callable

from guidellm.benchmark.entrypoints import benchmark_generative_text
from guidellm.schemas.benchmark import BenchmarkScenario

from benchmarks.contestants.plan import Plan, Told

WARM_UP = False
"""Each run starts worker processes of its own: one before it warms nothing."""


def prepare(plan: Plan) -> Callable[[int], Told]:
    plan.scratch.mkdir(parents=True, exist_ok=True)

    def run(calls: int) -> Told:
        report, _ = asyncio.run(benchmark_generative_text(_scenario(plan, calls), progress=False))
        made = report.benchmarks[0].metrics.request_totals
        if made.errored or made.successful < calls - plan.concurrency:  # it ends a call or two before its limit
            raise RuntimeError(f"{made} instead of {calls} calls")
        return Told(wall_s=float(report.benchmarks[0].duration))

    return run


def _scenario(plan: Plan, calls: int) -> BenchmarkScenario:
    rows = [
        {"system": one.messages[0]["content"], "question": one.messages[-1]["content"]} for one in plan.questions(calls)
    ]
    mapping = {"prefix_column": "system", "text_column": "question"}
    spec = {
        "backend": {"kind": "openai_http", "target": plan.url.removesuffix("/v1"), "model": "bench"},
        "profile": {"kind": "concurrent", "streams": [plan.concurrency]},
        "constraints": [{"kind": "max_requests", "count": calls}],
        "data": [{"kind": "in_memory_dict_list", "data": rows}],
        "data_column_mapper": {"kind": "generative_column_mapper", "column_mappings": mapping},
        "outputs": [{"kind": "json", "path": str(plan.scratch / "guidellm.json")}],
    }
    return BenchmarkScenario.model_validate({"spec": spec})
