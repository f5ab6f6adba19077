"""What the verbs take that ask stored results, move them or tell of them."""

from typing import Any

from pydantic import field_validator

from harness.config.query import QueryOptions
from harness.config.remote import RemoteOptions
from harness.config.tracking import TrackingConfig
from harness.config.verb import VerbConfig

__all__ = ["QueryConfig", "RemoteConfig", "TrackConfig"]


class RemoteConfig(VerbConfig):
    """`do=publish` and `do=pull`: results in a store."""

    remote: RemoteOptions


class TrackConfig(VerbConfig):
    """`do=track`: runs told to MLflow."""

    runs: tuple[str, ...] = ()
    """Run folders or their names; empty: all with a summary."""
    tracking: TrackingConfig = TrackingConfig()

    @field_validator("runs", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class QueryConfig(VerbConfig):
    """`do=query`: SQL over all results."""

    sql: str | None = None
    """One SELECT; None: the views are listed."""
    query: QueryOptions = QueryOptions()
