"""A frontier from runs made up: F16, and types that lose a given number of its right answers."""

from pathlib import Path

import numpy as np

from harness.backends.weights import WeightFile, resolve_weights
from harness.config import LlamaCppConfig, ModelConfig, QuantizeOptions, WeightsConfig
from harness.quantize.frontier import Made, build_frontier
from harness.quantize.ladder import Ladder, Rung
from harness.records import Score
from harness.records.frontier import Frontier
from harness.report.view import RunView
from harness.store.runs import StoredRun
from tests.support.gguf_files import llama_header, write_gguf
from tests.support.report_runs import made_run

MODEL = ModelConfig(name="smollm2", title="SmolLM2", licence="Apache-2.0")


def tiny_weights(folder: Path, name: str) -> WeightFile:
    """A header with one tensor, as a file."""
    tensors = {"blk.0.attn_q.weight": np.ones((4, 8), dtype=np.float32)}
    path = write_gguf(folder / f"{name}.gguf", {**llama_header(context=64), "general.file_type": 1}, tensors)
    model = MODEL.model_copy(update={"weights": WeightsConfig(path=str(path), quantization=name)})
    return resolve_weights(model, cache=folder / "cache")


def stored(name: str, lost: int, *, n: int = 40, value: float = 0.0) -> StoredRun:
    """A run in which all samples but the first `lost` ones have the value 1; those have `value`."""
    view = made_run(quantization=name, n=n, protocol="constrained", started_at=f"2026-03-02T10:15:{lost:02d}Z")
    scores = tuple(
        Score(sample=sample.id, category=sample.category, scorer="bfcl", value=value if place < lost else 1.0)
        for place, sample in enumerate(view.samples)
    )
    return StoredRun(Path(view.id), view.manifest, view.summary, view.samples, view.attempts, scores)


def frontier_of(folder: Path, runs: dict[str, StoredRun], *, together: bool = True, **options: object) -> Frontier:
    """The frontier of these runs, each with a file of its own; the first is the baseline."""
    rungs = tuple(Rung(name, tiny_weights(folder, name), "given") for name in runs)
    made = Made(Ladder(rungs, None, None, None, ("A note.",)), runs, together, complete=True)
    config = LlamaCppConfig(name="llamacpp")
    return build_frontier("f", MODEL, config, QuantizeOptions.model_validate(options), made)


def views_of(runs: dict[str, StoredRun]) -> dict[str, RunView]:
    """What the page draws."""
    return {name: RunView(run.manifest, run.summary, run.samples, (), run.scores) for name, run in runs.items()}
