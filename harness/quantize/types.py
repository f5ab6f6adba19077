"""The types that GGUF files are quantized to, by llama.cpp's names and numbers."""

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType

from harness.backends.gguf import GgufHeader
from harness.errors import ConfigError

__all__ = ["FULL", "TYPES", "known_type", "made_of", "type_of_file"]

TYPES: Mapping[str, int] = MappingProxyType(
    {
        "F32": 0,
        "BF16": 32,
        "F16": 1,
        "Q8_0": 7,
        "Q6_K": 18,
        "Q5_K_M": 17,
        "Q5_K_S": 16,
        "Q5_1": 9,
        "Q5_0": 8,
        "Q4_K_M": 15,
        "Q4_K_S": 14,
        "Q4_1": 3,
        "Q4_0": 2,
        "IQ4_NL": 25,
        "IQ4_XS": 30,
        "Q3_K_L": 13,
        "Q3_K_M": 12,
        "Q3_K_S": 11,
        "Q2_K": 10,
    }
)
"""Largest first, with the numbers of `enum llama_ftype` (llama.cpp, include/llama.h). The smaller IQ types are left
out: llama.cpp makes them with an importance matrix only; such a file can be given as it is."""
FULL = frozenset({"F32", "BF16", "F16"})
"""Types that were not quantized."""

_GGML = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K",
    13: "Q5_K", 14: "Q6_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S",
    22: "IQ2_S", 23: "IQ4_XS", 29: "IQ1_M", 30: "BF16", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
}  # fmt: skip
"""`enum ggml_type` (ggml, include/ggml.h): what single tensors are stored as."""


def known_type(name: str) -> str:
    """The name as llama.cpp writes it. Raises ConfigError with the allowed ones for another.

    >>> known_type("q4_k_m")
    'Q4_K_M'
    """
    upper = name.upper()
    if upper in TYPES:
        return upper
    near = get_close_matches(upper, TYPES, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ConfigError(
        f"quantize.types={name} is not a type that can be made: {', '.join(TYPES)}{hint}; "
        "a file of another type can be given: quantize.files={NAME:/path/to/file.gguf}"
    )


def type_of_file(header: GgufHeader) -> str | None:
    """What a GGUF file says that it was quantized to; None where it does not say, or says what is not in `TYPES`."""
    number = header.metadata.get("general.file_type")
    return next((name for name, one in TYPES.items() if one == number and not isinstance(number, bool)), None)


def made_of(header: GgufHeader) -> dict[str, float]:
    """Share of the weights by the type that their tensors are really stored as, largest first.

    llama.cpp stores a tensor as something else where its rows do not fit the blocks of the type asked for.
    """
    total = header.parameters
    found = {_GGML.get(kind, f"type {kind}"): count / total for kind, count in header.elements.items() if total}
    return dict(sorted(found.items(), key=lambda item: -item[1]))
