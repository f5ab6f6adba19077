"""The llama.cpp server itself, as a process of its own or loaded into the caller.

Started by path, this file needs the standard library and xllamacpp only. It reads `EngineSettings` as one JSON line
from standard input, answers with one JSON line on standard output ({"address": …} or {"error": …}), and lives until
its standard input ends: so it dies with the process that started it, however that dies. llama.cpp's own words go to
standard error.
"""

import json
import os
import runpy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["EngineSettings", "Started", "common_params", "start"]


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What the server is told. Sent as JSON, so plain values only."""

    model_path: str
    alias: str
    context_tokens: int
    """Of all slots together."""
    slots: int
    threads: int
    gpu_layers: int
    batch_tokens: int
    ubatch_tokens: int
    cache: bool
    kv_type: str
    flash_attention: str
    lora: tuple[tuple[str, float], ...]
    """File and scale."""
    chat_template: str
    """Jinja source; empty: the one in the weights."""


@dataclass(frozen=True, slots=True)
class Started:
    """A server that has loaded its model and listens on loopback."""

    server: Any
    """Kept alive by its owner: the server ends when it is collected."""
    address: str
    build: str
    system: str
    gpus: tuple[str, ...]


def gpus(engine: Any) -> tuple[str, ...]:
    """Names of the accelerators that this build of llama.cpp can use."""
    wanted = {"GGML_BACKEND_DEVICE_TYPE_GPU", "GGML_BACKEND_DEVICE_TYPE_IGPU"}
    return tuple(str(one["description"]) for one in engine.get_device_info() if one["type"].name in wanted)


def common_params(engine: Any, settings: EngineSettings, *, has_gpu: bool) -> Any:
    """`xllamacpp.CommonParams` that say what the settings say."""
    params = engine.CommonParams()
    params.model.path = settings.model_path
    params.model_alias = {settings.alias}
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.n_ctx, params.n_parallel = settings.context_tokens, settings.slots
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings.threads
    params.n_gpu_layers = settings.gpu_layers
    params.fit_params = has_gpu and settings.gpu_layers < 0
    params.n_batch, params.n_ubatch = settings.batch_tokens, settings.ubatch_tokens
    params.cache_type_k = params.cache_type_v = engine.ggml_type[f"GGML_TYPE_{settings.kv_type.upper()}"]
    flash = {"auto": "AUTO", "on": "ENABLED", "off": "DISABLED"}[settings.flash_attention]
    params.flash_attn_type = engine.llama_flash_attn_type[f"LLAMA_FLASH_ATTN_TYPE_{flash}"]
    params.lora_adapters = [engine.CommonAdapterLoraInfo(path, scale) for path, scale in settings.lora]
    params.chat_template, params.use_jinja = settings.chat_template, True
    params.cont_batching, params.warmup, params.ui = True, True, False
    params.endpoint_props = params.endpoint_metrics = params.endpoint_slots = True
    params.verbosity = 1  # errors only
    params.cache_prompt = settings.cache
    if not settings.cache:  # nor keep prompts in memory beside the slots, nor checkpoints of sliding windows
        params.cache_idle_slots, params.cache_ram_mib, params.n_ctx_checkpoints = False, 0, 0
    return params


def start(settings: EngineSettings) -> Started:
    """A loaded server. Holds the interpreter's lock until the model is loaded.

    Raises ImportError without xllamacpp, RuntimeError (with the reason on standard error) where llama.cpp gives up,
    ValueError for settings that this build cannot follow.
    """
    import xllamacpp as engine

    found = gpus(engine)
    if settings.gpu_layers > 0 and not found:
        msg = f"backend.gpu_layers={settings.gpu_layers}, but this build of xllamacpp sees no GPU; use -1 or 0"
        raise ValueError(msg)
    server = engine.Server(common_params(engine, settings, has_gpu=bool(found)))
    build = f"xllamacpp {engine.__version__} ({_build_info(engine.BUILD_INFO)})"
    return Started(server, server.listening_address, build, " ".join(engine.get_system_info().split()), found)


def _build_info(info: Mapping[str, object]) -> str:
    known = {key: value for key, value in info.items() if value not in {0, "", "unknown"}}
    return ", ".join(f"{key} {value}" for key, value in known.items())


def main() -> None:
    """Serves until standard input ends."""
    report, order, watcher = runpy.run_path(str(Path(__file__).with_name("child_life.py")))["begin"](daemon=False)
    try:
        started = start(EngineSettings(**order["settings"]))
    except (ImportError, RuntimeError, ValueError) as error:
        answer: dict[str, object] = {"error": str(error), "kind": type(error).__name__}
        os.write(report, json.dumps(answer).encode() + b"\n")
        os._exit(1)
    answer = {"address": started.address, "build": started.build, "system": started.system, "gpus": started.gpus}
    os.write(report, json.dumps(answer).encode() + b"\n")
    os.close(report)
    watcher.join()


if __name__ == "__main__":
    main()
