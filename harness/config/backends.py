"""How each engine is set up."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator

from harness.records import Record
from harness.registry import plugin_names

__all__ = [
    "BACKENDS",
    "AdapterConfig",
    "AttachedConfig",
    "BackendConfig",
    "EndpointConfig",
    "LitellmConfig",
    "LlamaCppConfig",
    "LlamaServerConfig",
    "LmStudioConfig",
    "LoraConfig",
    "OllamaConfig",
    "PluginConfig",
    "RecordedConfig",
    "ServingConfig",
    "TransformersConfig",
    "VllmConfig",
    "VllmLoraConfig",
]


def _nothing_as_empty(value: object) -> object:
    """In the files such a mapping is null: Hydra takes a whole mapping for it, and no new key for an empty one."""
    return {} if value is None else value


Fields = Annotated[dict[str, Any], BeforeValidator(_nothing_as_empty)]
"""A mapping of names that we do not know beforehand, empty by default."""


class LoraConfig(Record):
    """A GGUF LoRA adapter on top of the base weights."""

    path: str
    """The adapter's GGUF file."""
    scale: float = 1.0
    """Its weight; 1: as trained."""


class LlamaCppConfig(Record):
    """The embedded llama.cpp server (xllamacpp)."""

    name: Literal["llamacpp"]
    """Names the engine."""
    process: Literal["child", "inline"] = "child"
    """`child`: a managed process of its own, off the measuring clock's path. `inline`: inside the harness."""
    context_tokens: int | None = Field(default=None, ge=64)
    """Per slot; None: the model's own up to 32,768, halved until its cache fits a quarter of the free memory."""
    slots: int = Field(default=1, ge=1, le=256)
    """Requests that it computes at once, each with room for `context_tokens`."""
    threads: int | None = Field(default=None, ge=1)
    """None: the machine's physical cores that this process may use."""
    gpu_layers: int = Field(default=-1, ge=-1)
    """-1: as many as fit; without a GPU none."""
    batch_tokens: int = Field(default=2048, ge=32)
    """Tokens of prompts taken up in one go (llama.cpp's `--batch-size`)."""
    ubatch_tokens: int = Field(default=512, ge=32)
    """Of these, tokens in one computation (`--ubatch-size`): less takes less memory."""
    cache: Literal["off", "on"] = "off"
    """Prompt cache. `off` is the strict lane: every prompt is computed anew, so TTFT is cold and answers repeat."""
    kv_type: Literal["f32", "f16", "bf16", "q8_0", "q4_0"] = "f16"
    """Type of the cache of keys and values; `q8_0` takes half the memory of `f16`."""
    flash_attention: Literal["auto", "on", "off"] = "auto"
    """`auto`: where the device has it."""
    lora: tuple[LoraConfig, ...] = ()
    """Adapters on top of the weights, all at once."""
    start_timeout_s: float = Field(default=300.0, gt=0)
    """Until the weights are loaded."""


class EndpointConfig(Record):
    """Any OpenAI-compatible server that is already running."""

    name: Literal["endpoint"]
    """Names the engine."""
    connect_timeout_s: float = Field(default=5.0, gt=0)
    """For a connection."""
    check: bool = True
    """Ask for the list of models before the run."""
    extra_body: Fields = Field(default_factory=dict)
    """Request fields that this server wants."""


class AttachedConfig(Record):
    """What all engines have that run already and are known by name."""

    url: str
    """Where it listens, up to `/v1`; `model.url` wins."""
    connect_timeout_s: float = Field(default=5.0, gt=0)
    """For a connection."""
    ready_timeout_s: float = Field(default=60.0, ge=0)
    """How long to wait while it says that it still loads."""
    context_tokens: int | None = Field(default=None, ge=64)
    """Least room for one request, as far as the model has it: an engine with less is refused. None: taken as it is."""
    extra_body: Fields = Field(default_factory=dict)
    """Further request fields that this engine takes."""


class AdapterConfig(Record):
    """One of the LoRA adapters that a llama-server was started with, by its place in `--lora`, from 0."""

    id: int = Field(ge=0)
    """Place in `--lora`, from 0."""
    scale: float = 1.0
    """Its weight; 1: as trained, 0: off."""


