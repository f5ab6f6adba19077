"""A folder of safetensors with its config.json, measured by its headers alone.

Layout: 8 bytes little-endian with the header's length, then the header as JSON: name → dtype, shape, data_offsets.
"""

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import AssetError
from harness.fit_shape import Shape, shape_of_config

__all__ = ["Checkpoint", "read_checkpoint"]

_HEADER_MOST = 100_000_000
"""Bytes; the format's own limit."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the files say that an engine will load."""

    bytes: int
    """Of all tensors, as they are stored."""
    parameters: int
    """Elements; those of packed 4-bit weights count by the words that hold them."""
    dtypes: tuple[str, ...]
    shape: Shape | None
    """None where config.json is missing or lacks the sizes."""


def read_checkpoint(folder: Path) -> Checkpoint:
    """All `*.safetensors` in a folder, with its config. Raises AssetError where there are none or one is damaged."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise AssetError(f"no .safetensors file in {folder.name}: give a folder that has some, model.weights.path=…")
    tensors = [tensor for file in files for tensor in _tensors(file)]
    return Checkpoint(
        bytes=sum(one.bytes for one in tensors),
        parameters=sum(one.elements for one in tensors),
        dtypes=tuple(sorted({one.dtype for one in tensors})),
        shape=_shape(folder / "config.json"),
    )


@dataclass(frozen=True, slots=True)
class _Tensor:
    dtype: str
    elements: int
    bytes: int


def _tensors(file: Path) -> list[_Tensor]:
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(min(length, _HEADER_MOST)))
        found = [_tensor(row) for name, row in header.items() if name != "__metadata__"]
        end = max((int(row["data_offsets"][1]) for name, row in header.items() if name != "__metadata__"), default=0)
    except (OSError, struct.error, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise AssetError(f"{file.name} is no whole safetensors file ({error}): fetch it again") from None
    if file.stat().st_size < 8 + length + end:
        raise AssetError(f"{file.name} is cut off: its header promises {8 + length + end} bytes; fetch it again")
    return found


def _tensor(row: dict[str, Any]) -> _Tensor:
    begin, end = row["data_offsets"]
    return _Tensor(str(row["dtype"]), math.prod(int(one) for one in row["shape"]), int(end) - int(begin))


def _shape(config: Path) -> Shape | None:
    try:
        read = json.loads(config.read_bytes())
    except (OSError, ValueError):
        return None
    return shape_of_config(read) if isinstance(read, dict) else None
