"""Shapes of published checkpoints, for models whose weights are not on this machine yet.

Each line is what the `config.json` of the repository says; the numbers are read by the same code as a local file's.
"""

from collections.abc import Mapping
from types import MappingProxyType

from harness.fit_shape import Shape, shape_of_config

__all__ = ["published_shape"]


def _config(sizes: str, **more: object) -> Mapping[str, object]:
    """sizes: layers, heads, key-value heads, head size, width, feed-forward, vocabulary."""
    names = ("num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "hidden_size")
    keys = (*names, "intermediate_size", "vocab_size")
    return dict(zip(keys, map(int, sizes.split()), strict=True)) | more


_CONFIGS: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "HuggingFaceTB/SmolLM2-135M-Instruct": _config("30 9 3 64 576 1536 49152"),
        "HuggingFaceTB/SmolLM2-1.7B-Instruct": _config("24 32 32 64 2048 8192 49152"),
        "Qwen/Qwen3-1.7B": _config("28 16 8 128 2048 6144 151936"),
        "Qwen/Qwen3-4B": _config("36 32 8 128 2560 9728 151936"),
        "Qwen/Qwen3-8B": _config("36 32 8 128 4096 12288 151936"),
        "Qwen/Qwen3.5-9B": _config(
            "32 16 4 256 4096 12288 248320",
            full_attention_interval=4,
            linear_conv_kernel_dim=4,
            linear_key_head_dim=128,
            linear_value_head_dim=128,
            linear_num_key_heads=16,
            linear_num_value_heads=32,
        ),
        "Salesforce/xLAM-2-3b-fc-r": _config("36 16 2 128 2048 11008 151936"),
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B": _config("28 28 4 128 3584 18944 152064"),
        "google/gemma-3-270m": _config("18 4 1 256 640 2048 262144", model_type="gemma3_text", sliding_window=512),
        "google/gemma-3-4b-it": _config("34 8 4 256 2560 10240 262208", model_type="gemma3_text", sliding_window=1024),
        "google/gemma-3n-E4B-it": _config(
            "35 8 2 256 2048 16384 262400", model_type="gemma3n", sliding_window=512, num_kv_shared_layers=15
        ),
        "meta-llama/Llama-3.2-3B-Instruct": _config("28 24 8 128 3072 8192 128256"),
        "microsoft/Phi-4-mini-instruct": _config("32 24 8 128 3072 8192 200064"),
        "microsoft/phi-2": _config("32 32 32 80 2560 10240 51200"),
        "microsoft/phi-4": _config("40 40 10 128 5120 17920 100352"),
    }
)


def published_shape(repo: str | None) -> Shape | None:
    """The shape of a checkpoint by its repository; None for one that is not listed.

    >>> published_shape("microsoft/Phi-4-mini-instruct").kv_full
    65536
    """
    config = _CONFIGS.get(repo or "")
    return None if config is None else shape_of_config(config)
