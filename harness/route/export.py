"""The policy as a LiteLLM proxy: `litellm.yaml` and the few lines of Python beside it that it names.

Both name what they need by its place in the folder, so that the folder can be moved as a whole. No key stands in them:
what a run knew by a variable's name, litellm is told by that name (`os.environ/NAME`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from harness.errors import ConfigError
from harness.records.manifest import Manifest
from harness.records.route import ModelTarget, RoutePolicy

__all__ = ["CALLS", "CONFIG", "HOOK", "PROVIDER", "PUBLIC", "export_litellm"]

CONFIG: Final = "litellm.yaml"
HOOK: Final = "route_hook.py"
CALLS: Final = "calls"
"""Folder of the calls' log, beside the policy."""
PROVIDER: Final = "harness-router"
PUBLIC: Final = "agents"
_FIRST_PORT: Final = 8081
_MANAGED: Final = frozenset({"llamacpp", "transformers", "vllm"})
"""Engines that the harness starts for a run and ends with it: somebody has to serve the model from now on."""
_NO_KEY: Final = "none"
"""OpenAI's client insists on a key; servers of one's own want none."""
_ALSO: Final = ("reasoning_effort", "thinking", "verbosity")
"""Fields that litellm would refuse on the way to the hook, since it does not know what stands behind it."""

_HOOK_TEXT: Final = '''"""What litellm.yaml names: the policy in this folder, and where its calls are logged."""

from pathlib import Path

from harness.router.litellm_hook import proxy_handler

HERE = Path(__file__).resolve().parent
handler = proxy_handler(HERE, log=HERE / "{calls}")
'''


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    params: dict[str, Any]
    info: dict[str, float]
    """Prices: here litellm reads them once, among the parameters with every call (1 ms of each)."""
    note: str | None = None


def export_litellm(
    folder: Path, policy: RoutePolicy, manifests: Mapping[str, Manifest], *, public: str = PUBLIC
) -> tuple[str, ...]:
    """Writes the files into `folder`; returns what is left to do before the proxy can answer, in sentences.

    manifests: of the runs, by the names of the policy's models. public: name that agents call. Raises ConfigError where
    a model has that name, or a model's run is not given; OSError where the folder cannot be written.
    """
    targets = (*policy.experts, policy.backbone)
    if any(one.name == public for one in targets):
        raise ConfigError(f"a model of the policy is called {public}, the name that agents call; choose another")
    missing = [one.name for one in targets if one.name not in manifests]
    if missing:
        raise ConfigError(f"the run of {missing[0]} is not given, so nothing is known of where it is served")
    entries = [
        _entry(one, manifests[one.name], _FIRST_PORT + place, small=one is not policy.backbone)
        for place, one in enumerate(targets)
    ]
    notes = tuple(one.note for one in entries if one.note)
    body = yaml.safe_dump(_config(public, entries), sort_keys=False, allow_unicode=True, width=120)
    head = _head(policy, public, notes)
    (folder / CONFIG).write_text(head + body, encoding="utf-8")
    (folder / HOOK).write_text(_HOOK_TEXT.format(calls=CALLS), encoding="utf-8")
    (folder / ".gitignore").write_text(f"{CALLS}/\n__pycache__/\n", encoding="utf-8")
    return notes


def _head(policy: RoutePolicy, public: str, notes: tuple[str, ...]) -> str:
    names = " or ".join(one.name for one in (*policy.experts, policy.backbone))
    lines = [
        f"Made by do=route. Agents call the model {public}; policy.json and control.json say",
        f"which call goes to {names}.",
        "export LITELLM_MASTER_KEY=…   (what callers have to present; without it anybody may call)",
        f"litellm --config {CONFIG} --host 127.0.0.1 --port 4000",
        *notes,
    ]
    return "".join(f"# {line}\n" for line in lines)


def _config(public: str, entries: list[_Entry]) -> dict[str, Any]:
    router = {
        "model": f"{PROVIDER}/{public}",
        "num_retries": 0,
        "allowed_openai_params": list(_ALSO),
    }
    free = {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0}
    models = [_Entry(public, router, free), *entries]
    return {
        "model_list": [
            {"model_name": one.name, "litellm_params": one.params} | ({"model_info": one.info} if one.info else {})
            for one in models
        ],
        "litellm_settings": {
            "custom_provider_map": [{"provider": PROVIDER, "custom_handler": f"{Path(HOOK).stem}.handler"}],
            "telemetry": False,
        },
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
    }


def _entry(target: ModelTarget, manifest: Manifest, port: int, *, small: bool) -> _Entry:
    """How litellm reaches a model, by what its run tells. A small one is tried once: the backbone is its retry."""
    model, backend = _table(manifest.config.get("model")), _table(manifest.config.get("backend"))
    engine = str(backend.get("name") or (manifest.backend.name if manifest.backend else ""))
    served = str((manifest.backend and manifest.backend.served_model) or model.get("served_name") or target.model)
    url, variable, note = model.get("url") or backend.get("url"), model.get("api_key_env"), None
    extra = dict(_table(backend.get("extra_body")))
    params: dict[str, Any]
    if engine == "litellm":
        params = {"model": served, **({"api_base": url} if url else {}), **extra}
        extra = {}
    elif engine in _MANAGED:
        params = {"model": f"openai/{served}", "api_base": f"http://127.0.0.1:{port}/v1"}
        note = _serve(target, manifest, served, port)
    elif url:
        params = {"model": f"openai/{served}", "api_base": url}
    else:
        params = {"model": target.model}
        note = f"{target.name}: its run does not say where it is served; check its lines below"
    if variable:
        params["api_key"] = f"os.environ/{variable}"
    elif params["model"].startswith("openai/") and "api_base" in params:
        params["api_key"] = _NO_KEY
    params |= {"extra_body": extra} if extra else {}
    once = {"num_retries": 0, "max_retries": 0} if small else {}
    return _Entry(target.name, {**params, **once}, _prices(_table(model.get("price"))), note)


def _serve(target: ModelTarget, manifest: Manifest, served: str, port: int) -> str:
    """What serves a model that the harness had started itself."""
    where = f"http://127.0.0.1:{port}/v1"
    weights = manifest.backend.weights if manifest.backend else None
    if weights is None or not weights.file.endswith(".gguf"):
        return f"{target.name} has to be served at {where} as the model {served}"
    command = f"llama-server --host 127.0.0.1 --port {port} --jinja --alias {served} --model {weights.file}"
    return f"{target.name} has to be served at {where}: {command}"


def _prices(price: Mapping[str, Any]) -> dict[str, float]:
    names = {
        "input_usd_per_mtok": "input_cost_per_token",
        "output_usd_per_mtok": "output_cost_per_token",
        "cached_input_usd_per_mtok": "cache_read_input_token_cost",
        "cache_write_usd_per_mtok": "cache_creation_input_token_cost",
        "reasoning_usd_per_mtok": "output_cost_per_reasoning_token",
    }
    return {ours: float(price[key]) / 1e6 for key, ours in names.items() if price.get(key) is not None}


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
