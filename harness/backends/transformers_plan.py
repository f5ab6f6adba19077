"""From configuration to what the engine `transformers` is told: which folder of weights, which adapter."""

import json
from dataclasses import dataclass
from pathlib import Path

from harness.assets import OnProgress, cache_dir, fetch
from harness.backends.llamacpp_plan import usable_cores
from harness.backends.torch_python import torch_python
from harness.backends.transformers_child import LaneSettings
from harness.backends.unpack import Dtype, unpacked
from harness.backends.vllm_hub import snapshot
from harness.backends.weights import resolve_weights
from harness.config import ModelConfig, TransformersConfig, template_file
from harness.errors import AssetError, ConfigError
from harness.paths import conf_dir
from harness.records.asset import PathAsset
from harness.records.manifest import WeightFacts

__all__ = ["Checkpoint", "checkpoint_of", "settings_of"]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder that transformers loads, and what is known of its weights."""

    folder: Path
    facts: WeightFacts
    origin: str
    """How it came to be, for the manifest."""


def checkpoint_of(
    config: TransformersConfig, model: ModelConfig, *, on_progress: OnProgress | None = None
) -> Checkpoint:
    """The weights: a folder or GGUF file of `model.weights.path`, else what `backend.weights` says of the model.

    Blocks while it fetches, hashes and unpacks. Raises AssetError where there are none or they are damaged, ConfigError
    for a hosted model and where a GGUF file is to be unpacked and no Python here can.
    """
    own = None if model.weights.path is None else Path(model.weights.path).expanduser()
    if own is not None and own.is_dir():
        return _folder(own, model, on_progress)
    if own is not None or config.weights == "gguf":
        return _from_gguf(config, model, on_progress)
    hub = model.weights.safetensors
    if hub is None:
        raise _nothing_to_load(model)
    try:
        folder, digest, commit = snapshot(hub.repo, hub.revision, on_progress=on_progress)
    except AssetError as error:
        if model.weights.gguf is None:
            raise
        raise AssetError(f"{error}; or its GGUF file dequantised: backend.weights=gguf") from error
    facts = WeightFacts(
        file=hub.repo.rpartition("/")[2],
        bytes=sum(one.stat().st_size for one in folder.glob("*.safetensors")),
        sha256=digest,
        quantization=_method(folder),
        parameters=model.parameters,
        source=f"hf:{hub.repo}@{commit}",
    )
    return Checkpoint(folder, facts, "safetensors")


def _folder(own: Path, model: ModelConfig, on_progress: OnProgress | None) -> Checkpoint:
    if not (own / "config.json").is_file():
        raise AssetError(f"model.weights.path={model.weights.path} has no config.json: name the folder of a checkpoint")
    if not any(own.glob("*.safetensors")):
        raise AssetError(
            f"model.weights.path={model.weights.path} has no .safetensors file: save it with save_pretrained"
        )
    fetched = fetch(PathAsset(path=str(own)), cache=cache_dir(), on_progress=on_progress)
    facts = WeightFacts(
        file=own.resolve().name,
        bytes=sum(one.stat().st_size for one in own.glob("*.safetensors")),
        sha256=fetched.sha256,
        quantization=model.weights.quantization or _method(own),
        source=fetched.origin,
    )
    return Checkpoint(own.absolute(), facts, "safetensors")


def _method(folder: Path) -> str | None:
    """The method that a checkpoint is quantised with, as its configuration names it; None: it is not."""
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        raise AssetError(f"the config.json of {folder.name} cannot be read: fetch the checkpoint again") from None
    method = config.get("quantization_config") if isinstance(config, dict) else None
    return str(method["quant_method"]) if isinstance(method, dict) and "quant_method" in method else None


def _from_gguf(config: TransformersConfig, model: ModelConfig, on_progress: OnProgress | None) -> Checkpoint:
    python = torch_python(None if config.process == "inline" else config.python)
    weights = resolve_weights(model, on_progress=on_progress)
    kinds: dict[str, Dtype] = {"bfloat16": "bfloat16", "float16": "float16"}
    dtype = kinds.get(config.dtype, "float32")
    folder = unpacked(weights, python, dtype=dtype, on_progress=on_progress)
    facts = weights.facts.model_copy(
        update={
            "quantization": f"{weights.facts.quantization or 'GGUF'} dequantised",
            "source": f"{weights.facts.source}; dequantised to {dtype}",
        }
    )
    return Checkpoint(folder, facts, f"gguf, dequantised to {dtype}")


def _nothing_to_load(model: ModelConfig) -> AssetError | ConfigError:
    if model.hosted or model.url is not None:
        return ConfigError(f"{model.name} is served elsewhere and has no weights to load: use backend=endpoint")
    more = " or backend.weights=gguf" if model.weights.gguf is not None else ""
    return AssetError(
        f"{model.name} names no safetensors in its configuration: give a folder, "
        f"model.weights.path=/folder/with/config.json{more}"
    )


def settings_of(config: TransformersConfig, model: ModelConfig, checkpoint: Checkpoint) -> LaneSettings:
    """The engine's settings. Raises ConfigError or AssetError for what could not take effect."""
    if config.merge and config.adapter is None:
        raise ConfigError("backend.merge=true has no adapter to merge: give backend.adapter=/folder, or leave it out")
    return LaneSettings(
        folder=str(checkpoint.folder),
        alias=model.served_name or model.name,
        dtype=config.dtype,
        device=config.device,
        threads=config.threads or usable_cores(),
        attention=None if config.attention == "auto" else config.attention,
        context_tokens=config.context_tokens,
        chat_template=_template(model),
        adapter=None if config.adapter is None else str(_adapter(config.adapter)),
        merge=config.merge,
        tool_parser=config.tool_parser,
    )


def _adapter(name: str) -> Path:
    path = Path(name).expanduser()
    if not (path / "adapter_config.json").is_file():
        raise AssetError(f"backend.adapter={name} has no adapter_config.json: name the folder of a PEFT adapter")
    if not (path / "adapter_model.safetensors").is_file():
        raise AssetError(f"backend.adapter={name} has no adapter_model.safetensors: save it with save_pretrained")
    return path.absolute()


def _template(model: ModelConfig) -> str:
    if model.chat_template is None:
        return ""
    text = template_file(model.chat_template, conf_dir()).read_text(encoding="utf-8")
    if not text.strip():
        raise ConfigError(f"model.chat_template={model.chat_template} is an empty file; null takes the weights' own")
    return text
