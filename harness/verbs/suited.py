"""Configurations whose suite is made from logs on the way, with the suite that was made."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console

from harness.assets import OnProgress
from harness.config import ChainConfig, SuiteVerbConfig

if TYPE_CHECKING:
    from harness.chain import Chain

__all__ = ["say_aside", "suited"]

Config = TypeVar("Config", bound=SuiteVerbConfig)


def say_aside(line: str) -> None:
    """Prints a line beside the results, to stderr."""
    Console(stderr=True).print(line, highlight=False, soft_wrap=True, markup=False)


def _made(make: Callable[[], "Chain"], say: Callable[[str], None]) -> "Chain":
    try:
        return make()
    except KeyboardInterrupt:
        say("stopped; the same command goes on after the last step that was done")
        raise


def suited(configs: Sequence[Config], tell: OnProgress, say: Callable[[str], None] = say_aside) -> list[Config]:
    """The configurations, those with `suite=replay` with the suite that was made for them; the others as they are.

    Raises as `harness.chain.make_chain`.
    """
    made: list[tuple[ChainConfig, Chain]] = []
    found = []
    for config in configs:
        if config.chain is not None:
            from harness.chain import make_chain  # half a second to import, and of no use without logs

            chain = next((one for known, one in made if known == config.chain), None)
            if chain is None:
                chain = _made(partial(make_chain, config.chain, Path(config.paths.reports), tell, say), say)
                made.append((config.chain, chain))
            suite = config.suite.model_copy(update={"name": chain.name, "path": str(chain.suite)})
            config = config.model_copy(update={"suite": suite, "chain": None})
        found.append(config)
    return found
