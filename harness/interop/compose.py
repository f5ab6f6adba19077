"""A run's configuration for a model that another program names, composed as the command line composes it."""

from collections.abc import Mapping

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from harness.config import ModelConfig, RunConfig, parse, register_defaults
from harness.errors import ConfigError
from harness.explain import explain
from harness.paths import conf_dir

__all__ = ["compose_model", "override"]

_GROUPS = ("model", "backend", "run", "hardware")


def compose_model(name: str, changes: Mapping[str, object]) -> RunConfig:
    """The configuration of `model=NAME` with changes such as `protocol` or `backend.slots`.

    A key without a group's name in front is the model's. Raises ConfigError for a model, key or value that is not
    known.
    """
    words = [f"model={name}", *(override(key, value) for key, value in changes.items())]
    try:
        if GlobalHydra.instance().is_initialized():
            conf = hydra.compose("config", overrides=words)
        else:
            register_defaults()
            with hydra.initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
                conf = hydra.compose("config", overrides=words)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain(error, words)) from None
    config = parse(conf)
    assert isinstance(config, RunConfig)
    return config


def override(key: str, value: object) -> str:
    """A change as Hydra's command line has it.

    >>> override("protocol", "native"), override("backend.slots", 4), override("generation.stop", ["a b", None])
    ("model.protocol='native'", 'backend.slots=4', "model.generation.stop=['a b',null]")
    """
    head, _, rest = key.partition(".")
    if head in _GROUPS and rest:
        return f"{key}={_written(value)}"
    if head in {"backend", "hardware"}:
        return f"{key}={value}"
    if head not in ModelConfig.model_fields:
        allowed = ", ".join(sorted(ModelConfig.model_fields))
        raise ConfigError(f"{key} is no key of a model; keys: {allowed}, and backend.…, run.…")
    return f"model.{key}={_written(value)}"


def _written(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(_written(one) for one in value)}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}:{_written(one)}" for name, one in value.items()) + "}"
    text = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"
