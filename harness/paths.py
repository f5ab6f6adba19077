"""Where the project's own data lies: beside the package in a checkout, inside it when installed from a wheel."""

from pathlib import Path

__all__ = ["conf_dir", "suites_dir"]

_PACKAGE = Path(__file__).resolve().parent


def _data(name: str) -> Path:
    installed = _PACKAGE / "_data" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def conf_dir() -> Path:
    """The folder of the Hydra groups, absolute as Hydra wants it under `python -m`."""
    return _data("conf")


def suites_dir() -> Path:
    """The folder of the suites that come with the project."""
    return _data("suites")
