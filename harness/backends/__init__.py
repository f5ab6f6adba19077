"""How an endpoint is brought up and down, and the client that measures it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from harness.protocols import Backend
from harness.registry import load_plugin

if TYPE_CHECKING:  # for type checkers alone: both take long to import, and the client needs neither
    from harness.assets import OnProgress
    from harness.config import BackendConfig, ModelConfig

__all__ = ["backend_for"]


def backend_for(model: "ModelConfig", config: "BackendConfig", *, on_progress: "OnProgress | None" = None) -> Backend:
    """The backend that a configuration names, for one model; nothing is started or fetched yet.

    The plug-in is an entry point of the group `harness.backends`, called with (config, model, on_progress=…). Raises
    ConfigError for a name that is not registered.
    """
    make = cast("Callable[..., Backend]", load_plugin("harness.backends", config.name))
    return make(config, model, on_progress=on_progress)
