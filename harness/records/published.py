"""What is written last when a result is published: the list of its files, by content."""

from typing import Literal

from pydantic import Field

from harness.records.base import Record

__all__ = ["Published", "PublishedFile"]

_NAME = r"^[A-Za-z0-9_][A-Za-z0-9._-]*$"


class PublishedFile(Record):
    """A file of a result folder."""

    name: str = Field(pattern=_NAME)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """And its name in the store."""
    bytes: int = Field(ge=0)


class Published(Record):
    """`<store>/<verb>/<name>.json`: a result folder is there once this is."""

    schema_version: Literal[1] = 1
    verb: str = Field(pattern=_NAME)
    name: str = Field(pattern=_NAME)
    """Of the folder."""
    texts: bool
    """False: figures alone, without what was asked and answered."""
    files: tuple[PublishedFile, ...] = Field(min_length=1)
