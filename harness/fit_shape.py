"""The part of a model's shape that decides how much memory serving it takes, read from what its weights say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Shape", "shape_of_config", "shape_of_gguf"]

_PERIODS = {"cohere2": 4, "exaone4": 4, "gemma2": 2, "gemma3": 6, "gemma3_text": 6, "gemma3n": 5, "gpt-oss": 2}
"""Every how many layers one sees the whole context, where the file does not say: `set_swa_pattern` in llama.cpp's
loaders of these architectures. One that is not here counts as seeing all of it everywhere: an upper bound. So does
phi3, whose header names a window that llama.cpp does not use."""
_GEMMA3N_OWN_CACHE = 20
"""Layers of Gemma 3n with keys and values of their own; later ones use these (llama.cpp: n_layer_kv_from_start)."""
_STATE_BYTES = 4  # recurrent states are kept in 32 bits


@dataclass(frozen=True, slots=True)
class Shape:
    """What the caches and buffers of a decoder depend on."""

    kv_full: int
    """Elements of keys and values per token, over the layers that see the whole context."""
    kv_window: int
    """The same over the layers that see the last `window` tokens."""
    window: int
    state_bytes: int
    """Of the recurrent layers, per sequence; does not grow with the context."""
    width: int
    feed_forward: int
    vocab: int
    context_tokens: int | None = None
    """That the model was trained for."""


@dataclass(frozen=True, slots=True)
class _Layers:
    """Per layer: elements of keys and values per token, and whether it sees a window only."""

    elements: Sequence[int]
    windowed: Sequence[bool]

    def total(self, windowed: bool) -> int:
        return sum(size for size, flag in zip(self.elements, self.windowed, strict=True) if flag is windowed)


def shape_of_gguf(metadata: Mapping[str, object], *, vocab: int | None = None) -> Shape | None:
    """The shape that the header of a GGUF file tells; None where it lacks what the caches depend on.

    vocab: tokens, where `<architecture>.vocab_size` is not in the header.
    """
    read = _Gguf(metadata, str(metadata.get("general.architecture", "")))
    count, width, heads = (
        read.number("block_count"),
        read.number("embedding_length"),
        read.number("attention.head_count"),
    )
    if not count or not width or not heads:
        return None
    per_head = (read.number("attention.key_length") or width // heads) + (
        read.number("attention.value_length") or width // heads
    )
    elements = [per_head * kv_heads for kv_heads in read.per_layer("attention.head_count_kv", count, heads)]
    shared = read.number("attention.shared_kv_layers")
    if shared is None and read.architecture == "gemma3n":
        shared = max(0, count - _GEMMA3N_OWN_CACHE)
    recurrent = _recurrent(count, read.number("full_attention_interval"))
    layers = _layers(elements, shared or 0, recurrent, read.windowed(count))
    return Shape(
        kv_full=layers.total(False),
        kv_window=layers.total(True),
        window=read.number("attention.sliding_window") or 0 if any(layers.windowed) else 0,
        state_bytes=sum(recurrent) * read.state_bytes(),
        width=width,
        feed_forward=read.number("feed_forward_length") or 4 * width,
        vocab=read.number("vocab_size") or vocab or 0,
        context_tokens=read.number("context_length"),
    )


def shape_of_config(config: Mapping[str, object]) -> Shape | None:
    """The shape that a `config.json` beside safetensors tells; None where it lacks what the caches depend on."""
    nested = config.get("text_config")
    read = _Config(nested if isinstance(nested, Mapping) else config)
    count, width, heads = (
        read.number("num_hidden_layers"),
        read.number("hidden_size"),
        read.number("num_attention_heads"),
    )
    if not count or not width or not heads:
        return None
    per_head = 2 * (read.number("head_dim") or width // heads)
    elements = [per_head * (read.number("num_key_value_heads") or heads)] * count
    kinds = read.kinds(count)
    recurrent = [kind == "linear_attention" for kind in kinds]
    windowed = [kind == "sliding_attention" for kind in kinds]
    layers = _layers(elements, read.number("num_kv_shared_layers") or 0, recurrent, windowed)
    return Shape(
        kv_full=layers.total(False),
        kv_window=layers.total(True),
        window=read.number("sliding_window") or 0 if any(windowed) else 0,
        state_bytes=sum(recurrent) * read.state_bytes(),
        width=width,
        feed_forward=read.number("intermediate_size") or 4 * width,
        vocab=read.number("vocab_size") or 0,
        context_tokens=read.number("max_position_embeddings"),
    )


def _layers(elements: Sequence[int], shared: int, recurrent: Sequence[bool], windowed: Sequence[bool]) -> _Layers:
    """The layers with a cache of their own: not the recurrent ones, not the last `shared`, which use earlier ones'."""
    own = len(elements) - shared
    kept = [0 if recurrent[at] or at >= own else size for at, size in enumerate(elements)]
    return _Layers(kept, windowed)


