"""A complete run as one flat, typed Parquet table: a row for each attempt's last outcome, joined with its score.

Derived from the journals, which stay: they are what a run is resumed from and read back from, they carry checksums, and
any tool can read them. The table can be made anew at any time. Rows are streamed, so memory does not grow with the run;
what DuckDB needs on top (up to 256 MB) is taken in a process of its own where a run is large.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import orjson

from harness.errors import DataError
from harness.measure import decode_tokens_per_s, e2e_s, tpot_s, tpot_with_first_s, ttft_s
from harness.records import Attempt, Failure, Reply, Score, ServerTiming
from harness.records.manifest import Manifest
from harness.store.outcomes import final_outcomes
from harness.store.runfolder import ATTEMPTS, PARQUET, read_manifest

__all__ = ["COLUMNS", "compact", "compact_apart", "rows_of"]

COLUMNS: Final[dict[str, str]] = {
    "run": "VARCHAR",
    "suite": "VARCHAR",
    "model": "VARCHAR",
    "protocol": "VARCHAR",
    "backend": "VARCHAR",
    "sample": "VARCHAR",
    "category": "VARCHAR",
    "trial": "INTEGER",
    "seed": "BIGINT",
    "scorer": "VARCHAR",
    "value": "DOUBLE",
    "miss": "VARCHAR",
    "boundary": "VARCHAR",
    "why": "VARCHAR",
    "parts": "VARCHAR",
    "extracted": "VARCHAR",
    "failure": "VARCHAR",
    "failure_message": "VARCHAR",
    "status": "INTEGER",
    "tries": "INTEGER",
    "failed_tries": "VARCHAR[]",
    "sent_at": "DOUBLE",
    "ttft_s": "DOUBLE",
    "tpot_s": "DOUBLE",
    "tpot_with_first_s": "DOUBLE",
    "e2e_s": "DOUBLE",
    "decode_tokens_per_s": "DOUBLE",
    "intended_ns": "BIGINT",
    "headers_ns": "BIGINT",
    "first_byte_ns": "BIGINT",
    "first_content_ns": "BIGINT",
    "first_reasoning_ns": "BIGINT",
    "first_tool_ns": "BIGINT",
    "last_ns": "BIGINT",
    "end_ns": "BIGINT",
    "chunks_ns": "BIGINT[]",
    "prompt_tokens": "BIGINT",
    "cached_tokens": "BIGINT",
    "cache_write_tokens": "BIGINT",
    "output_tokens": "BIGINT",
    "reasoning_tokens": "BIGINT",
    "tokens_counted_by": "VARCHAR",
    "server_queue_s": "DOUBLE",
    "server_prompt_s": "DOUBLE",
    "server_predicted_s": "DOUBLE",
    "cost_usd": "DOUBLE",
    "recorded_cost_usd": "DOUBLE",
    "recorded_cost_by": "VARCHAR",
    "origin": "VARCHAR",
    "finish_reason": "VARCHAR",
    "content": "VARCHAR",
    "reasoning": "VARCHAR",
    "tool_calls": "VARCHAR",
}
"""Columns in order with their DuckDB types. `_ns` marks as in `Timing`, `_s` values as in `harness.measure`; `parts`,
`extracted` and `tool_calls` are JSON text; null is what was not measured or did not happen."""

_MIB: Final = 1 << 20
_ROW_GROUP: Final = 8192
_LARGE_BYTES: Final = 4 * _MIB
_NOTHING: Final = Reply()
_SILENT: Final = ServerTiming()
_NUL_MARK: Final = "\ufffd"
"""Stands for the character NUL, which few programs that read tables survive."""


def compact(folder: Path) -> Path:
    """Writes `attempts.parquet` into the folder of a complete run, in place of an older one; returns its path.

    Raises DataError if the run is not complete, a journal is damaged, or the table cannot be written; the run itself
    is whole in any case.
    """
    manifest = read_manifest(folder)
    if manifest.status not in {"complete", "settled"}:
        raise DataError(f"{folder} is {manifest.status}, not complete: finish it first with run.resume={folder}")
    target = folder / PARQUET
    rows, table = (folder / f".{PARQUET}.{os.getpid()}.{suffix}" for suffix in ("jsonl", "part"))
    try:
        longest = _write_rows(rows, manifest, folder)
        _convert(rows, table, longest)
        table.replace(target)
    except OSError as error:
        raise DataError(f"{target} cannot be written ({error.strerror}); the run itself is complete") from error
    finally:
        for file in (rows, table):
            with suppress(OSError):
                file.unlink(missing_ok=True)
    return target


def compact_apart(folder: Path) -> None:
    """`compact`, in a child process if the run is large, so that the memory of this one does not grow. Raises as it.

    Without DuckDB (extra `logs`) the run goes without the table.
    """
    if find_spec("duckdb") is None:
        return
    attempts = folder / ATTEMPTS
    if not attempts.exists() or attempts.stat().st_size < _LARGE_BYTES:
        compact(folder)
        return
    done = subprocess.run(
        [sys.executable, "-m", "harness.store.compact", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        raise DataError(said[-1])


def _write_rows(path: Path, manifest: Manifest, folder: Path) -> int:
    """Writes a JSON line for each row; returns the bytes of the longest."""
    longest = 0
    with path.open("wb") as file:
        for row in rows_of(manifest, folder):
            longest = max(longest, file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)))
    return longest


def rows_of(manifest: Manifest, folder: Path) -> Iterator[dict[str, object]]:
    """The rows of a run's table, one by one, also of a run that is not complete. Raises DataError for a damaged one."""
    run = {"run": manifest.run, "suite": manifest.suite}
    for attempt, score in final_outcomes(folder):
        told = {**_verdict(score), **_blame(attempt), **_said(attempt)}
        yield {**run, **_who(attempt), **told, **_times(attempt), **_costs(attempt)}


