"""What `do=convert` makes rows from, how it trains, what the engine gets, and what the gate asks."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from harness.records import Record

__all__ = ["ConvertData", "ConvertExport", "ConvertGate", "ConvertOptions", "ConvertTraining"]


class ConvertData(Record):
    """Which rows are learned from."""

    labels: tuple[Literal["human", "outcome-verified", "incumbent", "teacher", "suite"], ...] = (
        "human", "outcome-verified", "incumbent", "suite",
    )  # fmt: skip
    """Whose answers count as right; the first of them that a sample has is taken."""
    rows: int | None = Field(default=None, ge=1)
    """Of train, at most; None: all."""
    validation: int = Field(default=50, ge=0)
    """Rows that early stopping looks at, at most."""
    no_call_share: float | None = Field(default=None, ge=0, lt=1)
    """Least share of rows that want no call, where the train split has such; None: as they are."""
    teacher: str | None = None
    """Name in `conf/model`: its answers are what is learned (`labels` then has `teacher`); None: no teacher."""
    teacher_overrides: tuple[str, ...] = ()
    """What is typed besides to set that model up."""
    teacher_keep: Literal["scored", "agreeing", "all"] = "scored"
    """Which answers of a teacher are kept where no answer on record has one of `labels`. `scored`: those that the
    suite's scorer finds right. `agreeing`: what most of `teacher_trials` answers do. `all`: whatever can be read.
    Where such an answer is on record, only those that are right by it."""
    teacher_trials: int = Field(default=1, ge=1, le=100)
    """Answers of the teacher to each sample; they differ only where its temperature is above 0."""
    distill: Literal["replies", "logits"] = "replies"
    """`logits`: also the log probabilities that a local teacher gives to each token of the replies;
    teacher and student must have one tokenizer."""
    top_k: int = Field(default=16, ge=1, le=1024)
    """Tokens of which the log probability is kept, at each place of a reply."""
    temperature: float = Field(default=1.0, gt=0, le=100)
    """Divides the logits of teacher and student alike before they are held against each other: above 1 the tokens that
    the teacher finds less likely weigh more (`distill=logits`)."""
    words: Literal["decline", "say"] = "decline"
    """An answer in words where tools are offered, under `prompted`: declining by name, as the prompt asks for, or the
    words on record. Under `constrained` it is declining, under `native` the words."""
    near: float | None = Field(default=0.9, ge=0.5, le=1)
    """Jaccard similarity from which on a sample with the same answer as one of another session makes no row of its own;
    None: only equal rows are one."""
    exports: tuple[Literal["llamafactory", "axolotl", "trl", "openai", "nemo"], ...] = ()
    """Other programs that the rows are written for besides, with what they need to be run (docs/convert_data.md)."""
    seed: int = 0
    """Decides the order of rows and what is drawn."""

    @field_validator("labels", "teacher_overrides", "exports", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class ConvertTraining(Record):
    """How the weights are changed."""

    rank: int = Field(default=16, ge=1, le=1024)
    """Of the factors that are learned for each layer."""
    alpha: float = Field(default=32.0, gt=0)
    """The factors count alpha / rank times."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of the factors' input that is left out at each step."""
    targets: tuple[str, ...] = ("all-linear",)
    """Names of the layers that get factors; `all-linear`: every linear layer but the output."""
    learning_rate: float = Field(default=5e-4, gt=0)
    """Of AdamW, at its highest."""
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    """How the learning rate falls after warming up."""
    warmup_frac: float = Field(default=0.03, ge=0, lt=1)
    """Share of the steps over which the learning rate rises from 0."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Of AdamW."""
    clip: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient."""
    epochs: float = Field(default=3.0, gt=0)
    """Times that all rows are seen."""
    max_steps: int | None = Field(default=None, ge=1)
    """Steps at most; null: as many as the epochs have."""
    max_minutes: float | None = Field(default=None, gt=0)
    """Training ends in order when it has taken so long; None: no limit."""
    batch: int = Field(default=8, ge=1)
    """Rows of one step on one device."""
    accumulate: int = Field(default=1, ge=1)
    """Batches that make one step."""
    max_tokens: int = Field(default=1024, ge=16)
    """Longer rows are left out."""
    packing: bool = True
    """Several rows in one sequence, none of which sees another."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Of the weights in training; `auto`: bfloat16, on `mps` float32."""
    device: str = Field(default="auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")
    """`auto`, `cpu`, `mps`, `cuda` or `cuda:N`."""
    processes: int = Field(default=1, ge=1, le=64)
    """GPUs that share a step (accelerate)."""
    threads: int | None = Field(default=None, ge=1)
    """Of the processor; null: its cores that this process may use."""
    checkpoint_steps: int = Field(default=50, ge=1)
    """Steps between two states on disk, from which a stopped training goes on."""
    eval_steps: int = Field(default=50, ge=1)
    """Steps between two evaluations on the validation rows."""
    patience: int | None = Field(default=3, ge=1)
    """Evaluations without a better task metric before training ends; None: it goes on to the end."""
    checkpointing: bool = False
    """Activations are computed again rather than kept: less memory, about a third more time."""
    distill_share: float = Field(default=0.5, gt=0, le=1)
    """Share of the loss that is the teacher's distribution, where `data.distill=logits`; the rest is the reply's."""
    python: str | None = None
    """A Python with torch, transformers, peft and trl; None: that of `make train-env`."""
    seed: int = 0
    """Decides the first factors, the order of rows and dropout."""

    @field_validator("targets", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class ConvertExport(Record):
    """What the engine gets."""

    types: tuple[str, ...] = ("Q8_0",)
    """GGUF types of the merged model; the first is the one that is served."""
    serve: Literal["merged", "adapter"] = "merged"
    """One file with the adapter in it, or the base as it is with the adapter beside it."""
    safetensors: bool = False
    """Keep the merged checkpoint too: for vLLM, SGLang and others."""
    least_delta: float = Field(default=0.5, ge=0, le=1)
    """Share of what training changed that must be left in the served file; below, the export is refused."""
    warn_delta: float = Field(default=0.85, ge=0, le=1)
    """Below this it is said."""
    converter: str | None = None
    """llama.cpp's convert_hf_to_gguf.py, for a base that has no GGUF file; None: that of `make quantize-env`."""
    quantize_python: str | None = None
    """A Python with llama-cpp-python, for types but F32, F16, BF16 and Q8_0; None: that of `make quantize-env`."""
    quantize_program: str | None = None
    """llama.cpp's `llama-quantize` in its place."""

    @field_validator("types", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _some_type(self) -> "ConvertExport":
        if not self.types:
            raise ValueError("export.types names no type; Q8_0 keeps what was learned")
        return self


class ConvertGate(Record):
    """What is asked before and after."""

    rows: tuple[Literal["base", "examples", "grammar", "tuned", "tuned_grammar"], ...] = (
        "base", "examples", "grammar", "tuned", "tuned_grammar",
    )  # fmt: skip
    """Set-ups that are asked: the base as it is, with examples, under a grammar; the tuned model, and it under a
    grammar."""
    examples: int = Field(default=3, ge=1, le=20)
    """Of the row `examples`: in-context examples before each question."""
    limit: int | None = Field(default=None, ge=1)
    """Samples of the test split at most; None: all."""
    margin: float = Field(default=0.05, gt=0, lt=1)
    """Loss of accuracy that would matter."""
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    """Chance of a wrong verdict."""
    reference: str | None = None
    """A run folder of the same samples to be held against besides; None: the log's own answers, where the suite has."""
    checkpoint: bool = False
    """Also ask the merged checkpoint in transformers, to see what quantizing lost."""
    general: int = Field(default=20, ge=0)
    """Samples of each general suite, asked before and after; 0: none."""
    general_tokens: int = Field(default=256, ge=16)
    """Most tokens of a general answer: enough to see a collapse, and no more."""
    general_suites: tuple[str, ...] = ("toolcall", "ifeval")
    """Suites that show what was unlearned."""
    general_margin: float = Field(default=0.1, gt=0, lt=1)
    """Loss in a general suite that is warned of."""

    @field_validator("rows", "general_suites", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class ConvertOptions(Record):
    """From a suite's train split to a model of its own."""

    method: Literal["lora", "dora", "qlora", "full"] = "lora"
    """`lora`, `dora`: factors beside the weights. `qlora`: the same beside weights in 4 bits (CUDA). `full`: all
    weights."""
    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Of the model that comes of it: `model=NAME`. None: suite, cluster and base."""
    out: str | None = None
    """Folder of conversions; None: `convert/` in that of the results."""
    until: Literal["data", "train", "export", "gate", "ledger"] = "ledger"
    """The last step that is done."""
    curve: tuple[int, ...] = ()
    """Numbers of rows to train on besides, to see what more of them buy: [50,100,250,500,1000]; empty: no curve."""
    curve_steps: int | None = Field(default=None, ge=1)
    """Steps of each of these trainings; None: as many as the training itself may take."""
    estimate_only: bool = False
    """Make the rows, say what the rest would take, and train nothing."""
    verify: str | None = None
    """A folder of a conversion: every hash in its ledger is computed again, and nothing else is done."""
    promote: bool = False
    """Let the model go to work: refused unless everything that the ledger says holds."""
    by: str | None = None
    """Who promotes."""
    data: ConvertData = ConvertData()
    training: ConvertTraining = ConvertTraining()
    export: ConvertExport = ConvertExport()
    gate: ConvertGate = ConvertGate()
