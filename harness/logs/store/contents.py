"""Messages and tool lists by their hash, read as they are asked for."""

from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa

from harness.errors import DataError
from harness.logs.store.key import StoreKey
from harness.logs.store.known import HASH, place_of
from harness.logs.store.parquet import open_parquet, row_groups

__all__ = ["Contents", "hashes_of"]

_MOST_GROUPS: Final = 12
"""Row groups that are kept, of at most about 16 MB each."""
_MOST_DECODED: Final = 1 << 13


def hashes_of(column: Any) -> np.ndarray[Any, Any]:
    """The hashes in a column of texts, each text some hashes with blanks between, as an array of 16 bytes each."""
    joined = " ".join([text for text in column.to_pylist() if text])
    return np.frombuffer(bytes.fromhex(joined), dtype=HASH)


class Contents:
    """What calls refer to. It holds 20 bytes for each content of the store and at most about 200 MB besides."""

    def __init__(self, files: Sequence[Path], key: StoreKey | None) -> None:
        self._key = key
        self._groups: list[tuple[Path, int]] = []
        self._loaded: OrderedDict[int, pa.ChunkedArray] = OrderedDict()
        hashes: list[np.ndarray[Any, Any]] = [np.empty(0, HASH)]
        places: list[np.ndarray[Any, Any]] = [np.empty(0, np.int64)]
        for file in files:
            for number, table in enumerate(row_groups(file, key, ["hash"])):
                hashes.append(hashes_of(table["hash"]))
                first = len(self._groups) << 32
                places.append(np.arange(first, first + table.num_rows, dtype=np.int64))
                self._groups.append((file, number))
        every = np.concatenate(hashes)
        order = np.argsort(every, kind="stable")
        self._hashes, self._places = every[order], np.concatenate(places)[order]
        self.value = lru_cache(maxsize=_MOST_DECODED)(self._value)

    def _value(self, hashed: str) -> Any:
        """The message or tool list with a hash (hex). Raises DataError where the store has none."""
        place = place_of(self._hashes, bytes.fromhex(hashed))
        if place is None:
            raise DataError(f"the store has no content {hashed}: a file in contents/ was lost")
        where = int(self._places[place])
        return orjson.loads(self._group(where >> 32)[where & 0xFFFFFFFF].as_py())

    def _group(self, number: int) -> pa.ChunkedArray:
        if number in self._loaded:
            self._loaded.move_to_end(number)
            return self._loaded[number]
        path, place = self._groups[number]
        with open_parquet(path, self._key) as file:
            column = file.read_row_group(place, columns=["json"])["json"].combine_chunks()
        self._loaded[number] = column
        if len(self._loaded) > _MOST_GROUPS:
            self._loaded.popitem(last=False)
        return column
