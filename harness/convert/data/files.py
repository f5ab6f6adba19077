"""The files of a data set: written whole or not at all, read back, and known by what decided them."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import orjson
from pydantic import JsonValue, ValidationError

from harness import __version__
from harness.assets.store import file_sha256
from harness.config.convert import ConvertData
from harness.convert.data.setup import Setup
from harness.errors import DataError
from harness.records import Sample
from harness.records.convert import ConvertFile, DatasetManifest, DatasetRow
from harness.suite.spec import samples_hash

__all__ = [
    "EXPORTS",
    "MANIFEST",
    "TRAIN",
    "VALIDATION",
    "data_key",
    "described",
    "held",
    "read_rows",
    "write_rows",
    "write_whole",
]

TRAIN: Final = "train.jsonl"
VALIDATION: Final = "validation.jsonl"
MANIFEST: Final = "dataset.json"
EXPORTS: Final = "export"
"""Folder of the rows in other programs' formats."""
_OF_NO_ROW: Final = {"exports", "temperature"}
"""Settings that decide nothing where no teacher weighs."""


def data_key(data: ConvertData, samples: Sequence[Sample], setup: Setup) -> str:
    """Hash over everything that decides a row: suite, cluster, settings, protocol, prompt, teacher, version."""
    model = setup.model
    decides: dict[str, JsonValue] = {
        "suite": samples_hash(samples),
        "built": setup.spec.built,
        "cluster": None if setup.cluster is None else list(setup.cluster),
        "data": data.model_dump(mode="json", exclude={"exports"} if data.distill == "logits" else _OF_NO_ROW),
        "model": model.model_dump(mode="json", include={"protocol", "prompt", "chat_template"}),
        "max_tokens": setup.max_tokens,
        "counted": setup.lengths is not None or setup.checkpoint is not None,
        "teacher": None if setup.teacher is None else setup.teacher.model.model_dump(mode="json"),
        **({} if setup.weigher is None else {"weigher": setup.weigher.facts.sha256}),
        "scorer": setup.spec.scorer,
        "harness": __version__,
    }
    return hashlib.sha256(orjson.dumps(decides, option=orjson.OPT_SORT_KEYS)).hexdigest()


def write_rows(path: Path, rows: Iterable[DatasetRow]) -> None:
    """Writes a row a line."""
    write_whole(path, b"".join(row.model_dump_json().encode() + b"\n" for row in rows))


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file that nobody else may read, beside its place and moved there. Raises DataError where it cannot."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise DataError(f"{path} cannot be written ({error.strerror}); choose another convert.out") from None


def read_rows(path: Path) -> list[DatasetRow]:
    """The rows of a file. Raises DataError for one that cannot be read."""
    try:
        return [DatasetRow.model_validate_json(line) for line in path.read_bytes().splitlines() if line.strip()]
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}); make it with do=convert convert.until=data"
        ) from None
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise DataError(f"{path} holds what is no row ({where}); make it anew with do=convert") from None


def described(out: Path, names: Iterable[str]) -> tuple[ConvertFile, ...]:
    """The files with size and hash, by their places in the folder."""
    return tuple(
        ConvertFile(path=name, bytes=(out / name).stat().st_size, sha256=file_sha256(out / name)) for name in names
    )


def held(out: Path, key: str) -> DatasetManifest | None:
    """The manifest of a folder that has these very rows already, every file as it was written; None for any other."""
    try:
        manifest = DatasetManifest.model_validate_json((out / MANIFEST).read_bytes())
    except (OSError, ValidationError):
        return None
    if manifest.key != key:
        return None
    whole = all((out / one.path).is_file() and file_sha256(out / one.path) == one.sha256 for one in manifest.files)
    return manifest if whole else None
