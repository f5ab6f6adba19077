"""Where an agent's logs are read from, and the store that they are kept in."""

from typing import Any, Literal

from pydantic import Field, field_validator

from harness.records import Record

__all__ = ["LogsConfig", "NewKeyConfig", "StoreConfig"]


class LogsConfig(Record):
    """Which files are read, and how."""

    path: tuple[str, ...] = Field(min_length=1)
    """Files, folders and globs, plain or compressed; one or several."""
    format: str | None = None
    """Name of a format; None: each file's is found by itself."""
    max_bad_frac: float = Field(default=0.05, ge=0, le=1)
    """Share of entries that cannot be read above which the import ends with exit code 2; what was good stays."""
    human_chat: Literal["skip", "keep"] = "skip"
    """Calls of which the log says that a person chats there."""
    canaries: int = Field(default=0, ge=0, le=100)
    """Made-up people whose calls are put into the store, for `do=leakcheck` to look for in all that comes of it."""

    @field_validator("path", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class StoreConfig(Record):
    """The folder that collected calls are kept in, and its key."""

    path: str = "logstore"
    """Folder of the store."""
    key_env: str | None = None
    """Name of the variable with the key; None: HARNESS_STORE_KEY, where it is set."""
    key_file: str | None = None
    """File with the key in its place, `chmod 600`."""
    keep_days: float | None = Field(default=None, gt=0)
    """Calls older than this are deleted at each collect, and not taken in; None: kept until forgotten."""


class NewKeyConfig(StoreConfig):
    """A store that is to get another key."""

    new_key_env: str | None = None
    """Name of the variable with the new key."""
    new_key_file: str | None = None
    """File with the new key in its place, `chmod 600`."""
