"""A cluster converted: the file that came of it, the verdicts, the ledger over all of it."""

from typing import Literal

from pydantic import Field, JsonValue

from harness.records.attempt import Protocol
from harness.records.base import Record
from harness.records.convert_data import (
    ConvertFile,
    DataOverlap,
    DatasetManifest,
    DatasetRow,
    LengthStats,
    LogitsFile,
    PackingPlan,
    RowGroup,
)
from harness.records.convert_training import (
    CurvePoint,
    Estimate,
    LearningCurve,
    Method,
    TrainPlan,
    TrainPoint,
    TrainResult,
)
from harness.records.manifest import MachineFacts, WeightFacts
from harness.records.paired import PairedComparison, Span
from harness.records.summary import Interval

__all__ = [
    "ChainLink",
    "ConvertFile",
    "CurvePoint",
    "DataOverlap",
    "DatasetManifest",
    "DatasetRow",
    "DeltaReport",
    "Estimate",
    "ExportFile",
    "ExportResult",
    "GateRow",
    "GateTable",
    "GateTableRow",
    "GeneralCheck",
    "LearningCurve",
    "Ledger",
    "LengthStats",
    "LogitsFile",
    "Method",
    "PackingPlan",
    "Payback",
    "Promotion",
    "RowGroup",
    "TensorDelta",
    "TrainPlan",
    "TrainPoint",
    "TrainResult",
]

GateRow = Literal["base", "examples", "grammar", "tuned", "tuned_grammar", "checkpoint", "reference"]
"""Which set-up a row of the table is. `reference`: the answers on record, or a run that was named."""


class TensorDelta(Record):
    """How much of what training changed in one tensor is left in a file."""

    name: str
    type: str
    """What the tensor is stored as."""
    relative: float = Field(ge=0)
    """Norm of the change over the norm of the base."""
    survived: float | None
    """Projection of (stored - base) on the change, as a share of the change: 1 is all of it. None: nothing changed."""


class DeltaReport(Record):
    """How much of what training changed is left in a file."""

    file: str
    type: str
    relative: float | None = None
    """Norm of the change over the norm of the base, over all tensors that changed."""
    survived: float | None = None
    """Over all tensors together; None: training changed nothing."""
    worst: TensorDelta | None = None
    median: float | None = None
    unchanged: float | None = Field(default=None, ge=0, le=1)
    """Share of changed tensors' values that are stored as the base's are, to the bit."""
    tensors: tuple[TensorDelta, ...] = ()
    limit: float = Field(ge=0, le=1)
    verdict: Literal["pass", "warn", "refuse"]
    why: str = ""


class ExportFile(Record):
    """A file that an engine can load."""

    file: ConvertFile
    type: str
    """Type of a GGUF (`Q8_0`), or `adapter`, `safetensors`."""
    made_by: str
    delta: DeltaReport | None = None


class ExportResult(Record):
    """What the engine is given."""

    schema_version: Literal[1] = 1
    key: str
    serve: Literal["merged", "adapter"]
    name: str
    """Of the model: `model=NAME`."""
    chosen: str
    """Type of the file that the model is served with."""
    base: WeightFacts
    files: tuple[ExportFile, ...]
    model_config_file: str
    """The model's YAML, relative to the folder."""
    lineage: tuple[str, ...] = ()
    """From what, by what, in order: one sentence each."""
    notes: tuple[str, ...] = ()

    def file(self, type_: str) -> ExportFile | None:
        """The file of a type; None where there is none."""
        return next((one for one in self.files if one.type == type_), None)


class GateTableRow(Record):
    """One set-up on the gate's samples. A null was not measured."""

    row: GateRow
    title: str
    run: str
    """Name of the run folder."""
    protocol: Protocol
    n_scored: int
    n_failed: int
    accuracy: float | None
    accuracy_interval: Interval | None
    form: float | None = None
    """Share of replies that can be read, with known tools and arguments by the schema."""
    form_interval: Interval | None = None
    abstention: float | None = None
    """Share of the samples that want no call on which none was made."""
    abstention_interval: Interval | None = None
    ttft_p50_s: float | None = None
    e2e_p50_s: float | None = None
    e2e_p95_s: float | None = None
    tokens_per_s: float | None = None
    cost_usd_per_call: float | None = None
    cost_usd_per_success: float | None = None
    against_base: PairedComparison | None = None
    p_adjusted: float | None = None
    """Of `against_base`: that it is no better than the base, corrected for all rows."""
    against_reference: PairedComparison | None = None
    against_tuned: PairedComparison | None = None
    """This row beside the fine-tuned one: whether it is shown to be no worse."""
    no_verdict: str | None = None