class LlamaServerConfig(AttachedConfig):
    """llama.cpp's own server, started by somebody else."""

    name: Literal["llamaserver"]
    """Names the engine."""
    cache: Literal["off", "on"] = "off"
    """Prompt cache, as in the backend `llamacpp`."""
    lora: tuple[AdapterConfig, ...] = ()
    """Scales sent with every request; adapters that are not named keep the server's."""
    template_options: Fields = Field(default_factory=dict)
    """What the chat template is told, such as {enable_thinking: false}."""


class OllamaConfig(AttachedConfig):
    """Ollama, asked by its OpenAI routes, described by its own."""

    name: Literal["ollama"]
    """Names the engine."""
    keep_alive: str = Field(default="30m", pattern=r"^-?\d+(ms|s|m|h)$")
    """How long the model stays loaded after a request; below zero: until Ollama ends."""
    load_timeout_s: float = Field(default=300.0, gt=0)
    """Until it has loaded the model."""


class LmStudioConfig(AttachedConfig):
    """LM Studio's server."""

    name: Literal["lmstudio"]
    """Names the engine."""
    ttl_s: int | None = Field(default=None, ge=1)
    """Idle seconds after which a model that a request loaded is let go; None: LM Studio's own."""
    load_timeout_s: float = Field(default=300.0, gt=0)
    """Until it has loaded the model."""


class ServingConfig(AttachedConfig):
    """Servers for GPUs that load safetensors: SGLang, TensorRT-LLM's `trtllm-serve`, and a `vllm serve` of yours."""

    name: Literal["sglang", "trtllm", "vllm_server"]
    """Names the server."""
    template_options: Fields = Field(default_factory=dict)
    """What the chat template is told, such as {enable_thinking: false}."""


class VllmLoraConfig(Record):
    """A PEFT adapter: a folder with adapter_config.json. To vLLM it is a model of its own."""

    path: str
    """The adapter's folder, as peft writes it."""
    name: str = Field(default="adapter", pattern=r"^[\w.-]+$")
    """What requests call it; `model.served_name` chooses among several."""


class VllmConfig(Record):
    """vLLM's server as a managed process, in an environment of its own (`make vllm-env`)."""

    name: Literal["vllm"]
    """Names the engine."""
    mode: Literal["serve", "batch"] = "serve"
    """`batch`: for throughput; tokens come in one piece, so that nothing but the whole answer is timed."""
    python: str | None = None
    """The Python that has vLLM; None: the one in `.venv-vllm`."""
    weights: Literal["safetensors", "gguf"] = "safetensors"
    """`gguf`: the model's GGUF file, dequantised into safetensors, since vLLM reads no GGUF any more."""
    context_tokens: int | None = Field(default=None, ge=64)
    """For one request; None: the model's own up to 32,768, less where a GPU has no room for it."""
    slots: int = Field(default=1, ge=1, le=4096)
    """Sequences that it computes at once (`--max-num-seqs`)."""
    threads: int | None = Field(default=None, ge=1)
    """Of the computing process; None: vLLM's own choice, on a processor all cores but one."""
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    """Of weights and activations; `auto`: as the checkpoint says."""
    quantization: str | None = None
    """How the weights are quantized, or are to be (fp8); None: as their configuration says."""
    kv_type: str = "auto"
    """Element type of the cache: auto, bfloat16, fp8, …"""
    tensor_parallel: int = Field(default=1, ge=1)
    """GPUs over which each layer is spread."""
    gpu_memory_frac: float = Field(default=0.9, gt=0, le=1)
    """Share of the GPU's memory for weights and cache together."""
    cpu_cache_gib: int = Field(default=2, ge=1)
    """Room for the cache in main memory; without a GPU alone."""
    cache: Literal["off", "on"] = "off"
    """Prefix cache. `off` is the strict lane, as in the backend `llamacpp`."""
    eager: bool = False
    """No compilation: starts sooner, answers slower."""
    tool_parser: str | None = None
    """How native calls are read out of the reply: hermes, llama3_json, qwen3_coder, …"""
    reasoning_parser: str | None = None
    """vLLM's own name of the parser that takes thoughts out of replies; null: none."""
    lora: tuple[VllmLoraConfig, ...] = ()
    """An adapter on top of the weights."""
    template_options: Fields = Field(default_factory=dict)
    """What the chat template is told, such as {enable_thinking: false}."""
    extra_args: tuple[str, ...] = ()
    """Further words for vLLM's command line."""
    extra_body: Fields = Field(default_factory=dict)
    """Further request fields."""
    start_timeout_s: float = Field(default=900.0, gt=0)
    """Until the server is up."""


