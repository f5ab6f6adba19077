"""Run folders for a large board: made-up models on one made-up log, summed up by the real tally and summary."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from harness.config import (
    EndpointConfig,
    HardwareConfig,
    ModelConfig,
    PathsConfig,
    RunConfig,
    RunnerConfig,
    SuiteConfig,
)
from harness.records import (
    AcceptedCall,
    Attempt,
    Message,
    MissClass,
    Protocol,
    Reply,
    Sample,
    Score,
    Timing,
    Tool,
    ToolTarget,
    Usage,
)
from harness.records.manifest import Manifest
from harness.runner.summarise import summarise
from harness.runner.tally import Tally
from harness.store.journal import Journal
from harness.store.runfolder import ATTEMPTS, MANIFEST, SAMPLES, SCORES, SUMMARY, write_record
from tests.support.report_runs import made_manifest

__all__ = ["write_runs"]

_TOPICS = (
    "refund",
    "delivery",
    "invoice",
    "address",
    "password",
    "booking",
    "warranty",
    "complaint",
    "stock",
    "tariff",
)
_LICENCES = ("Apache-2.0", "MIT", "Gemma", "Llama-3.2")
_PROTOCOLS: tuple[Protocol, ...] = ("prompted", "constrained", "native")
_MISSES: tuple[MissClass, ...] = ("decode", "schema", "wrong_tool", "missing_argument", "wrong_value", "wrong_value")
_CALLS_PER_SAMPLE = 40.0


def write_runs(results: Path, models: int, samples: int, clusters: int) -> list[Path]:
    """A run folder of each model, all on the same samples. The same numbers give the same bytes."""
    asked = list(_samples(samples, clusters))
    return [_write(results, place, models, asked) for place in range(models)]


def _samples(count: int, clusters: int) -> Iterator[Sample]:
    random = Random(7)
    for place in range(count):
        cluster = place % clusters
        topic = _TOPICS[cluster % len(_TOPICS)]
        words = " ".join(random.choice(_TOPICS) for _ in range(random.randint(20, 90)))
        number = random.randint(10_000, 99_999)
        yield Sample(
            id=f"call_{place:05d}",
            category=f"{topic} {cluster + 1}",
            session=f"session_{place // 3}",
            weight=1.0 + cluster / 4,
            messages=(
                Message(role="system", content="You answer for a shop. Use the tools."),
                Message(role="user", content=f"My {topic} has the number {number}. {words}?"),
            ),
            tools=(_tool(topic),),
            target=ToolTarget(
                expect="calls", calls=(AcceptedCall(name=f"find_{topic}", arguments={"number": (number,)}),)
            ),
            scorer="bfcl",
        )


def _tool(topic: str) -> Tool:
    return Tool(
        name=f"find_{topic}",
        description=f"Looks up a {topic} by its number and says how it stands.",
        parameters={"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]},
    )


def _write(results: Path, place: int, models: int, samples: Sequence[Sample]) -> Path:
    random = Random(place)
    name = f"model_{place:02d}"
    protocol = _PROTOCOLS[place % 3]
    started = f"2026-03-{1 + place // 24:02d}T{place % 24:02d}:00:00Z"
    folder = results / "run" / f"{started[:10]}_{started[11:13]}-00-00-{place:06d}"
    folder.mkdir(parents=True)
    manifest, config = _manifest(folder.name, name, protocol, started, place)
    skill, tally = 0.35 + 0.55 * place / models, Tally()
    with (
        Journal(folder / ATTEMPTS) as attempts,
        Journal(folder / SCORES) as scores,
        Journal(folder / SAMPLES) as asked,
    ):
        for sample in samples:
            asked.append(sample)
            attempt, score = _outcome(sample, name, protocol, skill, random)
            attempts.append(attempt)
            scores.append(score)
            tally.add(sample, attempt, score)
    traffic: dict[str, float] = {}
    for sample in samples:
        traffic[sample.category] = traffic.get(sample.category, 0.0) + sample.weight * _CALLS_PER_SAMPLE
    summary = summarise(tally, manifest, config, len(samples), f"Model {place:02d}", traffic=traffic, samples=samples)
    write_record(folder / MANIFEST, manifest)
    write_record(folder / SUMMARY, summary)
    return folder


def _manifest(run: str, name: str, protocol: Protocol, started: str, place: int) -> tuple[Manifest, RunConfig]:
    model = ModelConfig(
        name=name,
        title=f"Model {place:02d}",
        licence=_LICENCES[place % len(_LICENCES)],
        parameters=round(0.1e9 * 1.1**place),
        hosted=place % 10 == 9,
        protocol=protocol,
    )
    found = made_manifest(run, name, protocol, ("Q4_K_M", "Q8_0")[place % 2], started, "5a" * 32)
    manifest = found.model_copy(update={"config": {"model": model.model_dump(mode="json")}, "suite": "shop"})
    config = RunConfig(
        do="run",
        paths=PathsConfig(),
        suite=SuiteConfig(name="shop"),
        model=model,
        backend=EndpointConfig(name="endpoint"),
        hardware=HardwareConfig(name="laptop", title="Laptop", usd_per_hour=0.07),
        run=RunnerConfig(),
    )
    return manifest, config


def _outcome(sample: Sample, model: str, protocol: Protocol, skill: float, random: Random) -> tuple[Attempt, Score]:
    hard = Random(sample.id).random()  # what is hard for one model tends to be hard for all
    right = 0.5 * hard + 0.5 * random.random() < skill
    call = sample.tool_target.calls[0]
    number = call.arguments["number"][0] if right else random.randint(10_000, 99_999)
    text = f'[{{"name": "{call.name}", "arguments": {{"number": {number}}}}}]'
    first = round(0.3e9 * random.lognormvariate(0, 0.4))
    last = first + round(20 * 0.012e9 * random.uniform(0.8, 1.4))
    attempt = Attempt(
        sample=sample.id,
        model=model,
        protocol=protocol,
        backend="llamacpp",
        seed=0,
        reply=Reply(content=text, finish_reason="stop"),
        timing=Timing(
            at=1_772_446_500.0, headers_ns=first // 3, first_byte_ns=first // 2, first_content_ns=first, last_ns=last,
            end_ns=last + 900_000,
        ),
        usage=Usage(prompt_tokens=180 + len(text), output_tokens=20, counted_by="server"),
        cost_usd=2e-5 * last / 1e9,
    )  # fmt: skip
    miss = None if right else random.choice(_MISSES)
    score = Score(
        sample=sample.id,
        category=sample.category,
        scorer="bfcl",
        value=1.0 if right else 0.0,
        parts={"decoded": 0.0 if miss == "decode" else 1.0},
        miss=miss,
        boundary=None if right else "model",
        why="" if right else f"in {call.name}, number is {number}, accepted: {call.arguments['number'][0]}",
        extracted=[{"name": call.name, "arguments": {"number": number}}],
    )
    return attempt, score
