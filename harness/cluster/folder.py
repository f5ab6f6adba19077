"""The folder of clusters: `clusters.json`, who belongs where as Parquet, the middles, and the edits made by hand."""

import io
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import orjson
from pydantic import TypeAdapter, ValidationError

from harness.errors import DataError
from harness.records.cluster import ClusterBook, ClusterEdit, MapPlace, MapPoint
from harness.store.runfolder import write_atomic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

__all__ = [
    "ASSIGNMENTS", "BOOK", "CENTROIDS", "EDITS", "MAP", "Kept", "read_kept", "read_map", "write_kept", "write_map",
]  # fmt: skip

BOOK: Final = "clusters.json"
ASSIGNMENTS: Final = "assignments.parquet"
CENTROIDS: Final = "centroids.npz"
EDITS: Final = "edits.json"
MAP: Final = "map.json"
"""Where a sample of the calls stands on the map, without a word of them."""
_EDITS: Final = TypeAdapter(tuple[ClusterEdit, ...])
_PLACES: Final = TypeAdapter(tuple[MapPlace, ...])


@dataclass(slots=True)
class Kept:
    """What later runs need of the earlier ones."""

    book: ClusterBook | None = None
    assigned: dict[str, str] = field(default_factory=dict)
    """Cluster by call id; noise too."""
    means: "dict[str, Matrix]" = field(default_factory=dict)
    """Of each node's rows: they are seen from there."""
    owners: list[str] = field(default_factory=list)
    """Cluster of each place; one that was merged has several."""
    places: "list[Matrix]" = field(default_factory=list)
    radii: list[float] = field(default_factory=list)
    edits: tuple[ClusterEdit, ...] = ()


def read_kept(folder: Path) -> Kept:
    """What is in the folder; nothing where there is none. Raises DataError where it cannot be read."""
    import pyarrow.parquet as pq

    if not (folder / BOOK).is_file():
        return Kept()
    try:
        book = ClusterBook.model_validate_json((folder / BOOK).read_bytes())
        edits = _EDITS.validate_json((folder / EDITS).read_bytes()) if (folder / EDITS).is_file() else ()
        table = pq.read_table(folder / ASSIGNMENTS, columns=["call", "cluster"]).to_pydict()
        with np.load(folder / CENTROIDS, allow_pickle=False) as arrays:
            return Kept(
                book=book,
                assigned=dict(zip(table["call"], table["cluster"], strict=True)),
                means=dict(zip(arrays["nodes"].tolist(), arrays["means"], strict=True)),
                owners=arrays["owners"].tolist(),
                places=list(arrays["places"]),
                radii=arrays["radii"].tolist(),
                edits=edits,
            )
    except (ValidationError, OSError, ValueError, KeyError) as error:
        why = str(error).strip().splitlines()[0][:120]
        raise DataError(f"{folder} cannot be read ({why}); begin anew, with new ids: cluster.fresh=true") from None


def write_kept(folder: Path, kept: Kept) -> None:
    """Writes all four files, the book last. Raises DataError where the folder cannot be written."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    assert kept.book is not None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        table = pa.table({"call": list(kept.assigned), "cluster": list(kept.assigned.values())})
        parquet, arrays = io.BytesIO(), io.BytesIO()
        pq.write_table(table, parquet, compression="zstd")
        width = len(kept.places[0]) if kept.places else 0
        np.savez(
            arrays,
            nodes=np.array(list(kept.means), dtype=np.str_),
            means=np.array(list(kept.means.values()), dtype=np.float32),
            owners=np.array(kept.owners, dtype=np.str_),
            places=np.array(kept.places, dtype=np.float32).reshape(len(kept.places), width),
            radii=np.array(kept.radii, dtype=np.float64),
        )
        _replace(folder / ASSIGNMENTS, parquet.getvalue())
        _replace(folder / CENTROIDS, arrays.getvalue())
    except OSError as error:
        raise DataError(f"{folder} cannot be written ({error.strerror}); choose another: cluster.out=…") from None
    edits = orjson.dumps([edit.model_dump() for edit in kept.edits], option=orjson.OPT_INDENT_2)
    write_atomic(folder / EDITS, edits.decode() + "\n")
    write_atomic(folder / BOOK, kept.book.model_dump_json(indent=2) + "\n")


def write_map(folder: Path, points: Sequence[MapPoint]) -> None:
    """Writes the places of the map, for pictures that are drawn later."""
    places = tuple(MapPlace(x=round(one.x, 4), y=round(one.y, 4), cluster=one.cluster) for one in points)
    write_atomic(folder / MAP, _PLACES.dump_json(places).decode() + "\n")


def read_map(folder: Path) -> tuple[ClusterBook, tuple[MapPlace, ...]]:
    """The tasks of a folder with the places of its map; no places where an older do=cluster left none.

    Raises DataError where it is no such folder.
    """
    try:
        book = ClusterBook.model_validate_json((folder / BOOK).read_bytes())
        file = folder / MAP
        return book, _PLACES.validate_json(file.read_bytes()) if file.is_file() else ()
    except (OSError, ValidationError) as error:
        why = error.strerror if isinstance(error, OSError) else f"{error.error_count()} errors"
        raise DataError(f"{folder} has no tasks that can be read ({why}); name a folder that do=cluster made") from None


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