def _recurrent(count: int, interval: int | None) -> list[bool]:
    """Every `interval`-th layer attends, the others keep a state (Qwen3-Next, Qwen3.5)."""
    return [bool(interval) and (at + 1) % (interval or 1) != 0 for at in range(count)]


def _periodic(count: int, period: int | None) -> list[bool]:
    return [period is not None and at % period < period - 1 for at in range(count)]


def _state(kernel: int, inner: int, groups: int, size: int) -> int:
    """Bytes of a layer's state: the last inputs of its convolution, and its matrix (llama.cpp: n_embd_r, n_embd_s)."""
    return _STATE_BYTES * ((kernel - 1) * (inner + 2 * groups * size) + size * inner)


@dataclass(frozen=True, slots=True)
class _Gguf:
    metadata: Mapping[str, object]
    architecture: str

    def number(self, key: str) -> int | None:
        value = self.metadata.get(f"{self.architecture}.{key}")
        if isinstance(value, tuple):
            value = max((int(one) for one in value), default=None)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def per_layer(self, key: str, count: int, otherwise: int) -> list[int]:
        value = self.metadata.get(f"{self.architecture}.{key}", otherwise)
        if isinstance(value, tuple) and len(value) == count:
            return [int(one) for one in value]
        return [self.number(key) or otherwise] * count

    def windowed(self, count: int) -> list[bool]:
        if not self.number("attention.sliding_window") or self.architecture == "phi3":
            return [False] * count
        pattern = self.metadata.get(f"{self.architecture}.attention.sliding_window_pattern")
        if isinstance(pattern, tuple) and len(pattern) == count:
            return [bool(one) for one in pattern]
        return _periodic(count, pattern if isinstance(pattern, int) else _PERIODS.get(self.architecture))

    def state_bytes(self) -> int:
        kernel, inner = self.number("ssm.conv_kernel"), self.number("ssm.inner_size")
        size, groups = self.number("ssm.state_size"), self.number("ssm.group_count")
        return _state(kernel, inner, groups or 1, size) if kernel and inner and size else 0


@dataclass(frozen=True, slots=True)
class _Config:
    config: Mapping[str, object]

    def number(self, key: str) -> int | None:
        value = self.config.get(key)
        if isinstance(value, list):
            value = max(value, default=None)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def kinds(self, count: int) -> list[str]:
        listed = self.config.get("layer_types")
        if isinstance(listed, list) and len(listed) == count:
            return [str(one) for one in listed]
        interval = self.number("full_attention_interval")
        if interval:
            return ["linear_attention" if one else "full_attention" for one in _recurrent(count, interval)]
        if not self.number("sliding_window") or self.config.get("use_sliding_window") is False:
            return ["full_attention"] * count
        period = self.number("sliding_window_pattern") or _PERIODS.get(str(self.config.get("model_type")))
        return ["sliding_attention" if one else "full_attention" for one in _periodic(count, period)]

    def state_bytes(self) -> int:
        kernel, size = self.number("linear_conv_kernel_dim"), self.number("linear_key_head_dim")
        values, groups = self.number("linear_num_value_heads"), self.number("linear_num_key_heads")
        wide = self.number("linear_value_head_dim")
        if not kernel or not size or not values or not groups or not wide:
            return 0
        return _state(kernel, values * wide, groups, size)
