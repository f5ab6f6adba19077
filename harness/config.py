"""The configuration as typed records: the only module that sees Hydra's DictConfig."""

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from hydra import compose
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import Field, ValidationError, model_validator

from harness.errors import ConfigError
from harness.records import Disturbance, Protocol, Record
from harness.records.asset import AssetSpec

__all__ = [
    "AdapterConfig",
    "AgentConfig",
    "ArrivalConfig",
    "AttachedConfig",
    "BackendConfig",
    "BudgetConfig",
    "DoctorConfig",
    "DoctorOptions",
    "EndpointConfig",
    "ExportConfig",
    "ExportTarget",
    "FetchConfig",
    "GenerationConfig",
    "HardwareConfig",
    "JudgeConfig",
    "LitellmConfig",
    "LlamaCppConfig",
    "LlamaServerConfig",
    "LmStudioConfig",
    "LongPromptPrices",
    "LoraConfig",
    "ModelConfig",
    "OllamaConfig",
    "PathsConfig",
    "PriceConfig",
    "PromptConfig",
    "RecordedConfig",
    "ReportConfig",
    "RunConfig",
    "RunnerConfig",
    "SandboxConfig",
    "ScoringConfig",
    "ServingConfig",
    "SuiteConfig",
    "TokenPrices",
    "ValidateConfig",
    "VerbConfig",
    "WeightsConfig",
    "explain_validation",
    "known_keys",
    "parse",
    "register_defaults",
    "template_file",
]


class GenerationConfig(Record):
    """Sampling parameters, sent with every request: a server's own defaults decide nothing."""

    temperature: float = Field(default=0.0, ge=0)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=0)
    min_p: float | None = Field(default=None, ge=0, le=1)
    repeat_penalty: float | None = Field(default=None, gt=0)
    max_tokens: int = Field(default=256, ge=1)
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """Hosted reasoning models refuse `max_tokens`."""
    stop: tuple[str, ...] = ()
    reasoning_effort: Literal["minimal", "low", "medium", "high"] | None = None
    send_seed: bool = True
    """Off for providers that refuse the field."""
    send_temperature: bool = True
    """Off for models that refuse any but their own."""


class PromptConfig(Record):
    """How tools are written into the prompt of the protocols `prompted` and `constrained`."""

    style: Literal["signature", "json"] = "signature"
    examples: int = Field(default=0, ge=0, le=3)
    """In-context examples put before the question."""


class GgufWeights(Record):
    """A GGUF file for llama.cpp."""

    asset: AssetSpec
    quantization: str


class SafetensorsWeights(Record):
    """A hub repository for engines that load safetensors (vLLM, transformers, SGLang, TensorRT-LLM)."""

    repo: str
    revision: str = "main"


class WeightsConfig(Record):
    """Where a model's weights come from, per format."""

    path: str | None = None
    """A file of your own: wins over everything below."""
    quantization: str | None = None
    """What `path` holds, for the report; read from the file where the engine says it."""
    gguf: GgufWeights | None = None
    safetensors: SafetensorsWeights | None = None
    ollama: str | None = None
    """Tag in Ollama's library."""


class TokenPrices(Record):
    """What tokens cost by kind, in USD per million; a kind without a price costs as the kind it is part of."""

    input_usd_per_mtok: float = Field(ge=0)
    cached_input_usd_per_mtok: float | None = Field(default=None, ge=0)
    """Read from the provider's prompt cache."""
    cache_write_usd_per_mtok: float | None = Field(default=None, ge=0)
    """Written to it, for its shortest lifetime."""
    output_usd_per_mtok: float = Field(ge=0)
    reasoning_usd_per_mtok: float | None = Field(default=None, ge=0)


class LongPromptPrices(TokenPrices):
    """What all tokens of a call cost whose prompt is longer than a bound."""

    over_tokens: int = Field(ge=1)


class PriceConfig(TokenPrices):
    """A provider's list price."""

    long_prompt: tuple[LongPromptPrices, ...] = ()
    batch: TokenPrices | None = None
    """Of the provider's batch service, where it has one."""
    as_of: str
    """Date of the price list; of a price that was read from a package, the package's version."""
    source: str | None = None
    """What it was read from; None: given in the configuration."""


