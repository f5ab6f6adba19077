"""Where results are published, and brought back from."""

from typing import Any

from pydantic import Field, field_validator

from harness.records import Record

__all__ = ["RemoteOptions"]


class RemoteOptions(Record):
    """A folder in a store that fsspec speaks to."""

    url: str
    """`s3://bucket/folder`, `gs://…`, `abfs://…`, `file:///…`: without credentials."""
    runs: tuple[str, ...] = Field(default=())
    """Names of run folders; none: every result that has ended."""

    @field_validator("runs", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value
