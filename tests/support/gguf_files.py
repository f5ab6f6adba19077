"""Small GGUF files written by hand, after ggml's docs/gguf.md: headers to plan with, adapters for a real engine."""

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Value = str | int | float | tuple[int, ...]

_ALIGNMENT = 32
_F32 = 0


def write_gguf(
    path: Path, metadata: Mapping[str, Value], tensors: Mapping[str, NDArray[np.float32]] | None = None
) -> Path:
    """A GGUF v3 file with these pairs and tensors; arrays are in numpy's order (rows first)."""
    arrays = {name: np.ascontiguousarray(array, dtype="<f4") for name, array in (tensors or {}).items()}
    head = b"GGUF" + struct.pack("<IQQ", 3, len(arrays), len(metadata))
    head += b"".join(_string(key) + _value(value) for key, value in metadata.items())
    body = b""
    for name, array in arrays.items():
        shape = array.shape[::-1]
        head += _string(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape)
        head += struct.pack("<IQ", _F32, len(body))
        body += _padded(array.tobytes())
    path.write_bytes(_padded(head) + body)
    return path


def write_lora(path: Path, *, width: int, layers: int, seed: int = 0) -> Path:
    """A random rank-1 adapter on the query projections of a llama-shaped model: large enough to change every answer."""
    generator = np.random.default_rng(seed)
    tensors: dict[str, NDArray[np.float32]] = {}
    for layer in range(layers):
        name = f"blk.{layer}.attn_q.weight"
        tensors[f"{name}.lora_a"] = generator.normal(size=(1, width)).astype(np.float32)
        tensors[f"{name}.lora_b"] = generator.normal(size=(width, 1)).astype(np.float32)
    metadata: dict[str, Value] = {
        "general.architecture": "llama",
        "general.type": "adapter",
        "adapter.type": "lora",
        "adapter.lora.alpha": 1.0,
    }
    return write_gguf(path, metadata, tensors)


def llama_header(
    *, context: int, layers: int = 4, width: int = 64, heads: int = 4, kv_heads: int = 2
) -> dict[str, Value]:
    """Metadata of a llama-shaped model."""
    return {
        "general.architecture": "llama",
        "llama.context_length": context,
        "llama.block_count": layers,
        "llama.embedding_length": width,
        "llama.attention.head_count": heads,
        "llama.attention.head_count_kv": kv_heads,
    }


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _value(value: Value) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", 8) + _string(value)
    if isinstance(value, tuple):
        return struct.pack("<IIQ", 9, 4, len(value)) + struct.pack(f"<{len(value)}I", *value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    return struct.pack("<II", 4, value)


def _padded(raw: bytes) -> bytes:
    return raw + b"\0" * (-len(raw) % _ALIGNMENT)
