"""Servers for GPUs that load safetensors: SGLang, TensorRT-LLM's `trtllm-serve`, and a `vllm serve` of yours.

Routes as documented: SGLang 0.5 native API (`/health`, `/server_info`, before that `/get_server_info`), TensorRT-LLM
1.x (`/health`, `/version`), vLLM 0.20 and later (`/health`, `/version`, `/metrics`).
"""

import re
from abc import ABC, abstractmethod

from pydantic import JsonValue

from harness.backends.attached import AnyAttached, Found, Probe, Table, Told, v1_models, without_folder
from harness.config import ModelConfig, ServingConfig

__all__ = ["Sglang", "Trtllm", "VllmServer"]

_SGLANG_FLAGS = (
    "tp_size", "dp_size", "dtype", "kv_cache_dtype", "quantization", "tool_call_parser", "reasoning_parser",
    "disable_radix_cache", "attention_backend", "grammar_backend", "enable_lora", "mem_fraction_static",
    "max_total_num_tokens", "random_seed",
)  # fmt: skip
"""Fields of SGLang's server info that decide answers or speed; the rest holds paths and may hold a key."""
_VLLM_CACHE = re.compile(r"^vllm:cache_config_info\{(?P<labels>[^}]*)\}", re.MULTILINE)
_VLLM_FLAGS = ("block_size", "cache_dtype", "enable_prefix_caching", "num_gpu_blocks", "num_cpu_blocks")


class _Serving(ABC):
    """What the three have in common."""

    title = ""
    health = "/health"

    def names(self, model: ModelConfig) -> tuple[str, ...]:
        """The name that `start` gives, the repository, or its last part."""
        repo = _repo(model)
        return (model.name,) if repo is None else (model.name, repo, repo.rsplit("/", 1)[-1])

    def start(self, model: ModelConfig, port: int) -> str:
        """The server with the model's repository, and with a name to find it by."""
        return f"{self._command(_repo(model) or 'OWNER/MODEL', model.served_name or model.name)} --port {port}"

    def get(self, model: ModelConfig) -> str:
        """It serves what it was started with: another is another start."""
        return (
            f"start it with that one: {self._command(_repo(model) or 'OWNER/MODEL', model.served_name or model.name)}"
        )

    def body(self, config: AnyAttached) -> dict[str, object]:
        """Options of the chat template."""
        assert isinstance(config, ServingConfig)
        return {"chat_template_kwargs": config.template_options} if config.template_options else {}

    async def listing(self, probe: Probe) -> dict[str, Table]:
        """What it was started with, adapters under names of their own."""
        return await v1_models(probe)

    @abstractmethod
    def _command(self, repo: str, name: str) -> str:
        """What is typed to start the engine with a model under a name."""


class Sglang(_Serving):
    """The engine `sglang`."""

    title = "SGLang"

    def _command(self, repo: str, name: str) -> str:
        return f"python -m sglang.launch_server --model-path {repo} --served-model-name {name}"

    async def describe(self, found: Found) -> Told:
        """Version, context, requests at once, and what it was told that decides answers or speed."""
        info = await found.probe.table("/server_info", "/get_server_info")
        version, template = info.get("version"), info.get("chat_template")
        flags: dict[str, JsonValue] = {name: info[name] for name in _SGLANG_FLAGS if name in info}
        if isinstance(template, str):
            flags["chat_template"] = without_folder(template)
        facts = {
            "build": f"SGLang {version}" if isinstance(version, str) else None,
            "context_tokens": _first_whole(found.row.get("max_model_len"), info.get("context_length")),
            "slots": _first_whole(info.get("max_running_requests")),
            "flags": flags,
        }
        return Told(facts, caches=info.get("disable_radix_cache") is False)


class Trtllm(_Serving):
    """The engine `trtllm`."""

    title = "TensorRT-LLM"

    def _command(self, repo: str, name: str) -> str:
        del name  # it is found by the repository's, and not every version can be given another
        return f"trtllm-serve {repo}"

    async def describe(self, found: Found) -> Told:
        """The version: it tells no more over HTTP."""
        version = (await found.probe.table("/version")).get("version")
        return Told({"build": f"TensorRT-LLM {version}" if isinstance(version, str) else None})


class VllmServer(_Serving):
    """The engine `vllm_server`."""

    title = "vLLM"

    def _command(self, repo: str, name: str) -> str:
        return f"vllm serve {repo} --served-model-name {name}"

    async def describe(self, found: Found) -> Told:
        """Version, context, the adapter's base, and the cache's settings from the metrics."""
        version = (await found.probe.table("/version")).get("version")
        labels = _VLLM_CACHE.search((await found.probe.get("/metrics")).text)
        cache = dict(re.findall(r'(\w+)="([^"]*)"', labels["labels"])) if labels else {}
        flags: dict[str, JsonValue] = {name: cache[name] for name in _VLLM_FLAGS if name in cache}
        for name in ("root", "parent"):
            value = found.row.get(name)
            if isinstance(value, str):
                flags[name] = without_folder(value)
        facts = {
            "build": f"vLLM {version}" if isinstance(version, str) else None,
            "context_tokens": _first_whole(found.row.get("max_model_len")),
            "flags": flags,
        }
        return Told(facts, caches=cache.get("enable_prefix_caching") == "True")


def _repo(model: ModelConfig) -> str | None:
    return None if model.weights.safetensors is None else model.weights.safetensors.repo


def _first_whole(*values: object) -> int | None:
    return next((one for one in values if isinstance(one, int) and not isinstance(one, bool) and one > 0), None)
