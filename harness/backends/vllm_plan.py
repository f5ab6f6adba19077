"""From configuration and weights to vLLM's command line; what contradicts itself is refused before a start."""

import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.backends.named_python import named_python
from harness.backends.vllm_weights import TensorFolder
from harness.config import ModelConfig, VllmConfig, template_file
from harness.errors import AssetError, ConfigError
from harness.paths import conf_dir

__all__ = ["ENVIRONMENT", "arguments", "base_name", "child_environment", "served_name", "vllm_python"]

ENVIRONMENT = ".venv-vllm"
"""Folder of the environment that `make vllm-env` builds."""
_DEFAULT_CONTEXT_MOST = 32_768
_OURS = {
    "--model": "model.weights.*",
    "--tokenizer": "model.weights.*",
    "--served-model-name": "model.served_name",
    "--host": None,
    "--port": None,
    "--uds": None,
    "--api-key": None,
    "--max-model-len": "backend.context_tokens",
    "--max-num-seqs": "backend.slots",
    "--dtype": "backend.dtype",
    "--quantization": "backend.quantization",
    "-q": "backend.quantization",
    "--kv-cache-dtype": "backend.kv_type",
    "--tensor-parallel-size": "backend.tensor_parallel",
    "-tp": "backend.tensor_parallel",
    "--gpu-memory-utilization": "backend.gpu_memory_frac",
    "--enable-prefix-caching": "backend.cache=on",
    "--no-enable-prefix-caching": "backend.cache=off",
    "--enforce-eager": "backend.eager=true",
    "--tool-call-parser": "backend.tool_parser",
    "--reasoning-parser": "backend.reasoning_parser",
    "--lora-modules": "backend.lora",
    "--enable-lora": "backend.lora",
    "--chat-template": "model.chat_template",
    "--stream-interval": "backend.mode",
    "--disable-uvicorn-access-log": None,
    "--enable-per-request-metrics": None,
    "--generation-config": None,
    "--override-generation-config": "generation.*",
    "--enable-auto-tool-choice": "backend.tool_parser",
    "--tool-strict-level": "backend.tool_parser",
    "--max-loras": "backend.lora",
    "--max-lora-rank": "backend.lora",
    "--config": None,
    "--hf-token": None,
    "--headless": None,
    "--root-path": None,
    "--ssl-certfile": None,
    "--ssl-keyfile": None,
}
"""Words of vLLM's that the harness sets, each with the key that decides it; None: nobody else may."""
_ONE_PIECE = 1_000_000_000
"""Tokens after which a reply is passed on: more than any reply has."""


def vllm_python(configured: str | None) -> Path:
    """The interpreter that has vLLM: the named one, else that of `.venv-vllm`. Raises ConfigError where there is none.

    The folder is looked for beside the environment of this Python, beside the configuration, and here.
    """
    inside = Path("bin/python")
    if configured is not None:
        return named_python(configured, "backend.python", ENVIRONMENT, "make vllm-env")
    for folder in (Path(sys.prefix).parent, conf_dir().parent, Path.cwd()):
        path = folder / ENVIRONMENT / inside
        if _runs(path):
            return path.absolute()
    raise ConfigError(
        "vLLM is in no environment here: make vllm-env (3.5 GB, 3 minutes), or name a Python that has it: "
        "backend.python=…"
    )


