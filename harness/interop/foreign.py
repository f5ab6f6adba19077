"""Results that other programs wrote, as outcomes: statgate's lines, NeMo Evaluator's `nel`, pytest-benchmark's JSON."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import orjson
from pydantic import JsonValue

from harness.errors import DataError
from harness.records.gate import Outcome
from harness.records.manifest import MachineFacts

__all__ = [
    "RESULTS",
    "ForeignRun",
    "Program",
    "bytes_of",
    "name_of",
    "objects_of",
    "outcome",
    "refuse_doubles",
    "whole_json",
]

Program = Literal["statgate", "nel", "pytest_benchmark"]
RESULTS = "results.jsonl"
_HASH = 8


@dataclass(frozen=True, slots=True)
class ForeignRun:
    """What another program's file tells of a run; None and empty: it does not."""

    program: Program
    name: str
    """The file's name and the first digits of its SHA-256: another content is another run."""
    outcomes: tuple[Outcome, ...]
    suite: str | None = None
    model: str | None = None
    started_at: str | None = None
    commit: str | None = None
    machine: MachineFacts | None = None
    config: Mapping[str, JsonValue] = field(default_factory=dict)


def objects_of(path: Path) -> list[tuple[str, dict[str, JsonValue]]]:
    """Each object of a file of lines, or of one JSON array, with where it stands. Raises DataError for what is none."""
    data = bytes_of(path)
    whole = whole_json(data)
    if isinstance(whole, list):
        rows = [(f"{path.name}[{place}]", one) for place, one in enumerate(whole)]
    else:
        rows = []
        for number, line in enumerate(data.splitlines(), 1):
            if line.strip():
                try:
                    rows.append((f"{path.name} line {number}", orjson.loads(line)))
                except orjson.JSONDecodeError as error:
                    raise DataError(f"{path.name} line {number} is not JSON: {error}") from None
    if not rows:
        raise DataError(f"{path} is empty; write results into it first")
    found = []
    for where, one in rows:
        if not isinstance(one, dict):
            raise DataError(f"{where} is no JSON object")
        found.append((where, one))
    return found


def outcome(where: str, told: Mapping[str, JsonValue]) -> Outcome:
    """An outcome of what a line tells. Raises DataError where a value lies beyond 0..1, or is no number."""
    value = told.get("value")
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise DataError(f"{where}: the score is {value!r}; a gate reads scores between 0 (wrong) and 1 (right)")
    return Outcome.model_validate({"category": "all", "digest": "", **told, "value": float(value)})


def refuse_doubles(path: Path, outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
    """The outcomes, where no sample has one trial twice. Raises DataError with the first that has."""
    seen: set[tuple[str, int]] = set()
    for one in outcomes:
        if (one.sample, one.trial) in seen:
            raise DataError(f"{path.name} holds {one.sample} twice, trial {one.trial}; which of them counts?")
        seen.add((one.sample, one.trial))
    return outcomes


def name_of(path: Path) -> str:
    """A file's name with the first digits of its hash.

    Raises DataError where it cannot be read.
    """
    own = path.parent.name + "/" + path.name if path.name == RESULTS else path.name
    return f"{own} ({hashlib.sha256(bytes_of(path)).hexdigest()[:_HASH]})"


def bytes_of(path: Path) -> bytes:
    """The file's content. Raises DataError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); name a file of results or a run's folder") from None


def whole_json(data: bytes) -> JsonValue:
    """The file as one JSON value; None where it is none, as a file of several lines is."""
    try:
        found: JsonValue = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return found
