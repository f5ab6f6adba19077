"""The weights file that a local engine is to load: found or fetched, checked, and described without its folder."""

from dataclasses import dataclass
from pathlib import Path

from harness.assets import OnProgress, cache_dir, fetch
from harness.backends.gguf import GgufHeader, read_header
from harness.config import ModelConfig
from harness.errors import AssetError, ConfigError
from harness.records.asset import PathAsset
from harness.records.manifest import WeightFacts

__all__ = ["WeightFile", "resolve_weights"]


@dataclass(frozen=True, slots=True)
class WeightFile:
    """A whole GGUF file on this machine."""

    path: Path
    facts: WeightFacts
    header: GgufHeader


def resolve_weights(
    model: ModelConfig, *, cache: Path | None = None, on_progress: OnProgress | None = None
) -> WeightFile:
    """The GGUF file of a model: `model.weights.path` where given, else the pinned asset, fetched if need be.

    Blocks while it fetches and hashes. Raises AssetError where there is none or it is no whole GGUF file, ConfigError
    for a hosted model.
    """
    own, pinned = model.weights.path, model.weights.gguf
    if own is not None:
        if Path(own).expanduser().is_dir():
            raise AssetError(f"model.weights.path={own} is a folder: name the .gguf file in it")
        fetched = fetch(PathAsset(path=own), cache=cache or cache_dir(), on_progress=on_progress)
        quantization = model.weights.quantization
    elif pinned is not None:
        fetched = fetch(pinned.asset, cache=cache or cache_dir(), on_progress=on_progress)
        quantization = pinned.quantization
    else:
        raise _nothing_to_load(model)
    header = read_header(fetched.path)
    parts = header.metadata.get("split.count")
    if isinstance(parts, int) and parts > 1:
        raise AssetError(
            f"{fetched.path.name} is one of {parts} parts, and a hash of one part says little: "
            "join them with llama.cpp's llama-gguf-split --merge, and give the whole with model.weights.path=…"
        )
    facts = WeightFacts(
        file=fetched.path.name,
        bytes=fetched.bytes,
        sha256=fetched.sha256,
        quantization=quantization,
        parameters=header.parameters or None,
        source=fetched.origin,
    )
    return WeightFile(path=fetched.path, facts=facts, header=header)


def _nothing_to_load(model: ModelConfig) -> AssetError | ConfigError:
    if model.hosted or model.url is not None:
        return ConfigError(f"{model.name} is served elsewhere and has no weights to load: use backend=endpoint")
    return AssetError(
        f"{model.name} has no GGUF weights in its configuration: give a file, model.weights.path=/path/to/model.gguf"
    )
