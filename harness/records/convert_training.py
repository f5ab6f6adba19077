"""A training: what decides it, what it will take, how it went, and what more rows would buy."""

from typing import Literal

from pydantic import Field

from harness.records.base import Record
from harness.records.convert_data import ConvertFile
from harness.records.manifest import MachineFacts, WeightFacts
from harness.records.paired import Span
from harness.records.summary import Interval

__all__ = [
    "CurvePoint",
    "Estimate",
    "LearningCurve",
    "Method",
    "TrainPlan",
    "TrainPoint",
    "TrainResult",
]

Method = Literal["lora", "dora", "qlora", "full"]
"""How weights are changed: small factors beside them, those with magnitudes, those beside 4-bit weights, or all."""


class TrainPlan(Record):
    """Everything that decides the trained weights."""

    schema_version: Literal[1] = 1
    key: str
    """Hash over all of this and over the rows."""
    method: Method
    base: WeightFacts
    base_folder: str
    """Folder name of the checkpoint in the cache, or of the user's; no path."""
    dequantised_from: str | None = None
    """Type of the GGUF that the base was dequantised from; None: it is a checkpoint."""
    data_key: str
    seed: int
    rank: int | None = None
    alpha: float | None = None
    dropout: float = 0.0
    targets: tuple[str, ...] = ()
    learning_rate: float
    epochs: float
    max_steps: int | None = None
    batch: int = Field(ge=1)
    accumulate: int = Field(default=1, ge=1)
    max_tokens: int = Field(ge=16)
    packing: bool = False
    dtype: Literal["float32", "bfloat16", "float16"]
    device: str
    processes: int = Field(default=1, ge=1)
    threads: int | None = None
    teacher: str | None = None
    """Whose distribution is learned beside the replies; None: the replies alone."""
    distill_share: float | None = None
    """Share of the loss that is the divergence from it."""
    temperature: float | None = None
    """Of that divergence."""
    packages: dict[str, str] = Field(default_factory=dict)


class Estimate(Record):
    """What a conversion will take, told before it starts. None: nothing is known of it."""

    rows: int = Field(ge=0)
    tokens: int | None = None
    """Read in all epochs together, padding included."""
    steps: int | None = None
    seconds: float | None = None
    """Of training, by a measured or computed speed."""
    seconds_low: float | None = None
    seconds_high: float | None = None
    memory_bytes: int | None = None
    """Peak of main memory, or of the GPU's where there is one."""
    memory_available: int | None = None
    disk_bytes: int | None = None
    parameters: int | None = None
    trainable: int | None = None
    teacher_calls: int = 0
    teacher_usd: float | None = None
    teacher_seconds: float | None = None
    """That a local teacher took to weigh the replies: done before this is told."""
    machine_usd: float | None = None
    """Of training and of the teacher's time; None: the machine's hour has no price."""
    basis: str = ""
    """Where the numbers are from, in one sentence."""
    refused: str | None = None
    """Why it cannot be done here, with what to type; None: it fits."""


class TrainPoint(Record):
    """A line of `progress.jsonl`."""

    step: int = Field(ge=0)
    epoch: float | None = None
    seconds: float | None = None
    """Of training so far, over all sittings, evaluation left out."""
    rows: int | None = None
    """Seen so far."""
    tokens: int | None = None
    loss: float | None = None
    """Mean since the last line: cross entropy with the replies' tokens."""
    divergence: float | None = None
    """Mean Kullback-Leibler divergence from the teacher, in nats; None: no teacher."""
    validation_loss: float | None = None
    metric: float | None = None
    """Of the task, on validation rows: 0..1."""
    learning_rate: float | None = None


class TrainResult(Record):
    """What training left."""

    schema_version: Literal[1] = 1
    plan: TrainPlan
    status: Literal["complete", "early_stopped", "interrupted"]
    steps: int = Field(ge=0)
    best_step: int | None = None
    """The checkpoint that was kept."""
    best_metric: float | None = None
    metric: str | None = None
    """What the metric is."""
    seconds: float = Field(ge=0)
    """Of training over all sittings."""
    evaluation_seconds: float | None = None
    tokens: int | None = None
    rows: int | None = None
    sittings: int = 1
    peak_memory_bytes: int | None = None
    parameters: int | None = None
    trainable: int | None = None
    machine: MachineFacts
    gpu: str | None = None
    energy_joules: float | None = None
    points: tuple[TrainPoint, ...] = ()
    folder: str
    """`adapter` or `model`, relative to the folder of the training."""
    files: tuple[ConvertFile, ...]
    """Of that folder."""
    notes: tuple[str, ...] = ()


class CurvePoint(Record):
    """A training on a part of the rows."""

    rows: int = Field(ge=1)
    steps: int = Field(ge=0)
    seconds: float = Field(ge=0)
    metric: float | None
    """Of the best step, on the validation rows; None where nobody could judge."""
    n: int = Field(ge=0)
    """Validation rows."""
    interval: Interval | None = None
    """Wilson; of this metric alone, though all trainings are asked the same rows."""


class LearningCurve(Record):
    """What more rows buy, from trainings on parts of them with the same number of steps each."""

    schema_version: Literal[1] = 1
    key: str
    points: tuple[CurvePoint, ...]
    metric: str | None = None
    exponent: float | None = None
    """b of error = a · rows^-b; None: the points do not tell."""
    exponent_interval: Span | None = None
    next_rows: int | None = None
    """Twice the largest part."""
    next_metric: float | None = None
    next_interval: Span | None = None
    why: str
    """What the next doubling buys, or why that cannot be told, in one sentence."""
