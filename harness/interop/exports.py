"""Results in other programs' formats, by name: one writer each, imported when it is asked for."""

from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import cast

from harness.errors import ConfigError, extra

__all__ = ["Writer", "writer"]

Writer = Callable[[Path, Path], Path]
"""Called with a run's folder and an existing folder to write to; returns the file that was written.

Raises DataError for a run that it cannot read or write."""
_WRITERS = {
    "inspect": "harness.interop.inspect_log:export_inspect",
    "lm_eval": "harness.interop.lm_eval_results:export_lm_eval",
    "nel": "harness.interop.nel_results:export_nel",
    "pytest_benchmark": "harness.interop.benchmark_json:export_pytest_benchmark",
    "statgate": "harness.interop.statgate_lines:export_statgate",
}
_INSTALL = extra("suites")


def writer(name: str) -> Writer:
    """The writer of a format. Raises ConfigError for one that is not known, or whose package is not installed."""
    if name not in _WRITERS:
        near = get_close_matches(name, _WRITERS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(f"export.to={name} is not known; formats: {', '.join(_WRITERS)}{hint}")
    module, _, function = _WRITERS[name].partition(":")
    try:
        return cast(Writer, getattr(import_module(module), function))
    except ImportError as error:
        raise ConfigError(f"export.to={name} needs a package that is not here ({error}); type: {_INSTALL}") from None