class GeneralCheck(Record):
    """Whether the tuned model still does what is not its task."""

    suite: str
    n: int
    base: float | None
    tuned: float | None
    comparison: PairedComparison | None = None
    no_verdict: str | None = None
    base_run: str
    tuned_run: str


class GateTable(Record):
    """Before and after, on the samples that no row was made of."""

    schema_version: Literal[1] = 1
    key: str
    suite: str
    suite_hash: str
    split: str = "test"
    n_samples: int
    margin: float
    alpha: float
    together: bool
    """Whether the rows took turns, attempt by attempt: only then do their times compare."""
    reference: str | None = None
    rows: tuple[GateTableRow, ...]
    general: tuple[GeneralCheck, ...] = ()
    served: GateRow
    """The row that is the tuned model as its configuration asks it: what the verdict is on."""
    checkpoint: PairedComparison | None = None
    """The quantized file in llama.cpp beside the checkpoint in transformers."""
    enough: GateRow | None = None
    """The cheapest row that is not shown to be worse than the fine-tuned one."""
    enough_why: str = ""
    verdict: Literal["pass", "fail", "inconclusive"]
    why: str
    notes: tuple[str, ...] = ()

    def row(self, name: GateRow) -> GateTableRow | None:
        """The row of a name; None where it was not run."""
        return next((one for one in self.rows if one.row == name), None)


class Payback(Record):
    """After how many calls training has paid for itself. None: a cost that nobody knows."""

    training_usd: float | None
    training_hours: float
    machine_usd_per_hour: float | None
    teacher_usd: float | None
    saved_usd_per_call: float | None
    against: str | None = None
    """Whose calls are saved."""
    calls: float | None = None
    interval: Span | None = None
    why: str = ""


class ChainLink(Record):
    """One step of the ledger, with what it read and what it wrote by content."""

    step: Literal["logs", "curate", "cluster", "suite", "data", "train", "export", "gate"]
    said: str
    key: str | None = None
    inputs: dict[str, str] = Field(default_factory=dict)
    """Name: SHA-256."""
    files: tuple[ConvertFile, ...] = ()
    """What it left in the folder of the conversion."""
    seconds: float | None = None


class Promotion(Record):
    """When a model was let go to work, by whom, and what was looked at."""

    at: str
    """ISO 8601, UTC."""
    by: str
    checks: tuple[str, ...]
    ledger_sha256: str
    """Of the ledger as it was then, without this."""


class Ledger(Record):
    """One manifest from the logs to the model. Every hash in it can be computed again from the files."""

    schema_version: Literal[1] = 1
    name: str
    made_at: str
    """ISO 8601, UTC."""
    harness_version: str
    commit: str | None
    command: str
    """What to type for the same."""
    config: dict[str, JsonValue]
    suite: str
    suite_path: str | None = None
    """Folder of the suite, from where the command was typed; None: one of the project's."""
    suite_hash: str
    """Over all samples, of every split."""
    cluster: str | None
    redaction: JsonValue = None
    redaction_sha256: str | None = None
    """Of the policy; None: the suite is not from logs."""
    links: tuple[ChainLink, ...]
    base: WeightFacts
    method: Method
    dataset: DatasetManifest
    estimate: Estimate | None = None
    training: TrainResult
    curve: LearningCurve | None = None
    """What more rows buy; None: no trainings on parts of them were asked for."""
    export: ExportResult
    gate: GateTable | None = None
    payback: Payback | None = None
    machine: MachineFacts
    hours: float
    usd: float | None = None
    """Machine and teacher; None where a part of it is not known."""
    promoted: Promotion | None = None
    notes: tuple[str, ...] = ()

    def link(self, step: str) -> ChainLink | None:
        """The link of a step; None where there is none."""
        return next((one for one in self.links if one.step == step), None)
