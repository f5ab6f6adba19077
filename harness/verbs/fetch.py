"""`do=fetch`: weights and data into the cache, for machines that will be off the network."""

from collections.abc import Sequence

from rich.console import Console

from harness.assets import cache_dir, console_progress
from harness.assets.progress import human_bytes
from harness.backends.weights import resolve_weights
from harness.config import FetchConfig
from harness.suite.spec import load_suite

__all__ = ["main"]


def main(configs: Sequence[FetchConfig]) -> None:
    """Fetches what a run of this suite and model needs. Raises AssetError if something cannot be had."""
    for config in configs:
        _fetch(config, Console())


def _fetch(config: FetchConfig, console: Console) -> None:
    with console_progress(show=config.progress != "off") as on_progress:
        suite = load_suite(config.suite, cache_dir(), on_progress)
        weights = None
        if config.backend.name == "llamacpp":
            weights = resolve_weights(config.model, on_progress=on_progress)
    console.print(f"suite    {suite.spec.name}: {len(suite.samples)} samples chosen", highlight=False)
    if weights is None:
        console.print(f"weights  none: {config.model.name} is served at {config.model.url}", highlight=False)
    else:
        size = human_bytes(weights.facts.bytes)
        console.print(f"weights  {weights.facts.file}, {size}, sha256 {weights.facts.sha256}", highlight=False)
