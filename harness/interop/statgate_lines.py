"""statgate's lines: one object for each case and run, with `case_id`, `score`, `passed`, `run_index`, `metadata`.

Source: statgate 0.1.1, `records.py` and `adapters/jsonl.py`: a line needs `case_id` (or `id`, `test_id`, `case`) and
one of `score` and `passed`; repeated cases are averaged.
"""

from collections.abc import Mapping
from pathlib import Path

import orjson
from pydantic import JsonValue

from harness.errors import DataError
from harness.interop.foreign import ForeignRun, name_of, objects_of, outcome, refuse_doubles
from harness.interop.told_rows import Row, rows_of
from harness.records.gate import Outcome

__all__ = ["CASE_KEYS", "export_statgate", "read_statgate"]

CASE_KEYS = ("case_id", "id", "test_id", "case")
_KEPT = ("category", "digest", "session", "weight")


def export_statgate(folder: Path, out: Path) -> Path:
    """The file `statgate.jsonl` that was written: a line for each scored attempt.

    Lost attempts are not in it, as statgate knows none. `passed` stands where the value is 0 or 1.
    Raises DataError for a folder that is no run, or one without a scored attempt.
    """
    run, rows = rows_of(folder)
    about = {"suite": run.manifest.suite, "model": run.manifest.model, "run": run.manifest.run}
    path = out / "statgate.jsonl"
    path.write_bytes(b"".join(orjson.dumps(_line(row, about)) + b"\n" for row in rows))
    return path


def _line(row: Row, about: Mapping[str, str]) -> dict[str, object]:
    passed = {"passed": row.value == 1} if row.value in (0.0, 1.0) else {}
    return {
        "case_id": row.sample.id,
        "score": row.value,
        **passed,
        "run_index": row.attempt.trial,
        "metadata": {**row.about, **about},
    }


def read_statgate(path: Path) -> ForeignRun:
    """The outcomes of a file of statgate's lines, or of an array of such objects.

    What a case is worth is its `score`, else 1 or 0 by `passed`, as statgate's own metric `score` has it. Repeated
    cases without `run_index` are trials in the order of the file.
    Raises DataError with the line that makes no sense.
    """
    rows = objects_of(path)
    nowhere: dict[str, int] = {}
    outcomes = refuse_doubles(path, tuple(_outcome(where, data, nowhere) for where, data in rows))
    metadata = rows[0][1].get("metadata")
    told = metadata if isinstance(metadata, dict) else {}
    return ForeignRun(
        program="statgate",
        name=name_of(path),
        outcomes=outcomes,
        suite=_text(told.get("suite")),
        model=_text(told.get("model")),
    )


def _outcome(where: str, data: Mapping[str, JsonValue], seen: dict[str, int]) -> Outcome:
    name = next((data[key] for key in CASE_KEYS if data.get(key) is not None), None)
    if name is None:
        raise DataError(f"{where} has no case_id")
    value, passed = data.get("score"), data.get("passed")
    if value is None and isinstance(passed, bool):
        value = float(passed)
    if value is None:
        raise DataError(f"{where} has neither score nor passed")
    sample = str(name)
    trial = data.get("run_index", seen.get(sample, 0))
    seen[sample] = seen.get(sample, 0) + 1
    metadata = data.get("metadata")
    kept = {key: metadata[key] for key in _KEPT if metadata.get(key) is not None} if isinstance(metadata, dict) else {}
    return outcome(where, {**kept, "sample": sample, "trial": trial, "value": value})


def _text(value: JsonValue) -> str | None:
    return None if value is None else str(value)