def _who(attempt: Attempt) -> dict[str, object]:
    return {
        "model": attempt.model,
        "protocol": attempt.protocol,
        "backend": attempt.backend,
        "sample": attempt.sample,
        "trial": attempt.trial,
        "seed": attempt.seed,
        "sent_at": attempt.timing.at,
    }


def _verdict(score: Score | None) -> dict[str, object]:
    if score is None:
        return {}
    return {
        "category": score.category,
        "scorer": score.scorer,
        "value": score.value,
        "miss": score.miss,
        "boundary": score.boundary,
        "why": _plain(score.why),
        "parts": _json(score.parts),
        "extracted": None if score.extracted is None else _json(score.extracted),
    }


def _blame(attempt: Attempt) -> dict[str, object]:
    failure: Failure | None = attempt.failure
    tried: dict[str, object] = {"tries": attempt.tries, "failed_tries": [one.kind for one in attempt.failed_tries]}
    if failure is None:
        return tried
    return {
        **tried,
        "boundary": failure.boundary,
        "failure": failure.kind,
        "failure_message": _plain(failure.message),
        "status": failure.status,
    }


def _times(attempt: Attempt) -> dict[str, object]:
    timing, usage = attempt.timing, attempt.usage
    return {
        "ttft_s": ttft_s(timing),
        "tpot_s": tpot_s(timing, usage),
        "tpot_with_first_s": tpot_with_first_s(timing, usage),
        "e2e_s": e2e_s(timing) if attempt.reply is not None else None,
        "decode_tokens_per_s": decode_tokens_per_s(timing, usage),
        "intended_ns": timing.intended_ns,
        "headers_ns": timing.headers_ns,
        "first_byte_ns": timing.first_byte_ns,
        "first_content_ns": timing.first_content_ns,
        "first_reasoning_ns": timing.first_reasoning_ns,
        "first_tool_ns": timing.first_tool_ns,
        "last_ns": timing.last_ns,
        "end_ns": timing.end_ns,
        "chunks_ns": timing.chunks_ns,
    }


def _costs(attempt: Attempt) -> dict[str, object]:
    usage, server = attempt.usage, attempt.server or _SILENT
    return {
        "prompt_tokens": usage.prompt_tokens,
        "cached_tokens": usage.cached_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "output_tokens": usage.output_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "tokens_counted_by": usage.counted_by,
        "server_queue_s": server.queue_s,
        "server_prompt_s": server.prompt_s,
        "server_predicted_s": server.predicted_s,
        "cost_usd": attempt.cost_usd,
        "recorded_cost_usd": attempt.recorded_cost_usd,
        "recorded_cost_by": attempt.recorded_cost_by,
        "origin": attempt.origin,
    }


def _said(attempt: Attempt) -> dict[str, object]:
    reply = attempt.reply or _NOTHING
    calls = [call.model_dump() for call in reply.tool_calls]
    return {
        "finish_reason": reply.finish_reason,
        "content": None if reply.content is None else _plain(reply.content),
        "reasoning": None if reply.reasoning is None else _plain(reply.reasoning),
        "tool_calls": _json(calls) if calls else None,
    }


def _plain(text: str) -> str:
    return text.replace("\0", _NUL_MARK)


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _convert(rows: Path, table: Path, longest: int) -> None:
    """Turns JSON lines into a Parquet file. Raises DataError if DuckDB cannot."""
    import duckdb  # 30 ms to load, and needed only when a run is over

    columns = ", ".join(f"\"{name}\": '{kind}'" for name, kind in COLUMNS.items())
    settings: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "memory_limit": "256MB",
        "temp_directory": str(table.with_suffix(".tmp")),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    buffer_bytes = max(_MIB, 2 * longest)
    try:
        with duckdb.connect(config=settings) as connection:
            connection.execute(
                f"COPY (SELECT * FROM read_json({_quoted(rows)}, format='newline_delimited', columns={{{columns}}}, "
                f"maximum_object_size={buffer_bytes})) TO {_quoted(table)} "
                f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROW_GROUP})"
            )
    except duckdb.Error as error:
        said = str(error).splitlines()[0][:200]
        raise DataError(f"{PARQUET} cannot be written ({said}); the run itself is complete") from error


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


if __name__ == "__main__":
    try:
        compact(Path(sys.argv[1]))
    except DataError as error:
        sys.exit(str(error))