class ModelConfig(Record):
    """One model of the board: who it is, where its weights are, and how it wants to be asked."""

    name: str
    title: str
    publisher: str = ""
    licence: str
    """SPDX id, or the name of the licence."""
    licence_url: str | None = None
    parameters: int | None = None
    context_tokens: int | None = None
    languages: tuple[str, ...] = ()
    hosted: bool = False
    reasoning: bool = False
    """Thinks before it answers: `generation.max_tokens` has to leave room for it."""
    source: str | None = None
    """Model card."""
    protocol: Protocol = "constrained"
    prompt: PromptConfig = PromptConfig()
    generation: GenerationConfig = GenerationConfig()
    chat_template: str | None = None
    """File of a Jinja chat template, in `conf/templates/` or by path; None: the one in the weights."""
    weights: WeightsConfig = WeightsConfig()
    url: str | None = None
    """Base URL up to `/v1`, for attached and hosted models."""
    served_name: str | None = None
    """Value of `model` in the request; None: `name`."""
    api_key_env: str | None = None
    """Environment variable that holds the key. The key itself never stands in a configuration."""
    price: PriceConfig | None = None


class LoraConfig(Record):
    """A GGUF LoRA adapter on top of the base weights."""

    path: str
    scale: float = 1.0


class LlamaCppConfig(Record):
    """The embedded llama.cpp server (xllamacpp)."""

    name: Literal["llamacpp"]
    process: Literal["child", "inline"] = "child"
    """`child`: a managed process of its own, off the measuring clock's path. `inline`: inside the harness."""
    context_tokens: int | None = Field(default=None, ge=64)
    """Per slot; None: the model's own up to 32,768, halved until its cache fits a quarter of the free memory."""
    slots: int = Field(default=1, ge=1, le=256)
    threads: int | None = Field(default=None, ge=1)
    """None: the machine's physical cores that this process may use."""
    gpu_layers: int = Field(default=-1, ge=-1)
    """-1: as many as fit; without a GPU none."""
    batch_tokens: int = Field(default=2048, ge=32)
    ubatch_tokens: int = Field(default=512, ge=32)
    cache: Literal["off", "on"] = "off"
    """Prompt cache. `off` is the strict lane: every prompt is computed anew, so TTFT is cold and answers repeat."""
    kv_type: Literal["f32", "f16", "bf16", "q8_0", "q4_0"] = "f16"
    flash_attention: Literal["auto", "on", "off"] = "auto"
    lora: tuple[LoraConfig, ...] = ()
    start_timeout_s: float = Field(default=300.0, gt=0)


class EndpointConfig(Record):
    """Any OpenAI-compatible server that is already running."""

    name: Literal["endpoint"]
    connect_timeout_s: float = Field(default=5.0, gt=0)
    check: bool = True
    """Ask for the list of models before the run."""
    extra_body: dict[str, Any] = Field(default_factory=dict)
    """Request fields that this server wants."""


class AttachedConfig(Record):
    """What all engines have that run already and are known by name."""

    url: str
    """Where it listens, up to `/v1`; `model.url` wins."""
    connect_timeout_s: float = Field(default=5.0, gt=0)
    ready_timeout_s: float = Field(default=60.0, ge=0)
    """How long to wait while it says that it still loads."""
    context_tokens: int | None = Field(default=None, ge=64)
    """Least room for one request, as far as the model has it: an engine with less is refused. None: taken as it is."""
    extra_body: dict[str, Any] = Field(default_factory=dict)
    """Further request fields that this engine takes."""


class AdapterConfig(Record):
    """One of the LoRA adapters that a llama-server was started with, by its place in `--lora`, from 0."""

    id: int = Field(ge=0)
    scale: float = 1.0


class LlamaServerConfig(AttachedConfig):
    """llama.cpp's own server, started by somebody else."""

    name: Literal["llamaserver"]
    cache: Literal["off", "on"] = "off"
    """Prompt cache, as in the backend `llamacpp`."""
    lora: tuple[AdapterConfig, ...] = ()
    """Scales sent with every request; adapters that are not named keep the server's."""
    template_options: dict[str, Any] = Field(default_factory=dict)
    """What the chat template is told, such as {enable_thinking: false}."""


class OllamaConfig(AttachedConfig):
    """Ollama, asked by its OpenAI routes, described by its own."""

    name: Literal["ollama"]
    keep_alive: str = Field(default="30m", pattern=r"^-?\d+(ms|s|m|h)$")
    """How long the model stays loaded after a request; below zero: until Ollama ends."""
    load_timeout_s: float = Field(default=300.0, gt=0)