def _runs(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def base_name(model: ModelConfig, config: VllmConfig) -> str:
    """What the base model is called by the server."""
    taken = {one.name for one in config.lora}
    return model.served_name if model.served_name and model.served_name not in taken else model.name


def served_name(model: ModelConfig, config: VllmConfig) -> str:
    """What requests ask for: `model.served_name`, else the one adapter, else the base. ConfigError if unclear."""
    names = [one.name for one in config.lora]
    if len(set(names)) < len(names):
        raise ConfigError(
            f"backend.lora has two adapters named {max(names, key=names.count)!r}: give each its own name"
        )
    if model.name in names:
        raise ConfigError(f"backend.lora names an adapter {model.name!r}, as the model itself: give it another name")
    if model.served_name is not None:
        return model.served_name
    if len(names) > 1:
        raise ConfigError(f"which adapter is to answer? model.served_name={names[0]}, or {model.name} for the base")
    return names[0] if names else model.name


def arguments(config: VllmConfig, model: ModelConfig, weights: TensorFolder) -> list[str]:
    """The words of vLLM's command line, but for host and port. Raises ConfigError or AssetError.

    `--generation-config vllm`: sampling comes from the request alone, not from a file beside the weights.
    """
    _refuse_ours(config.extra_args)
    words = ["--model", str(weights.path), "--served-model-name", base_name(model, config)]
    words += ["--generation-config", "vllm", "--max-model-len", _context(config, weights)]
    words += ["--max-num-seqs", str(config.slots), "--dtype", config.dtype, "--kv-cache-dtype", config.kv_type]
    words += ["--tensor-parallel-size", str(config.tensor_parallel)]
    words += ["--gpu-memory-utilization", f"{config.gpu_memory_frac:g}"]
    words.append("--enable-prefix-caching" if config.cache == "on" else "--no-enable-prefix-caching")
    words += ["--disable-uvicorn-access-log", "--enable-per-request-metrics"]
    if config.quantization is not None:
        words += ["--quantization", config.quantization]
    if config.eager:
        words.append("--enforce-eager")
    if config.tool_parser is not None:
        words += ["--enable-auto-tool-choice", "--tool-call-parser", config.tool_parser]
        words += ["--tool-strict-level", "parameter"]
    if config.reasoning_parser is not None:
        words += ["--reasoning-parser", config.reasoning_parser]
    if config.mode == "batch":
        words += ["--stream-interval", str(_ONE_PIECE)]
    return [*words, *_template(model), *_lora(config), *config.extra_args]


def child_environment(config: VllmConfig) -> dict[str, str]:
    """Variables for vLLM: no calls to a hub or home, internal sockets on loopback, threads and cache of a processor."""
    told = {
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_HOST_IP": "127.0.0.1",
        "VLLM_CPU_KVCACHE_SPACE": str(config.cpu_cache_gib),
        "VLLM_LOGGING_COLOR": "0",
        "TOKENIZERS_PARALLELISM": "false",
    }
    if config.threads is not None:
        told |= {"OMP_NUM_THREADS": str(config.threads), "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    return told


def _context(config: VllmConfig, weights: TensorFolder) -> str:
    """What was asked for; else the model's own within bounds, or `auto`, which vLLM fits to the GPU's memory."""
    own = weights.context_tokens
    if config.context_tokens is not None:
        if own is not None and config.context_tokens > own:
            raise ConfigError(
                f"backend.context_tokens={config.context_tokens} is more than the {own} that these weights were "
                f"trained for; at most backend.context_tokens={own}"
            )
        return str(config.context_tokens)
    return "auto" if own is None else str(min(own, _DEFAULT_CONTEXT_MOST))


def _template(model: ModelConfig) -> list[str]:
    if model.chat_template is None:
        return []
    path = template_file(model.chat_template, conf_dir())
    if not path.read_text(encoding="utf-8").strip():
        raise ConfigError(f"model.chat_template={model.chat_template} is an empty file; null takes the weights' own")
    return ["--chat-template", str(path.resolve())]


def _lora(config: VllmConfig) -> list[str]:
    if not config.lora:
        return []
    ranks, modules = [], []
    for one in config.lora:
        folder = Path(one.path).expanduser().resolve()
        try:
            ranks.append(int(json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["r"]))
        except (OSError, ValueError, KeyError, TypeError):
            raise AssetError(
                f"backend.lora path={one.path} is no folder of a PEFT adapter (adapter_config.json with its rank r): "
                "correct the path; a GGUF adapter is for backend=llamacpp"
            ) from None
        modules.append(json.dumps({"name": one.name, "path": str(folder)}))
    rank = next((size for size in (8, 16, 32, 64, 128, 256, 320, 512) if size >= max(ranks)), max(ranks))
    return [
        "--enable-lora", "--max-loras", str(len(modules)), "--max-lora-rank", str(rank), "--lora-modules", *modules,
    ]  # fmt: skip


def _refuse_ours(extra: Sequence[str]) -> None:
    for word in extra:
        flag = re.sub(r"=.*", "", word).replace("_", "-")
        plain = re.sub(r"^--no-", "--", flag)
        flag = flag if flag in _OURS or plain not in _OURS else plain
        if flag not in _OURS:
            continue
        key = _OURS[flag]
        raise ConfigError(
            f"backend.extra_args holds {flag}, which the harness decides: "
            + (
                f"use {key}"
                if key
                else "leave it out: the harness starts the server on a free loopback port, and reads and ends it"
            )
        )
