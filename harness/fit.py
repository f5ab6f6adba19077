"""How much memory and disk a model needs before it is loaded, and whether that fits: pure arithmetic, in bytes.

llama.cpp (checked against xllamacpp 2026.10.11549 on a CPU, docs/fit.md has the errors):
  weights   the file
  kv        elements per token × cells × bytes per element × slots; cells = context up to a multiple of 256, and for
            layers with a window at most (window + ubatch) up to a multiple of 256; recurrent states besides
  compute   ubatch × (4 × (3 × feed_forward + 5 × width) + 2 × cells of both kinds) + 4 × vocab × slots, with flash
            attention; without it the scores of all heads come on top, which is not counted here
  engine    48 MiB + 152 bytes per token of the vocabulary: the process and its tokenizer
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from harness.fit_shape import Shape

__all__ = [
    "BITS_PER_WEIGHT",
    "GIB",
    "TYPICAL_VOCABULARY",
    "Fit",
    "Need",
    "Serving",
    "Verdict",
    "advice",
    "estimate_shape",
    "estimate_weights",
    "judge",
    "llamacpp_need",
    "tensor_engine_need",
]

GIB = 1 << 30
_MIB = 1 << 20

BITS_PER_WEIGHT: Mapping[str, float] = MappingProxyType(
    {
        "IQ1_S": 2.0042,
        "IQ1_M": 2.1460,
        "IQ2_XXS": 2.3824,
        "IQ2_XS": 2.5882,
        "IQ2_S": 2.7403,
        "IQ2_M": 2.9294,
        "Q2_K_S": 2.9697,
        "Q2_K": 3.1593,
        "IQ3_XXS": 3.2548,
        "IQ3_XS": 3.4977,
        "Q3_K_S": 3.6429,
        "IQ3_S": 3.6606,
        "IQ3_M": 3.7628,
        "Q3_K_L": 4.2979,
        "IQ4_XS": 4.4597,
        "Q4_K_S": 4.6672,
        "IQ4_NL": 4.6818,
        "Q4_K_M": 4.8944,
        "Q5_K_S": 5.5704,
        "Q5_K_M": 5.7036,
        "Q6_K": 6.5633,
        "Q8_0": 8.5008,
        "F16": 16.0005,
        "BF16": 16.0005,
        "F32": 32.0,
    }
)
"""Of Llama 3.1 8B, from llama.cpp's tools/quantize/README.md. Small models with large vocabularies come out higher:
their embeddings are quantized less (Gemma 3 270M as `Q4_K_M` has 7.4)."""
_LADDER = ("F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_L", "Q2_K")
"""What is commonly published, largest first."""
_ELEMENT_BYTES = {"f32": 4.0, "f16": 2.0, "bf16": 2.0, "q8_0": 34 / 32, "q4_0": 18 / 32}  # ggml block sizes
_CELL_STEP = 256
_ENGINE_BYTES = 48 * _MIB
_TOKEN_BYTES = 152
"""Fitted to two models on one machine: SmolLM2 135M (49,152 tokens) and Gemma 3 270M (262,144)."""
_TENSOR_ENGINE_BYTES = {"cpu": 2.5 * GIB, "gpu": 1.5 * GIB}
"""What vLLM takes besides weights and cache. CPU: measured once (0.32.0, three processes, SmolLM2). GPU: an assumption
for the CUDA context, its graphs and activations."""
_TYPICAL_KV_ELEMENTS = 36 * 8 * (128 + 128)
"""Per token, of Qwen3 4B and 8B: grouped attention of the field lies at half of it to this; full attention above it."""
TYPICAL_VOCABULARY = 151_936
"""Tokens, of Qwen3: where the header of the weights does not count them."""
_TIGHT_FROM = 0.8
"""Share of the usable memory from which on it is tight: other programs grow, and estimates err."""

Verdict = Literal["yes", "tight", "no"]
Engine = Literal["llamacpp", "vllm", "transformers"]


@dataclass(frozen=True, slots=True)
class Serving:
    """How the model is to be served."""

    context_tokens: int
    """Per slot."""
    slots: int = 1
    kv_type: str = "f16"
    ubatch_tokens: int = 512


@dataclass(frozen=True, slots=True)
class Need:
    """Memory by what takes it, in bytes."""

    weights: int
    kv: int
    compute: int
    engine: int
    estimated: tuple[str, ...] = ()
    """What of it was not read from the weights' own header."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.kv + self.compute + self.engine


@dataclass(frozen=True, slots=True)
class Fit:
    """A need held against what there is."""

    verdict: Verdict | None
    """None: what there is, is not known."""
    need: int
    usable: int | None


