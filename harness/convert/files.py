"""Files of a conversion by their content, and results that are taken up again where they still hold."""

import hashlib
from pathlib import Path
from typing import TypeVar

import orjson
from pydantic import JsonValue, ValidationError

from harness.assets.store import file_sha256
from harness.records import Record
from harness.records.convert import ConvertFile

__all__ = ["content_key", "file_of", "holds", "read_kept"]

R = TypeVar("R", bound=Record)


def content_key(*parts: JsonValue) -> str:
    """SHA-256 over the parts: equal for equal parts only.

    >>> content_key("a", {"b": 1, "c": 2}) == content_key("a", {"c": 2, "b": 1})
    True
    """
    return hashlib.sha256(orjson.dumps(list(parts), option=orjson.OPT_SORT_KEYS)).hexdigest()


def file_of(folder: Path, path: Path) -> ConvertFile:
    """A file by its place in the folder and its content."""
    return ConvertFile(
        path=path.relative_to(folder).as_posix(), bytes=path.stat().st_size, sha256=file_sha256(path)
    )  # fmt: skip


def holds(folder: Path, known: ConvertFile) -> bool:
    """Whether the file is there, to the bit."""
    path = folder / known.path
    return path.is_file() and path.stat().st_size == known.bytes and file_sha256(path) == known.sha256


def read_kept(path: Path, kind: type[R], key: str) -> R | None:
    """The record of an earlier command where it was made for this key; None: it has to be made."""
    try:
        found = kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    return found if getattr(found, "key", None) == key else None
