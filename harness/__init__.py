"""Benchmarking and evaluation of small and large language models on agentic tasks.

From Python: `harness.runs()`, `harness.load_run(…)`, `harness.compare_runs(…)`, `harness.sql(…)`, `harness.plot(…)`
(docs/api.md). They are loaded when they are used, so that `import harness` takes no time.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.api import (
        Compared,
        HarnessError,
        Picture,
        Result,
        Run,
        compare_runs,
        load_audit,
        load_conversion,
        load_route,
        load_run,
        pictures,
        plot,
        runs,
        sql,
    )

__version__ = "0.1.0"
__all__ = [
    "Compared",
    "HarnessError",
    "Picture",
    "Result",
    "Run",
    "__version__",
    "compare_runs",
    "load_audit",
    "load_conversion",
    "load_route",
    "load_run",
    "pictures",
    "plot",
    "runs",
    "sql",
]


if not TYPE_CHECKING:  # a checker would take any name for one that is there

    def __getattr__(name: str) -> Any:
        """What `harness.api` has, loaded at its first use."""
        if name not in __all__:
            raise AttributeError(f"module 'harness' has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module("harness.api"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
