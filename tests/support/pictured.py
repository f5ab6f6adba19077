"""What pictures are made of, made up: runs with caches and concurrencies, a map of tasks, a learning curve."""

from collections.abc import Sequence
from random import Random

from harness.records.cluster import (
    AgentNode,
    Cluster,
    ClusterBook,
    ClusterCosts,
    MapPlace,
    Stability,
)
from harness.records.learning import LearningCurve, LearningPoint
from harness.records.load import Backlog, LoadBook, LoadGoal, LoadPoint, LoadTraffic, LoadVerdict
from harness.report.view import RunView
from tests.support.report_runs import made_run

__all__ = ["at_concurrency", "cached_run", "dated_runs", "learning_curve", "load_book", "many_runs", "task_book"]


def cached_run() -> RunView:
    """Prompts from 200 to 1,800 tokens, every second of them from a warm cache and faster."""
    run, random = made_run(), Random(3)
    attempts = []
    for place, one in enumerate(run.attempts):
        tokens, warm = 200 + 40 * place, place % 2 == 1
        first = int((0.02 if warm else tokens / 2000) * 1e9 * random.uniform(0.9, 1.1))
        usage = one.usage.model_copy(update={"prompt_tokens": tokens, "cached_tokens": tokens - 10 if warm else 0})
        timing = one.timing.model_copy(update={"first_content_ns": first})
        attempts.append(one.model_copy(update={"usage": usage, "timing": timing}))
    return RunView.of(run.manifest, run.summary, run.samples, attempts, run.scores)


def at_concurrency(concurrency: int, wall_s: float, kind: str = "closed") -> RunView:
    """A run with so many requests in flight."""
    run = made_run(started_at=f"2026-03-02T{10 + concurrency:02d}:00:00Z")
    config = run.manifest.config | {"run": {"concurrency": concurrency, "arrival": {"kind": kind}}}
    return RunView.of(
        run.manifest.model_copy(update={"config": config, "wall_s": wall_s}),
        run.summary.model_copy(update={"wall_s": wall_s, "complete": True}),
        run.samples, run.attempts, run.scores,
    )  # fmt: skip


def dated_runs() -> list[RunView]:
    """Two models over three weeks: one gets better and is run three times, the other once."""
    days = [("2026-03-02", 0.3), ("2026-03-09", 0.5), ("2026-03-16", 0.8)]
    found = [made_run(protocol="native", skill=skill, started_at=f"{day}T10:15:00Z") for day, skill in days]
    found.append(made_run("gemma3_270m", "Gemma 3 270M", "native", skill=0.4, started_at="2026-03-16T12:00:00Z"))
    return [_complete(run) for run in found]


def _complete(run: RunView) -> RunView:
    summary = run.summary.model_copy(update={"complete": True})
    return RunView.of(run.manifest, summary, run.samples, run.attempts, run.scores)


def many_runs(n: int) -> list[RunView]:
    """Models of all kinds with long and short names, some without a price."""
    random = Random(1)
    makers = ("Qwen 3", "Llama 3.2", "Phi 4", "Gemma 3", "SmolLM2", "Granite 4", "xLAM 2", "Mistral")
    return [
        made_run(
            f"m{place}",
            f"{random.choice(makers)} {random.choice(('270M', '1.7B', '8B Instruct'))} v{place}",
            random.choice(("prompted", "constrained", "native")),
            skill=random.uniform(0.1, 0.9),
            base_s=random.uniform(0.1, 3),
            usd_per_s=random.choice((None, 0.0001, 0.002)),
        )
        for place in range(n)
    ]


def learning_curve(name: str = "support_v1_smollm2") -> LearningCurve:
    """A model that gains much from its first rows and little from the last."""
    measured: Sequence[tuple[int, float]] = ((0, 0.2), (50, 0.55), (200, 0.7), (800, 0.74))
    return LearningCurve(
        name=name, model_title="SmolLM2 135M", suite="support_v1", suite_hash="ab" * 32, split="test",
        method="lora, rank 16", made_at="2026-11-21T12:00:00Z",
        points=tuple(
            LearningPoint(n_rows=n, accuracy=y, low=y - 0.08, high=y + 0.08, label="as it was" if n == 0 else "")
            for n, y in measured
        ),
        goal_accuracy=0.8,
    )  # fmt: skip


