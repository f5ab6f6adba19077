"""What every backend is checked with: how each is made before a stand-in server, or what it is instead.

A backend without an entry here fails the contract test.
"""

import atexit
import importlib.util
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from omegaconf import OmegaConf
from pydantic import TypeAdapter

from harness.backends import backend_for
from harness.config import BackendConfig, ModelConfig
from harness.paths import conf_dir
from harness.protocols import Backend
from tests.support import engine_servers as engines
from tests.support.fake_vllm import fake_python, tiny_weights
from tests.support.tiny_checkpoint import python_with_torch, tiny_checkpoint

__all__ = ["KEY_VARIABLE", "SPECIMENS", "BackendSpecimen"]

KEY_VARIABLE = "CONTRACT_TEST_KEY"
_CONFIG: TypeAdapter[BackendConfig] = TypeAdapter(BackendConfig)
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class BackendSpecimen:
    """A backend that can be brought up here."""

    make: Callable[[str], Backend]
    """Given the address of a stand-in server."""
    routes: Mapping[str, object] = field(default_factory=dict)
    """What the stand-in answers besides chat."""
    kind: Literal["attached", "relay", "engine", "record"] = "attached"
    """`attached`: to a server that is not ours. `relay`: a process of ours before one. `engine`: real weights, and no
    stand-in behind. `record`: nobody to ask."""
    lacks: str | None = None
    """What keeps it from running on this machine."""


def _made(name: str, model: Mapping[str, object], **config: object) -> Backend:
    base = {"name": "small", "title": "Small", "licence": "unknown"}
    return backend_for(ModelConfig.model_validate({**base, **model}), _CONFIG.validate_python({"name": name, **config}))


def _attached(name: str) -> BackendSpecimen:
    return BackendSpecimen(lambda url: _made(name, {}, url=url), engines.STAND_INS[name]("small"))


def _smollm2() -> dict[str, object]:
    data = OmegaConf.to_container(OmegaConf.load(conf_dir() / "model" / "smollm2.yaml"))
    assert isinstance(data, dict)
    return {str(key): value for key, value in data.items() if key != "defaults"}


def _python_with(package: str) -> str | None:
    if importlib.util.find_spec(package) is not None:
        return sys.executable
    others = (_ROOT / folder / "bin" / "python" for folder in (".venv-hosted", ".venv-bench-litellm"))
    return next((str(one) for one in others if one.is_file()), None)


def _vllm(url: str) -> Backend:
    """Its launcher for real, in a Python where something else stands in vLLM's place and passes on to the stand-in."""
    folder = Path(_SCRATCH.name) / "vllm"
    weights = {"path": str(tiny_weights(folder / "weights"))}
    python = str(fake_python(folder))
    return _made("vllm", {"weights": weights}, python=python, extra_args=["--behind", url])


_SCRATCH = tempfile.TemporaryDirectory(prefix="backend-specimens-")
atexit.register(_SCRATCH.cleanup)
_HOSTED: dict[str, object] = {"name": "openai/gpt-4.1-mini", "hosted": True, "api_key_env": KEY_VARIABLE}
_LITELLM = _python_with("litellm")


def _transformers(_: str) -> Backend:
    weights = {"path": str(tiny_checkpoint())}
    return _made("transformers", {"weights": weights}, threads=1, context_tokens=512, python=python_with_torch())


SPECIMENS: dict[str, BackendSpecimen] = {
    **{name: _attached(name) for name in engines.STAND_INS},
    "endpoint": BackendSpecimen(
        lambda url: _made("endpoint", {"url": url}), {"/v1/models": engines.listing("small", owner="me")}
    ),
    "litellm": BackendSpecimen(
        lambda url: _made("litellm", {**_HOSTED, "url": url}, python=_LITELLM),
        kind="relay",
        lacks=None if _LITELLM else "litellm is in no environment here: pip install 'slm-harness[hosted]'",
    ),
    "llamacpp": BackendSpecimen(lambda _: _made("llamacpp", _smollm2(), context_tokens=512, threads=1), kind="engine"),
    "recorded": BackendSpecimen(lambda _: _made("recorded", {}, path="answers.jsonl"), kind="record"),
    "transformers": BackendSpecimen(
        _transformers,
        kind="engine",
        lacks=None if python_with_torch() else "torch and transformers are in no environment here: make train-env",
    ),
    "vllm": BackendSpecimen(_vllm, engines.vllm_server("small"), kind="relay"),
}
