"""`do=rotate`: the store encrypted anew under another key."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from harness.config import RotateConfig
from harness.errors import ConfigError
from harness.logs.store import LogStore, store_key

__all__ = ["main"]


def main(configs: Sequence[RotateConfig]) -> None:
    """Encrypts every file anew and prints the id of the new key. Raises ConfigError without a new key."""
    (config,) = configs
    new = store_key(config.store.new_key_env, config.store.new_key_file, prefix="store.new_")
    if new is None:
        raise ConfigError("which key? store.new_key_file=… or store.new_key_env=…; make one: openssl rand -base64 32")
    old = store_key(config.store.key_env, config.store.key_file)
    with LogStore.open(Path(config.store.path), key=old, reader="do=rotate") as store:
        files = store.rotate(new)
    Console().print(
        f"{files:,} files are encrypted with key {new.id} now; the old key is of no use any more",
        highlight=False,
        soft_wrap=True,
    )
