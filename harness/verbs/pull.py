"""`do=pull`: published results brought to this machine."""

from collections.abc import Sequence
from pathlib import Path

from harness.config import RemoteConfig
from harness.errors import ConfigError
from harness.stores.publish import pull
from harness.stores.remote import opened_remote
from harness.verbs.publish import say

__all__ = ["main"]


def main(configs: Sequence[RemoteConfig]) -> None:
    """Brings them and says what. Raises ConfigError, DataError or BackendError where it cannot."""
    if len(configs) > 1:
        raise ConfigError("do=pull takes no list of models: it brings what is published")
    (config,) = configs
    remote = opened_remote(config.remote.url, "remote.url")
    say("pulled", pull(Path(config.paths.results), remote, config.remote.runs), config.paths.results)
