"""A record as a row and the contents it refers to, and back."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import orjson

from harness.logs.store.parquet import CALLS
from harness.records import Usage
from harness.records.logs import LogFailure, LogRecord, Payload, canonical

__all__ = [
    "COLUMN", "NO_DATE", "Content", "Row", "Unstorable", "bare_row", "date_of", "id_hash", "record_of", "row_of",
    "stamped",
]  # fmt: skip

NO_DATE: Final = "__HIVE_DEFAULT_PARTITION__"
"""Of calls whose log gives no time: what DuckDB, Spark and pandas read as null."""
_LATEST_DATE: Final = 4_102_444_800.0
_WHOLE: Final = 1 << 63
_NO_USAGE: Final = Usage()
_TYPES: Final[tuple[tuple[type, ...], ...]] = tuple(
    {"string": (str,), "int64": (int,), "double": (float, int), "bool": (bool,)}[str(kind.type)] for kind in CALLS
)
Row = tuple[Any, ...]
COLUMN: Final = {name: place for place, name in enumerate(CALLS.names)}
"""Where each column stands in a row."""


class Unstorable(ValueError):
    """A record whose values no file can hold; the message says which."""


class Content(NamedTuple):
    """A message or a tool list to be kept once. A tuple, since a process hands many of them to another."""

    hash: bytes
    kind: str
    role: str | None
    json: bytes

    def row(self) -> Row:
        """As `CONTENTS` has it."""
        return (self.hash.hex(), self.kind, self.role, self.json.decode())


def id_hash(record_id: str) -> bytes:
    """What a record is known by: 16 bytes."""
    return blake2b(record_id.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def date_of(at: float | None) -> str:
    """The partition of a time: a date in UTC, or `NO_DATE`."""
    if at is None or not 0 <= at < _LATEST_DATE:
        return NO_DATE
    return _date(int(at // 86400))


@lru_cache(maxsize=4096)
def _date(day: int) -> str:
    return datetime.fromtimestamp(day * 86400, UTC).date().isoformat()


def row_of(record: LogRecord, collected: float) -> tuple[Row, list[Content]]:
    """The row of a record, and what it refers to, each message with its hash. Raises Unstorable."""
    try:
        contents = [_content("message", message, str(message.get("role"))) for message in record.messages]
        messages = " ".join([content.hash.hex() for content in contents])
        tools = reply = finish = None
        if record.tools:
            contents.append(_content("tools", record.tools, None))
            tools = contents[-1].hash.hex()
        if record.reply is not None:
            said = {name: value for name, value in record.reply.items() if name != "finish_reason"}
            finish = record.reply.get("finish_reason")
            contents.append(_content("message", said, "assistant"))
            reply = contents[-1].hash.hex()
        asked = (messages, tools, reply, finish, _json(record.more_replies), _json(record.params))
        row = (record.id, record.source, *asked, *_facts(record), _json(record.extra), collected)
        _check(row)
    except (TypeError, ValueError) as error:
        raise Unstorable(f"it cannot be stored: {error}") from None
    return row, contents


def bare_row(record: LogRecord) -> Row:
    """The row of a record that cannot be stored: which call, whose and when, and nothing else."""
    known = {
        "id": record.id,
        "sent_at": record.at,
        "session": record.session,
        "step": record.step,
        "end_user": record.user,
        "human_chat": record.human_chat,
    }
    return tuple([known.get(name) for name in COLUMN])


def stamped(row: Row, step: int | None, collected: float) -> Row:
    """The row with its step and the time when it came into the store."""
    place = COLUMN["step"]
    return (*row[:place], step, *row[place + 1 : -1], collected)


def _facts(record: LogRecord) -> Row:
    failure, usage = record.failure, record.usage
    return (
        failure and failure.kind,
        failure and failure.message,
        failure and failure.status,
        record.at,
        record.session,
        record.step,
        record.span,
        record.parent,
        record.agent,
        record.user,
        record.model,
        record.answered_by,
        record.provider,
        usage.prompt_tokens,
        usage.cached_tokens,
        usage.cache_write_tokens,
        usage.output_tokens,
        usage.reasoning_tokens,
        usage.counted_by,
        record.latency_s,
        record.latency_kind,
        record.ttft_s,
        record.cost_usd,
        record.cached,
        record.streamed,
        record.outcome,
        record.outcome_by,
        record.human_chat,
    )


def _content(kind: str, value: object, role: str | None) -> Content:
    data = canonical(value)
    return Content(blake2b(data, digest_size=16).digest(), kind, role, data)


def _json(value: Mapping[str, Any] | tuple[Payload, ...]) -> str | None:
    return canonical(value).decode() if value else None


def _check(row: Row) -> None:
    """Raises ValueError for a value that its column cannot hold: another type, a lone surrogate, a huge number."""
    for value, types, name in zip(row, _TYPES, CALLS.names, strict=True):
        if value is None:
            continue
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise ValueError(f"{name} is of type {type(value).__name__}")
        if isinstance(value, int) and not -_WHOLE <= value < _WHOLE:
            raise ValueError(f"{name} is beyond 64 bits")
        if isinstance(value, str) and not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise ValueError(f"{name} is no valid Unicode") from None


def record_of(row: Mapping[str, Any], content: Callable[[str], Any]) -> LogRecord:
    """The record of a row. `content`: gives the value with a hash; nobody changes it."""
    reply: Payload | None = None
    if row["reply"] is not None:
        reply = content(row["reply"])
        if row["finish_reason"] is not None:
            reply = {**content(row["reply"]), "finish_reason": row["finish_reason"]}
    failure = row["failure"]
    return LogRecord(
        id=row["id"],
        source=row["source"],
        messages=tuple([content(hashed) for hashed in row["messages"].split()]),
        tools=tuple(content(row["tools"])) if row["tools"] else (),
        params=_loaded(row["params"]) or {},
        reply=reply,
        more_replies=tuple(_loaded(row["more_replies"]) or ()),
        failure=None if failure is None else LogFailure(failure, row["failure_message"], row["failure_status"]),
        usage=_usage(row),
        extra=_loaded(row["extra"]) or {},
        at=row["sent_at"],
        user=row["end_user"],
        **{name: row[name] for name in _SAME},
    )


_SAME: Final = (
    "session", "step", "span", "parent", "agent", "model", "answered_by", "provider", "latency_s",
    "latency_kind", "ttft_s", "cost_usd", "cached", "streamed", "outcome", "outcome_by", "human_chat",
)  # fmt: skip


def _usage(row: Mapping[str, Any]) -> Usage:
    counts = {
        name: row[name]
        for name in ("prompt_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
        if row[name] is not None
    }
    counted_by = row["tokens_counted_by"]
    return Usage(**counts, counted_by=counted_by) if counts or counted_by else _NO_USAGE


def _loaded(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)
