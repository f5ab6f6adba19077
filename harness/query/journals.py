"""Views of journals: a row for each attempt, score or sample of every run, as Parquet files that DuckDB reads in place.

A complete run has its table already (`attempts.parquet`). Of any other one, and of samples, a table is streamed into a
scratch folder: memory does not grow with the run.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import orjson

from harness.errors import DataError
from harness.query.source import Source
from harness.records import Sample
from harness.report.export import Field, Kind
from harness.store.compact import COLUMNS, rows_of
from harness.store.journal import read_journal
from harness.store.runfolder import PARQUET, SAMPLES, read_manifest

__all__ = ["ATTEMPTS", "SAMPLE_TEXTS", "SCORES", "TEXTS", "attempt_files", "fields_of", "sample_rows"]

TEXTS: Final = frozenset({"why", "extracted", "failure_message", "content", "reasoning", "tool_calls"})
"""Columns of attempts that hold words of calls."""
SAMPLE_TEXTS: Final = frozenset({"prompt", "messages", "tools", "target", "params"})

_UNITS: Final = (("_tokens", "tokens"), ("_tokens_per_s", "tokens/s"), ("_usd", "USD"), ("_ns", "ns"), ("_s", "s"))
_MEANINGS: Final = {
    "run": "Folder of the run.",
    "suite": "Name of the suite.",
    "model": "Name of the model.",
    "protocol": "prompted, constrained or native.",
    "backend": "What served it.",
    "sample": "Name of the sample.",
    "category": "Stratum or cluster; null: not scored yet.",
    "trial": "Number of the attempt at the sample, from 0.",
    "seed": "Of the sampling.",
    "scorer": "Who judged.",
    "value": "0 to 1; null: not scored, which is not 0.",
    "miss": "Class of the miss; null: worth 1, or not scored.",
    "boundary": "model or infrastructure: whose failure it was.",
    "why": "The scorer's reason.",
    "parts": "Partial results, JSON.",
    "extracted": "What was read out of the reply, JSON.",
    "failure": "Kind of failure; null: there is a reply.",
    "failure_message": "What was said of it.",
    "status": "HTTP status of the failure.",
    "tries": "Requests until this outcome.",
    "failed_tries": "Kinds of the failures before it.",
    "sent_at": "Seconds since the epoch.",
    "ttft_s": "Intended send to the first token.",
    "tpot_s": "Time for a further token.",
    "tpot_with_first_s": "The same, the first token counted in.",
    "e2e_s": "Intended send to the last byte.",
    "decode_tokens_per_s": "Speed after the first token.",
    "chunks_ns": "Arrival of every token.",
    "tokens_counted_by": "server, or chunks: an estimate.",
    "cost_usd": "At list price; null: no price.",
    "recorded_cost_usd": "As somebody else says.",
    "recorded_cost_by": "Who says so.",
    "origin": "measured, cached or recorded.",
    "finish_reason": "As the server says.",
    "content": "The reply's words.",
    "reasoning": "Its reasoning.",
    "tool_calls": "Its calls, JSON.",
    "session": "Unit of dependence; null: one of its own.",
    "weight": "Logged calls that it stands for.",
    "split": "train, calibration or test.",
    "wants_call": "Whether a call is wanted; null: not asked.",
    "messages_n": "Messages of the prompt.",
    "tools_n": "Tools that are offered.",
    "prompt": "The user's last words.",
    "messages": "The whole prompt, JSON.",
    "tools": "The tools, JSON.",
    "target": "What it is scored against, JSON.",
    "params": "What the logged call asked for besides, JSON.",
}
ATTEMPTS: Final[Mapping[str, str]] = COLUMNS
"""Names and DuckDB types."""
_SCORED: Final = (
    "run", "suite", "sample", "category", "trial", "scorer", "value", "miss", "boundary", "why", "parts", "extracted",
)  # fmt: skip
SCORES: Final[Mapping[str, str]] = {name: COLUMNS[name] for name in _SCORED}
_SAMPLES: Final[Mapping[str, str]] = {
    "run": "VARCHAR",
    "suite": "VARCHAR",
    "sample": "VARCHAR",
    "category": "VARCHAR",
    "session": "VARCHAR",
    "weight": "DOUBLE",
    "split": "VARCHAR",
    "scorer": "VARCHAR",
    "wants_call": "BOOLEAN",
    "messages_n": "BIGINT",
    "tools_n": "BIGINT",
    "prompt": "VARCHAR",
    "messages": "VARCHAR",
    "tools": "VARCHAR",
    "target": "VARCHAR",
    "params": "VARCHAR",
}
_KINDS: Final[Mapping[str, Kind]] = {
    "DOUBLE": "number", "BIGINT": "count", "INTEGER": "count", "BOOLEAN": "flag",
}  # fmt: skip


def fields_of(name: str, *, texts: bool) -> tuple[tuple[Field, str], ...]:
    """The columns of `attempts`, `scores` or `samples` with their DuckDB types; texts: those with words too."""
    columns = {"attempts": ATTEMPTS, "scores": SCORES, "samples": _SAMPLES}[name]
    hidden = SAMPLE_TEXTS if name == "samples" else TEXTS
    return tuple(
        (Field(key, _KINDS.get(kind, "text"), _unit(key), _MEANINGS.get(key, "")), kind)
        for key, kind in columns.items()
        if texts or key not in hidden
    )


def _unit(key: str) -> str:
    if key.endswith("_tokens_per_s"):
        return "tokens/s"
    return next((unit for end, unit in _UNITS if key.endswith(end)), "")


def attempt_files(source: Source, scratch: Path) -> Iterator[Path | tuple[Path, Iterable[dict[str, object]]]]:
    """A file with the attempts of each run: a Parquet table, or where to write one with its rows."""
    for folder in source.run_folders():
        if (folder / PARQUET).is_file():
            yield folder / PARQUET
            continue
        try:
            manifest = read_manifest(folder)
        except DataError as error:
            source.missed(folder, error)
            continue
        yield scratch / f"{folder.name}.attempts", rows_of(manifest, folder)


def sample_rows(source: Source) -> Iterator[dict[str, object]]:
    """A row for each sample of each run; what cannot be read is left out and named."""
    for folder in source.run_folders():
        try:
            manifest = read_manifest(folder)
            for sample in read_journal(folder / SAMPLES, Sample) if (folder / SAMPLES).is_file() else ():
                yield {"run": folder.name, "suite": manifest.suite, **_row(sample, texts=source.texts)}
        except DataError as error:
            source.missed(folder, error)


def _row(sample: Sample, *, texts: bool) -> dict[str, object]:
    row: dict[str, object] = {
        "sample": sample.id,
        "category": sample.category,
        "session": sample.session,
        "weight": sample.weight,
        "split": sample.split,
        "scorer": sample.scorer,
        "wants_call": sample.wants_call,
        "messages_n": len(sample.messages),
        "tools_n": len(sample.tools),
    }
    if not texts:
        return row
    said = [one.content for one in sample.messages if one.role == "user" and one.content]
    return {
        **row,
        "prompt": said[-1] if said else None,
        "messages": _json([one.model_dump(mode="json", exclude_defaults=True) for one in sample.messages]),
        "tools": _json([one.model_dump(mode="json", exclude_defaults=True) for one in sample.tools]),
        "target": _json(sample.target.model_dump(mode="json")),
        "params": _json(sample.params) if sample.params else None,
    }


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
