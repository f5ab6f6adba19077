"""A folder of safetensors for vLLM: your own, a hub repository in our cache, or a GGUF file dequantised."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.assets import OnProgress, cache_dir, fetch
from harness.backends.unpack import unpacked
from harness.backends.vllm_hub import snapshot
from harness.backends.weights import resolve_weights
from harness.config import ModelConfig, VllmConfig, template_file
from harness.errors import AssetError, ConfigError
from harness.paths import conf_dir
from harness.records.asset import PathAsset
from harness.records.manifest import WeightFacts

__all__ = ["TensorFolder", "chat_template_sha256", "tensor_folder"]


@dataclass(frozen=True, slots=True)
class TensorFolder:
    """Safetensors with their config.json and tokenizer."""

    path: Path
    facts: WeightFacts
    context_tokens: int | None
    """That the model was trained for; None where config.json does not say it."""
    dequantised: bool = False


def tensor_folder(
    config: VllmConfig, model: ModelConfig, python: Path, *, on_progress: OnProgress | None = None
) -> TensorFolder:
    """The folder to serve; `python` is what unpacks a GGUF file (torch, transformers, gguf, accelerate).

    Blocks while it fetches, hashes and unpacks. Raises AssetError where there are no such weights, ConfigError for a
    hosted model.
    """
    if model.hosted or model.url is not None:
        raise ConfigError(f"{model.name} is served elsewhere and has no weights to load: use backend=endpoint")
    if config.weights == "gguf":
        return _dequantised(config, model, python, on_progress)
    own = model.weights.path
    if own is not None:
        return _own(own, model, on_progress)
    return _fetched(model, on_progress)


def chat_template_sha256(model: ModelConfig, folder: Path) -> str | None:
    """Of the template that is used: the configured one, else the checkpoint's; None where there is none to be read."""
    if model.chat_template is not None:
        text: object = template_file(model.chat_template, conf_dir()).read_text(encoding="utf-8")
    elif (folder / "chat_template.jinja").is_file():
        text = (folder / "chat_template.jinja").read_text(encoding="utf-8")
    else:
        try:
            text = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8")).get("chat_template")
        except (OSError, ValueError, AttributeError):
            text = None
    return hashlib.sha256(text.encode()).hexdigest() if isinstance(text, str) else None


def _dequantised(config: VllmConfig, model: ModelConfig, python: Path, on_progress: OnProgress | None) -> TensorFolder:
    weights = resolve_weights(model, on_progress=on_progress)
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16" if config.dtype == "auto" else config.dtype
    try:
        folder = unpacked(weights, python, dtype=dtype, on_progress=on_progress)
    except AssetError as error:
        raise AssetError(str(error).replace("make train-env", "make vllm-env")) from error
    facts = weights.facts.model_copy(
        update={
            "quantization": f"{weights.facts.quantization or 'GGUF'} dequantised",
            "source": f"{weights.facts.source}; dequantised to {dtype}",
        }
    )
    return TensorFolder(folder, facts, _context(_config(folder)), dequantised=True)


def _own(own: str, model: ModelConfig, on_progress: OnProgress | None) -> TensorFolder:
    path = Path(own).expanduser()
    if path.is_file():
        if path.suffix == ".gguf":
            raise AssetError(
                f"vLLM reads no GGUF file ({path.name}): have it dequantised with backend.weights=gguf, "
                "or run it as it is with backend=llamacpp"
            )
        raise AssetError(f"model.weights.path={own} is a file: vLLM wants the folder with config.json and safetensors")
    fetched = fetch(PathAsset(path=own), cache=cache_dir(), on_progress=on_progress)
    config = _config(path)
    if not any(path.glob("*.safetensors")):
        raise AssetError(f"there is no .safetensors file in {own}: give a folder that has some, model.weights.path=…")
    facts = WeightFacts(
        file=path.resolve().name,
        bytes=sum(one.stat().st_size for one in path.glob("*.safetensors")),
        sha256=fetched.sha256,
        quantization=model.weights.quantization or _quantization(config),
        source="path",
    )
    return TensorFolder(path.resolve(), facts, _context(config))


def _fetched(model: ModelConfig, on_progress: OnProgress | None) -> TensorFolder:
    pinned = model.weights.safetensors
    if pinned is None:
        raise AssetError(
            f"{model.name} has no safetensors in its configuration: model.weights.safetensors.repo=OWNER/MODEL, "
            "model.weights.path=/folder/with/config.json, or its GGUF dequantised: backend.weights=gguf"
        )
    try:
        folder, digest, commit = snapshot(pinned.repo, pinned.revision, on_progress=on_progress)
    except AssetError as error:
        if model.weights.gguf is None:
            raise
        raise AssetError(f"{error}; or its GGUF file dequantised: backend.weights=gguf") from error
    config = _config(folder)
    facts = WeightFacts(
        file=pinned.repo.rsplit("/", 1)[-1],
        bytes=sum(one.stat().st_size for one in folder.glob("*.safetensors")),
        sha256=digest,
        quantization=_quantization(config),
        parameters=model.parameters,
        source=f"hf:{pinned.repo}@{commit}",
    )
    return TensorFolder(folder, facts, _context(config))


def _config(folder: Path) -> Mapping[str, Any]:
    try:
        read = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise AssetError(
            f"{folder.name} has no config.json that can be read: give the folder that save_pretrained wrote, "
            "model.weights.path=…"
        ) from None
    return read if isinstance(read, dict) else {}


def _quantization(config: Mapping[str, Any]) -> str | None:
    """As the weights' own configuration says it: a method such as awq, else the element type."""
    told = config.get("quantization_config")
    if isinstance(told, dict) and told.get("quant_method"):
        bits = told.get("bits")
        return f"{told['quant_method']}-{bits}bit" if isinstance(bits, int) else str(told["quant_method"])
    dtype = config.get("dtype") or config.get("torch_dtype")
    return {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}.get(str(dtype))


def _context(config: Mapping[str, Any]) -> int | None:
    nested = config.get("text_config")
    own = (nested if isinstance(nested, dict) else config).get("max_position_embeddings")
    return own if isinstance(own, int) and own > 0 else None