class LmStudioConfig(AttachedConfig):
    """LM Studio's server."""

    name: Literal["lmstudio"]
    ttl_s: int | None = Field(default=None, ge=1)
    """Idle seconds after which a model that a request loaded is let go; None: LM Studio's own."""
    load_timeout_s: float = Field(default=300.0, gt=0)


class ServingConfig(AttachedConfig):
    """Servers for GPUs that load safetensors: SGLang, TensorRT-LLM's `trtllm-serve`, and a `vllm serve` of yours."""

    name: Literal["sglang", "trtllm", "vllm_server"]
    template_options: dict[str, Any] = Field(default_factory=dict)
    """What the chat template is told, such as {enable_thinking: false}."""


class RecordedConfig(Record):
    """Answers on record: a file of replies, or an earlier run's folder, judged without a call."""

    name: Literal["recorded"]
    path: str


class LitellmConfig(Record):
    """Any provider that litellm knows, by `model.name=provider/model`; litellm runs in a process of its own."""

    name: Literal["litellm"]
    python: str | None = None
    """The Python that has litellm; None: this one."""
    api_key_file: str | None = None
    """File that holds the key and that nobody else may read; None: `model.api_key_env`, or the provider's variables."""
    cache: Literal["provider", "mark"] = "provider"
    """`mark`: the tools and the system message are marked for the prompt cache, which Claude models want to be told."""
    drop: tuple[str, ...] = ("seed",)
    """Request fields left out where litellm says that the provider does not know them; any other is an error then."""
    extra_body: dict[str, Any] = Field(default_factory=dict)
    """What litellm takes besides for this provider, such as `aws_region_name` or `api_version`. No keys."""
    start_timeout_s: float = Field(default=60.0, gt=0)


BackendConfig = Annotated[
    LlamaCppConfig
    | EndpointConfig
    | RecordedConfig
    | LitellmConfig
    | LlamaServerConfig
    | OllamaConfig
    | LmStudioConfig
    | ServingConfig,
    Field(discriminator="name"),
]


class HardwareConfig(Record):
    """What an hour of the machine costs, for the cost of local models."""

    name: str
    title: str
    usd_per_hour: float | None = Field(default=None, ge=0)
    """Rent. None: computed from price, lifetime and power below, or unknown."""
    price_usd: float | None = Field(default=None, gt=0)
    lifetime_hours: float | None = Field(default=None, gt=0)
    """Hours of use over which the price is written off."""
    watts: float | None = Field(default=None, ge=0)
    usd_per_kwh: float | None = Field(default=None, ge=0)
    memory_gb: float | None = Field(default=None, gt=0)
    """Main memory as it is sold: in units of 2**30 bytes."""
    gpu_memory_gb: float | None = Field(default=None, gt=0)
    """Of one card; None: models lie in main memory."""
    usable_frac: float = Field(default=0.9, gt=0, le=1)
    """Share of the memory where models lie that other programs leave."""
    disk_gb: float | None = Field(default=None, gt=0)
    """Room for weights, in units of 10**9 bytes."""
    memory_bandwidth_gbs: float | None = Field(default=None, gt=0)
    """Of the memory where models lie, in 10**9 bytes a second."""
    consumer: bool | None = None
    """Whether many people own one: the devices by which a model is a small one."""


class SuiteConfig(Record):
    """Which suite, and how much of it."""

    name: str
    path: str | None = None
    """Folder of a suite of your own, with `suite.yaml` in it; None: `suites/<name>/` of the project."""
    task: str | None = None
    """Of `suite=inspect`: the task, by registered name or file."""
    tasks: tuple[str, ...] = ()
    """Of `suite=lm_eval`: the tasks, by name."""
    options: dict[str, Any] = Field(default_factory=dict)
    """What this suite's loader, scorer or environment can be told besides; wins over `options` in `suite.yaml`."""
    limit: int | None = Field(default=None, ge=1)
    """Number of samples; null for all."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Room that an answer of this suite needs: `model.generation.max_tokens` where neither model nor user name one."""
    sampling: Literal["balanced", "proportional"] = "balanced"
    """`balanced`: every category an equal share. `proportional`: as in the whole suite."""
    categories: tuple[str, ...] | None = None
    seed: int = 0


