"""What a conversion learns from: a row, the set of all rows, and what was kept out of it."""

from typing import Literal

from pydantic import Field, JsonValue

from harness.records.attempt import Protocol
from harness.records.base import Record
from harness.records.manifest import WeightFacts

__all__ = [
    "ConvertFile",
    "DataOverlap",
    "DatasetManifest",
    "DatasetRow",
    "LengthStats",
    "LogitsFile",
    "PackingPlan",
    "RowGroup",
]


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
    temperature: float = Field(default=1.0, gt=0)
    """That the teacher's logits were divided by."""
    weights: WeightFacts | None = None
    """Of the teacher."""
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
