"""`do=publish`: results that have ended into a store."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from harness.assets.progress import human_bytes
from harness.config import RemoteConfig
from harness.errors import ConfigError, DataError
from harness.report.formats import counted
from harness.stores.publish import Moved, publish
from harness.stores.remote import opened_remote

__all__ = ["main", "say"]


def main(configs: Sequence[RemoteConfig]) -> None:
    """Publishes and says what. Raises ConfigError, DataError or BackendError where it cannot."""
    if len(configs) > 1:
        raise ConfigError("do=publish takes no list of models: it publishes what is under results/")
    (config,) = configs
    results = Path(config.paths.results)
    if not results.is_dir():
        raise DataError(f"{results} is not there: nothing to publish; make a run: python -m harness suite=… model=…")
    remote = opened_remote(config.remote.url, "remote.url")
    say("published", publish(results, remote, config.remote.runs, texts=config.report.samples), remote.url)


def say(what: str, done: Moved, where: str) -> None:
    """Prints what was moved, and what was left alone and why."""
    console = Console()
    for name in done.moved:
        console.print(f"  {name}", highlight=False, soft_wrap=True, markup=False)
    said = f"{what}  {counted(len(done.moved), 'folder')} ({human_bytes(done.bytes)}), {done.unchanged:,} unchanged"
    console.print(f"{said}; {where}", highlight=False, soft_wrap=True, markup=False)
    for one in done.left:
        Console(stderr=True).print(f"left alone: {one}", highlight=False, soft_wrap=True, markup=False)