class ArrivalConfig(Record):
    """When requests are sent: closed loop, or open loop at times that do not wait for the server."""

    kind: Literal["closed", "poisson", "constant", "log"] = "closed"
    """`closed`: `concurrency` at once. `poisson`, `constant`: at `rate_per_s`. `log`: at the samples' own times."""
    rate_per_s: float | None = Field(default=None, gt=0)
    speedup: float = Field(default=1.0, gt=0)
    """For `log`: 10 plays an hour of traffic in six minutes."""
    max_in_flight: int = Field(default=1024, ge=1, le=65536)
    """Bound on open-loop requests at once; what it holds back still counts from the time it was due."""

    @model_validator(mode="after")
    def _rate_where_needed(self) -> "ArrivalConfig":
        if self.kind in {"poisson", "constant"} and self.rate_per_s is None:
            msg = f"{self.kind} arrivals need a rate; add run.arrival.rate_per_s=2"
            raise ValueError(msg)
        return self


class BudgetConfig(Record):
    """What one sitting may use up (null: no limit). Then the run ends in order, and the same command goes on."""

    calls: int | None = Field(default=None, ge=1)
    """Requests, retries among them."""
    tokens: int | None = Field(default=None, ge=1)
    """Prompt and output tokens."""
    usd: float | None = Field(default=None, gt=0)
    """Of hosted models with a price."""
    minutes: float | None = Field(default=None, gt=0)


class RunnerConfig(Record):
    """How the suite is put to the model."""

    concurrency: int = Field(default=1, ge=1, le=4096)
    """Requests in flight at once, in closed loop."""
    order: Literal["auto", "suite", "prefix"] = "auto"
    """`prefix`: samples whose prompts begin alike one after the other. `auto`: so where the engine caches prefixes."""
    arrival: ArrivalConfig = ArrivalConfig()
    budget: BudgetConfig = BudgetConfig()
    trials: int = Field(default=1, ge=1)
    warmup: int = Field(default=2, ge=0)
    """Requests before the clock counts; not recorded."""
    deadline_s: float = Field(default=120.0, gt=0)
    """Per try, from sending to the last byte."""
    stall_s: float = Field(default=60.0, gt=0)
    """Longest silence within a reply."""
    retries: int = Field(default=3, ge=0, le=20)
    """Tries after the first, for infrastructure failures that may pass."""
    seed: int = 0
    resume: str = "auto"
    """`auto`: finish the newest interrupted run of the same configuration. `never`: start anew. Or a run folder."""
    recheck: Literal["constrained"] | None = None
    """Put the misses of a tool suite again under a grammar, in a run of their own: what of the loss is format."""
    max_failed_frac: float = Field(default=0.5, ge=0, le=1)
    """More infrastructure failures than this among the last 20 attempts stop the run (exit 3)."""

    @model_validator(mode="after")
    def _stall_within_deadline(self) -> "RunnerConfig":
        if self.stall_s > self.deadline_s:
            msg = f"stall_s {self.stall_s:g} is longer than deadline_s {self.deadline_s:g}; lower run.stall_s"
            raise ValueError(msg)
        return self


class AgentConfig(Record):
    """How an agent's task is driven: for suites with an environment."""

    max_steps: int = Field(default=20, ge=1)
    """Replies within one turn before the task counts as out of steps."""
    tool_timeout_s: float = Field(default=10.0, gt=0)
    """For one call of a tool; then its worker is killed and the model is told."""
    max_result_chars: int = Field(default=20_000, ge=100)
    """What a tool gives back is cut to this length."""
    disturb: Disturbance | None = None
    """What is done to one call of each task on purpose, once, to see whether the model recovers."""
    feedback: bool = False
    """One more try after the checker's message where the task is not done; the first verdict stays the value."""


class SandboxConfig(Record):
    """Where programs that a model wrote are run, and what they may use up."""

    kind: Literal["auto", "bwrap", "docker", "none"] = "auto"
    """`auto`: bubblewrap, else Docker, else refuse. `none`: no wall at all, only limits; say it aloud or not at all."""
    timeout_s: float = Field(default=10.0, gt=0)
    """Wall-clock time of one program, all its tests included."""
    memory_mb: int = Field(default=1024, ge=64)
    processes: int = Field(default=32, ge=1)
    output_kb: int = Field(default=64, ge=1)
    disk_mb: int = Field(default=16, ge=1)
    image: str = "python:3.11-slim"
    """Of `docker`."""


class JudgeConfig(Record):
    """Which model judges answers that need one (scorer `judge`)."""

    model: str | None = None
    """Name in `conf/model`; None: no judge, and suites that need one refuse."""
    overrides: tuple[str, ...] = ()
    """What is typed besides to set that model up: `["model.url=…","backend.threads=2","run.deadline_s=300"]`."""
    swap: bool = True
    """Judge each answer twice, with the order of what the judge is shown turned round."""
    max_tokens: int | None = Field(default=None, ge=16)
    """For one verdict; None: the model's own `generation.max_tokens`."""
    concurrency: int = Field(default=1, ge=1, le=256)
    """Judgements at once."""


