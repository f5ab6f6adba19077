"""What the verbs of the way from a log to a suite take."""

from typing import Any

from pydantic import Field, field_validator

from harness.config.building import BuildOptions
from harness.config.cluster import ClusterOptions
from harness.config.curate import CurateOptions
from harness.config.logs import LogsConfig, NewKeyConfig, StoreConfig
from harness.config.pii import LeakcheckOptions, PiiConfig
from harness.config.running import ExecutorConfig
from harness.config.verb import VerbConfig
from harness.records import Record

__all__ = [
    "BuildConfig",
    "ClusterConfig",
    "CollectConfig",
    "CurateConfig",
    "ForgetConfig",
    "LeakcheckConfig",
    "ReceiveConfig",
    "ReceiveOptions",
    "RotateConfig",
]


class ReceiveOptions(Record):
    """Where an OTLP receiver listens, and where it writes."""

    to: str = "calls"
    """Folder; what it holds is personal data in the clear until it is collected and curated."""
    port: int = Field(default=4318, ge=0, le=65535)
    """On loopback; 0: any that is free."""


class ReceiveConfig(VerbConfig):
    """`do=receive`: an OTLP/HTTP receiver on loopback."""

    receive: ReceiveOptions = ReceiveOptions()


class CollectConfig(VerbConfig):
    """`do=collect`: an agent's logged calls read into the store."""

    logs: LogsConfig
    store: StoreConfig = StoreConfig()
    executor: ExecutorConfig = ExecutorConfig()


class CurateConfig(VerbConfig):
    """`do=curate`: the store's calls redacted, filtered and split."""

    store: StoreConfig = StoreConfig()
    curate: CurateOptions
    pii: PiiConfig = PiiConfig()
    executor: ExecutorConfig = ExecutorConfig()

    @field_validator("pii", mode="before")
    @classmethod
    def _defaults(cls, value: Any) -> Any:
        """In the configuration null stands for the default, so that every key can be set without a `+`."""
        return {name: one for name, one in value.items() if one is not None} if isinstance(value, dict) else value


class ClusterConfig(VerbConfig):
    """`do=cluster`: curated calls grouped into recurring tasks."""

    cluster: ClusterOptions
    executor: ExecutorConfig = ExecutorConfig()


class ForgetConfig(VerbConfig):
    """`do=forget`: calls of a session, of a user, or before a time deleted from the store."""

    store: StoreConfig = StoreConfig()
    session: str | None = None
    """All calls of this session."""
    user: str | None = None
    """All calls of this end user."""
    before: str | None = None
    """A date or time, `2026-01-31` or `2026-01-31T12:00:00Z`; without a zone it is UTC."""
    also: bool = False
    """Take these calls out of curated folders, clusters and suites too, which are named in any case."""
    also_in: tuple[str, ...] = (".",)
    """Folders in which those are looked for, three deep."""
    lift: bool = False
    """Forget nothing: let what was forgotten be collected again."""

    @field_validator("also_in", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("session", "user", "before", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        """`session=17` comes from the command line as a number."""
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


class BuildConfig(VerbConfig):
    """`do=build`: curated calls made into a suite."""

    build: BuildOptions
    executor: ExecutorConfig = ExecutorConfig()


class RotateConfig(VerbConfig):
    """`do=rotate`: the store encrypted anew under another key."""

    store: NewKeyConfig


class LeakcheckConfig(VerbConfig):
    """`do=leakcheck`: canaries, or values of your own, looked for in everything that was written."""

    store: StoreConfig = StoreConfig()
    leakcheck: LeakcheckOptions = LeakcheckOptions()