def load_book() -> LoadBook:
    """Three speeds: the first two hold, the third is too fast."""
    run = made_run()
    assert run.manifest.backend is not None
    verdicts: Sequence[tuple[float, float, float, LoadVerdict]] = (
        (1.0, 0.5, 0.4, "holds"), (2.0, 1.0, 1.1, "holds"), (4.0, 1.4, 9.0, "overloaded"),
    )  # fmt: skip
    return LoadBook(
        run="2026-11-21_load", suite="support", suite_hash="0" * 64, model="small", model_title="Small 1B",
        protocol="native", quantization="Q4_K_M", backend=run.manifest.backend, machine=run.manifest.machine,
        started_at="2026-11-21T00:00:00+00:00", goal=LoadGoal(ttft_s=1.0, e2e_s=None, share=0.95),
        traffic=LoadTraffic(
            arrivals=9, calls=10.0, whole=True, first=0.0, last=3600.0, per_s=0.1, busiest_minute=4.0,
            kept_sessions=False,
        ),
        points=tuple(_load_point(*one) for one in verdicts),
        not_played=(8.0,), holds_up_to=2.0, overloaded_from=4.0, verdict="Holds up to 2 ×.", conditions=(), harness="0",
    )  # fmt: skip


def _load_point(speed: float, served: float, mean_open: float, verdict: LoadVerdict) -> LoadPoint:
    return LoadPoint(
        speed=speed, log_s=60, planned_s=60 / speed, planned=40, different=40, sent=40, served=40, in_time=38,
        counted=40, lost=0, unfit=0, unfinished=0, stopped=None, offered_per_s=speed * 0.5, served_per_s=served,
        busiest_minute=40, share=0.95, interval=None, ttft_s=None, e2e_s=None, late_p99_s=None,
        backlog=Backlog(most=9, mean=mean_open, early=0.1, late=0.2, p=None, grows=False), trace=(), cost_usd=None,
        verdict=verdict, why="",
    )  # fmt: skip


def task_book(tasks: int = 11) -> tuple[ClusterBook, tuple[MapPlace, ...]]:
    """A map of tasks, with calls that belong to none."""
    random = Random(5)
    node = AgentNode(
        id="n1", name="support", template="You help.", units=(), tools=(), form="text", system=True, calls=400,
        prompts=1, template_entropy_bits=0.0,
    )  # fmt: skip
    costs = ClusterCosts(
        prompt_tokens=None, output_tokens=None, tokens_n=0, usd=None, usd_n=0, latency_p50_s=None, latency_p95_s=None,
        latency_n=0,
    )  # fmt: skip
    clusters = [
        Cluster(
            id=f"c{place}", node="n1", name=f"refund of order number {place}", noise=place == tasks, words=("refund",),
            actions={"text": 1.0}, family="instruct", medoids=(), examples=(), calls=100 - place, rows=20,
            share=0.05, radius=0.5, costs=costs, weeks=(), growth_per_week=None,
        )
        for place in range(tasks + 1)
    ]  # fmt: skip
    book = ClusterBook(
        name="support", source="calls", algorithm="hdbscan", embedding="words", seed=0, nodes=(node,),
        clusters=tuple(clusters), calls=400, rows=240, assigned=0, coverage=0.9,
        stability=Stability(ari=None, lowest=None, resamples=0, share=0.8, calls=0), made="2026-11-21T00:00:00Z",
        harness="0",
    )  # fmt: skip
    places = [
        MapPlace(x=min(1, max(0, random.gauss(0.1 + 0.07 * place, 0.03))), y=random.random(), cluster=one.id)
        for place, one in enumerate(clusters)
        for _ in range(20)
    ]
    return book, tuple(places)