def llamacpp_need(weights_bytes: int, shape: Shape, serving: Serving, *, estimated: Sequence[str] = ()) -> Need:
    """Memory that llama.cpp takes once it has answered a prompt of at least one batch.

    >>> smollm2 = Shape(11520, 0, 0, 0, width=576, feed_forward=1536, vocab=49152)
    >>> need = llamacpp_need(98362432, smollm2, Serving(8192))
    >>> need.kv, round(need.compute / 2**20, 1)
    (188743680, 22.8)
    """
    cells = _padded(serving.context_tokens)
    window = min(cells, _padded(shape.window + serving.ubatch_tokens)) if shape.kv_window else 0
    elements = shape.kv_full * cells + shape.kv_window * window
    per_token = 4 * (3 * shape.feed_forward + 5 * shape.width) + 2 * (cells + window)
    return Need(
        weights=weights_bytes,
        kv=serving.slots * round(elements * _ELEMENT_BYTES[serving.kv_type] + shape.state_bytes),
        compute=serving.ubatch_tokens * per_token + 4 * shape.vocab * serving.slots,
        engine=_ENGINE_BYTES + _TOKEN_BYTES * shape.vocab,
        estimated=tuple(estimated),
    )


def tensor_engine_need(
    weights_bytes: int, shape: Shape, serving: Serving, *, gpu: bool, estimated: Sequence[str] = ()
) -> Need:
    """Memory that vLLM or transformers need at least: weights, a 16-bit cache for all slots, logits, and the engine.

    vLLM reserves more than that, `gpu_memory_utilization` of the card, and fills it with cache.
    """
    window = min(serving.context_tokens, shape.window)
    elements = shape.kv_full * serving.context_tokens + shape.kv_window * window
    return Need(
        weights=weights_bytes,
        kv=serving.slots * (2 * elements + shape.state_bytes),
        compute=4 * shape.vocab * serving.slots,
        engine=round(_TENSOR_ENGINE_BYTES["gpu" if gpu else "cpu"]),
        estimated=(*estimated, "engine"),
    )


def _padded(cells: int) -> int:
    return -(-cells // _CELL_STEP) * _CELL_STEP


def estimate_weights(parameters: int, quantization: str) -> int | None:
    """Bytes of a model's weights from its parameters and llama.cpp's bits per weight; None for an unknown name.

    >>> round(estimate_weights(8_030_261_248, "Q4_K_M") / 2**30, 2)  # the published file has 4.58 GiB
    4.58
    """
    bits = BITS_PER_WEIGHT.get(quantization.upper())
    return None if bits is None else round(parameters * bits / 8)


def estimate_shape(parameters: int | None, context_tokens: int | None = None) -> Shape:
    """A stand-in for a shape that nothing tells: the cache of Qwen3 8B, and the widths of a decoder of this size.

    parameters ≈ 12 × layers × width² with layers ≈ width / 96, as in the decoders from 1 to 9 billion.
    """
    width = 4096 if parameters is None else max(512, round((8 * parameters) ** (1 / 3) / 64) * 64)
    return Shape(_TYPICAL_KV_ELEMENTS, 0, 0, 0, width, 4 * width, TYPICAL_VOCABULARY, context_tokens)


def judge(need: int, usable: int | None) -> Fit:
    """Whether a need fits: `tight` from 80 % of what is usable on.

    >>> judge(9, 10).verdict, judge(7, 10).verdict, judge(11, 10).verdict, judge(1, None).verdict
    ('tight', 'yes', 'no', None)
    """
    if usable is None:
        return Fit(None, need, None)
    verdict: Verdict = "no" if need > usable else "tight" if need > _TIGHT_FROM * usable else "yes"
    return Fit(verdict, need, usable)


def advice(need: Need, shape: Shape, serving: Serving, parameters: int | None, usable: int) -> str | None:
    """What to change so that it fits with room to spare, least loss first; None where no one change does."""
    fixed = need.weights + need.engine
    for slots in _halves(serving.slots, 1):
        if slots < serving.slots and _room(fixed, shape, replace(serving, slots=slots), usable):
            return f"backend.slots={slots}"
    for context in _halves(serving.context_tokens, 1024):
        lower = replace(serving, slots=1, context_tokens=context)
        if context < serving.context_tokens and _room(fixed, shape, lower, usable):
            fewer = " backend.slots=1" if serving.slots > 1 else ""
            return f"backend.context_tokens={context}{fewer}"
    least = replace(serving, slots=1, context_tokens=min(serving.context_tokens, 4096))
    for name in _LADDER:
        weights = estimate_weights(parameters, name) if parameters else None
        if weights is not None and weights < need.weights and _room(weights + need.engine, shape, least, usable):
            shorter = f" with backend.context_tokens={least.context_tokens}" if least != serving else ""
            return f"a {name} of it (about {weights / GIB:.1f} GiB){shorter}"
    return None


def _halves(start: int, least: int) -> list[int]:
    found = [start]
    while found[-1] // 2 >= least:
        found.append(found[-1] // 2)
    return found


def _room(fixed: int, shape: Shape, serving: Serving, usable: int) -> bool:
    changed = llamacpp_need(0, shape, serving)
    return judge(fixed + changed.kv + changed.compute, usable).verdict == "yes"
