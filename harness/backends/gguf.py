"""What a GGUF file says of itself, read from its header alone.

Layout: ggml-org/ggml `docs/gguf.md`, versions 2 and 3, little-endian.
"""

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import AssetError

__all__ = ["GgufHeader", "read_header"]

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_KEPT_ARRAY = 1024
"""Longer arrays are vocabularies: skipped."""

GgufValue = bool | int | float | str | tuple[bool | int | float | str, ...] | None
"""None: an array too long to keep."""


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """The part of a GGUF file that decides how it is served."""

    metadata: Mapping[str, GgufValue]
    parameters: int
    """Elements over all tensors."""
    elements: Mapping[int, int] = field(default_factory=dict)
    """The same by ggml's number of the tensors' type."""

    @property
    def architecture(self) -> str:
        """Such as `llama` or `gemma3`; empty where the file does not say."""
        value = self.metadata.get("general.architecture")
        return value if isinstance(value, str) else ""

    @property
    def has_chat_template(self) -> bool:
        """Whether the weights bring a chat template of their own."""
        return "tokenizer.chat_template" in self.metadata

    @property
    def context_tokens(self) -> int | None:
        """Context that the model was trained for."""
        return self._number("context_length")

    def kv_elements_per_token(self) -> int | None:
        """Elements of key and value cache per token of context, at most; None where the header does not tell.

        Layers with a sliding window or a recurrent state need less than is counted here.
        """
        layers, width = self._number("block_count"), self._number("embedding_length")
        heads = self._number("attention.head_count")
        if not layers or not width or not heads:
            return None
        per_head = (self._number("attention.key_length") or width // heads) + (
            self._number("attention.value_length") or width // heads
        )
        kv_heads = self.metadata.get(f"{self.architecture}.attention.head_count_kv", heads)
        if isinstance(kv_heads, tuple):
            return per_head * sum(int(count) for count in kv_heads)
        return per_head * layers * (int(kv_heads) if isinstance(kv_heads, int) else heads)

    def _number(self, key: str) -> int | None:
        value = self.metadata.get(f"{self.architecture}.{key}")
        if isinstance(value, tuple):
            value = max((int(one) for one in value), default=None)
        return value if isinstance(value, int) else None


def read_header(path: Path) -> GgufHeader:
    """The header of a GGUF file. Raises AssetError in one line for anything that is not a whole GGUF file."""
    try:
        with path.open("rb") as file:
            magic = file.read(4)
            if magic != b"GGUF":
                raise AssetError(_not_gguf(path, magic))
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                header, end = _parse(data)
                size = len(data)
    except OSError as error:
        raise AssetError(f"cannot read {path.name} ({error.strerror}): give another, model.weights.path=…") from None
    except (struct.error, UnicodeDecodeError, _Damaged) as error:
        why = str(error) if isinstance(error, _Damaged) else "it ends inside its header"
        raise AssetError(f"{path.name} is no whole GGUF file: {why}; fetch it again, or model.weights.path=…") from None
    if end > size:
        raise AssetError(
            f"{path.name} is cut off: {size} bytes are there and its header promises more than {end}; "
            "fetch it again, or give another file, model.weights.path=…"
        )
    return header


class _Damaged(Exception):
    """A header that contradicts itself."""


def _not_gguf(path: Path, magic: bytes) -> str:
    kind = f"it starts with {magic!r}" if magic else "it is empty"
    if path.suffix in {".safetensors", ".bin", ".pt", ".pth"}:
        kind = f"it is a {path.suffix} file, which llama.cpp does not load"
    return f"{path.name} is no GGUF file ({kind}): convert it, or give a .gguf file with model.weights.path=…"


def _parse(data: mmap.mmap) -> tuple[GgufHeader, int]:
    """The header, and the first byte that must lie before the end of the file (start of the last tensor's data)."""
    cursor = _Cursor(data, 4)
    version = cursor.scalar("I")
    if version not in {2, 3}:
        raise _Damaged(f"GGUF version {version} is not one of 2, 3")
    tensors, pairs = int(cursor.scalar("Q")), int(cursor.scalar("Q"))
    metadata: dict[str, GgufValue] = {}
    for _ in range(pairs):
        key = cursor.string()
        metadata[key] = cursor.value(int(cursor.scalar("I")))
    by_type: dict[int, int] = {}
    last = 0
    for _ in range(tensors):
        cursor.string()
        elements = 1
        for _ in range(int(cursor.scalar("I"))):
            elements *= int(cursor.scalar("Q"))
        kind = int(cursor.scalar("I"))
        last = max(last, int(cursor.scalar("Q")))
        by_type[kind] = by_type.get(kind, 0) + elements
    alignment = metadata.get("general.alignment", 32)
    step = alignment if isinstance(alignment, int) and alignment > 0 else 32
    start = -(-cursor.at // step) * step
    return GgufHeader(metadata, sum(by_type.values()), by_type), start + last + (1 if tensors else 0)


@dataclass(slots=True)
class _Cursor:
    data: mmap.mmap
    at: int

    def scalar(self, code: str) -> int | float | bool:
        value: int | float | bool = struct.unpack_from(f"<{code}", self.data, self.at)[0]
        self.at += struct.calcsize(f"<{code}")
        return value

    def string(self) -> str:
        size = int(self.scalar("Q"))
        if size > len(self.data) - self.at:
            raise _Damaged("it ends inside its header")
        self.at += size
        return self.data[self.at - size : self.at].decode("utf-8", errors="replace")

    def value(self, kind: int) -> GgufValue:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            return self._array()
        return self.scalar(_code(kind))

    def _array(self) -> GgufValue:
        kind, count = int(self.scalar("I")), int(self.scalar("Q"))
        if count > len(self.data):
            raise _Damaged(f"an array of {count} elements is longer than the file")
        if kind == _ARRAY:
            raise _Damaged("it has nested arrays, which no version of GGUF knows")
        if count <= _KEPT_ARRAY:
            return tuple(self.string() if kind == _STRING else self.scalar(_code(kind)) for _ in range(count))
        if kind == _STRING:
            for _ in range(count):
                size = int(self.scalar("Q"))  # moves the cursor too
                self.at += size
        else:
            self.at += count * struct.calcsize(f"<{_code(kind)}")
        return None


def _code(kind: int) -> str:
    if kind not in _SCALARS:
        raise _Damaged(f"value type {kind} is not known")
    return _SCALARS[kind]
