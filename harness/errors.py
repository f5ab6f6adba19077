"""The errors a user can meet, each with the exit code that a script or a CI job sees.

Every message says what is wrong, the value seen, what is allowed and what to type next, in one line.
Anything else that escapes is a bug of the harness and keeps its traceback.
"""

from typing import ClassVar, Final

__all__ = [
    "AssetError",
    "BackendError",
    "ConfigError",
    "DataError",
    "GateFailed",
    "GateInconclusive",
    "HarnessError",
    "RunFolderBusy",
    "WorkToDo",
    "extra",
    "not_installed",
]

_EXTRA_OF: Final = {
    "datasketch": "logs",
    "duckdb": "logs",
    "google": "logs",
    "opentelemetry": "logs",
    "pyarrow": "logs",
    "re2": "logs",
    "regex": "logs",
    "sklearn": "logs",
    "matplotlib": "figures",
    "pandas": "notebook",
    "fsspec": "stores",
    "s3fs": "stores",
    "mlflow": "mlflow",
    "ray": "ray",
}
"""Modules that the core goes without, each with the extra that brings it."""


def extra(name: str) -> str:
    """What to type for packages that not every user has: in a clone the locked ones, elsewhere the extra.

    >>> extra("nlp")
    "make nlp in a clone, else pip install 'slm-harness[nlp]'"
    """
    return f"make {name} in a clone, else pip install 'slm-harness[{name}]'"


class HarnessError(Exception):
    """Root of the tree: the message is the one line that the user reads."""

    exit_code: ClassVar[int] = 3


class GateFailed(HarnessError):
    """A verdict that a gate was asked for and that came out negative."""

    exit_code: ClassVar[int] = 1


class WorkToDo(HarnessError):
    """A look at new calls that found something to be done again."""

    exit_code: ClassVar[int] = 1


class GateInconclusive(HarnessError):
    """A gate that showed neither, under a policy that stops there."""

    exit_code: ClassVar[int] = 2


class ConfigError(HarnessError):
    """A key, value, group or combination of them that the configuration does not allow."""

    exit_code: ClassVar[int] = 2


class DataError(HarnessError):
    """A file or value given by the user that cannot mean what it says."""

    exit_code: ClassVar[int] = 2


class RunFolderBusy(DataError):
    """A run folder that another live process is writing to."""


class BackendError(HarnessError):
    """A model server that cannot be brought up, reached or trusted."""

    exit_code: ClassVar[int] = 3


class AssetError(BackendError):
    """Weights or data that cannot be had: missing, damaged, refused, or no room for them."""


def not_installed(error: ModuleNotFoundError, wanted_for: str) -> ConfigError | None:
    """The line for a package that an extra brings and that is not here; None where a module is missing for no reason.

    >>> not_installed(ModuleNotFoundError(name="pyarrow.parquet"), "do=curate")
    ConfigError("do=curate needs the package pyarrow: make logs in a clone, else pip install 'slm-harness[logs]'")
    >>> not_installed(ModuleNotFoundError(name="harness.verbs.absent"), "do=absent")
    """
    root = (error.name or "").partition(".")[0]
    if root not in _EXTRA_OF:
        return None
    return ConfigError(f"{wanted_for} needs the package {root}: {extra(_EXTRA_OF[root])}")
