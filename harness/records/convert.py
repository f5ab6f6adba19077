"""A cluster converted: its rows, its training, the file that came of it, the verdicts, the ledger over all of it."""

from typing import Literal

from pydantic import Field, JsonValue

from harness.records.attempt import Protocol
from harness.records.base import Record
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

Method = Literal["lora", "dora", "qlora", "full"]
"""How weights are changed: small factors beside them, those with magnitudes, those beside 4-bit weights, or all."""

GateRow = Literal["base", "examples", "grammar", "tuned", "tuned_grammar", "checkpoint", "reference"]
"""Which set-up a row of the table is. `reference`: the answers on record, or a run that was named."""


class ConvertFile(Record):
    """A file of the folder, by its place in it and by its content."""

    path: str
    """Relative to the folder."""
    bytes: int = Field(ge=0)
    sha256: str


class RowGroup(Record):
    """Rows that are alike in one respect."""

    name: str
    train: int = Field(default=0, ge=0)
    validation: int = Field(default=0, ge=0)
    test: int = Field(default=0, ge=0)


class DatasetRow(Record):
    """A line of `train.jsonl` and `validation.jsonl`: what the engine is sent, and the reply to be learned."""

    id: str
    """Hash of messages, tools and reply."""
    sample: str
    session: str | None = None
    cluster: str | None = None
    messages: tuple[dict[str, JsonValue], ...]
    """As the runner sends them for this sample under the model's protocol and prompt."""
    tools: tuple[dict[str, JsonValue], ...] | None = None
    """As the runner sends them: only under the protocol `native`."""
    reply: dict[str, JsonValue]
    """The assistant's message that this protocol reads as the right answer: the loss is on it alone."""
    source: str
    """`human`, `outcome_verified`, `incumbent`, `suite`, or `teacher:NAME`."""
    wants_call: bool
    weight: float = Field(default=1.0, gt=0)
    count: int = Field(default=1, ge=1)
    """Samples that it stands for: itself and its duplicates."""
    prompt_tokens: int | None = None
    reply_tokens: int | None = None
    """None: nobody counted."""


class LengthStats(Record):
    """Lengths of rows in tokens."""

    n: int = Field(ge=1)
    mean: float
    p50: float
    p95: float
    longest: int


class PackingPlan(Record):
    """Rows put side by side into sequences of one length, none of which sees another."""

    tokens: int = Field(ge=1)
    """Of a sequence."""
    sequences: int = Field(ge=0)
    filled_frac: float = Field(ge=0, le=1)
    """Share of them that is rows."""
    padded_frac: float = Field(ge=0, le=1)
    """The same without packing, where every row is padded to the longest."""


class DataOverlap(Record):
    """What the gate's samples have in common with the rows without being contaminated by them. It stops nothing."""

    n: int = Field(ge=0)
    """Samples of the gate in the clusters that were taken."""
    same_template: int = Field(ge=0)
    """Of them, those whose last question is one of train's once numbers and argument values are left out."""
    values: int = Field(ge=0)
    """Distinct argument values of their answers."""
    values_seen: int = Field(ge=0)
    """Of them, those that are an argument value in train too."""
    all_values_seen: int = Field(ge=0)
    """Samples with argument values, all of which are in train."""
    unseen_tools: tuple[str, ...] = ()
    """Tools that their answers call and no row does."""


class LogitsFile(Record):
    """What a teacher holds of each token of the replies, for training on its distribution."""

    file: str
    teacher: str
    top_k: int = Field(ge=1)
    rows: int = Field(ge=0)
    tokens: int = Field(ge=0)
    tokenizer_sha256: str
    """Of the vocabulary and merges that teacher and student share."""
    mass: float = Field(ge=0, le=1)
    """Mean probability that the kept tokens have together."""
    seconds: float = Field(ge=0)


class DatasetManifest(Record):
    """What was learned from, and what was kept out of it."""

    schema_version: Literal[1] = 1
    key: str
    """Hash over everything that decides a row: suite, cluster, options, protocol, prompt, seed."""
    suite: str
    suite_hash: str
    cluster: str | None
    """Id or label as it was asked for; None: the whole suite."""
    clusters: tuple[str, ...] = ()
    """Categories of the suite that were taken."""
    protocol: Protocol
    n_train: int = Field(ge=0)
    n_validation: int = Field(ge=0)
    n_test: int = Field(ge=0)
    """Samples that the gate asks: none of them is a row."""
    n_call: int = Field(default=0, ge=0)
    """Rows of train that want a call."""
    n_no_call: int = Field(default=0, ge=0)
    sources: tuple[RowGroup, ...] = ()
    """Rows by where the answer is from: `human`, `outcome_verified`, `incumbent`, `teacher:NAME`, `suite`."""
    dropped: dict[str, int] = Field(default_factory=dict)
    """Samples of train and validation that made no row, by reason."""
    contamination: dict[str, int] = Field(default_factory=dict)
    """What was compared with the gate's rows and how often it matched, by kind: all of it must be 0."""
    contamination_checked: int = Field(default=0, ge=0)
    """Pairs of a row and a sample of the gate that were near enough to be compared."""
    redaction: JsonValue = None
    """The policy of the curated calls behind the suite, as `do=curate` wrote it; None: the suite is not from logs."""
    logs: tuple[str, ...] = ()
    """Hashes of what the suite was built from, as its own files say."""
    teacher: str | None = None
    teacher_calls: int = Field(default=0, ge=0)
    teacher_usd: float | None = None
    """What its answers cost; None: no teacher, or a price that nobody knows."""
    tokens: int | None = None
    """Of all train rows, prompts and replies; None before the tokenizer has seen them."""
    reply_tokens: int | None = None
    """Of the replies alone: what the loss is on."""
    redaction_sha256: str | None = None
    """Of the policy in `redaction`, canonically; None: the suite is not from logs."""
    seed: int = 0
    validation_from: Literal["calibration", "train", "none"] = "none"
    """Which split the validation rows are from; `train`: groups of its sessions and near duplicates, set aside."""
    duplicates: int = Field(default=0, ge=0)
    """Samples whose row is there already."""
    near_duplicates: int = Field(default=0, ge=0)
    """Samples of another session that ask nearly the same and have the same answer as a row."""
    no_call_wanted: float | None = None
    """Share of no-call rows that was asked for."""
    no_call_added: int = Field(default=0, ge=0)
    """Rows of other clusters, taken to reach it."""
    teacher_kept: int = Field(default=0, ge=0)
    """Samples whose row has the teacher's answer."""
    teacher_wrong: int = Field(default=0, ge=0)
    """Samples whose answers by the teacher were not kept."""
    teacher_tokens: int | None = None
    teacher_run: str | None = None
    """Name of its run folder within `teacher/`."""
    lengths: LengthStats | None = None
    """Of train rows, prompt and reply together; None: nobody counted."""
    packing: PackingPlan | None = None
    overlap: DataOverlap | None = None
    logits: LogitsFile | None = None
    exports: tuple[str, ...] = ()
    """Formats of other programs that the rows were written in, each a folder of `export/`."""
    files: tuple[ConvertFile, ...] = ()
    notes: tuple[str, ...] = ()
    """What a reader must know before believing a number."""


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
    machine_usd: float | None = None
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
    """Mean since the last line."""
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
