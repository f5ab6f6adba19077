"""What is in a store, as a table: calls by agent and model. No message, user or session is named."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from harness.logs.store.duck import SETTINGS, load
from harness.logs.store.folder import list_files
from harness.logs.store.key import StoreKey
from harness.logs.store.parquet import CALLS

__all__ = ["Group", "overview", "plain"]

_COLUMNS: Final = (
    "agent", "model", "session", "sent_at", "failure", "prompt_tokens", "output_tokens", "cost_usd",
)  # fmt: skip
_LAST: Final = 253_402_300_800.0
_SUMS: Final = """count(*), count(DISTINCT session), count(failure), sum(prompt_tokens)::BIGINT,
       sum(output_tokens)::BIGINT, sum(cost_usd), min(sent_at), max(sent_at) FROM calls"""
_GROUPS: Final = f"SELECT agent, model, {_SUMS} GROUP BY agent, model ORDER BY count(*) DESC, agent, model"
_ALL: Final = f"SELECT NULL, NULL, {_SUMS}"


@dataclass(frozen=True, slots=True)
class Group:
    """Calls of one agent to one model, or all. None is what no call says."""

    agent: str | None
    model: str | None
    calls: int
    sessions: int
    failed: int
    prompt_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    first: float | None
    last: float | None

    @property
    def span(self) -> str:
        """First and last day."""
        days = [
            datetime.fromtimestamp(at, UTC).date().isoformat() for at in (self.first, self.last) if at and at < _LAST
        ]
        return " – ".join(dict.fromkeys(days)) or "–"


def overview(folder: Path, key: StoreKey | None) -> tuple[Sequence[Group], Group]:
    """The calls of a store by agent and model, the most first, and all together."""
    schema = pa.schema([CALLS.field(name) for name in _COLUMNS])
    with duckdb.connect(config=SETTINGS) as connection:
        load(connection, "calls", [folder / name for name in list_files(folder).calls], key, schema)
        groups = connection.execute(_GROUPS).fetchall()
        (whole,) = connection.execute(_ALL).fetchall()
    return [Group(*one) for one in groups], Group(*whole)


def plain(text: str | None) -> str:
    """A name out of a log without characters that could steer a terminal; `–` for none."""
    if not text:
        return "–"
    return "".join(one for one in text if not unicodedata.category(one).startswith("C"))[:48]