class ScoringConfig(Record):
    """How replies are judged, where judging takes more than a look."""

    workers: int | None = Field(default=None, ge=1)
    """Programs, worlds or judgements at once; None: as many as processors."""
    repair: bool = True
    """Also score each miss of a tool or JSON task from its reply after JSON repair, as a second number."""
    sandbox: SandboxConfig = SandboxConfig()
    judge: JudgeConfig = JudgeConfig()


class PathsConfig(Record):
    """Where files go, relative to the current folder."""

    results: str = "results"
    reports: str = "reports"


class VerbConfig(Record):
    """What every verb has."""

    do: str
    paths: PathsConfig = PathsConfig()
    progress: Literal["auto", "plain", "off"] = "auto"


class RunConfig(VerbConfig):
    """`do=run`: a suite put to a model."""

    suite: SuiteConfig
    model: ModelConfig
    backend: BackendConfig
    hardware: HardwareConfig
    run: RunnerConfig
    agent: AgentConfig = AgentConfig()
    scoring: ScoringConfig = ScoringConfig()


class ReportConfig(VerbConfig):
    """`do=report`: the leaderboard, made anew from the runs on disk."""

    runs: tuple[str, ...] = ()
    """Run folders; empty: the latest of each suite, model, protocol and weights."""


class ExportTarget(Record):
    """Which format, and where to."""

    to: str
    """`inspect`: logs that `inspect view` reads. `lm_eval`: result files as its `--log_samples` leaves them."""
    out: str | None = None
    """Folder; None: `export/` within each run's."""


class ExportConfig(VerbConfig):
    """`do=export`: runs written in the formats of other programs."""

    export: ExportTarget
    runs: tuple[str, ...] = ()
    """Run folders; empty: the latest run."""


class ValidateConfig(VerbConfig):
    """`do=validate`: a suite's targets and scorer checked with outcomes whose verdict is known."""

    suite: SuiteConfig
    agent: AgentConfig = AgentConfig()
    scoring: ScoringConfig = ScoringConfig()


class FetchConfig(VerbConfig):
    """`do=fetch`: weights and data brought into the cache, for machines that will be off the network."""

    suite: SuiteConfig
    model: ModelConfig
    backend: BackendConfig


class DoctorOptions(Record):
    """What the doctor is to insist on, and where its verdicts turn."""

    require: tuple[str, ...] = ()
    """Names of checks; exit 1 where one of them is not as it must be."""
    device: str = "laptop_16gb"
    """Name in `conf/hardware`: the consumer device by which a model is a small one, unless `hardware` is one itself."""
    ttft_s: float = Field(default=2.0, gt=0)
    """Longest median wait for the first token that is practical for one user."""
    tokens_per_s: float = Field(default=10.0, gt=0)
    """Slowest median generation that is."""


class DoctorConfig(VerbConfig):
    """`do=doctor`: what this machine, or another, can run, and what is missing."""

    model: ModelConfig | None = None
    """None: all of `conf/model`."""
    backend: BackendConfig
    hardware: HardwareConfig
    """`none`: this machine."""
    doctor: DoctorOptions = DoctorOptions()

    @model_validator(mode="before")
    @classmethod
    def _no_model_chosen(cls, data: Any) -> Any:
        """Without a choice the group `model` holds the defaults of every model's keys and no name."""
        model = data.get("model") if isinstance(data, dict) else None
        return {**data, "model": None} if isinstance(model, dict) and "name" not in model else data


_VERBS: dict[str, type[VerbConfig]] = {
    "run": RunConfig,
    "report": ReportConfig,
    "fetch": FetchConfig,
    "validate": ValidateConfig,
    "export": ExportConfig,
    "doctor": DoctorConfig,
}


def parse(conf: DictConfig) -> VerbConfig:
    """The composed configuration as a record. Raises ConfigError naming the key, the value and what is allowed."""
    missing = _missing_keys(OmegaConf.to_container(conf, resolve=False), "")
    if OmegaConf.select(conf, "backend.name") == "endpoint" and OmegaConf.select(conf, "model.url") is None:
        missing = [key for key in missing if key != "model.url"]
        missing.append("model.url")
    if missing:
        raise ConfigError(_missing_message(missing))
    data = OmegaConf.to_container(conf, resolve=True)
    assert isinstance(data, dict)
    verb = _VERBS[str(data["do"])]
    try:
        return verb.model_validate(data)
    except ValidationError as error:
        raise ConfigError(explain_validation(error)) from None


