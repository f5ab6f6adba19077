"""The engines that the harness knows by name and attaches to: `backend=ollama model=phi4mini` (docs/engines.md)."""

from harness.assets import OnProgress
from harness.backends.attached import AnyAttached, Attached, Engine
from harness.backends.llamaserver import LlamaServer
from harness.backends.lmstudio import LmStudio
from harness.backends.ollama import Ollama
from harness.backends.serving import Sglang, Trtllm, VllmServer
from harness.config import ModelConfig

__all__ = ["ENGINES", "attach"]

ENGINES: dict[str, Engine] = {
    "llamaserver": LlamaServer(),
    "lmstudio": LmStudio(),
    "ollama": Ollama(),
    "sglang": Sglang(),
    "trtllm": Trtllm(),
    "vllm_server": VllmServer(),
}


def attach(config: AnyAttached, model: ModelConfig, *, on_progress: OnProgress | None = None) -> Attached:
    """The backend for the engine that the configuration names; nothing is fetched, so `on_progress` hears nothing."""
    del on_progress
    return Attached(ENGINES[config.name], config, model)
