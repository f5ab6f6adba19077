"""Which Python runs what needs torch: the named one, this one, or the environment that `make train-env` builds."""

import importlib.util
import os
import sys
from pathlib import Path

from harness.backends.named_python import named_python
from harness.errors import ConfigError
from harness.paths import conf_dir

__all__ = ["TRAIN_ENVIRONMENT", "torch_python"]

TRAIN_ENVIRONMENT = ".venv-train"
"""Folder of the environment, in the checkout or in the folder that the harness is started in."""


def torch_python(configured: str | None, *, key: str = "backend.python") -> Path:
    """The interpreter for a child that needs torch and transformers.

    configured: the value of `key`; None: this Python where it has both, else the one in `.venv-train`. Raises
    ConfigError where there is none; whether a named one has the packages shows when it is started.
    """
    if configured is not None:
        return named_python(configured, key, TRAIN_ENVIRONMENT, "make train-env")
    if all(importlib.util.find_spec(name) is not None for name in ("torch", "transformers")):
        return Path(sys.executable)
    inside = Path("Scripts/python.exe" if os.name == "nt" else "bin/python")
    for folder in (conf_dir().parent, Path.cwd()):
        path = folder / TRAIN_ENVIRONMENT / inside
        if _runs(path):
            return path.absolute()
    raise ConfigError(
        f"torch and transformers are in no Python here: make train-env, or name a Python that has them: {key}=…"
    )


def _runs(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
