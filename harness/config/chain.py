"""What `suite=replay` takes: everything from an agent's logs to a suite that asks them again."""

from typing import Any, Final

from pydantic import Field, field_validator, model_validator

from harness.config.building import BuildOptions
from harness.config.cluster import ClusterOptions
from harness.config.curate import CurateOptions
from harness.config.logs import LogsConfig, StoreConfig
from harness.config.pii import PiiConfig
from harness.records import Record

__all__ = ["AUTO", "CHAIN_KEYS", "ChainConfig", "gathered"]

AUTO: Final = "auto"
"""Of `cluster.embedding`: `minilm` where it can be had, else `tfidf`."""
CHAIN_KEYS: Final = ("logs", "store", "curate", "pii", "cluster", "build", "replay")


class ReplayOptions(Record):
    """Where the chain keeps what it makes."""

    out: str = "replay"
    """Folder; what is in it is named by what it was made from, and used again by whoever asks for the same."""


class StepStore(Record):
    """The key of the store within the chain."""

    key_env: str | None = None
    """Name of the variable with the key; None: HARNESS_STORE_KEY, where it is set."""
    key_file: str | None = None
    """File with the key, `chmod 600`. Without any key the store lives as long as the command does."""
    keep_days: float | None = Field(default=None, gt=0)
    """Calls older than this are not taken in."""

    def store(self, path: str) -> StoreConfig:
        """The store at a path."""
        return StoreConfig(path=path, key_env=self.key_env, key_file=self.key_file, keep_days=self.keep_days)


class ChainConfig(Record):
    """From logs to a suite, each step with the settings of its own verb. The chain itself says what is called how."""

    logs: LogsConfig
    store: StepStore = StepStore()
    curate: CurateOptions
    pii: PiiConfig = PiiConfig()
    cluster: ClusterOptions
    build: BuildOptions
    replay: ReplayOptions = ReplayOptions()

    @model_validator(mode="before")
    @classmethod
    def _names(cls, data: Any) -> Any:
        """Fills in the names and folders that the chain gives."""
        if not isinstance(data, dict):
            return data
        given = {"curate": {"name": "curated"}, "cluster": {"calls": ""}, "build": {"calls": "", "name": "replay"}}
        return {**data, **{key: {**names, **(data.get(key) or {})} for key, names in given.items()}}

    @field_validator("pii", mode="before")
    @classmethod
    def _defaults(cls, value: Any) -> Any:
        """In the configuration null stands for the default, so that every key can be set without a `+`."""
        return {name: one for name, one in value.items() if one is not None} if isinstance(value, dict) else value


def gathered(data: Any) -> Any:
    """A verb's configuration with the keys of `suite=replay` under `chain`, where there are any."""
    if not isinstance(data, dict) or "logs" not in data:
        return data
    rest = {name: value for name, value in data.items() if name not in CHAIN_KEYS}
    return {**rest, "chain": {name: data[name] for name in CHAIN_KEYS if name in data}}
