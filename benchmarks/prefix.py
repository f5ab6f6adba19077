"""Wall-clock of a suite whose prompts share long beginnings: arrival order without reuse against prefix order with it.

Agents with system prompts of about 1,845 tokens, their questions mixed as traffic mixes them, on SmolLM2 135M through
the runner (embedded llama.cpp). Prints a table and whether the strict lane gives the same answers in either order.
Usage: python -m benchmarks.prefix [--agents 2] [--questions 20] [--slots 1] [--lanes suite/off prefix/on]
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir

from harness.assets import console_progress
from harness.backends import backend_for
from harness.config import (
    GenerationConfig,
    HardwareConfig,
    LlamaCppConfig,
    ModelConfig,
    PathsConfig,
    RunConfig,
    RunnerConfig,
    SuiteConfig,
    parse,
    register_defaults,
)
from harness.paths import conf_dir
from harness.records import Message, Protocol, Reply, Sample, Score, ToolTarget
from harness.runner.identity import Job
from harness.runner.job import execute
from harness.store.runs import read_run

POLICY = (
    "Rule {n} of {agent}: when a customer of group {n} asks for item {m}, look up order {k} "
    "and answer within {h} hours."
)


LANES = ("suite/off", "prefix/off", "suite/on", "prefix/on")
"""Order of the samples and prompt cache; the first one is what the others are held against."""


class Anything:
    """Every reply is right: only time is measured."""

    name = "anything"

    def score(self, sample: Sample, reply: Reply, protocol: Protocol, trial: int = 0) -> Score:
        del reply, protocol
        return Score(sample=sample.id, category=sample.category, trial=trial, scorer=self.name, value=1.0)


def samples(agents: int, questions: int) -> tuple[Sample, ...]:
    found = []
    for question in range(questions):
        for agent in range(agents):
            rules = "\n".join(
                POLICY.format(n=n, agent=f"agent {agent}", m=n * 7 + agent, k=n * 13, h=n % 24) for n in range(54)
            )
            messages = (
                Message(role="system", content=rules),
                Message(role="user", content=f"Question {question}: what is rule {question + 3} about?"),
            )
            target = ToolTarget(expect="no_call")
            found.append(
                Sample(
                    id=f"q{question}a{agent}",
                    category=f"agent{agent}",
                    messages=messages,
                    target=target,
                    scorer="anything",
                )
            )
    return tuple(found)


def smollm2() -> ModelConfig:
    register_defaults()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        config = parse(compose("config", overrides=["model=smollm2", "model.protocol=prompted"]))
    assert isinstance(config, RunConfig)
    return config.model.model_copy(update={"generation": GenerationConfig(max_tokens=24)})


def measure(asked: tuple[Sample, ...], lane: str, slots: int, folder: Path) -> dict[str, Any]:
    order, cache = lane.split("/")
    backend = LlamaCppConfig.model_validate(
        {"name": "llamacpp", "cache": cache, "threads": 2, "context_tokens": 4096, "slots": slots}
    )
    model = smollm2()
    config = RunConfig(
        do="run",
        paths=PathsConfig(results=str(folder)),
        progress="plain",
        suite=SuiteConfig(name="prefix"),
        model=model,
        backend=backend,
        hardware=HardwareConfig(name="none", title="none"),
        run=RunnerConfig.model_validate({"order": order, "resume": "never", "concurrency": slots}),
    )
    with console_progress(show=False) as on_progress:
        engine = backend_for(model, backend, on_progress=on_progress)
        weights = engine.prepare()
    (outcome,) = execute([Job(config, "prefix", "0" * 64, asked, engine, weights, Anything())])
    run = read_run(outcome.folder)
    summary = outcome.summary
    assert summary.ttft_s is not None
    return {
        "order": order,
        "cache": cache,
        "wall_s": summary.wall_s,
        "prompt_tokens": summary.prompt_tokens,
        "cached_tokens": summary.cached_tokens,
        "ttft_p50_s": summary.ttft_s.p50,
        "answers": {a.sample: a.reply.content for a in run.attempts if a.reply is not None},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=2)
    parser.add_argument("--questions", type=int, default=20)
    parser.add_argument("--slots", type=int, default=1)
    parser.add_argument("--lanes", nargs="+", default=LANES, choices=LANES)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    asked = samples(arguments.agents, arguments.questions)
    folder = Path(tempfile.mkdtemp())
    try:
        rows = {lane: measure(asked, lane, arguments.slots, folder) for lane in arguments.lanes}
    finally:
        shutil.rmtree(folder)
    base = next(iter(rows.values()))
    print("| order | cache | wall s | faster | prompt tokens | cached | TTFT p50 s |\n|---|---|---|---|---|---|---|")
    for row in rows.values():
        faster = base["wall_s"] / row["wall_s"]
        print(
            f"| {row['order']} | {row['cache']} | {row['wall_s']:.1f} | {faster:.1f}x | {row['prompt_tokens']} "
            f"| {row['cached_tokens']} | {row['ttft_p50_s']:.2f} |"
        )
    for lane, row in list(rows.items())[1:]:
        changed = sum(base["answers"][key] != row["answers"][key] for key in base["answers"])
        print(f"{lane}: {changed} of {len(asked)} answers differ from the first lane's")
    if arguments.json:
        arguments.json.write_text(
            json.dumps([{k: v for k, v in row.items() if k != "answers"} for row in rows.values()], indent=2)
        )


if __name__ == "__main__":
    main()