class RecordedConfig(Record):
    """Answers on record: a file of replies, or an earlier run's folder, judged without a call."""

    name: Literal["recorded"]
    """Names it: no engine, but answers of a file."""
    path: str | None = None
    """None: what the suite carries of its log (`model=incumbent`)."""


class LitellmConfig(Record):
    """Any provider that litellm knows, by `model.name=provider/model`; litellm runs in a process of its own."""

    name: Literal["litellm"]
    """Names the engine."""
    python: str | None = None
    """The Python that has litellm; None: this one."""
    api_key_file: str | None = None
    """File that holds the key and that nobody else may read; None: `model.api_key_env`, or the provider's variables."""
    cache: Literal["provider", "mark"] = "provider"
    """`mark`: the tools and the system message are marked for the prompt cache, which Claude models want to be told."""
    drop: tuple[str, ...] = ("seed",)
    """Request fields left out where litellm says that the provider does not know them; any other is an error then."""
    extra_body: Fields = Field(default_factory=dict)
    """What litellm takes besides for this provider, such as `aws_region_name` or `api_version`. No keys."""
    start_timeout_s: float = Field(default=60.0, gt=0)
    """Until litellm is imported and listens."""


class TransformersConfig(Record):
    """Plain transformers, the reference lane: `generate`, one request at a time."""

    name: Literal["transformers"]
    """Names the engine."""
    process: Literal["child", "inline"] = "child"
    """`child`: a managed process in a Python that has torch. `inline`: inside the harness, which then needs torch."""
    python: str | None = None
    """The Python that has torch and transformers; None: this one if it has, else the one of `make train-env`."""
    weights: Literal["safetensors", "gguf"] = "safetensors"
    """Which of the model's weights; `gguf` are dequantised first. `model.weights.path` wins, whichever it is."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """`auto`: the checkpoint's own; of a GGUF float32, which loses nothing."""
    device: str = Field(default="auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")
    """`auto`: the first GPU, else Apple's, else the processor."""
    threads: int | None = Field(default=None, ge=1)
    """None: the machine's physical cores that this process may use."""
    attention: Literal["auto", "eager", "sdpa", "flash_attention_2"] = "auto"
    """Which implementation; `auto`: transformers' own choice."""
    context_tokens: int | None = Field(default=None, ge=64)
    """None: what the model was trained for."""
    adapter: str | None = None
    """Folder of a PEFT adapter, such as a LoRA."""
    merge: bool = False
    """Whether the adapter is merged into the weights: faster, and rounded to their type."""
    tool_parser: Literal["hermes", "json", "none"] = "hermes"
    """How calls are read under the protocol `native`: JSON between <tool_call> tags, a reply that is JSON, or not."""
    start_timeout_s: float = Field(default=300.0, gt=0)
    """Until the weights are loaded."""


class PluginConfig(Record):
    """An engine of another package, by its name among the entry points of `harness.backends`."""

    name: str
    """The engine's name in the entry-point group `harness.backends`."""
    options: Fields = Field(default_factory=dict)
    """What that engine is set up with: handed to it as it is, and written into the manifest. No keys."""

    @field_validator("name")
    @classmethod
    def _is_installed(cls, name: str) -> str:
        known = plugin_names("harness.backends")
        if name not in known:
            raise ValueError(f"no engine of that name; there are: {', '.join(known)}")
        return name


OwnBackend = Annotated[
    LlamaCppConfig
    | EndpointConfig
    | RecordedConfig
    | LitellmConfig
    | LlamaServerConfig
    | OllamaConfig
    | LmStudioConfig
    | ServingConfig
    | TransformersConfig
    | VllmConfig,
    Field(discriminator="name"),
]
BACKENDS: Final[dict[str, type[Record]]] = {
    name: kind for kind in get_args(get_args(OwnBackend)[0]) for name in get_args(kind.model_fields["name"].annotation)
}
"""The record of each engine that comes with the harness."""


def _whose(value: object) -> str:
    name = value.get("name") if isinstance(value, Mapping) else getattr(value, "name", None)
    return "plugin" if isinstance(name, str) and name not in BACKENDS else "own"


BackendConfig = Annotated[
    Annotated[OwnBackend, Tag("own")] | Annotated[PluginConfig, Tag("plugin")], Discriminator(_whose)
]