def compose_judge(judge: JudgeConfig) -> RunConfig:
    """The configuration of a run by the model that judges, composed by Hydra as on a command line of its own.

    Works inside the app. Raises ConfigError where the model is not known or an override does not fit.
    """
    concurrent = f"run.concurrency={judge.concurrency}"
    try:
        conf = compose("config", overrides=[f"model={judge.model}", concurrent, *judge.overrides])
    except (HydraException, OmegaConfBaseException) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ConfigError(f"scoring.judge.model={judge.model} with its overrides: {reason}") from None
    try:
        parsed = parse(conf)
    except ConfigError as error:
        raise ConfigError(f"scoring.judge.overrides: {error}") from None
    assert isinstance(parsed, RunConfig)
    return parsed


def _missing_keys(node: object, prefix: str) -> list[str]:
    """Dotted keys whose value is still the mandatory mark; interpolations are left alone."""
    if isinstance(node, dict):
        return sorted(key for name, item in node.items() for key in _missing_keys(item, f"{prefix}.{name}".lstrip(".")))
    return [prefix] if node == MISSING else []


def _missing_message(missing: list[str]) -> str:
    hints = {"model.url": "http://127.0.0.1:8000/v1", "model.name": "the-name-your-server-gives-it"}
    typed = " ".join(f"{key}={hints.get(key, '…')}" for key in missing)
    return f"{', '.join(missing)} must be given and {'is' if len(missing) == 1 else 'are'} not; add: {typed}"


def explain_validation(error: ValidationError) -> str:
    """The first complaint of pydantic as one line with the key, the value seen and what is allowed."""
    first = error.errors()[0]
    chosen = first["loc"][:1] == ("backend",)  # which of the backends it is, stands between and is no key
    parts = [str(part) for place, part in enumerate(first["loc"]) if not (chosen and place == 1)]
    key = ".".join(parts) or "configuration"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        return f"{key} is not a key of this group{more}; leave it out"
    if first["type"] == "missing":
        return f"{key} must be given and is not{more}; add: {key}=…"
    said = first["msg"].removeprefix("Value error, ")
    said = said[0].lower() + said[1:]
    return f"{key}={first['input']!r}: {said}{more}"


def template_file(name: str, conf_dir: Path) -> Path:
    """The file of a chat template given by name in `conf/templates/` or by path. Raises ConfigError without it."""
    for candidate in (conf_dir / "templates" / name, Path(name).expanduser()):
        if candidate.is_file():
            return candidate
    known = ", ".join(sorted(p.name for p in (conf_dir / "templates").glob("*.jinja"))) or "none"
    raise ConfigError(f"model.chat_template={name} is no file; templates that come with the project: {known}")


def known_keys(verb: str, backend: str) -> list[str]:
    """Every dotted key that a verb's configuration can have, for a message that names the nearest."""
    kinds: dict[str, type[Record]] = {
        name: kind
        for kind in get_args(get_args(BackendConfig)[0])
        for name in get_args(kind.model_fields["name"].annotation)
    }
    return sorted(_keys_of(_VERBS.get(verb, RunConfig), "", kinds.get(backend, LlamaCppConfig)))


def _keys_of(kind: type[Record], prefix: str, backend: type[Record]) -> list[str]:
    found: list[str] = []
    for name, info in kind.model_fields.items():
        annotation = backend if name == "backend" else info.annotation
        nested = annotation if isinstance(annotation, type) and issubclass(annotation, Record) else None
        found.extend(_keys_of(nested, f"{prefix}{name}.", backend) if nested else [f"{prefix}{name}"])
    return found


def register_defaults() -> None:
    """Gives Hydra every key of a model with its default, so that any of them can be set without a `+`."""
    ConfigStore.instance().store(group="defaults", name="model", node=_model_defaults())


def _model_defaults() -> dict[str, Any]:
    """Every key of a model's configuration that has a default, as a plain mapping."""
    required = {name: "" for name, info in ModelConfig.model_fields.items() if info.is_required()}
    defaults = ModelConfig.model_validate(required).model_dump(mode="json", exclude=set(required))
    room = defaults["generation"]["max_tokens"]
    defaults["generation"]["max_tokens"] = f"${{oc.select:suite.max_tokens,{room}}}"
    return defaults
