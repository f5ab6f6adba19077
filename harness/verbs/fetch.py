"""`do=fetch`: weights and data into the cache, for machines that will be off the network."""

from collections.abc import Sequence

from rich.console import Console

from harness.assets import cache_dir, console_progress
from harness.assets.progress import human_bytes
from harness.backends import backend_for
from harness.config import FetchConfig, RecordedConfig
from harness.records.manifest import WeightFacts
from harness.suite.spec import load_suite

__all__ = ["main"]

_OURS = {"llamacpp", "vllm"}
"""Backends whose weights the harness itself fetches, or makes."""


def main(configs: Sequence[FetchConfig]) -> None:
    """Fetches what a run of this suite and model needs. Raises AssetError if something cannot be had."""
    for config in configs:
        _fetch(config, Console())


def _fetch(config: FetchConfig, console: Console) -> None:
    with console_progress(show=config.progress != "off") as on_progress:
        suite = load_suite(config.suite, cache_dir(), on_progress)
        weights: WeightFacts | None = None
        if config.backend.name in _OURS:
            weights = backend_for(config.model, config.backend, on_progress=on_progress).prepare()
    console.print(f"suite    {suite.spec.name}: {len(suite.samples)} samples chosen", highlight=False)
    console.print(f"weights  {_words(config, weights)}", highlight=False, soft_wrap=True)


def _words(config: FetchConfig, weights: WeightFacts | None) -> str:
    """What there is of the model's weights here, in a line."""
    if weights is not None:
        return f"{weights.file}, {human_bytes(weights.bytes)}, sha256 {weights.sha256}"
    if isinstance(config.backend, RecordedConfig):
        return f"none: answers on record, {config.backend.path or 'those of the suite'}"
    url = config.model.url or getattr(config.backend, "url", None)
    if url is None:
        return f"none: {config.model.name} is asked by {config.backend.name}"
    return f"none: {config.model.name} is served at {url}"
