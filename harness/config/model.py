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
    """0: greedy, the likeliest token each time."""
    top_p: float | None = Field(default=None, gt=0, le=1)
    """Only the likeliest tokens that have this probability together; null: all."""
    top_k: int | None = Field(default=None, ge=0)
    """Only so many of the likeliest tokens; null or 0: all."""
    min_p: float | None = Field(default=None, ge=0, le=1)
    """Only tokens with this share of the likeliest one's probability; null: all."""
    repeat_penalty: float | None = Field(default=None, gt=0)
    """Divides the scores of tokens that were there already; 1 or null: none."""
    max_tokens: int = Field(default=256, ge=1)
    """Of a reply, its thoughts included."""
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """Hosted reasoning models refuse `max_tokens`."""
    stop: tuple[str, ...] = ()
    """Texts at which a reply ends."""
    reasoning_effort: Literal["minimal", "low", "medium", "high"] | None = None
    """How long a thinking model thinks, where it can be told; null: nothing is sent."""
    send_seed: bool = True
    """Off for providers that refuse the field."""
    send_temperature: bool = True
    """Off for models that refuse any but their own."""
    logprobs: bool = False
    """Asks for the probability of each token, which a router can go by; some servers refuse it, some do not answer."""


class PromptConfig(Record):
    """How tools are written into the prompt of the protocols `prompted` and `constrained`."""

    style: Literal["signature", "json"] = "signature"
    """`signature`: a tool is a line like a function's head. `json`: its schema."""
    examples: int = Field(default=0, ge=0, le=3)
    """In-context examples put before the question."""


class GgufWeights(Record):
    """A GGUF file for llama.cpp."""

    asset: AssetSpec
    """Where the file comes from."""
    quantization: str
    """Type of its weights, such as `Q4_K_M`: for pages and estimates of memory."""


class SafetensorsWeights(Record):
    """A hub repository for engines that load safetensors (vLLM, transformers, SGLang, TensorRT-LLM)."""

    repo: str
    """On the hub: `owner/name`."""
    revision: str = "main"
    """Branch, tag or commit; a commit is one that can be repeated."""


class WeightsConfig(Record):
    """Where a model's weights come from, per format."""

    path: str | None = None
    """A file of your own: wins over everything below."""
    quantization: str | None = None
    """What `path` holds, for the report; read from the file where the engine says it."""
    gguf: GgufWeights | None = None
    """For llama.cpp and engines like it."""
    safetensors: SafetensorsWeights | None = None
    """For vLLM and transformers."""
    ollama: str | None = None
    """Tag in Ollama's library."""


class TokenPrices(Record):
    """What tokens cost by kind, in USD per million; a kind without a price costs as the kind it is part of."""

    input_usd_per_mtok: float = Field(ge=0)
    """USD for a million tokens of prompts."""
    cached_input_usd_per_mtok: float | None = Field(default=None, ge=0)
    """Read from the provider's prompt cache."""
    cache_write_usd_per_mtok: float | None = Field(default=None, ge=0)
    """Written to it, for its shortest lifetime."""
    output_usd_per_mtok: float = Field(ge=0)
    """USD for a million tokens of replies."""
    reasoning_usd_per_mtok: float | None = Field(default=None, ge=0)
    """USD for a million tokens of thoughts; null: as other output."""


class LongPromptPrices(TokenPrices):
    """What all tokens of a call cost whose prompt is longer than a bound."""

    over_tokens: int = Field(ge=1)
    """These prices hold where the prompt has more tokens than this."""


class PriceConfig(TokenPrices):
    """A provider's list price."""

    long_prompt: tuple[LongPromptPrices, ...] = ()
    """Other prices for long prompts, where the provider has them."""
    batch: TokenPrices | None = None
    """Of the provider's batch service, where it has one."""
    as_of: str
    """Date of the price list; of a price that was read from a package, the package's version."""
    source: str | None = None
    """What it was read from; None: given in the configuration."""


class ModelConfig(Record):
    """One model of the board: who it is, where its weights are, and how it wants to be asked."""

    name: str
    """Of the model: `model=NAME`, or with a server the name that it goes by there."""
    title: str
    """What pages call it."""
    publisher: str = ""
    """Who made it."""
    licence: str
    """SPDX id, or the name of the licence."""
    licence_url: str | None = None
    """Where the licence stands."""
    parameters: int | None = None
    """Number of weights; null: not known."""
    context_tokens: int | None = None
    """Longest prompt and reply together that it was made for; null: not known."""
    languages: tuple[str, ...] = ()
    """Codes such as `en`, as the publisher says."""
    hosted: bool = False
    """Paid by the call at a provider."""
    reasoning: bool = False
    """Thinks before it answers: `generation.max_tokens` has to leave room for it."""
    source: str | None = None
    """Model card."""
    protocol: Protocol = "constrained"
    """How it learns of tools and gives calls (README)."""
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
    """List prices, of a hosted model; null: not known."""
