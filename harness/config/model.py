"""How a model is described: where its weights are, how it wants to be asked, what it costs."""

from typing import Literal

from pydantic import Field

from harness.records import Protocol, Record
from harness.records.asset import AssetSpec

__all__ = [
    "GenerationConfig",
    "GgufWeights",
    "LongPromptPrices",
    "ModelConfig",
    "PriceConfig",
    "PromptConfig",
    "SafetensorsWeights",
    "TokenPrices",
    "WeightsConfig",
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
    logprobs: bool = False
    """Asks for the probability of each token, which a router can go by; some servers refuse it, some do not answer."""


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
    examples: int = Field(default=0, ge=0, le=20)
    """Questions of the suite with their right answers, as turns before the question; never from the test split."""
    examples_by: Literal["similar", "fixed"] = "similar"
    """`similar`: those most like the question. `fixed`: the same for all, as far as their tools are offered."""
    examples_split: Literal["train", "calibration"] = "train"
    """Which split of the suite they are from."""
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
