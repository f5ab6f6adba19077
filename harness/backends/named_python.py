"""A Python that the configuration names: looked at before anything is fetched for it."""

import json
import os
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from harness.errors import ConfigError

__all__ = ["lacking", "named_python"]

_LONGEST_S: Final = 60.0
"""For a Python to start on a busy machine; it imports nothing."""
_ASK: Final = (
    "import importlib.util, json, sys; "
    "print(json.dumps([one for one in sys.argv[1:] if importlib.util.find_spec(one) is None]))"
)


def named_python(name: str, key: str, environment: str, make: str) -> Path:
    """The program that `key=name` names, not resolved: an environment is known by the place of its link.

    Raises ConfigError where it is none, or no Python. environment, make: what one looks like, and what builds it.
    """
    path = Path(name).expanduser()
    like = f"it looks like {environment}/bin/python, which {make} builds"
    if not (path.is_file() and os.access(path, os.X_OK)):
        raise ConfigError(f"{key}={name} is no program; {like}")
    if _missing(path.absolute(), ()) is None:
        raise ConfigError(f"{key}={name} is no Python: it does not run one line of it; {like}")
    return path.absolute()


def lacking(python: Path, packages: Sequence[str]) -> tuple[str, ...]:
    """Those of the packages that a Python has not; none of them is imported."""
    return _missing(python, tuple(packages)) or ()


@cache
def _missing(python: Path, packages: tuple[str, ...]) -> tuple[str, ...] | None:
    """None: it is no Python."""
    command = [str(python), "-X", "utf8", "-c", _ASK, *packages]
    try:
        done = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_LONGEST_S, check=False, cwd=python.parent
        )
        told = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return tuple(map(str, told)) if isinstance(told, list) else None
