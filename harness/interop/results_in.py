"""Which program wrote a file of results, and its reader."""

from collections.abc import Callable
from pathlib import Path

from pydantic import JsonValue

from harness.errors import DataError
from harness.interop.benchmark_json import read_benchmarks
from harness.interop.foreign import RESULTS, ForeignRun, bytes_of, whole_json
from harness.interop.nel_results import read_nel
from harness.interop.statgate_lines import CASE_KEYS, read_statgate

__all__ = ["is_foreign", "read_foreign"]


def is_foreign(path: Path) -> bool:
    """Whether the path is a file, or a folder as `nel` leaves it, and no run of ours."""
    return path.is_file() or ((path / RESULTS).is_file() and not (path / "manifest.json").is_file())


def read_foreign(path: Path) -> ForeignRun:
    """The results in a file or in `nel`'s folder, by what stands in it. Raises DataError where it is none of these."""
    if path.is_dir():
        return read_nel(path)
    data = bytes_of(path)
    whole = whole_json(data)
    if isinstance(whole, dict) and "benchmarks" in whole:
        return read_benchmarks(path)
    first = whole[0] if isinstance(whole, list) and whole else _first_line(data)
    readers: tuple[tuple[str, Callable[[Path], ForeignRun]], ...] = (
        ("problem_idx", read_nel),
        *((key, read_statgate) for key in CASE_KEYS),
    )
    for key, read in readers:
        if isinstance(first, dict) and key in first:
            return read(path)
    raise DataError(
        f"{path} holds no results that can be read: lines of statgate (case_id, score or passed), of nel (problem_idx, "
        "reward), or the JSON of pytest-benchmark (benchmarks); or name a run's folder"
    )


def _first_line(data: bytes) -> JsonValue:
    line = next((one for one in data.splitlines() if one.strip()), b"null")
    return whole_json(line)
