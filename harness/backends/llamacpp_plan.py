"""From configuration and weights to what the engine is told; here every contradiction is refused before a start."""

import os
from pathlib import Path

import psutil

from harness.backends.llamacpp_child import EngineSettings
from harness.backends.weights import WeightFile
from harness.config import LlamaCppConfig, ModelConfig, template_file
from harness.errors import AssetError, ConfigError
from harness.paths import conf_dir

__all__ = ["available_memory", "plan", "usable_cores"]

_DEFAULT_CONTEXT_MOST = 32_768
"""Per slot, where none is asked for: models of 128k and more would fill a laptop's memory with a cache nobody uses."""
_SMALLEST_DEFAULT_CONTEXT = 2_048
_CACHE_SHARE = 0.25
"""Part of the available memory, weights taken off, that a default context may fill."""
_ELEMENT_BYTES = {"f32": 4.0, "f16": 2.0, "bf16": 2.0, "q8_0": 34 / 32, "q4_0": 18 / 32}  # ggml block sizes
_CGROUP = Path("/sys/fs/cgroup")


def plan(config: LlamaCppConfig, model: ModelConfig, weights: WeightFile) -> EngineSettings:
    """The engine's settings. Raises ConfigError or AssetError for what could not take effect."""
    if config.ubatch_tokens > config.batch_tokens:
        raise ConfigError(
            f"backend.ubatch_tokens={config.ubatch_tokens} is more than backend.batch_tokens={config.batch_tokens}, "
            "which holds it; lower the first or raise the second"
        )
    if config.flash_attention == "off" and config.kv_type in {"q8_0", "q4_0"}:
        raise ConfigError(
            f"backend.kv_type={config.kv_type} needs flash attention: backend.flash_attention=auto, or kv_type=f16"
        )
    if model.generation.logprobs and model.protocol == "native":
        raise ConfigError(
            "model.generation.logprobs=true does not go with model.protocol=native here: llama.cpp tells no "
            "probabilities beside tools in a stream; choose model.protocol=constrained or prompted"
        )
    return EngineSettings(
        model_path=str(weights.path.resolve()),
        alias=model.served_name or model.name,
        context_tokens=_context_tokens(config, weights) * config.slots,
        slots=config.slots,
        threads=config.threads or usable_cores(),
        gpu_layers=config.gpu_layers,
        batch_tokens=config.batch_tokens,
        ubatch_tokens=config.ubatch_tokens,
        cache=config.cache == "on",
        kv_type=config.kv_type,
        flash_attention=config.flash_attention,
        lora=tuple((str(_adapter(one.path)), one.scale) for one in config.lora),
        chat_template=_template(model),
    )


def _context_tokens(config: LlamaCppConfig, weights: WeightFile) -> int:
    """Per slot: what was asked for, else the model's own, halved until its cache fits into memory."""
    trained = weights.header.context_tokens
    asked = config.context_tokens
    if asked is not None:
        if trained is not None and asked > trained:
            raise ConfigError(
                f"backend.context_tokens={asked} is more than the {trained} that {weights.path.name} was trained for; "
                f"at most backend.context_tokens={trained}"
            )
        return asked
    tokens = min(trained or _SMALLEST_DEFAULT_CONTEXT * 2, _DEFAULT_CONTEXT_MOST)
    elements = weights.header.kv_elements_per_token()
    if elements is None:
        return tokens
    room = max(0, available_memory() - weights.facts.bytes) * _CACHE_SHARE
    per_token = elements * _ELEMENT_BYTES[config.kv_type] * config.slots
    while tokens * per_token > room and tokens // 2 >= _SMALLEST_DEFAULT_CONTEXT:
        tokens //= 2
    return tokens


def _adapter(name: str) -> Path:
    path = Path(name).expanduser()
    if not path.is_file():
        raise AssetError(f"the adapter backend.lora path={name} is no file: correct the path")
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise AssetError(f"the adapter {path.name} is no GGUF file: llama.cpp's convert_lora_to_gguf.py makes one")
    return path.resolve()


def _template(model: ModelConfig) -> str:
    if model.chat_template is None:
        return ""
    text = template_file(model.chat_template, conf_dir()).read_text(encoding="utf-8")
    if not text.strip():
        raise ConfigError(f"model.chat_template={model.chat_template} is an empty file; null takes the weights' own")
    return text


def usable_cores() -> int:
    """Physical cores that this process may use: of the machine, of its affinity, and of its container's quota."""
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = min(cores, len(os.sched_getaffinity(0)))
    quota = _cgroup("cpu.max")
    if len(quota) == 2 and quota[0].isdigit() and quota[1].isdigit():
        cores = min(cores, -(-int(quota[0]) // int(quota[1])))
    return max(1, cores)


def available_memory() -> int:
    """Bytes that can be taken without swapping, within the container's limit."""
    free = psutil.virtual_memory().available
    limit, used = _cgroup("memory.max"), _cgroup("memory.current")
    if limit and used and limit[0].isdigit() and used[0].isdigit():
        free = min(free, max(0, int(limit[0]) - int(used[0])))
    return int(free)


def _cgroup(name: str) -> list[str]:
    """The words of a cgroup v2 file of this container; empty where there is none."""
    try:
        return (_CGROUP / name).read_text().split()
    except OSError:
        return []
