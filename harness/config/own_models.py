"""Models of one's own in the current folder: `models/NAME.yaml`, chosen with `model=NAME` as those of `conf/model` are.

A file holds what is put on top of the configuration: `model` with the keys of `conf/model`, and `backend` where the
model needs one set up in a way of its own (an adapter). `do=convert` writes them.
"""

from pathlib import Path
from typing import Any, Final

import yaml
from hydra.core.config_store import ConfigStore

from harness.paths import conf_dir

__all__ = ["MODELS", "own_models", "register_own_models"]

MODELS: Final = "models"
"""Folder, where one stands."""


def own_models(folder: Path = Path(MODELS)) -> dict[str, dict[str, Any]]:
    """What each file of the folder says, by the model's name; files that are no model's are left alone.

    A name of `conf/model` stays that model's.
    """
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(folder.glob("*.yaml")) if folder.is_dir() else ():
        try:
            data = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError, UnicodeDecodeError):
            continue
        model = data.get("model") if isinstance(data, dict) else None
        known = (conf_dir() / "model" / f"{file.stem}.yaml").is_file()
        if isinstance(model, dict) and model.get("name") == file.stem and not known:
            found[file.stem] = data
    return found


def register_own_models() -> None:
    """Gives Hydra the models of the current folder: then `model=NAME` finds them, in lists and sweeps too."""
    store = ConfigStore.instance()
    for name, data in own_models().items():
        backend = data.get("backend") or {}
        engine = backend.get("name", "llamacpp")
        node = {
            "defaults": ["_self_", {"override /backend@_global_.backend": engine}],
            "model": data["model"],
            **({"backend": backend} if len(backend) > 1 else {}),
        }
        store.store(group="model", name=name, node=node, package="_global_")
